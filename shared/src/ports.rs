//! What the engine needs from outside, one trait a file. Each port has an implementation on AWS
//! ([`crate::aws`]), one in memory ([`crate::testing`]), and one conformance suite that holds both.

mod control;
mod error;
pub mod maintenance;
pub mod notes;
mod queue;
mod secrets;
mod store;

pub use control::{Control, Seen, Swapped};
pub use error::PortError;
pub use queue::{ExtendVisibility, Queue};
pub use secrets::SecretSource;
pub use store::{Store, Written};

use crate::base::{random::Random, time::Clock};

/// Everything that a worker needs from outside, as one bundle of types.
pub trait Ports: Send + Sync + 'static {
    /// The job table and the control table.
    type Store: Store + Control + Clone;
    /// The queues.
    type Queue: Queue;
    /// The clock.
    type Clock: Clock + Clone;
    /// The source of random numbers.
    type Random: Random + Clone;
}
