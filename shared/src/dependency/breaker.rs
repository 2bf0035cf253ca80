//! The breaker of one dependency: a pure state machine that decides whether it may be called.
//!
//! ```text
//!                 trip                       wait over, first probe
//!  Closed ───────────────────► Open ──────────────────────────► HalfOpen
//!    ▲                          ▲          a probe failed            │
//!    │                          └───────────────────────────────────┤
//!    └───────────────────────── enough probes succeeded ────────────┘
//!  Forced (by an operator, open or closed, until a given time) ──► Closed
//! ```
//!
//! The control table holds the state, one item for each dependency. Every write is conditional on
//! the revision that was read, and so on the generation. Each change of state begins a new
//! **generation**; probes that start or end do not. A result of an older generation has no effect.
//! A dependency that has never tripped has no item: its breaker is closed, in generation 0.
//!
//! A probe is a lease that expires, so a process that dies frees its probe.

mod policy;

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::mutants::{Mutant, is_on},
    base::time::{LEASE_GRACE, Time},
    dependency::{limiter::LONGEST_STOP, stats::Calls},
};

pub use policy::BreakerPolicy;

/// Longest time from a failed probe to the next one while the outage is young: recovery should take seconds.
pub const PROBE_WAIT: Duration = Duration::from_secs(15);

/// How long after the first wait probes are that frequent. An outage that has lasted longer will rarely end
/// within seconds.
const OFTEN_FOR: Duration = Duration::from_mins(10);

/// The least part of a wait that remains after the jitter, so that the fleet does not return at one instant.
/// No wait is longer than named: operators expect the first probe then.
pub const LEAST_OF_WAIT: f64 = 0.95;

/// Stops that end within this time of each other are the same.
const SAME_STOP: Duration = Duration::from_secs(1);

/// Share of slow calls, in tenths, from which slowness by itself trips the breaker.
const SLOW_TENTHS: u64 = 8;

/// The lease of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Token of the run that holds the lease.
    pub token: String,
    /// When the lease expires.
    pub until: Time,
}

impl Probe {
    /// The lease of a run that ends after `longest` at the latest. It lasts [`LEASE_GRACE`] longer,
    /// as an allowance for clock skew.
    #[must_use]
    pub fn lease(token: String, longest: Duration, now: Time) -> Self {
        Self { token, until: now + longest + LEASE_GRACE }
    }
}

/// The state of a breaker, with only the data of that state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls are allowed.
    Closed,
    /// No call is allowed.
    Open {
        /// When the first probe is allowed.
        retry_at: Time,
        /// The wait without its jitter.
        wait: Duration,
    },
    /// Only probes are allowed.
    HalfOpen {
        /// Expiry of the lease of each current probe, by its token.
        probes: BTreeMap<String, Time>,
        /// Successful probes so far.
        successes: u32,
        /// The wait that led here, as in `Open`.
        wait: Duration,
    },
    /// An operator has set the state.
    Forced {
        /// Whether calls are refused.
        open: bool,
        /// When the override expires; after it, the breaker is closed.
        until: Time,
    },
}

impl State {
    /// The name in the table, in logs and in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::Forced { open: true, .. } => "forced_open",
            Self::Forced { open: false, .. } => "forced_closed",
        }
    }

    /// Whether calls are refused: all of them, or all but probes.
    #[must_use]
    pub const fn refuses_calls(&self) -> bool {
        match self {
            Self::Closed | Self::Forced { open: false, .. } => false,
            Self::Open { .. } | Self::HalfOpen { .. } | Self::Forced { open: true, .. } => true,
        }
    }
}

/// The breaker of one dependency.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Breaker {
    /// Raised by each change of state.
    pub generation: u64,
    pub state: State,
    /// When the state began.
    pub since: Time,
    /// Why the state began, for operators.
    pub why: String,
    /// Whether the breaker is not closed because of something that only an operator can fix: a
    /// revoked key, a plan's limit, a bot wall.
    pub systemic: bool,
    /// Until when a 429 has stopped all calls, in whatever state. Only for dependencies without rates: those
    /// that have some are stopped at the limiter.
    pub stopped_until: Time,
    /// When the outage began: the last time that the breaker was closed. Zero while it is closed.
    pub down_since: Time,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            since: Time::default(),
            why: String::new(),
            systemic: false,
            stopped_until: Time::default(),
            down_since: Time::default(),
        }
    }
}

