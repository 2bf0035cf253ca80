//! One tick: what it has seen, what it remembers, what it has done.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel::time::Time;
use serde::Serialize;

use crate::{memory::Memory, survey::View};

/// What a pass has done, counted by name.
pub type Counts = BTreeMap<&'static str, u64>;

/// One tick.
#[derive(Debug)]
pub struct Tick {
    /// The token of whoever writes in it.
    pub owner: String,
    /// When it began.
    pub now: Time,
    /// What was seen then.
    pub view: View,
    /// What is remembered between ticks.
    pub memory: Memory,
    /// Records that a pass of this tick has taken into its hands: no other one touches them.
    pub touched: BTreeSet<String>,
    /// What the passes have done.
    pub done: BTreeMap<&'static str, Counts>,
    /// Jobs that looked stuck.
    pub stuck: usize,
}

impl Tick {
    /// A tick that has done nothing yet.
    #[must_use]
    pub fn new(owner: String, now: Time, view: View, memory: Memory) -> Self {
        let (touched, done) = (BTreeSet::new(), BTreeMap::new());
        Self { owner, now, view, memory, touched, done, stuck: 0 }
    }

    /// Counts something that a pass has done.
    pub fn count(&mut self, pass: &'static str, what: &'static str, more: usize) {
        if more > 0 {
            *self.done.entry(pass).or_default().entry(what).or_default() += more as u64;
        }
    }

    /// Those of these records that no pass has touched yet, which from now on one has.
    pub fn claim(&mut self, keys: Vec<String>) -> Vec<String> {
        keys.into_iter().filter(|key| self.touched.insert(key.clone())).collect()
    }
}

/// What a call of the function answers with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether another sweeper is at work: then this one did nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub another_leads: bool,
    /// What each pass has done.
    pub done: BTreeMap<&'static str, Counts>,
    /// Passes whose time was up, or that a port failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cut_short: Vec<&'static str>,
}
