use proptest::{collection::btree_map, option, prelude::*};

use super::*;

/// Mostly realistic counts, some arbitrary ones.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0..500_u64, 1 => any::<u64>()]
}

/// Seconds with three decimals, which JSON preserves.
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
            ..TypeSeen::default()
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
            ..DependencySeen::default()
        }
    })
}

/// Any observation of at most two queues, types and dependencies. Few names make it likely that the
/// observations of a history have some in common.
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
            ..Observation::default()
        },
    )
}

#[test]
fn observations_of_older_and_newer_versions_can_be_read() {
    let text = r#"{"at": 7, "queues": {"cars": {"visible": 3}}, "types": {"feed": {}}, "a": 1}"#;
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
fn unknown_values_are_not_written() {
    let text = serde_json::to_string(&DependencySeen::default()).unwrap();
    assert!(!text.contains("null") && !text.contains("ahead_s"), "{text}");
}

#[test]
fn delayed_messages_belong_to_the_backlog_and_those_in_flight_do_not() {
    let queue = QueueSeen { visible: 3, in_flight: 5, delayed: 4, ..QueueSeen::default() };
    assert_eq!(queue.backlog(), 7);
    assert_eq!(QueueSeen { visible: u64::MAX, ..queue }.backlog(), u64::MAX);
}

proptest! {
    #[test]
    fn an_observation_round_trips_through_json(observation in observation()) {
        let text = serde_json::to_string(&observation).unwrap();
        prop_assert_eq!(serde_json::from_str::<Observation>(&text).unwrap(), observation);
    }
}
