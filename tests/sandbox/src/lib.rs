//! Fake third parties with injectable faults, for local runs and end-to-end tests.
//!
//! One process serves a fake link shortener under `/v1` ([`rebrandly`]) and fake dealer sites under
//! `/dealers` ([`dealers`]). Tests control it under `/control`: they set what it answers, inject
//! faults, and read the record of the calls that it received. They rely on that record to show that
//! no link was created twice. All state is therefore behind one lock, and no call waits while it
//! holds the lock.
//!
//! In reading order: `server` accepts connections, and [`InProcess`] serves without any. `exchange`
//! takes one call from arrival to answer. `rebrandly` and `dealers` do what the call asks for. `subject` describes what a call is
//! about. `faults` defines the faults, and `strikes` decides which calls they strike. `control` and
//! [`Client`] are the server's and the client's side of the control endpoint.
//!
//! A new third party is a new module beside `rebrandly` and `dealers`. `exchange` and `strikes`
//! know nothing about a third party except the `subject` of a call.

mod calls;
mod chance;
mod client;
mod clock;
mod connection;
mod control;
pub mod dealers;
mod exchange;
mod faults;
mod held;
mod in_process;
mod limits;
pub mod rebrandly;
mod reply;
mod routes;
mod server;
mod settings;
mod strikes;
mod subject;
#[cfg(test)]
mod test_http;
mod visit;
mod world;

pub use calls::{Call, CallCount, CallCounts, SiteCount};
pub use client::{Client, ClientError};
pub use faults::{CannedAnswer, Fault, FaultKind, FaultReport, Method, Scope, Service, Target};
pub use held::HeldCall;
pub use in_process::{ConnectionReset, InProcess, IncomingCall};
pub use server::Sandbox;
pub use settings::{ConflictShape, RetryAfter, Settings, SettingsChange};
pub use visit::Endpoint;
