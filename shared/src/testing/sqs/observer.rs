//! What is told of the messages of all queues as they come and go.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::message::SimulatedMessage;

/// A change of a queue that has just been made.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum QueueChange<'a> {
    /// The queue has accepted a message.
    Sent { queue: &'a str, message: &'a SimulatedMessage },
    /// A receiver has deleted a message. It may come once more all the same, if that is a habit of the queues.
    Deleted { queue: &'a str, message: &'a SimulatedMessage },
}

type Told = Box<dyn FnMut(&QueueChange<'_>) + Send>;

/// Who is told; clones share it.
#[derive(Clone, Default)]
pub(super) struct Observer(Arc<Mutex<Option<Told>>>);

impl Observer {
    pub(super) fn set(&self, told: impl FnMut(&QueueChange<'_>) + Send + 'static) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(told));
    }

    pub(super) fn tell(&self, change: &QueueChange<'_>) {
        if let Some(told) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            told(change);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").finish_non_exhaustive()
    }
}
