//! With which codes the calls of a container have failed lately.

use std::collections::{BTreeMap, VecDeque};

use crate::base::time::Time;
use crate::dependency::stats::MINUTE;

/// Failed calls that are remembered, the latest ones.
const MOST: usize = 100;

/// Longest code that is remembered, in bytes.
const LONGEST: usize = 100;

/// The codes with which the calls of a container have failed lately, so that a breaker that opens can
/// name its cause. The fleet's statistics have no codes: each would be a counter more in every write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes(VecDeque<(Time, String)>);

impl Codes {
    /// Counts a call that has failed with this code.
    pub fn record(&mut self, code: &str, now: Time) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        let length = code.floor_char_boundary(LONGEST);
        self.0.push_back((now, code[..length].to_owned()));
    }

    /// The most frequent code of the last minute, and of equally frequent ones the latest; `None` if
    /// no call has failed.
    #[must_use]
    pub fn most_frequent(&self, now: Time) -> Option<&str> {
        let oldest = now.before(MINUTE);
        let mut seen: BTreeMap<&str, (usize, Time)> = BTreeMap::new();
        for (at, code) in self.0.iter().filter(|(at, _)| *at > oldest) {
            let (count, last) = seen.entry(code).or_default();
            (*count, *last) = (*count + 1, *at);
        }
        seen.into_iter().max_by_key(|(_, seen)| *seen).map(|(code, _)| code)
    }
}
