//! What happens during the incident, and when.

use std::time::Duration;

use sandbox::Fault;

use super::job::Kind;
use super::site::Page;

/// The places of the feeds among them. The first comes after the killed job, with which no job that
/// a feed makes may share a batch.
pub(crate) const FEEDS: [usize; 4] = [24, 44, 72, 104];

/// Time between two jobs: five in two seconds. With the jobs that the feeds make, and all second
/// tries, the calls stay below the pace that the limiter keeps after a 429. At four jobs a second
/// the backlog of one such moment lasts to the end.
pub(crate) const PACE: Duration = Duration::from_millis(400);

/// What happens at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Messages are sent to one queue, in one call.
    Send(Kind, Vec<Message>),
    /// A service breaks; the text says how.
    Break(&'static str, Vec<Fault>),
    /// A page is twisted as it says.
    Twist(Page),
    /// A job is sent, and the process that works on it is killed.
    Kill(usize),
}

/// An action and its time since the beginning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) action: Action,
}

/// A body to send, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The place of the job in the incident; none for what is no message of a job.
    pub(crate) job: Option<usize>,
    pub(crate) body: String,
}

/// When a job is sent for the first time, give or take a moment.
pub(crate) fn slot(place: usize) -> Duration {
    PACE.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX))
}
