//! Job type `dealer_com_feed`: reads a dealer's whole inventory from a Dealer.com site and creates
//! jobs for new and changed cars.
//!
//! The modules are listed in the order of the data flow. Only `job`, `reader`, `pending`, `finish`, `site`, `fan_out`,
//! `orphan` and `snapshot` do input and output; all others are pure functions.

pub mod links;
pub mod payload;

pub mod endpoint;

mod cutting;
mod entry;
mod field;
pub mod inventory;
mod parts;
pub mod price;
pub mod vehicle;

pub mod paging;
pub mod vins;

pub mod change;
pub mod collapse;
pub mod content;
pub mod growth;

pub mod fan_out;
mod finish;
pub mod job;
mod orphan;
mod pending;
mod reader;
pub mod reading;
pub mod site;
pub mod snapshot;
mod start;

pub use job::{DealerComFeed, POLICY};
pub use payload::{Condition, FanOut, Feed, Feed as Payload, TYPE};
