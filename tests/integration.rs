//! The integration crate: one binary, so that the workspace links it once.

mod conformance;
mod e2e;
mod faults;
mod schema;
mod template;
mod tidy;
