//! Job type `url_shortening`: creates one Rebrandly short link for one page of one car.
//!
//! The crate's README.md explains the chain of slashtags and how responses are classified.

pub mod answer;
mod chain;
mod follow;
pub mod import;
pub mod job;
mod links;
mod lookup;
pub mod payload;
pub mod rebrandly;
pub mod result;

pub use chain::resumes_at;
pub use job::{POLICY, TYPE, UrlShortening};
pub use payload::{Shortening, Shortening as Payload};
