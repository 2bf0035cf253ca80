//! The oracle: it sees every write of a record and every message that comes or goes, and knows what must never
//! happen. It holds no state of the system's own but what it has seen.

mod finish;
mod moves;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use evenkeel::{
    base::time::{Time, millis},
    message::Purpose,
    testing::{
        AppliedWrite, BEGINNING, MemoryStore, POLICY,
        sqs::{QueueChange, SimulatedMessage},
    },
};
use serde_json::Value;

use super::coverage::Coverage;
use moves::Known;

/// The rule that is broken, and what breaks it.
type Broken = (&'static str, String);

/// The latest changes of a job that a report shows.
const MOST_LINES: usize = 8;

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) at: Time,
    /// The key of the job, or what else it is about.
    pub(crate) about: String,
    pub(crate) what: String,
    /// What has happened to it lately.
    pub(crate) lines: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, at, about, what, lines } = self;
        let after = at.since(BEGINNING).as_secs_f64();
        write!(f, "broken: {rule}\n  after {after:.3} s, {about}: {what}")?;
        lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What the oracle has counted, against a simulation in which nothing happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) writes: u64,
    pub(crate) claims: u64,
    pub(crate) deletions: u64,
}

/// Sees what happens in one simulation; clones share what they have seen.
#[derive(Clone, Default)]
pub(crate) struct Oracle(Arc<Mutex<State>>);

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct State {
    violation: Option<Violation>,
    jobs: BTreeMap<String, Job>,
    /// The jobs that neither have ended nor are on the due index.
    exposed: BTreeSet<String>,
    /// Bodies that the sweeper has sent back from a dead-letter queue.
    sent_back: BTreeSet<String>,
    /// Ids of messages whose attributes are forged.
    forged: BTreeSet<String>,
    cancelled: bool,
    retried: bool,
    retried_quarantined: bool,
    /// The first crash that was found and not counted, and whether most runs of a type have crashed.
    uncounted: Option<(Time, String)>,
    is_stormy: bool,
    seen: Seen,
    coverage: Coverage,
}

/// What is known of a job.
#[derive(Default)]
struct Job {
    /// Whether the table alone brings it to its end: it has ended, or is on the due index.
    is_safe: bool,
    /// When that was last so.
    safe_until: Time,
    /// When the latest message of a sender for it was sent.
    asked_at: Option<Time>,
    lines: VecDeque<String>,
}

