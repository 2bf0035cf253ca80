//! Why a port could not do what was asked.

use std::{fmt, time::Duration};

use crate::failure::{Class, Failure};

/// Why a port could not do what was asked. Whether it was done all the same is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortError {
    /// It may work later: unreachable, throttled, an internal error.
    Unavailable(String),
    /// It will not work until somebody mends it: access denied, no such table.
    Broken(String),
    /// One record is not what this code writes: nobody's to overwrite, and nobody else's trouble.
    Unreadable(String),
}

/// How long a job waits for a table or a queue that only people can mend.
const BROKEN_PAUSE: Duration = Duration::from_mins(20);

impl PortError {
    /// The failure of a job whose own table or queue does not take it just now: no fault of its
    /// dependency's, and no attempt spent.
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
        }
    }
}

impl std::error::Error for PortError {}