/// Whether a run may call the dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The call is allowed.
    Permit,
    /// The call is allowed as a probe, once this breaker has been written.
    Probe(Breaker),
    /// No call is allowed before this time.
    Wait(Time),
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The dependency works.
    Succeeded,
    /// The dependency does not work.
    Failed,
    /// The dependency does not work until an operator fixes the cause.
    FailedSystemically,
    /// The call says nothing about the dependency. The probe returns its lease.
    Neutral,
}

/// The inputs of a decision that differ each time.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The current time.
    pub now: Time,
    /// A number drawn uniformly from `[0, 1)`. It varies the wait, so that the fleet does not
    /// return at one instant.
    pub chance: f64,
}

impl Breaker {
    pub(super) fn next(&self, state: State, why: impl Into<String>, now: Time) -> Self {
        let systemic = self.systemic && state != State::Closed;
        // An item that is made anew, for instance after an operator has deleted it, must not count the
        // calls of an earlier life as its own.
        let generation = match self.generation {
            0 => now.as_secs_ceil().max(1),
            generation => generation + 1,
        };
        let down_since = match (&state, &self.state) {
            (State::Open { .. }, State::Closed | State::Forced { .. }) => now,
            (State::Open { .. } | State::HalfOpen { .. }, _) => self.down_since,
            _ => Time::default(),
        };
        let (why, stopped_until) = (why.into(), self.stopped_until);
        Self { generation, state, since: now, why, systemic, stopped_until, down_since }
    }

    /// The breaker as it is at `now`: after an operator's override has expired, it is closed.
    #[must_use]
    pub fn at(&self, now: Time) -> Self {
        match &self.state {
            State::Forced { until, .. } if *until <= now => {
                self.next(State::Closed, "the operator's word has expired", *until)
            }
            _ => self.clone(),
        }
    }

    /// Decides whether a run may call the dependency. If the call must be a probe, `probe` is its
    /// lease.
    #[must_use]
    pub fn admit(&self, probe: Probe, policy: &BreakerPolicy, now: Time) -> Admission {
        let current = self.at(now);
        match &current.state {
            State::Closed | State::Forced { open: false, .. } => Admission::Permit,
            State::Forced { open: true, until } => Admission::Wait(*until),
            State::Open { retry_at, .. } if now < *retry_at => Admission::Wait(*retry_at),
            State::Open { wait, .. } => {
                let probes = BTreeMap::from([(probe.token, probe.until)]);
                let state = State::HalfOpen { probes, successes: 0, wait: *wait };
                Admission::Probe(current.next(state, "its wait is over", now))
            }
            State::HalfOpen { probes, successes, wait } => {
                let mut probes = probes.clone();
                probes.retain(|_, until| *until > now || is_on(Mutant::ProbeNeverExpires));
                if probes.len() >= policy.probes as usize && !is_on(Mutant::ProbesUnlimited) {
                    return Admission::Wait(probes.values().min().copied().unwrap_or(now));
                }
                probes.insert(probe.token, probe.until);
                let state = State::HalfOpen { probes, successes: *successes, wait: *wait };
                Admission::Probe(Self { state, ..current })
            }
        }
    }

    /// Whether the probe `token` has a lease on this breaker.
    #[must_use]
    pub fn has_probe(&self, token: &str) -> bool {
        matches!(&self.state, State::HalfOpen { probes, .. } if probes.contains_key(token))
    }

