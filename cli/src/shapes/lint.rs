//! Output of `lint`.

use schemars::JsonSchema;
use serde::Serialize;

/// What `lint` has found in a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Linted {
    /// The file, as it was given.
    pub path: String,
    /// What it was read as: `function`, `template` or `messages`.
    pub read_as: String,
    /// Those of the first lines first.
    pub findings: Vec<Finding>,
}

/// Something in a file that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Finding {
    /// Its line, from 1.
    pub line: u64,
    /// The field, such as `concurrency.high` or `Resources.OrdersQueue.VisibilityTimeout`.
    pub field: String,
    /// The name of the rule, such as `visibility_timeout`.
    pub rule: String,
    /// What is wrong, and what was expected.
    pub message: String,
}
