//! What changes by the second or the minute, read part by part: each part as often as it changes, side by side with the
//! others, and no part while the allowance is used up.

mod read;

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use evenkeel::{base::time::Time, dependency::stats::Calls, ports::notes::Opened};
use futures_util::future::join_all;

use self::read::Update;
use super::allowance::Allowance;
use crate::{
    commands::{dependencies::Known, health, observed::Observed},
    deployment::Deployment,
    exit::{Exit, Failure},
    moment::span,
    ports::Ports,
    shapes::{BreakerShown, LimiterShown, Problem, QueueShown},
};

/// How far back charts of minutes reach.
const HISTORY: Duration = Duration::from_hours(1);

/// How far back charts of ten seconds reach.
pub(super) const LATELY: Duration = Duration::from_mins(10);

/// Dependencies whose gates and calls are read at a time; more take turns.
const AT_A_TIME: usize = 5;

/// Dependencies that are watched: the shared ones, and others whose breaker has opened or is not closed.
const MOST_WATCHED: usize = 20;

/// Rounds of one refresh: the dependencies before their gates, and the history page by page.
const MOST_ROUNDS: usize = 12;

/// How long a part may take.
const PART_WITHIN: Duration = Duration::from_secs(2);

/// The same for a part that has failed: what is merely slow is read in the end.
const SLOW_PART_WITHIN: Duration = Duration::from_secs(4);

/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Something that is read as a whole. The first are read first if several are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Which dependencies there are.
    Known,
    /// Which breakers have opened last, of whatever dependency.
    Opened,
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
    pub(super) const ALL: [Self; 8] = [
        Self::Known,
        Self::Opened,
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
            Self::Opened => Duration::from_secs(1),
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
    /// Why not every queue shows what operators have pinned.
    pub(super) pins_unknown: Option<String>,
    pub(super) ended: Vec<Problem>,
    pub(super) read_at: BTreeMap<Part, Time>,
    pub(super) trouble: BTreeMap<Part, Trouble>,
    /// Read units that were used since the start.
    pub(super) units: f64,
    /// Those of them that were used within the last minute.
    pub(super) units_last_minute: f64,
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
    /// Breakers that have opened lately, the latest first; each once.
    opened: Vec<Opened>,
    /// Up to which of its openings the gates of each of these were read, in milliseconds since the epoch.
    looked_at: BTreeMap<String, u64>,
    /// Whether the gates that are read are those of breakers that have just opened. The others follow at once.
    reads_news: bool,
    /// The dependency whose gates are read next, and the one whose calls are.
    turns: [usize; 2],
}

impl Poller {
    /// Whether some part is due.
    pub(super) fn is_due(&self, now: Time) -> bool {
        !self.due(now).is_empty()
    }

    /// The parts that are due and can be read: whose gates to read is known only after the dependencies.
    fn due(&self, now: Time) -> Vec<Part> {
        let due_at = |part: &Part| self.due_at.get(part).copied().unwrap_or_default();
        let has_tried = self.due_at.contains_key(&Part::Known);
        let can_read = |part: &Part| has_tried || !matches!(part, Part::Gates | Part::Calls);
        Part::ALL.into_iter().filter(|part| due_at(part) <= now && can_read(part)).collect()
    }

    /// Reads what is due at `now`, as far as the allowance goes: the parts side by side, so that one that hangs holds
    /// up no other. A part that has failed waits for longer each time. `publish` is called whenever something was
    /// read. Returns whether there is something else to show than before.
    pub(super) async fn refresh<P: Ports>(
        &mut self,
        ports: &P,
        stack: &Deployment,
        now: Time,
        allowance: &RefCell<Allowance>,
        publish: impl Fn(&Live),
    ) -> bool {
        let mut shows_other = false;
        for _ in 0..MOST_ROUNDS {
            let some = self.due(now);
            if some.is_empty() || !allowance.borrow_mut().permits(now) {
                break;
            }
            let some: Vec<(Part, Vec<String>)> =
                some.into_iter().map(|part| (part, self.names(part))).collect();
            let this = &*self;
            let reads = some.iter().map(|(part, names)| this.read(*part, names, ports, stack, now));
            let reads = join_all(reads).await;
            for ((part, names), read) in some.into_iter().zip(reads) {
                // Which breakers have opened is shown by their gates, which are then read.
                shows_other |= part != Part::Opened || read.is_err();
                match read {
                    Ok((update, units)) => {
                        allowance.borrow_mut().charge(now, units);
                        let again = self.apply(update, now).unwrap_or(part.every());
                        self.due_at.insert(part, now + again);
                        self.live.read_at.insert(part, now);
                        self.live.trouble.remove(&part);
                    }
                    Err(failure) => {
                        if part == Part::Gates {
                            // What has just opened is read first at the next try, too.
                            self.looked_at.retain(|name, _| !names.contains(name));
                        }
                        let pause = self.fail(part, failure, now);
                        self.due_at.insert(part, now + pause);
                    }
                }
            }
            {
                let allowance = allowance.borrow();
                self.live.units = allowance.used;
                self.live.units_last_minute = allowance.last_minute(now);
            }
            publish(&self.live);
        }
        shows_other
    }

    /// Makes all parts due that an act may have changed.
    pub(super) fn expire(&mut self) {
        for part in [Part::Gates, Part::Queues] {
            self.due_at.remove(&part);
        }
    }

