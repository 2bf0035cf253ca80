//! The rules that decide whether and how fast a dependency is called. They are pure functions; the
//! current time and random numbers are arguments. `gates` applies them in a container.

pub mod breaker;
pub mod call_timeout;
pub mod forced;
pub mod limiter;
pub mod load_shedding;
pub mod quota;
pub mod retry_budget;
pub mod stats;