impl Job {
    fn say(&mut self, line: String) {
        if self.lines.len() == MOST_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl Oracle {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The first rule that was broken.
    pub(crate) fn violation(&self) -> Option<Violation> {
        self.lock().violation.clone()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.lock().violation.is_some()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.lock().seen
    }

    /// The changes of state so far.
    pub(crate) fn coverage(&self) -> Coverage {
        self.lock().coverage.clone()
    }

    /// Notes that a rule is broken. Only the first counts: the others may follow from it.
    pub(crate) fn breaks(&self, rule: &'static str, at: Time, about: &str, what: String) {
        let mut state = self.lock();
        let lines = state.jobs.get(about).map(|job| job.lines.iter().cloned().collect());
        let lines = lines.unwrap_or_default();
        let violation = Violation { rule, at, about: about.to_owned(), what, lines };
        state.violation.get_or_insert(violation);
    }

    /// Notes that an operator runs this command of the sweeper.
    pub(crate) fn commanded(&self, command: &Value) {
        let is_retry = command["command"] == "retry";
        let mut state = self.lock();
        state.retried |= is_retry;
        state.retried_quarantined |= is_retry && command["quarantined"] == true;
    }

    /// Notes that an operator asks for this.
    pub(crate) fn operated(&self, request: &Value) {
        let act = &request["act"]["do"];
        let mut state = self.lock();
        // An operator who names a job may retry it whatever has become of it.
        state.retried |= act == "retry";
        state.retried_quarantined |= act == "retry";
        state.cancelled |= act == "cancel";
    }

    /// Notes that the message with this id has forged attributes.
    pub(crate) fn forged(&self, id: String) {
        self.lock().forged.insert(id);
    }

    /// Sees a write of a record.
    pub(crate) fn wrote(&self, write: &AppliedWrite<'_>) {
        let AppliedWrite { call, at, before, after } = *write;
        let mut state = self.lock();
        state.seen.writes += 1;
        state.coverage.wrote(before, after);
        if moves::is_uncounted_crash(write) {
            state.uncounted.get_or_insert((at, after.key.clone()));
        }
        let claims = before.map_or(0, |before| before.counters.claims);
        state.seen.claims += u64::from(after.counters.claims.saturating_sub(claims));
        let (retried, retried_quarantined) = (state.retried, state.retried_quarantined);
        let cancelled = state.cancelled;
        let job = state.jobs.entry(after.key.clone()).or_default();
        let was_safe = job.is_safe;
        job.is_safe = after.phase.ended_at().is_some() || after.due_entry().is_some();
        if was_safe && !job.is_safe {
            job.safe_until = at;
        }
        if job.is_safe {
            state.exposed.remove(&after.key);
        } else {
            state.exposed.insert(after.key.clone());
        }
        let job = state.jobs.entry(after.key.clone()).or_default();
        let from = before.map_or("none", |before| before.phase.name());
        let owner = after.owner.get(..6).unwrap_or_default();
        job.say(format!(
            "{:9.3} s {call}: {from} → {}, fence {}, by {owner}",
            at.since(BEGINNING).as_secs_f64(),
            after.phase.name(),
            after.fence
        ));
        let dedup_window = match after.kind() {
            url_shortening::TYPE => url_shortening::POLICY.dedup_window,
            dealer_com_feed::TYPE => dealer_com_feed::POLICY.dedup_window,
            product_detail_scraping::TYPE => product_detail_scraping::POLICY.dedup_window,
            _ => POLICY.dedup_window,
        };
        let asked_at = job.asked_at;
        let dedup_ms = millis(dedup_window);
        let known = Known { asked_at, dedup_ms, retried, retried_quarantined, cancelled };
        drop(state);
        if let Err((rule, what)) = moves::check(write, &known) {
            self.breaks(rule, at, &after.key, what);
        }
    }

    /// Sees a message that was sent or deleted.
    pub(crate) fn changed(&self, change: &QueueChange<'_>, now: Time, store: &MemoryStore) {
        match *change {
            QueueChange::Sent { message, .. } => self.sent(message),
            QueueChange::Deleted { queue, message } => self.deleted(queue, message, now, store),
        }
    }

    fn sent(&self, message: &SimulatedMessage) {
        let mut state = self.lock();
        let sent = &message.sent;
        if sent.purpose == Purpose::Redrive {
            state.sent_back.insert(sent.body.clone());
        }
        // A wake-up message of the engine asks for nothing new.
        if sent.purpose == Purpose::Check || sent.wakes.is_some() {
            return;
        }
        let Some(key) = key_of(message) else { return };
        let sent_at = sent.sent_at.unwrap_or(message.sent_at);
        let job = state.jobs.entry(key).or_default();
        job.asked_at = job.asked_at.max(Some(sent_at));
        job.say(format!("{:9.3} s sent", message.sent_at.since(BEGINNING).as_secs_f64()));
    }

    /// A message may go only if, since it was received, the table alone was enough: its job had ended or was on the
    /// due index, or its body is kept as rejected. A check may go at any time, and a dead letter once it is sent back.
    fn deleted(&self, queue: &str, message: &SimulatedMessage, now: Time, store: &MemoryStore) {
        let mut state = self.lock();
        state.seen.deletions += 1;
        // What a forged message asks for is nobody's work.
        if message.sent.purpose == Purpose::Check || state.forged.contains(&message.id) {
            return;
        }
        let received_at = message.received_at.unwrap_or_default();
        let key = key_of(message);
        let job = key.as_ref().and_then(|key| state.jobs.get(key));
        let is_safe = job.is_some_and(|job| job.is_safe || job.safe_until >= received_at);
        let is_sent_back = message.source.is_some() && state.sent_back.contains(&message.sent.body);
        drop(state);
        if is_safe || is_sent_back {
            return;
        }
        let kept = store.rejected_messages();
        if kept.iter().any(|kept| kept.head == message.sent.body) {
            return;
        }
        let about = key.unwrap_or_else(|| message.id.clone());
        let what = format!("{} of {queue}, received at {received_at}", message.id);
        self.breaks("no message goes before the table says why it may", now, &about, what);
    }
}

/// The key of the job that a message is for; `None` if its body is no message with an id.
fn key_of(message: &SimulatedMessage) -> Option<String> {
    if let Some(woken) = &message.sent.wakes {
        return Some(woken.key.clone());
    }
    let body: Value = serde_json::from_str(&message.sent.body).ok()?;
    Some(format!("{}#g:{}", body["type"].as_str()?, body["id"].as_str()?))
}
