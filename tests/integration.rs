//! The integration crate: one binary, so that the workspace links it once.

mod conformance;
mod faults;
mod schema;
mod template;
mod tidy;
