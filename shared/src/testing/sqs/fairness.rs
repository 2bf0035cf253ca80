//! Which tenants of a fair queue are noisy ("How Amazon SQS fair queues work", SQS developer guide):
//! a tenant has over a tenth of the messages in flight and at least 30, or over a tenth of the recent
//! processing time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::base::time::{Time, millis};

/// A tenant with more than one in this many is noisy.
const SHARE: u64 = 10;

/// Messages in flight below which a tenant's share of them does not count.
const FEW_IN_FLIGHT: u64 = 30;

/// How long processing counts as recent. AWS names no number.
const RECENT: Duration = Duration::from_mins(5);

/// What the consumers of a queue are busy with.
#[derive(Debug, Default)]
pub(super) struct Fairness {
    /// Messages in flight: their tenant, and when they were received.
    in_flight: BTreeMap<u64, (String, Time)>,
    /// Recent processing: when it ended, whose it was, and how long it took, in milliseconds.
    recent: VecDeque<(Time, String, u64)>,
    /// Its sum for each tenant.
    recent_ms: BTreeMap<String, u64>,
}

impl Fairness {
    /// A message was received.
    pub(super) fn begin(&mut self, message: u64, tenant: &str, now: Time) {
        self.in_flight.insert(message, (tenant.to_owned(), now));
    }

    /// A message was deleted or is visible again.
    pub(super) fn end(&mut self, message: u64, now: Time) {
        let Some((tenant, since)) = self.in_flight.remove(&message) else { return };
        let took = millis(now.since(since));
        *self.recent_ms.entry(tenant.clone()).or_default() += took;
        self.recent.push_back((now, tenant, took));
    }

    /// Forgets processing that is no longer recent.
    fn forget(&mut self, now: Time) {
        while let Some((_, tenant, took)) = self.recent.pop_front_if(|(at, ..)| *at + RECENT < now)
        {
            if let Some(sum) = self.recent_ms.get_mut(&tenant) {
                *sum -= took;
            }
        }
        self.recent_ms.retain(|_, sum| *sum > 0);
    }

    /// The noisy tenants.
    pub(super) fn noisy(&mut self, now: Time) -> BTreeSet<&str> {
        self.forget(now);
        let mut counts = BTreeMap::<&str, u64>::new();
        let mut times: BTreeMap<&str, u64> =
            self.recent_ms.iter().map(|(tenant, took)| (tenant.as_str(), *took)).collect();
        for (tenant, since) in self.in_flight.values() {
            *counts.entry(tenant).or_default() += 1;
            *times.entry(tenant).or_default() += millis(now.since(*since).min(RECENT));
        }
        let (all, whole) = (counts.values().sum::<u64>(), times.values().sum::<u64>());
        let many = counts.iter().filter(|(_, n)| **n >= FEW_IN_FLIGHT && **n * SHARE > all);
        let long = times.iter().filter(|(_, took)| **took * SHARE > whole);
        many.chain(long).map(|(tenant, _)| *tenant).collect()
    }
}
