//! Stand-ins of the third parties, with faults on demand, for local runs and end-to-end tests.
//!
//! One process plays the third party under `/v1` ([`rebrandly`]) and takes orders under `/control`:
//! what to answer, what to break, and what has been asked of it so far. The record of calls is
//! what a test trusts when it claims that no link was made twice, so everything the sandbox knows
//! lives behind one lock and no call ever waits while holding it.
//!
//! In reading order: `server` accepts connections, `exchange` takes one call from arrival to
//! answer, `rebrandly` does the work in between, `faults` says what can go wrong and
//! `strikes` which calls do, and `control` and [`Client`] are the two ends of the control endpoint. Everything but `rebrandly`
//! and `limits` is ignorant of links, so another third party is another module beside it.

mod calls;
mod chance;
mod client;
mod clock;
mod connection;
mod control;
mod exchange;
mod faults;
mod held;
mod limits;
pub mod rebrandly;
mod reply;
mod server;
mod settings;
mod strikes;
mod world;

pub use calls::{Call, CallCount, CallCounts};
pub use client::{Client, ClientError};
pub use faults::{CannedAnswer, Fault, FaultKind, FaultReport, Method, Scope, Target};
pub use held::HeldCall;
pub use server::Sandbox;
pub use settings::{ConflictShape, RetryAfter, Settings, SettingsChange};
