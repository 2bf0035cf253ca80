//! The state of one tick, and its report.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel::base::time::Time;
use serde::Serialize;

use crate::{
    config::Config,
    memory::Memory,
    metrics::{self, Line},
    survey::View,
};

/// What a pass has done: how many times, by the action's name.
pub type Counts = BTreeMap<&'static str, u64>;

/// The state of one tick, which its passes share.
#[derive(Debug)]
pub struct Tick {
    /// The owner token of every record that this tick writes.
    pub owner: String,
    /// When the tick began.
    pub now: Time,
    /// What the survey saw then.
    pub view: View,
    /// The state that one tick leaves for the next.
    pub memory: Memory,
    /// Keys of the records that a pass of this tick has taken. The other passes leave these alone.
    pub touched: BTreeSet<String>,
    /// What the passes have done, by pass.
    pub done: BTreeMap<&'static str, Counts>,
    /// Running jobs whose lease is over.
    pub stuck: usize,
    /// Slots that operators have pinned, by the key of the mapping; `None` if that is not known.
    pub pins: Option<BTreeMap<String, u32>>,
    /// Queues that operators have paused until a time that is still to come, by the key of the mapping; `None` if that is
    /// not known.
    pub pauses: Option<BTreeSet<String>>,
    /// The metrics that were told.
    pub told: Vec<Line>,
}

impl Tick {
    /// A tick before its first pass.
    #[must_use]
    pub fn new(owner: String, now: Time, view: View, memory: Memory) -> Self {
        let (touched, done) = (BTreeSet::new(), BTreeMap::new());
        let (pins, pauses, told) = (None, None, Vec::new());
        Self { owner, now, view, memory, touched, done, stuck: 0, pins, pauses, told }
    }

    /// Adds `more` to the count of `what` under `pass`.
    pub fn count(&mut self, pass: &'static str, what: &'static str, more: usize) {
        if more > 0 {
            *self.done.entry(pass).or_default().entry(what).or_default() += more as u64;
        }
    }

    /// Writes lines of metrics to the log, and keeps them for the report.
    pub fn tell(&mut self, config: &Config, line: Line) {
        metrics::tell(config, &line);
        self.told.push(line);
    }

    /// Takes the records that no pass of this tick has taken yet, and returns their keys.
    pub fn claim(&mut self, keys: Vec<String>) -> Vec<String> {
        keys.into_iter().filter(|key| self.touched.insert(key.clone())).collect()
    }
}

/// The answer to a call that ran a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether another sweeper leads, so that this call did nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub another_leads: bool,
    /// What the passes have done, by pass.
    pub done: BTreeMap<&'static str, Counts>,
    /// Passes that ran out of time or that a failing port ended early.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut_short: Vec<&'static str>,
    /// The metrics that it has told, which are log lines and no part of the answer.
    #[serde(skip)]
    pub told: Vec<Line>,
}
