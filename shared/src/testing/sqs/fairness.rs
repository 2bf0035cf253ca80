//! Which tenants of a fair queue are noisy ("How Amazon SQS fair queues work", SQS developer guide).
//!
//! A tenant becomes noisy with over a tenth of the messages in flight and at least 30, or with over a
//! tenth of the recent processing time. It stays noisy until its shares have fallen, its backlog is
//! used up, or it has sent nothing for five minutes.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::base::time::{Time, millis};

/// A tenant with more than one in this many is noisy.
const SHARE: u64 = 10;

/// Messages in flight below which a tenant's share of them does not count.
const FEW_IN_FLIGHT: u64 = 30;

/// How long a tenant that sends nothing may stay noisy.
const SILENCE: Duration = Duration::from_mins(5);

/// How long processing counts as recent. AWS does not say.
const RECENT: Duration = Duration::from_mins(5);

/// What the consumers of a queue are busy with, and what its tenants send.
#[derive(Debug, Default)]
pub(super) struct Fairness {
    /// Messages in flight: their tenant, and when they were received.
    in_flight: BTreeMap<u64, (String, Time)>,
    /// Recent processing: when it ended, whose it was, and how long it took, in milliseconds.
    recent: VecDeque<(Time, String, u64)>,
    /// Its sum for each tenant.
    recent_ms: BTreeMap<String, u64>,
    /// When each tenant sent its last message.
    sent_at: BTreeMap<String, Time>,
}

impl Fairness {
    /// A tenant has sent a message.
    pub(super) fn sent(&mut self, tenant: &str, at: Time) {
        if let Some(last) = self.sent_at.get_mut(tenant) {
            *last = (*last).max(at);
        } else {
            self.sent_at.insert(tenant.to_owned(), at);
        }
    }

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

    /// Tenants without a message that waits are quiet, until they send again.
    pub(super) fn end_backlogs(&mut self, waiting: &BTreeSet<&str>) {
        self.sent_at.retain(|tenant, _| waiting.contains(tenant.as_str()));
    }

    /// Forgets processing that is no longer recent, and tenants that have been silent for long.
    fn forget(&mut self, now: Time) {
        while let Some((_, tenant, took)) = self.recent.pop_front_if(|(at, ..)| *at + RECENT < now)
        {
            if let Some(sum) = self.recent_ms.get_mut(&tenant) {
                *sum -= took;
            }
        }
        self.recent_ms.retain(|_, sum| *sum > 0);
        self.sent_at.retain(|_, at| *at + SILENCE > now);
    }

    /// The noisy tenants, with their numbers of messages in flight: those with fewer come first.
    pub(super) fn noisy(&mut self, now: Time) -> BTreeMap<&str, u64> {
        self.forget(now);
        let mut counts = BTreeMap::<&str, u64>::new();
        let mut times: BTreeMap<&str, u64> =
            self.recent_ms.iter().map(|(tenant, took)| (tenant.as_str(), *took)).collect();
        for (tenant, since) in self.in_flight.values() {
            *counts.entry(tenant).or_default() += 1;
            *times.entry(tenant).or_default() += millis(now.since(*since).min(RECENT));
        }
        let (all, whole) = (counts.values().sum::<u64>(), times.values().sum::<u64>());
        let count = |tenant: &str| counts.get(tenant).copied().unwrap_or_default();
        let is_noisy = |tenant: &str, took: u64| {
            let many = count(tenant) >= FEW_IN_FLIGHT && count(tenant) * SHARE > all;
            (many || took * SHARE > whole) && self.sent_at.contains_key(tenant)
        };
        let noisy = times.iter().filter(|(tenant, took)| is_noisy(tenant, **took));
        noisy.map(|(tenant, _)| (*tenant, count(tenant))).collect()
    }
}
