//! The ports: one trait per outside system, one file per trait. Each port has an implementation on
//! AWS ([`crate::aws`]) and one in memory ([`crate::testing`]). The same conformance suite runs on
//! both.

mod control;
mod error;
pub mod maintenance;
pub mod notes;
mod queue;
mod secrets;
mod store;

pub use control::{Control, LimiterSwap, Seen, Swapped};
pub use error::PortError;
pub use queue::{ExtendVisibility, Queue};
pub use secrets::SecretSource;
pub use store::{READ_AT_ONCE, Replacement, Store, Written};

use crate::base::{random::Random, time::Clock};

/// The types of all ports that a worker uses, bundled so that one type parameter stands for them.
#[allow(missing_docs, reason = "the names say it")]
pub trait Ports: Send + Sync + 'static {
    /// Holds the job table and the control table.
    type Store: Store + Control + Clone;
    type Queue: Queue;
    type Clock: Clock + Clone;
    type Random: Random + Clone;
}
