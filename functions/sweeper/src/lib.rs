//! The sweeper: what makes the queue heal itself. Each minute one of it looks whatever got stuck,
//! lost, parked, dead or old, and sets it going again. It knows no job type.
//!
//! ```text
//!  lead ─ survey ─ rescue ─ release ─ redrive ─ prune, audit ─ balance ─ observe ─ report
//!                     └────────┴────────┴─ steps: the record first, then the message
//! ```
//!
//! What is due, and what to do about it, is decided in [`plan`]: plain functions of what was seen.
//! [`pass`] does it. Every change is guarded by the record's state and fence, so that two sweepers, or
//! one that is cut off anywhere, do nothing twice.

pub mod call;
pub mod command;
pub mod config;
pub mod lead;
pub mod memory;
pub mod metrics;
pub mod pass;
pub mod plan;
pub mod ports;
pub mod records;
pub mod step;
pub mod survey;
pub mod tick;

pub use ports::{Ports, Sweep};
