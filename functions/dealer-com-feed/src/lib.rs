//! Job type `dealer_com_feed`: a dealer's whole inventory, and work for the cars that are new in
//! it.
//!
//! The modules stand in the order in which data flows. What is fetched and stored happens in `job`,
//! `site`, `fan_out` and `orphan`; all others are plain functions of values.

pub mod payload;

pub mod endpoint;

mod entry;
mod field;
pub mod inventory;
pub mod price;
pub mod vehicle;

pub mod paging;
pub mod vins;

pub mod change;
pub mod collapse;
pub mod content;

pub mod fan_out;
pub mod job;
mod orphan;
pub mod reading;
pub mod site;
pub mod snapshot;

pub use job::{DealerComFeed, POLICY, TYPE};
pub use payload::{Condition, FanOut, Feed, Feed as Payload};
