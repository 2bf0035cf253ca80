//! The few AWS calls that bring a local stack up and look into it, over plain HTTP. No SDK: these
//! are development commands against a local endpoint, which checks no signature.

pub mod client;
pub mod cloudformation;
pub mod dynamodb;
pub mod lambda;
pub mod logs;
pub mod s3;
pub mod secrets;
pub mod sqs;

pub use client::{Client, ServiceError};

/// The region of every local stack.
pub const REGION: &str = "us-east-1";
