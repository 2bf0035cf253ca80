//! Everything the sandbox knows, behind one lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::calls::CallLog;
use crate::clock::Clock;
use crate::dealers::site::Sites;
use crate::held::HeldCalls;
use crate::limits::Limits;
use crate::rebrandly::account::Account;
use crate::settings::Settings;
use crate::strikes::Faults;

/// The state and the clock.
///
/// One lock for all of it, so that a call's arrival, its place in the rate limit and the fault that
/// strikes it are decided together, and a link and the record of who made it appear together. The
/// guard is not `Send`, so the compiler keeps every await out of it.
#[derive(Debug)]
pub(crate) struct World {
    clock: Clock,
    state: Mutex<State>,
}

/// What the lock guards.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
    pub(crate) calls: CallLog,
    pub(crate) held: HeldCalls,
    pub(crate) account: Account,
    pub(crate) sites: Sites,
}

impl World {
    /// A fresh world: no links, no dealer sites, no calls, no faults.
    pub(crate) fn new(settings: Settings) -> Self {
        let state = State { settings, ..State::default() };
        Self { clock: Clock::start(), state: Mutex::new(state) }
    }

    /// Locks the state. Read the time only under the lock: the record is then in order of time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock fails the test that caused it; the others keep their record.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present, in epoch milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}
