//! A request to end, from Ctrl-C: a command that sends messages ends between two calls and says how far it got.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Whether the operator has asked for the end.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks for the end.
    pub fn request(&self) {
        self.0.store(true, Relaxed);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Relaxed)
    }
}
