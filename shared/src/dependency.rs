//! What decides whether and how fast a third party is called: plain functions of values, with time and
//! chance as arguments. [`crate::gates`] is the container's side of it.

pub mod breaker;
pub mod call_timeout;
pub mod limiter;
pub mod load_shedding;
pub mod retry_budget;
pub mod stats;
