//! What one tick of the sweeper has seen: the numbers that its alarms, its page and its forecasts
//! are made of.
//!
//! A history of them is kept as JSON between ticks. A field that is missing reads as nothing, so
//! that what an older version wrote still reads; one that is unknown is passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one tick has seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observation {
    /// When, in milliseconds since the epoch.
    pub at: u64,
    /// By queue name.
    pub queues: BTreeMap<String, QueueSeen>,
    /// By job type.
    pub types: BTreeMap<String, TypeSeen>,
    /// By dependency.
    pub dependencies: BTreeMap<String, DependencySeen>,
    /// Jobs of running batches.
    pub running: u64,
    /// Of these, jobs whose lease is over.
    pub stuck: u64,
}

/// A queue, by the counts of SQS: they are approximate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueSeen {
    /// Messages that can be received now.
    pub visible: u64,
    /// Messages that a function has received and not given back.
    pub in_flight: u64,
    /// Messages that cannot be received yet.
    pub delayed: u64,
    /// Whether it is where messages end that nobody could handle.
    pub dead_letter: bool,
    /// How many functions may work on it at a time, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Age, in seconds, of the oldest message that a function received first in the last minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
}

impl QueueSeen {
    /// Messages that wait: now or later they can be received.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.visible.saturating_add(self.delayed)
    }
}

/// A job type. Unless they say otherwise, the counts are of the last whole minute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypeSeen {
    /// Runs that succeeded.
    pub succeeded: u64,
    /// Runs that failed and are to be repeated.
    pub retried: u64,
    /// Runs that were put off.
    pub deferred: u64,
    /// Jobs that were parked.
    pub parked: u64,
    /// Jobs that were given up.
    pub dead: u64,
    /// Runs that panicked, or whose process died.
    pub crashed: u64,
    /// Jobs that have killed what ran them too often.
    pub quarantined: u64,
    /// Time from creation to success that half of the jobs took at most, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_s: Option<f64>,
    /// The same for 95 of 100 jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_s: Option<f64>,
    /// Age of the oldest job known, in seconds, be it a record or a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_s: Option<u64>,
    /// Records that somebody has to look at, by state, counted up to a cap.
    pub states: BTreeMap<String, u64>,
    /// Whether a count of `states` stopped at its cap, so that there are more.
    pub more: bool,
}

