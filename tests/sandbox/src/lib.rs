//! Stand-ins of the third parties, with faults on demand, for local runs and end-to-end tests.
//!
//! One process plays the link shortener under `/v1` ([`rebrandly`]) and dealer sites under
//! `/dealers` ([`dealers`]), and takes orders under `/control`: what to answer, what to break, and
//! what has been asked of it so far. The record of calls is what a test trusts when it claims that
//! no link was made twice, so everything the sandbox knows lives behind one lock and no call ever
//! waits while holding it.
//!
//! In reading order: `server` accepts connections, `exchange` takes one call from arrival to
//! answer, `rebrandly` and `dealers` do the work in between, `faults` says what can go wrong and
//! `strikes` which calls do, and `control` and [`Client`] are the two ends of the control endpoint.
//! The rest knows of a third party no more than what a call is about, so another one is another
//! module beside these.

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
mod limits;
pub mod rebrandly;
mod reply;
mod server;
mod settings;
mod strikes;
mod subject;
mod visit;
mod world;

pub use calls::{Call, CallCount, CallCounts, SiteCount};
pub use client::{Client, ClientError};
pub use faults::{CannedAnswer, Fault, FaultKind, FaultReport, Method, Scope, Service, Target};
pub use held::HeldCall;
pub use server::Sandbox;
pub use settings::{ConflictShape, RetryAfter, Settings, SettingsChange};
