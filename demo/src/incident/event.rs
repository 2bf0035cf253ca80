//! What happens during the incident, and when.

use std::time::Duration;

use sandbox::Fault;
use serde_json::Value;

use super::job::Kind;
use super::site::Page;

/// The places of the feeds among the jobs of the incident. The first one comes after the job whose
/// process is killed: no job that a feed enqueues may share a batch with that job.
pub(crate) const FEEDS: [usize; 4] = [24, 44, 72, 104];

/// Time between two jobs: five jobs in two seconds. With the jobs of the feeds and with retries,
/// the calls then stay below the rate that the limiter keeps after a 429. At four jobs a second,
/// the backlog after a 429 would last until the end.
pub(crate) const PACE: Duration = Duration::from_millis(400);

/// What happens at one time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Send messages to the queue of this type, in one call.
    Send(Kind, Vec<Message>),
    /// Inject faults into a service; the text describes them.
    Break(&'static str, Vec<Fault>),
    /// Change a page as its `twist` says.
    Twist(Page),
    /// Send the job at this place, and kill the process that runs it.
    Kill(usize),
}

/// An action and its time since the beginning.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) action: Action,
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// The place of its job in the incident; none for a malformed message.
    pub(crate) job: Option<usize>,
    pub(crate) body: String,
}

impl Message {
    /// Whether it is of a version that the functions do not know yet. It stays in its queue for hours.
    pub(crate) fn waits_for_an_update(&self) -> bool {
        let body: Option<Value> = serde_json::from_str(&self.body).ok();
        self.job.is_none() && body.is_some_and(|body| body["version"].as_u64() > Some(1))
    }
}

/// When the job at this place is first sent, apart from a random delay.
pub(crate) fn slot(place: usize) -> Duration {
    PACE.saturating_mul(u32::try_from(place).unwrap_or(u32::MAX))
}
