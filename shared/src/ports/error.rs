//! The error of a port call.

use std::{fmt, time::Duration};

use crate::failure::{Class, Failure};

/// Why a port call failed. The error does not tell whether the call took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortError {
    /// A retry may succeed: the service is unreachable, throttles, or had an internal error.
    Unavailable(String),
    /// A retry cannot succeed until an operator fixes the cause, such as denied access or a missing
    /// table.
    Broken(String),
    /// One item is not in the format that this code writes. It must not be overwritten; other items
    /// are not affected.
    Unreadable(String),
    /// The table refuses one item as such, for instance because it is too large. Other items are not affected.
    Invalid(String),
}

/// How long a job waits when only an operator can fix its table or queue.
const BROKEN_PAUSE: Duration = Duration::from_mins(20);

impl PortError {
    /// The failure of a job that could not use its own table or queue. It does not count against
    /// the job's dependency and spends no attempt.
    #[must_use]
    pub fn unstarted(&self) -> Failure {
        let failure = Failure::new(Class::Unstarted, "store_unavailable", self.to_string());
        failure.with_retry_after(matches!(self, Self::Broken(_)).then_some(BROKEN_PAUSE))
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "unavailable: {why}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
            Self::Invalid(why) => write!(f, "invalid: {why}"),
        }
    }
}

impl std::error::Error for PortError {}