    /// The breaker after the probe `token` ended. `None` if that has no effect, because the lease
    /// has expired or belongs to an older generation.
    #[must_use]
    pub fn concluded(
        &self,
        token: &str,
        generation: u64,
        proof: ProbeResult,
        why: &str,
        policy: &BreakerPolicy,
        moment: Moment,
    ) -> Option<Self> {
        let State::HalfOpen { probes, successes, wait } = &self.state else { return None };
        let held = probes.get(token).is_some_and(|until| *until > moment.now);
        if generation != self.generation || !held {
            return None;
        }
        let successes = match proof {
            ProbeResult::Failed | ProbeResult::FailedSystemically => {
                let systemic = proof == ProbeResult::FailedSystemically;
                let wait = self.next_wait(*wait, systemic, policy, moment.now);
                let open = self.next(open(wait, moment), why, moment.now);
                return Some(Self { systemic, ..open });
            }
            ProbeResult::Succeeded => successes + 1,
            ProbeResult::Neutral => *successes,
        };
        let is_enough = successes >= policy.successes && !is_on(Mutant::BreakerNeverCloses);
        if proof == ProbeResult::Succeeded && is_enough {
            let why = format!("{successes} probes worked");
            return Some(self.next(State::Closed, why, moment.now));
        }
        let mut probes = probes.clone();
        probes.remove(token);
        let state = State::HalfOpen { probes, successes, wait: *wait };
        Some(Self { state, ..self.clone() })
    }

    /// The wait after a probe that failed, if the one before was `wait`. What an operator must fix does not end
    /// within seconds, and many calls with a revoked key look like an attack.
    fn next_wait(
        &self,
        wait: Duration,
        systemic: bool,
        policy: &BreakerPolicy,
        now: Time,
    ) -> Duration {
        if !systemic && now < self.down_since + policy.open_wait + OFTEN_FOR {
            return PROBE_WAIT.min(policy.open_wait);
        }
        wait.saturating_mul(2).min(policy.longest_wait)
    }

    /// The open breaker, if the calls of its generation in the rolling minute trip it. `None` if
    /// they do not, or if it is not closed.
    ///
    /// It trips at `failures` failed calls that are at least half of all calls, or at `failures`
    /// slow calls that are at least eight tenths of all. `code` is that of most of the failed calls,
    /// as far as the container knows: it becomes part of the cause.
    #[must_use]
    pub fn tripped(
        &self,
        generation: u64,
        minute: &Calls,
        code: Option<&str>,
        policy: &BreakerPolicy,
        moment: Moment,
    ) -> Option<Self> {
        let (calls, threshold) = (minute.conclusive(), u64::from(policy.failures));
        let why = if minute.failed >= threshold && minute.failed * 2 >= calls {
            let most = code.map(|code| format!(", most often with {code}")).unwrap_or_default();
            format!("{} of {calls} calls failed within a minute{most}", minute.failed)
        } else if minute.slow >= threshold && minute.slow * 10 >= calls * SLOW_TENTHS {
            format!("{} of {calls} calls were slow within a minute", minute.slow)
        } else {
            return None;
        };
        self.opened(generation, why, policy, moment)
    }

    /// The open breaker; `None` if it is not closed or if the call belongs to an older generation.
    fn opened(
        &self,
        generation: u64,
        why: String,
        policy: &BreakerPolicy,
        moment: Moment,
    ) -> Option<Self> {
        let current = self.at(moment.now);
        let closed = current.state == State::Closed && current.generation == generation;
        closed.then(|| current.next(open(policy.open_wait, moment), why, moment.now))
    }

    /// The breaker after a 429 that asked for the delay `asked`, at most [`LONGEST_STOP`]. `None` if a stop
    /// that ends as late is there already; a second of difference is not worth a write.
    #[must_use]
    pub fn stopped(&self, asked: Duration, now: Time) -> Option<Self> {
        let stopped_until = now + asked.min(LONGEST_STOP);
        let is_later = stopped_until > self.stopped_until + SAME_STOP;
        is_later.then(|| Self { stopped_until, ..self.clone() })
    }

    /// The open breaker after a failure whose cause only an operator can fix; `None` as in
    /// `opened`.
    #[must_use]
    pub fn opened_systemically(
        &self,
        generation: u64,
        why: String,
        policy: &BreakerPolicy,
        moment: Moment,
    ) -> Option<Self> {
        let opened = self.opened(generation, why, policy, moment)?;
        Some(Self { systemic: true, ..opened })
    }
}

/// Open for `wait`, less some jitter.
fn open(wait: Duration, moment: Moment) -> State {
    let chance = moment.chance.clamp(0.0, 1.0);
    let retry_at = moment.now + wait.mul_f64(1.0 - (1.0 - LEAST_OF_WAIT) * chance);
    State::Open { retry_at, wait }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
