//! Calls that wait until somebody lets them go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::visit::Visit;

/// A call that is hanging or held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCall {
    /// The call's number in the record.
    pub call_id: u64,
    /// The client's TCP port, by which a test finds the process behind the call.
    pub client_port: u16,
    /// The kind of fault that keeps it waiting: `hang` or `hold`.
    pub fault: String,
    /// The slashtag in the body or the query.
    pub slashtag: Option<String>,
    /// The destination in the body.
    pub destination: Option<String>,
    /// The link the call has made: set for `hold`, never for `hang`.
    pub link_id: Option<String>,
    /// What it wants of a dealer site; null for a call of the link shortener.
    pub visit: Option<Visit>,
}

/// The calls waiting now.
#[derive(Debug, Default)]
pub(crate) struct HeldCalls {
    // Dropping its sender is what releases a call.
    waiting: BTreeMap<u64, (HeldCall, oneshot::Sender<()>)>,
}

impl HeldCalls {
    /// Adds a call. What is returned resolves, either way, when the call is released.
    pub(crate) fn add(&mut self, call: HeldCall) -> oneshot::Receiver<()> {
        let (release, released) = oneshot::channel();
        self.waiting.insert(call.call_id, (call, release));
        released
    }

    /// Forgets a call: released, or its client has left.
    pub(crate) fn remove(&mut self, call_id: u64) {
        self.waiting.remove(&call_id);
    }

    /// Releases all and says how many they were.
    pub(crate) fn release(&mut self) -> usize {
        std::mem::take(&mut self.waiting).len()
    }

    pub(crate) fn list(&self) -> Vec<HeldCall> {
        self.waiting.values().map(|(call, _)| call.clone()).collect()
    }
}
