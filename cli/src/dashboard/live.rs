//! What changes by the second or the minute, read part by part: each part as often as it changes, and no part while the
//! allowance is used up.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{BUCKET, Calls},
};
use futures_util::future::join_all;

use super::allowance::Allowance;
use crate::{
    commands::{
        breaker::breakers,
        dependencies::{self, Known},
        health, limiter,
        observed::{self, Observed},
        queues,
    },
    deployment::Deployment,
    exit::Failure,
    ports::Ports,
    shapes::{BreakerShown, LimiterShown, Problem, QueueShown},
};

/// How far back charts of minutes reach.
const HISTORY: Duration = Duration::from_hours(1);

/// How far back charts of ten seconds reach.
pub(super) const LATELY: Duration = Duration::from_mins(10);

/// Observations of one read: a whole hour at once would use the allowance of many seconds.
const HISTORY_PAGE: usize = 10;

/// Dependencies whose gates and calls are read at a time; more take turns.
const AT_A_TIME: usize = 5;

/// Dependencies that are watched: the shared ones, and others whose breaker is not closed.
const MOST_WATCHED: usize = 20;

/// Reads of one refresh.
const MOST_READS: usize = 24;

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Something that is read as a whole. The first are read first if several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Which dependencies there are.
    Known,
    /// The sweeper's note.
    Observed,
    /// Breakers and limiters.
    Gates,
    /// Call statistics of the last minutes.
    Calls,
    /// Depths and mappings of the queues.
    Queues,
    /// The sweeper's notes of the last hour.
    History,
    /// What was given up within the last hour.
    Ended,
}

impl Part {
    pub(super) const ALL: [Self; 7] = [
        Self::Known,
        Self::Observed,
        Self::Gates,
        Self::Calls,
        Self::Queues,
        Self::History,
        Self::Ended,
    ];

    /// Time between two reads.
    const fn every(self) -> Duration {
        match self {
            Self::Gates | Self::Calls => Duration::from_secs(2),
            Self::Observed | Self::Queues | Self::History => Duration::from_secs(10),
            Self::Known | Self::Ended => Duration::from_secs(60),
        }
    }
}

/// Why a part could not be read, and since when.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub(super) failure: Failure,
    pub(super) since: Time,
    /// Failures in a row.
    count: u32,
}

/// What is known now. Each part is as old as `read_at` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    pub(super) observed: Observed,
    /// Past observations, the earliest first.
    pub(super) history: Vec<Observed>,
    pub(super) breakers: BTreeMap<String, BreakerShown>,
    pub(super) limiters: BTreeMap<String, LimiterShown>,
    /// Of each dependency: the beginnings of buckets and their calls, earliest first.
    pub(super) calls: BTreeMap<String, Vec<(Time, Calls)>>,
    pub(super) queues: Vec<QueueShown>,
    pub(super) ended: Vec<Problem>,
    pub(super) read_at: BTreeMap<Part, Time>,
    pub(super) trouble: BTreeMap<Part, Trouble>,
    /// Read units that were used since the start.
    pub(super) units: f64,
}

impl Live {
    /// What is not well, the worst first.
    pub(super) fn problems(&self, stack: &Deployment, now: Time) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.read_at.contains_key(&Part::Observed) {
            let at = self.observed.at();
            problems.extend(health::of_sweeper(stack, at, self.observed.stuck, now));
        }
        problems.extend(self.breakers.values().filter_map(health::of_breaker));
        problems.extend(self.queues.iter().filter_map(health::of_queue));
        problems.extend(self.ended.iter().cloned());
        problems
    }
}

/// Reads what is due, and remembers when what is due next.
#[derive(Debug, Default)]
pub(super) struct Poller {
    pub(super) live: Live,
    due_at: BTreeMap<Part, Time>,
    known: Known,
    /// The dependency whose gates are read next, and the one whose calls are.
    turns: [usize; 2],
}

impl Poller {
    /// Whether some part is due.
    pub(super) fn is_due(&self, now: Time) -> bool {
        self.next(now).is_some()
    }

    /// The part that has been due for the longest.
    fn next(&self, now: Time) -> Option<Part> {
        let due_at = |part: &Part| self.due_at.get(part).copied().unwrap_or_default();
        let due = Part::ALL.into_iter().filter(|part| due_at(part) <= now);
        due.min_by_key(|part| (due_at(part), *part))
    }

