//! The few AWS calls by which the stack, the demo and the tests send messages and read tables, over
//! plain HTTP. They need no SDK, because a local endpoint checks no signature.

pub mod client;
pub mod dynamodb;
pub mod iam;
pub mod lambda;
pub mod scheduler;
pub mod secrets;
pub mod sqs;

pub use client::{Client, ServiceError};

/// The region of every local stack.
pub const REGION: &str = "us-east-1";
