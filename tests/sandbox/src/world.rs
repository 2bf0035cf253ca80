//! The sandbox's whole state, behind one lock.

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
/// One lock guards all of the state. A call's arrival, its place in the rate limit and the fault
/// that strikes it are therefore decided together, and a link appears together with the record of
/// the call that created it. The guard is not `Send`, so the compiler rejects an await in a handler
/// that holds it.
#[derive(Debug)]
pub(crate) struct World {
    clock: Clock,
    state: Mutex<State>,
}

/// The state that the lock guards.
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
    /// An empty world: no links, dealer sites, calls or faults.
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with(settings, Clock::start())
    }

    /// The same, with a clock that starts at this time, in epoch milliseconds.
    pub(crate) fn starting_at(settings: Settings, started_ms: u64) -> Self {
        Self::with(settings, Clock::starting_at(started_ms))
    }

    fn with(settings: Settings, clock: Clock) -> Self {
        let state = State { settings, ..State::default() };
        Self { clock, state: Mutex::new(state) }
    }

    /// Locks the state. Read the time only while you hold the lock, so that the record is in order
    /// of time.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock fails the test that caused it. The state stays readable for
        // others.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The current time, in epoch milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}