    /// Remembers a failure and returns how long to wait: twice as long after each.
    fn fail(&mut self, part: Part, failure: Failure, now: Time) -> Duration {
        let before = self.live.trouble.get(&part);
        let (since, count) = before.map_or((now, 0), |trouble| (trouble.since, trouble.count));
        self.live.trouble.insert(part, Trouble { failure, since, count: count + 1 });
        LONGEST_PAUSE.min(part.every() * 2_u32.saturating_pow(count.min(5)))
    }

    /// The dependencies whose turn it is, if the part is read of each.
    fn names(&mut self, part: Part) -> Vec<String> {
        let watched = self.watched();
        match part {
            Part::Gates => self.gates_to_read(&watched),
            Part::Calls => turn(&watched, &mut self.turns[1]),
            _ => Vec::new(),
        }
    }

    /// The dependencies whose gates are read next: those whose breakers have opened since they were read, or else those
    /// whose turn it is.
    fn gates_to_read(&mut self, watched: &[String]) -> Vec<String> {
        let news = self.news();
        self.reads_news = !news.is_empty();
        let names = if news.is_empty() { turn(watched, &mut self.turns[0]) } else { news };
        for opened in self.opened.iter().filter(|opened| names.contains(&opened.dependency)) {
            self.looked_at.insert(opened.dependency.clone(), opened.at);
        }
        names
    }

    /// Dependencies whose breakers have opened since their gates were read.
    fn news(&self) -> Vec<String> {
        let looked_at = |name: &str| self.looked_at.get(name).copied().unwrap_or_default();
        let news = self.opened.iter().filter(|opened| looked_at(&opened.dependency) < opened.at);
        news.map(|opened| opened.dependency.clone()).take(AT_A_TIME).collect()
    }

    /// Reads a part, unless that takes too long. Returns the read units as well.
    async fn read<P: Ports>(
        &self,
        part: Part,
        names: &[String],
        ports: &P,
        stack: &Deployment,
        now: Time,
    ) -> Result<(Update, f64), Failure> {
        let is_slow = self.live.trouble.contains_key(&part);
        let limit = if is_slow { SLOW_PART_WITHIN } else { PART_WITHIN };
        let reading = read::part(part, names, (&self.live, &self.known), ports, stack, now);
        // On the heap: it holds every part.
        tokio::time::timeout(limit, Box::pin(reading)).await.unwrap_or_else(|_| {
            let message = format!("no answer within {}", span(limit));
            Err(Failure::new(Exit::Failed, "late", message))
        })
    }

    /// The dependencies to watch.
    fn watched(&self) -> Vec<String> {
        let mut names = self.known.first(0).0.to_vec();
        let opened = self.opened.iter().map(|opened| &opened.dependency);
        let seen = &self.live.observed.dependencies;
        let troubled = seen.iter().filter(|(_, seen)| seen.breaker != "closed");
        for name in opened.chain(troubled.map(|(name, _)| name)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names.truncate(MOST_WATCHED);
        names
    }

    /// Takes over what was read. Returns when to read it again, if that is not as usual.
    fn apply(&mut self, update: Update, now: Time) -> Option<Duration> {
        let watched = self.watched();
        let live = &mut self.live;
        match update {
            Update::Known(known) => self.known = known,
            Update::Opened(opened) => {
                self.opened = lately(opened, now);
                let is_there =
                    |name: &String| self.opened.iter().any(|one| one.dependency == *name);
                self.looked_at.retain(|name, _| is_there(name));
                if !self.news().is_empty() {
                    self.due_at.remove(&Part::Gates);
                }
            }
            Update::Observed(observed) => live.observed = observed,
            Update::Gates(breakers, limiters) => {
                live.breakers.retain(|name, _| watched.contains(name));
                live.limiters.retain(|name, _| watched.contains(name));
                let breakers = breakers.into_iter().map(|one| (one.dependency.clone(), one));
                live.breakers.extend(breakers);
                let limiters = limiters.into_iter().map(|one| (one.dependency.clone(), one));
                live.limiters.extend(limiters);
                // What has opened since these were asked for is read at once.
                let goes_on = self.reads_news || !self.news().is_empty();
                return goes_on.then_some(Duration::ZERO);
            }
            Update::Calls(calls) => {
                live.calls.retain(|name, _| watched.contains(name));
                let oldest = now.before(LATELY);
                for (name, from, more) in calls {
                    let known = live.calls.entry(name).or_default();
                    known.retain(|(start, _)| *start < from && *start >= oldest);
                    known.extend(more);
                }
            }
            Update::Queues(list) => {
                live.queues = list.queues;
                live.pins_unknown = list.pins_unknown;
            }
            Update::History(more, is_whole) => {
                live.history.extend(more);
                let oldest = now.before(HISTORY);
                live.history.retain(|seen| seen.at >= oldest.as_millis());
                return (!is_whole).then_some(Duration::ZERO);
            }
            Update::Ended(ended) => live.ended = ended,
        }
        None
    }
}

/// The breakers that have opened within [`LATELY`], each with its latest opening. They come with the latest first.
fn lately(opened: Vec<Opened>, now: Time) -> Vec<Opened> {
    let oldest = now.before(LATELY).as_millis();
    let mut found: Vec<Opened> = Vec::with_capacity(opened.len());
    for one in opened {
        let is_known = found.iter().any(|other| other.dependency == one.dependency);
        if one.at >= oldest && !is_known {
            found.push(one);
        }
    }
    found
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
