//! The breaker of one dependency: whether it may be called, as a plain state machine.
//!
//! ```text
//!                 trip                       wait over, first to ask
//!  Closed ───────────────────► Open ──────────────────────────► HalfOpen
//!    ▲                          ▲  wait doubled, a probe failed     │
//!    │                          └───────────────────────────────────┤
//!    └──────────────────────────── enough probes worked ────────────┘
//!  Forced (by an operator, open or closed, until a given time) ──► Closed
//! ```
//!
//! The state stands in the control table, one item a dependency, and every write is conditional on
//! what was read (its revision, and with it the generation). Each change of state but the coming and
//! going of probes begins a new **generation**; a result that belongs to an older one changes nothing.
//! A dependency that has never tripped has no item: it is closed, in generation 0.
//!
//! Probes are leases with an end, because a process that dies says nothing: its probe frees itself.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    base::time::{LEASE_GRACE, Time},
    dependency::stats::Calls,
};

/// The numbers of a job type's breakers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPolicy {
    /// Failed calls in the rolling minute that trip it, if they are at least half of all.
    pub failures: u32,
    /// How long it is open at first.
    pub open_wait: Duration,
    /// How long at most, when it has doubled.
    pub longest_wait: Duration,
    /// Probes at the same time while it is half-open.
    pub probes: u32,
    /// Probes that must work to close it.
    pub successes: u32,
}

impl BreakerPolicy {
    /// Panics, in a constant: does not compile, if a number makes no sense.
    pub(crate) const fn check(&self) {
        assert!(self.failures >= 1, "a breaker trips by failures");
        assert!(self.probes >= 1 && self.successes >= 1, "a breaker closes by probes that work");
        assert!(self.open_wait.as_secs() >= 1, "an open breaker waits");
        assert!(self.open_wait.as_secs() <= self.longest_wait.as_secs(), "wait above its cap");
    }
}

/// Part of the calls that must be slow for slowness alone to trip it, in tenths.
const SLOW_TENTHS: u64 = 8;

/// A lease on a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Token of the run that holds it.
    pub token: String,
    /// When it frees itself.
    pub until: Time,
}

impl Probe {
    /// A probe for a run that is over after `longest` at the latest. It lasts longer by
    /// [`LEASE_GRACE`], for clocks that differ.
    #[must_use]
    pub fn lease(token: String, longest: Duration, now: Time) -> Self {
        Self { token, until: now + longest + LEASE_GRACE }
    }
}

/// Where a breaker stands, with just the data of that state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Calls are made.
    Closed,
    /// None is made.
    Open {
        /// When the first probe may be made.
        retry_at: Time,
        /// The wait that led to it, without its jitter: the next one is twice as long.
        wait: Duration,
    },
    /// A few calls are made, to find out.
    HalfOpen {
        /// Those at work: when each lease frees itself, by its token.
        probes: BTreeMap<String, Time>,
        /// Those that worked.
        successes: u32,
        /// As in `Open`.
        wait: Duration,
    },
    /// An operator said so.
    Forced {
        /// Whether calls are made.
        open: bool,
        /// When it is closed again.
        until: Time,
    },
}

impl State {
    /// The name in the table, in logs and metrics.
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
}

/// One breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Breaker {
    /// Raised by every change of state.
    pub generation: u64,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: Time,
    /// Why.
    pub why: String,
    /// Whether it is not closed for a reason that only people can mend: a key, a plan's limit, a bot
    /// wall.
    pub systemic: bool,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            since: Time::default(),
            why: String::new(),
            systemic: false,
        }
    }
}

/// Whether a run may call the dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Pass,
    /// It may, as a probe, once this breaker is written.
    Probe(Breaker),
    /// It may not before then.
    Wait(Time),
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeResult {
    /// The dependency works.
    Succeeded,
    /// It does not.
    Failed,
    /// It does not, and only people can mend it.
    FailedForGood,
    /// Nothing is proven: the probe gives its lease back.
    Neutral,
}

/// The numbers that only the moment has.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The present.
    pub now: Time,
    /// A number drawn evenly from `[0, 1)`: a fleet must not come back at one instant.
    pub chance: f64,
}

