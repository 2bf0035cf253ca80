//! The pages and feeds that all benchmarks read.

pub mod feed;
pub mod page;
