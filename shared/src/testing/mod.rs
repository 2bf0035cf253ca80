//! Test support: the ports in memory, a clock that follows tokio's (so that tests can pause it),
//! fault injection at every port call, and the conformance suites of the ports.

#![expect(clippy::panic, reason = "a test double that is misused ends the test")]

mod clock;
pub mod conformance;
pub mod control_conformance;
mod faults;
mod maintenance;
pub mod maintenance_conformance;
mod ports;
mod queue;
mod release;
mod store;

pub use clock::{ManualClock, SeededRandom, TestClock};
pub use faults::{Fault, Faults, Faulty};
pub use maintenance::MemoryMappings;
pub use ports::TestPorts;
pub use queue::{ARN, Held, MemoryQueue};
pub use release::{InMemory, next_event_in, release_parked};
pub use store::MemoryStore;