impl Breaker {
    fn next(&self, state: State, why: impl Into<String>, now: Time) -> Self {
        let systemic = self.systemic && state != State::Closed;
        Self { generation: self.generation + 1, state, since: now, why: why.into(), systemic }
    }

    /// The breaker as it is at `now`: an operator's word that has expired leaves it closed.
    #[must_use]
    pub fn at(&self, now: Time) -> Self {
        match &self.state {
            State::Forced { until, .. } if *until <= now => {
                self.next(State::Closed, "the operator's word has expired", *until)
            }
            _ => self.clone(),
        }
    }

    /// Whether a run may call, as `probe` if it must be one.
    #[must_use]
    pub fn admit(&self, probe: Probe, policy: &BreakerPolicy, now: Time) -> Admission {
        let current = self.at(now);
        match &current.state {
            State::Closed | State::Forced { open: false, .. } => Admission::Pass,
            State::Forced { open: true, until } => Admission::Wait(*until),
            State::Open { retry_at, .. } if now < *retry_at => Admission::Wait(*retry_at),
            State::Open { wait, .. } => {
                let probes = BTreeMap::from([(probe.token, probe.until)]);
                let state = State::HalfOpen { probes, successes: 0, wait: *wait };
                Admission::Probe(current.next(state, "its wait is over", now))
            }
            State::HalfOpen { probes, successes, wait } => {
                let mut probes = probes.clone();
                probes.retain(|_, until| *until > now);
                if probes.len() >= policy.probes as usize {
                    return Admission::Wait(probes.values().min().copied().unwrap_or(now));
                }
                probes.insert(probe.token, probe.until);
                let state = State::HalfOpen { probes, successes: *successes, wait: *wait };
                Admission::Probe(Self { state, ..current })
            }
        }
    }

    /// The breaker after the probe `token` ended; `None` if that changes nothing, because the lease
    /// is no longer held or belongs to an older generation.
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
            ProbeResult::Failed | ProbeResult::FailedForGood => {
                let wait = (*wait * 2).min(policy.longest_wait);
                let open = self.next(open(wait, moment), why, moment.now);
                return Some(Self { systemic: proof == ProbeResult::FailedForGood, ..open });
            }
            ProbeResult::Succeeded => successes + 1,
            ProbeResult::Neutral => *successes,
        };
        if proof == ProbeResult::Succeeded && successes >= policy.successes {
            return Some(self.next(
                State::Closed,
                format!("{successes} probes worked"),
                moment.now,
            ));
        }
        let mut probes = probes.clone();
        probes.remove(token);
        let state = State::HalfOpen { probes, successes, wait: *wait };
        Some(Self { state, ..self.clone() })
    }

    /// The breaker after the calls of its generation in the rolling minute were looked at; `None` if
    /// they do not trip it, or it is not closed.
    ///
    /// It trips at `failures` failed calls that are at least half of all, or at as many slow ones
    /// that are at least eight tenths of all.
    #[must_use]
    pub fn tripped(
        &self,
        generation: u64,
        minute: &Calls,
        policy: &BreakerPolicy,
        moment: Moment,
    ) -> Option<Self> {
        let (calls, threshold) = (minute.telling(), u64::from(policy.failures));
        let why = if minute.failed >= threshold && minute.failed * 2 >= calls {
            format!("{} of {calls} calls failed within a minute", minute.failed)
        } else if minute.slow >= threshold && minute.slow * 10 >= calls * SLOW_TENTHS {
            format!("{} of {calls} calls were slow within a minute", minute.slow)
        } else {
            return None;
        };
        self.opened(generation, why, policy, moment)
    }

    /// The breaker open; `None` if it is not closed or the call belongs to an older generation.
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

    /// The same after a failure that only people can mend.
    #[must_use]
    pub fn opened_for_good(
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

/// Open for `wait`, give or take a tenth.
fn open(wait: Duration, moment: Moment) -> State {
    let retry_at = moment.now + wait.mul_f64(0.9 + 0.2 * moment.chance.clamp(0.0, 1.0));
    State::Open { retry_at, wait }
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