/// A dependency: what the engine keeps of it, and its calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DependencySeen {
    /// State of its breaker, as the control table names it.
    pub breaker: String,
    /// Jobs that are parked because of it, counted up to a cap.
    pub parked: u64,
    /// Whether `parked` stopped at its cap, so that there are more.
    pub more: bool,
    /// How long the first of them has been parked, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_parked_s: Option<u64>,
    /// Calls of the last whole minute.
    pub calls: u64,
    /// Of these, calls that failed.
    pub failed: u64,
    /// Of these, calls that took long.
    pub slow: u64,
    /// Of these, calls that were answered with a 429.
    pub throttled: u64,
    /// Time within which 95 of 100 of these calls were over, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<u64>,
    /// How far calls were made ahead of the hourly rate, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ahead_s: Option<u64>,
    /// How far they may be made ahead of it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_be_ahead_s: Option<u64>,
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;

    /// Mostly what is seen, and now and then what never is.
    fn count() -> impl Strategy<Value = u64> {
        prop_oneof![9 => 0..500_u64, 1 => any::<u64>()]
    }

    /// Milliseconds as seconds: as JSON they are the same number again.
    fn seconds() -> impl Strategy<Value = Option<f64>> {
        option::of(any::<u32>().prop_map(|ms| f64::from(ms) / 1_000.0))
    }

    fn queue() -> impl Strategy<Value = QueueSeen> {
        let counts = (count(), count(), count(), option::of(count()));
        (counts, any::<bool>(), option::of(any::<u32>())).prop_map(
            |((visible, in_flight, delayed, oldest_s), dead_letter, concurrency)| QueueSeen {
                visible,
                in_flight,
                delayed,
                dead_letter,
                concurrency,
                oldest_s,
            },
        )
    }

    fn job_type() -> impl Strategy<Value = TypeSeen> {
        let counts = (count(), count(), count(), count(), count(), count(), count());
        let times = (seconds(), seconds(), option::of(count()));
        let states = btree_map("[a-c]{1,3}", count(), 0..4);
        (counts, times, states, any::<bool>()).prop_map(|(counts, times, states, more)| {
            let (succeeded, retried, deferred, parked, dead, crashed, quarantined) = counts;
            let (p50_s, p95_s, oldest_s) = times;
            TypeSeen {
                succeeded,
                retried,
                deferred,
                parked,
                dead,
                crashed,
                quarantined,
                p50_s,
                p95_s,
                oldest_s,
                states,
                more,
            }
        })
    }

    fn dependency() -> impl Strategy<Value = DependencySeen> {
        let usual = prop_oneof![Just("closed"), Just("open"), Just("half_open")];
        let breaker = prop_oneof![9 => usual.prop_map(str::to_owned), 1 => ".{0,9}"];
        let parked = (count(), any::<bool>(), option::of(count()));
        let calls = (count(), count(), count(), count(), option::of(count()));
        let ahead = (option::of(count()), option::of(count()));
        (breaker, parked, calls, ahead).prop_map(|(breaker, parked, calls, ahead)| {
            let (parked, more, longest_parked_s) = parked;
            let (calls, failed, slow, throttled, p95_ms) = calls;
            let (ahead_s, may_be_ahead_s) = ahead;
            DependencySeen {
                breaker,
                parked,
                more,
                longest_parked_s,
                calls,
                failed,
                slow,
                throttled,
                p95_ms,
                ahead_s,
                may_be_ahead_s,
            }
        })
    }

    /// Any observation, of two queues, types and dependencies at most: a history of a few then
    /// sees the same ones again.
    pub(crate) fn observation() -> impl Strategy<Value = Observation> {
        let queues = btree_map("[ab]", queue(), 0..3);
        let types = btree_map("[ab]", job_type(), 0..3);
        let dependencies = btree_map("[ab]", dependency(), 0..3);
        (any::<u64>(), queues, types, dependencies, count(), count()).prop_map(
            |(at, queues, types, dependencies, running, stuck)| Observation {
                at,
                queues,
                types,
                dependencies,
                running,
                stuck,
            },
        )
    }

    #[test]
    fn what_an_older_or_a_newer_version_wrote_still_reads() {
        let text =
            r#"{"at": 7, "queues": {"cars": {"visible": 3}}, "types": {"feed": {}}, "a": 1}"#;
        let cars = QueueSeen { visible: 3, ..QueueSeen::default() };
        let expected = Observation {
            at: 7,
            queues: BTreeMap::from([("cars".to_owned(), cars)]),
            types: BTreeMap::from([("feed".to_owned(), TypeSeen::default())]),
            ..Observation::default()
        };
        assert_eq!(serde_json::from_str::<Observation>(text).unwrap(), expected);
        assert_eq!(serde_json::from_str::<Observation>("{}").unwrap(), Observation::default());
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let text = serde_json::to_string(&DependencySeen::default()).unwrap();
        assert!(!text.contains("null") && !text.contains("ahead_s"), "{text}");
    }

    #[test]
    fn a_delayed_message_waits_and_one_in_flight_does_not() {
        let queue = QueueSeen { visible: 3, in_flight: 5, delayed: 4, ..QueueSeen::default() };
        assert_eq!(queue.backlog(), 7);
        assert_eq!(QueueSeen { visible: u64::MAX, ..queue }.backlog(), u64::MAX);
    }

    proptest! {
        #[test]
        fn an_observation_is_the_same_after_a_trip_through_json(observation in observation()) {
            let text = serde_json::to_string(&observation).unwrap();
            prop_assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), observation);
        }
    }
}
