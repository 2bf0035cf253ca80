//! Job type `url_shortening`: one short link for each car, whatever Rebrandly answers.

pub mod answer;
pub mod job;
pub mod rebrandly;

pub use job::{POLICY, Shortening, Shortening as Payload, TYPE, UrlShortening};
