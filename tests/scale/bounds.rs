//! How long the answers may take, and what they may cost.

use std::time::Duration;

use super::place::Service;

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The longest run of a command.
    pub(super) command: Bound,
    /// The longest request of a page.
    pub(super) page: Bound,
    /// Read units a second while a tab is open.
    pub(super) units_a_second: f64,
}

/// A bound of a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) longest: Duration,
    /// Whether the time that the service takes counts as well.
    pub(super) counts_service: bool,
}

impl Bounds {
    /// The bounds on a service. MiniStack's own time is reported beside ours and not bounded.
    pub(super) const fn of(service: Service) -> Self {
        let counts_service = matches!(service, Service::Dynoxide);
        Self {
            command: Bound { longest: Duration::from_secs(1), counts_service },
            page: Bound { longest: Duration::from_millis(200), counts_service },
            units_a_second: 10.0,
        }
    }
}