    /// Reads what is due at `now`, as far as the allowance goes. After a failure the rest waits for the next call, and
    /// the part that has failed for longer each time.
    pub(super) async fn refresh<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        now: Time,
        allowance: &RefCell<Allowance>,
    ) {
        for _ in 0..MOST_READS {
            let Some(part) = self.next(now) else { break };
            if !allowance.borrow_mut().permits(now) {
                break;
            }
            match self.read(part, ports, stack, now).await {
                Ok(units) => {
                    allowance.borrow_mut().charge(units);
                    self.live.read_at.insert(part, now);
                    self.live.trouble.remove(&part);
                }
                Err(failure) => {
                    let pause = self.fail(part, failure, now);
                    self.due_at.insert(part, now + pause);
                    break;
                }
            }
        }
        self.live.units = allowance.borrow().used;
    }

    /// Remembers a failure and returns how long to wait: twice as long after each.
    fn fail(&mut self, part: Part, failure: Failure, now: Time) -> Duration {
        let before = self.live.trouble.get(&part);
        let (since, count) = before.map_or((now, 0), |trouble| (trouble.since, trouble.count));
        self.live.trouble.insert(part, Trouble { failure, since, count: count + 1 });
        LONGEST_PAUSE.min(part.every() * 2_u32.saturating_pow(count.min(5)))
    }

    /// Reads a part and says when it is due again. Returns the read units.
    async fn read<P: Ports>(
        &mut self,
        part: Part,
        ports: &P,
        stack: &Deployment,
        now: Time,
    ) -> Result<f64, Failure> {
        let mut again = now + part.every();
        let units = match part {
            Part::Known => {
                self.known = dependencies::known(ports, stack).await?;
                self.known.units
            }
            Part::Observed => {
                let (observed, units) = observed::observed(ports, stack).await?;
                self.live.observed = observed;
                units
            }
            Part::Gates => self.gates(ports, stack, now).await?,
            Part::Calls => self.calls(ports, stack, now).await?,
            Part::Queues => {
                self.live.queues = queues::all(ports, stack).await?;
                0.0
            }
            Part::History => {
                let (is_whole, units) = self.history(ports, stack, now).await?;
                if !is_whole {
                    again = now;
                }
                units
            }
            Part::Ended => {
                let (ended, units) = health::of_ended(ports, stack, now).await?;
                self.live.ended = ended;
                units
            }
        };
        self.due_at.insert(part, again);
        Ok(units)
    }

    /// The dependencies to watch.
    fn watched(&self) -> Vec<String> {
        let mut names = self.known.first(0).0.to_vec();
        let seen = &self.live.observed.dependencies;
        let troubled = seen.iter().filter(|(_, seen)| seen.breaker != "closed");
        for (name, _) in troubled {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names.truncate(MOST_WATCHED);
        names
    }

    /// Breakers and limiters of the dependencies whose turn it is.
    async fn gates<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        now: Time,
    ) -> Result<f64, Failure> {
        let watched = self.watched();
        self.live.breakers.retain(|name, _| watched.contains(name));
        self.live.limiters.retain(|name, _| watched.contains(name));
        let names = turn(&watched, &mut self.turns[0]);
        let mut units = 0.0;
        for breaker in breakers(ports, stack, &names, now).await? {
            units += breaker.read_units;
            self.live.breakers.insert(breaker.dependency.clone(), breaker);
        }
        let reads = names.iter().map(|name| limiter::read(ports, stack, &self.known, name));
        for limiter in join_all(reads).await {
            let limiter = limiter?;
            units += limiter.read_units;
            self.live.limiters.insert(limiter.dependency.clone(), limiter);
        }
        Ok(units)
    }

    /// Call statistics of the dependencies whose turn it is, from the last bucket that was still filling on.
    async fn calls<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        now: Time,
    ) -> Result<f64, Failure> {
        let watched = self.watched();
        self.live.calls.retain(|name, _| watched.contains(name));
        let oldest = now.before(LATELY);
        let mut units = 0.0;
        for name in turn(&watched, &mut self.turns[1]) {
            let known = self.live.calls.entry(name.clone()).or_default();
            // Containers write late by a second or two: the bucket before the last may still grow as well.
            let last = known.last().map_or(oldest, |(start, _)| start.before(BUCKET));
            let from = last.max(oldest);
            let read = ports.calls(&stack.control, &name, from).await?;
            units += read.units;
            known.retain(|(start, _)| *start < from && *start >= oldest);
            known.extend(read.value);
        }
        Ok(units)
    }

    /// The next observations of the last hour, and whether these were all.
    async fn history<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        now: Time,
    ) -> Result<(bool, f64), Failure> {
        let oldest = now.before(HISTORY);
        let last = self.live.history.last().and_then(Observed::at);
        let after = last.map_or(oldest, |last| last.max(oldest));
        let (more, units) = observed::history(ports, stack, after, HISTORY_PAGE).await?;
        let is_whole = more.len() < HISTORY_PAGE;
        self.live.history.extend(more);
        self.live.history.retain(|seen| seen.at >= oldest.as_millis());
        Ok((is_whole, units))
    }
}

/// The next names in turn, and from where to go on.
fn turn(names: &[String], next: &mut usize) -> Vec<String> {
    let count = names.len().min(AT_A_TIME);
    let start = if names.is_empty() { 0 } else { *next % names.len() };
    *next = start + count;
    names.iter().cycle().skip(start).take(count).cloned().collect()
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
