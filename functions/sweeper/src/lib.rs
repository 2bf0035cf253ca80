//! The sweeper: a function that runs each minute and repairs the queue. It resumes jobs that are
//! stuck, lost or parked, empties the dead-letter queues, and removes expired items. It knows no
//! job type.
//!
//! ```text
//!  lead ─ survey ─ rescue ─ release ─ redrive ─ operate ─ prune, audit ─ balance ─ observe ─ history
//!                     └─────────┴─────────┴─ steps: the record first, then the message
//! ```
//!
//! The same program is the operators' function, without schedule and lead: [`operator`].
//!
//! [`call`] answers one call of the sweeper. [`plan`] decides what is due and what to do about it,
//! in pure functions. [`pass`] reads the records, asks the plan, and writes. Every write is
//! conditional on the record's state and fence, so two concurrent sweepers, or one that is cut off
//! at any point, repeat nothing.

pub mod call;
pub mod command;
pub mod config;
pub mod entries;
mod fields;
pub mod lead;
pub mod memory;
pub mod metrics;
pub mod operator;
pub mod pass;
pub mod plan;
pub mod ports;
pub mod records;
pub mod step;
pub mod survey;
pub mod tick;

pub use ports::{Ports, Sweep};
