//! The lease of a batch: until when its runs may still be alive.

use crate::base::time::Time;

/// One lease of a whole batch: how the sweeper finds jobs whose process died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The batch's token.
    pub owner: String,
    /// When it ends.
    pub until: Time,
    /// Keys of the jobs that the batch may have claimed.
    pub jobs: Vec<String>,
}
