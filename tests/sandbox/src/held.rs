//! Calls that wait until a test releases them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::visit::Visit;

/// A call that waits because a `hang` or `hold` fault struck it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCall {
    /// The call's number in the record: see [`crate::Call::id`].
    pub call_id: u64,
    /// The client's TCP port, by which a test can find the process that made the call.
    pub client_port: u16,
    /// The fault that makes the call wait: `hang` or `hold`.
    pub fault: String,
    /// The slashtag from the body or the query.
    pub slashtag: Option<String>,
    /// The destination from the body.
    pub destination: Option<String>,
    /// The link that the call worked on: may be set for `hold`, never for `hang`.
    pub link_id: Option<String>,
    /// What the call asks of a dealer site; null for a call to the link shortener.
    pub visit: Option<Visit>,
}

/// The calls that are waiting now.
#[derive(Debug, Default)]
pub(crate) struct HeldCalls {
    // Dropping the sender releases the call.
    waiting: BTreeMap<u64, (HeldCall, oneshot::Sender<()>)>,
}

impl HeldCalls {
    /// Adds a call. The returned receiver resolves, with an error, when the call is released.
    pub(crate) fn add(&mut self, call: HeldCall) -> oneshot::Receiver<()> {
        let (release, released) = oneshot::channel();
        self.waiting.insert(call.call_id, (call, release));
        released
    }

    /// Removes a call that was released or whose client has left.
    pub(crate) fn remove(&mut self, call_id: u64) {
        self.waiting.remove(&call_id);
    }

    /// Releases all waiting calls, and returns how many there were.
    pub(crate) fn release(&mut self) -> usize {
        std::mem::take(&mut self.waiting).len()
    }

    pub(crate) fn list(&self) -> Vec<HeldCall> {
        self.waiting.values().map(|(call, _)| call.clone()).collect()
    }
}
