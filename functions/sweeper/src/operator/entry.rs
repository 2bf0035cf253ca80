//! An entry of the operations log: one act, who declared it and why, and what has become of it.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::base::time::Time;
use serde::{Deserialize, Serialize};

use super::request::{Act, Ended, Request};

/// How long an act may stay open. After that it has failed. A pause or a pin may stay open for so long after its time.
pub const LONGEST_OPEN: Duration = Duration::from_hours(7 * 24);

/// Longest time for which queues are paused or pinned, or a breaker or a limiter is set by hand.
pub const LONGEST_SETTING: Duration = Duration::from_hours(30 * 24);

/// How long a note may stay without the report of its caller, who may have sent a large file meanwhile.
pub const LONGEST_NOTE: Duration = Duration::from_hours(24);

/// Entries are listed in the order of their names, so a name begins with what is left of this number of milliseconds:
/// the latest comes first.
const END_OF_TIME: u64 = 999_999_999_999_999;

/// Digits of a random token that keep two acts of one millisecond apart.
const TOKEN_DIGITS: usize = 6;

/// How far an act is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is logged, and nothing is done yet.
    #[default]
    Intent,
    /// A part is done. The sweeper's ticks carry it on.
    Running,
    /// All is done.
    Done,
    /// It could not be done; `why` says the reason.
    Failed,
    /// An operator has stopped it. What was done stays done.
    Stopped,
}

impl From<Ended> for State {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Done => Self::Done,
            Ended::Failed => Self::Failed,
            Ended::Stopped => Self::Stopped,
        }
    }
}

/// How far the work on an act has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All is done.
    Done,
    /// There is more to do, for a later call.
    Later,
    /// Another process has changed the entry, perhaps because the act was stopped.
    Taken,
}

/// An entry of the operations log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its id, by which it is shown and stopped.
    pub id: String,
    /// When it was asked for, in milliseconds since the epoch.
    pub at: u64,
    /// ARN of the caller, as the caller has declared it.
    pub by: String,
    /// Why, in the caller's words.
    pub reason: String,
    /// What to do.
    pub act: Act,
    /// How far it is.
    pub state: State,
    /// Why it has failed, or why it goes on later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What was confirmed so far, by outcome, such as `done`, `ended` or `absent`.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Keys of jobs or messages that are still to be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// Of a filter: the index partition that is being read, by its place.
    #[serde(default)]
    pub partition: usize,
    /// Of a filter: the due time in that partition at which it goes on, in milliseconds since the epoch.
    #[serde(default)]
    pub from: u64,
    /// When the next job may be run at the pace of its limiter; of a pause or a pin, when it ends. In milliseconds since the
    /// epoch.
    #[serde(default)]
    pub next_at: u64,
    /// Until when a call or a tick works on it, in milliseconds since the epoch.
    #[serde(default)]
    pub busy_until: u64,
    /// When it was over, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<u64>,
}

impl Entry {
    /// The entry of a request that nobody has begun.
    #[must_use]
    pub fn new(request: Request, token: &str, now: Time) -> Self {
        let Request { act, by, reason, .. } = request;
        let rest = END_OF_TIME.saturating_sub(now.as_millis());
        let token: String = token.chars().take(TOKEN_DIGITS).collect();
        Self {
            id: format!("{rest:015}-{token}"),
            at: now.as_millis(),
            by,
            reason,
            pending: act.keys().to_vec(),
            act,
            state: State::Intent,
            why: None,
            counts: BTreeMap::new(),
            partition: 0,
            from: 0,
            next_at: 0,
            busy_until: 0,
            ended_at: None,
        }
    }

    /// Whether nothing more will be done.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed | State::Stopped)
    }

    /// When it has failed if it is still open.
    #[must_use]
    pub fn latest_end(&self) -> Time {
        let at = Time::from_millis(self.at);
        match self.act.held_until() {
            Some(until) => until.min(at + LONGEST_SETTING) + LONGEST_OPEN,
            None if self.act.is_note() => at + LONGEST_NOTE,
            None => at + LONGEST_OPEN,
        }
    }

    /// Ends it in this state.
    pub fn end(&mut self, state: State, now: Time) {
        self.state = state;
        self.busy_until = 0;
        self.ended_at = Some(now.as_millis());
    }

    /// Adds to the count of an outcome.
    pub fn count(&mut self, outcome: &str, more: u64) {
        if more > 0 {
            *self.counts.entry(outcome.to_owned()).or_default() += more;
        }
    }

    /// What the journal of each of its jobs says.
    #[must_use]
    pub fn note(&self) -> String {
        match self.reason.trim() {
            "" => self.act.name().to_owned(),
            reason => format!("{}: {reason}", self.act.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_act_has_an_end() {
        let now = Time::from_millis(1_800_000_000_000);
        let end = |act| {
            let (by, reason, dry_run) = (String::new(), String::new(), false);
            let entry = Entry::new(Request { act, by, reason, dry_run }, "token", now);
            entry.latest_end().since(now).as_secs() / 3_600
        };
        let pause = |until| Act::Pause { queues: Vec::new(), until };
        let hour = Duration::from_hours(1);
        assert_eq!(end(pause((now + hour).as_millis())), 7 * 24 + 1);
        assert_eq!(end(pause(u64::MAX)), (30 + 7) * 24);
        assert_eq!(end(Act::Resume { queues: Vec::new() }), 7 * 24);
        let (what, about) = ("submit".to_owned(), String::new());
        assert_eq!(end(Act::Note { what, about }), 24);
    }

    #[test]
    fn later_entries_come_first() {
        let request = |dependency: &str| Request {
            act: Act::Resume { queues: vec![dependency.to_owned()] },
            by: String::new(),
            reason: String::new(),
            dry_run: false,
        };
        let of = |ms| Entry::new(request("a"), "0123456789", Time::from_millis(ms));
        assert!(of(1_800_000_000_001).id < of(1_800_000_000_000).id);
        assert_eq!(of(1).id, "999999999999998-012345");
        let mut entry = of(1);
        entry.end(State::Done, Time::from_millis(2));
        assert!(entry.is_over() && entry.ended_at == Some(2));
    }
}
