//! Job type `url_shortening`: creates one Rebrandly short link for one page of one car.
//!
//! The crate's README.md explains the chain of slashtags and how responses are classified.

pub mod answer;
pub mod job;
pub mod rebrandly;

pub use job::{POLICY, Shortening, Shortening as Payload, TYPE, UrlShortening};
