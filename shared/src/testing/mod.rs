//! Test support, all on tokio's clock, which tests pause.
//!
//! The services around a function are simulated: [`sqs`], [`mapping`] (Lambda's event source mapping),
//! [`containers`] (Lambda itself), and the tables ([`MemoryStore`]). Besides, there is fault injection
//! at every port call, and the conformance suites of the ports.

#![expect(clippy::panic, reason = "a test double that is misused ends the test")]

mod applied;
pub mod claim_model;
mod clock;
pub mod conformance;
pub mod containers;
pub mod control_conformance;
mod control_store;
mod control_table;
mod draw;
mod faults;
pub mod gates;
mod log_lines;
mod maintenance;
pub mod maintenance_conformance;
pub mod mapping;
mod moves;
mod policy;
mod ports;
pub mod queue_conformance;
mod records;
pub mod sqs;
mod store;
mod tables;
mod units;

pub use applied::AppliedWrite;
pub use clock::{BEGINNING, SeededRandom, TestClock};
pub use draw::Draw;
pub use faults::{CallSite, Fault, Faults, Faulty, TracedCall};
pub use log_lines::{LogLines, LogSearch};
pub use maintenance::MemoryMappings;
pub use moves::Move;
pub use policy::POLICY;
pub use ports::TestPorts;
pub use records::{record, work};
pub use sqs::{ARN, SimulatedSqs};
pub use store::MemoryStore;
pub use tables::{EntryOutcome, ItemAttributes, TableHabits};
pub use units::{PartitionLimits, Throttles, Units};
