//! Job type `dealer_com_feed`: a dealer's whole inventory, and work for the cars that are new in
//! it.
//!
//! The modules stand in the order in which data flows. All of them are plain functions of values:
//! what is fetched and stored happens around them.

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

pub use payload::{Condition, FanOut, Feed};
