//! The lease of a batch: until when its runs may be alive.

use crate::base::time::Time;

/// The lease of a whole batch, by which the sweeper finds the jobs of a process that died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The batch's token.
    pub owner: String,
    /// When the lease ends.
    pub until: Time,
    /// Keys of the jobs that the batch may have claimed.
    pub jobs: Vec<String>,
}
