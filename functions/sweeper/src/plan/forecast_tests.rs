use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::{trend::MINUTE_MS, *};
use crate::plan::observation::tests::observation;

#[path = "forecast_tests/deterioration.rs"]
mod deterioration;

const START: u64 = 1_800_000_000_000;

const NOTHING: [(What, Option<u64>); 0] = [];

/// Calls, failed calls, and the 95th percentile in milliseconds, of one minute.
type Minute = (u64, u64, u64);

/// Sets the times of the observations to one minute apart.
fn each_minute(seen: impl IntoIterator<Item = Observation>) -> Vec<Observation> {
    let at = |minute: u64| START + minute * MINUTE_MS;
    (0_u64..).zip(seen).map(|(minute, seen)| Observation { at: at(minute), ..seen }).collect()
}

fn of_queue(seen: QueueSeen) -> Observation {
    let queues = BTreeMap::from([("cars".to_owned(), seen)]);
    Observation { queues, ..Observation::default() }
}

fn of_dependency(seen: DependencySeen) -> Observation {
    let dependencies = BTreeMap::from([("supplier".to_owned(), seen)]);
    Observation { dependencies, ..Observation::default() }
}

/// A history of a queue with these numbers of visible messages, one a minute.
fn backlogs(counts: impl IntoIterator<Item = u64>) -> Vec<Observation> {
    let queue = |visible| of_queue(QueueSeen { visible, ..QueueSeen::default() });
    each_minute(counts.into_iter().map(queue))
}

/// A history of calls that are this many seconds ahead of the hourly rate; 360 s are allowed.
fn ahead(seconds: &[u64]) -> Vec<Observation> {
    each_minute(seconds.iter().map(|&ahead_s| {
        let (ahead_s, may_be_ahead_s) = (Some(ahead_s), Some(360));
        of_dependency(DependencySeen { ahead_s, may_be_ahead_s, ..DependencySeen::default() })
    }))
}

/// A history of calls to a dependency whose breaker is closed.
fn calls(minutes: &[Minute]) -> Vec<Observation> {
    each_minute(minutes.iter().map(|&(calls, failed, p95_ms)| {
        of_dependency(DependencySeen {
            breaker: CLOSED.to_owned(),
            calls,
            failed,
            p95_ms: Some(p95_ms),
            ..DependencySeen::default()
        })
    }))
}

/// `count` minutes equal to `before`, then [`LATELY`] minutes equal to `lately`.
fn change(count: usize, before: Minute, lately: Minute) -> Vec<Minute> {
    [vec![before; count], vec![lately; LATELY]].concat()
}

/// The kind and the time of each forecast.
fn kinds_and_times(history: &[Observation]) -> Vec<(What, Option<u64>)> {
    forecast(history).into_iter().map(|forecast| (forecast.what, forecast.in_s)).collect()
}

fn evidence(history: &[Observation]) -> String {
    let evidence: Vec<String> =
        forecast(history).into_iter().map(|forecast| forecast.evidence).collect();
    evidence.join("\n")
}

#[test]
fn an_empty_history_gives_no_forecast() {
    assert_eq!(kinds_and_times(&[]), NOTHING);
    assert_eq!(kinds_and_times(&[Observation::default()]), NOTHING);
}

#[test]
fn a_backlog_that_falls_steadily_clears() {
    let history = backlogs([1_000, 900, 800, 700, 600, 500, 400]);
    assert_eq!(kinds_and_times(&history), [(What::Clears, Some(240))]);
    assert_eq!(
        evidence(&history),
        "400 messages wait, 100.0 fewer each minute by the line through 7 observations of 6 min"
    );
    assert_eq!(forecast(&history)[0].about, "cars");
}

#[test]
fn a_backlog_that_rises_steadily_grows() {
    let history = backlogs([100, 150, 200, 250, 300]);
    assert_eq!(kinds_and_times(&history), [(What::Grows, None)]);
    assert_eq!(
        evidence(&history),
        "300 messages wait, 50.0 more each minute by the line through 5 observations of 4 min"
    );
}

#[test]
fn noise_around_a_constant_gives_no_forecast() {
    let long = [500, 504, 497, 501, 499, 503, 496, 502, 500, 498, 505, 499, 501, 497, 500];
    assert_eq!(kinds_and_times(&backlogs(long)), NOTHING);
    assert_eq!(kinds_and_times(&backlogs([25, 22, 27, 24, 26, 23, 25, 24])), NOTHING);
}

#[test]
fn a_slow_change_a_short_backlog_or_a_short_history_gives_no_forecast() {
    let slow = (0..10_u64).map(|minute| 10_000 - 100 * minute);
    assert_eq!(kinds_and_times(&backlogs(slow)), NOTHING, "a hundredth of the backlog each minute");
    assert_eq!(
        kinds_and_times(&backlogs([100, 80, 60, 40, 19])),
        NOTHING,
        "fewer than 20 messages"
    );
    assert_eq!(kinds_and_times(&backlogs([400, 300, 200])), NOTHING, "three points are too few");
    assert_eq!(kinds_and_times(&backlogs([500, 400, 300, 200])), [(What::Clears, Some(120))]);
}

#[test]
fn observations_before_a_gap_do_not_count() {
    let with_gap = |count: usize, gap_ms: u64| {
        let mut history = backlogs([9_000, 9_000, 9_000, 500, 400, 300, 200]);
        history[3..].iter_mut().for_each(|observation| observation.at += gap_ms);
        history.truncate(3 + count);
        history
    };
    let history = with_gap(4, 5 * MINUTE_MS);
    assert_eq!(kinds_and_times(&history), [(What::Clears, Some(120))]);
    assert!(evidence(&history).ends_with("4 observations of 3 min"), "{}", evidence(&history));
    assert_eq!(
        kinds_and_times(&with_gap(3, 5 * MINUTE_MS)),
        NOTHING,
        "three points after the gap are too few"
    );
    let history = with_gap(3, 4 * MINUTE_MS);
    assert!(evidence(&history).ends_with("6 observations of 9 min"), "five minutes are not a gap");
}

#[test]
fn a_queue_missing_from_some_observations_has_a_gap_of_its_own() {
    let mut history = backlogs([900, 800, 700, 600, 500, 400, 300, 200, 100]);
    history[2..8].iter_mut().for_each(|observation| observation.queues.clear());
    assert_eq!(kinds_and_times(&history), NOTHING);
}

#[test]
fn observations_before_the_clock_was_set_back_do_not_count() {
    let mut history = backlogs([900, 800, 700, 600, 500, 400, 300]);
    history[..4].iter_mut().for_each(|observation| observation.at += 60 * MINUTE_MS);
    assert_eq!(kinds_and_times(&history), NOTHING);
}

#[test]
fn only_the_last_15_minutes_count() {
    let rise = (0..10_u64).map(|minute| 1_000 * minute);
    assert_eq!(kinds_and_times(&backlogs(rise.chain([9_000_u64; 15]))), NOTHING);
    let mut history = backlogs([90_000, 500, 450, 400, 350, 300]);
    for (observation, minute) in history.iter_mut().zip([0, 4, 8, 12, 16, 20]) {
        observation.at = START + minute * MINUTE_MS;
    }
    assert!(
        evidence(&history).ends_with("4 observations of 12 min"),
        "observations four minutes apart"
    );
}

#[test]
fn a_dead_letter_queue_has_no_forecast() {
    let mut history = backlogs([100, 200, 300, 400, 500]);
    for queue in history.iter_mut().flat_map(|observation| observation.queues.values_mut()) {
        queue.dead_letter = true;
    }
    assert_eq!(kinds_and_times(&history), NOTHING);
}

#[test]
fn delayed_messages_belong_to_the_backlog_and_those_in_flight_do_not() {
    let queue = |delayed, in_flight| {
        of_queue(QueueSeen { visible: 10, delayed, in_flight, ..QueueSeen::default() })
    };
    let delayed = (0..5_u64).map(|minute| queue(100 + 50 * minute, 0));
    assert_eq!(kinds_and_times(&each_minute(delayed)), [(What::Grows, None)]);
    let in_flight = (0..5_u64).map(|minute| queue(100, 50 * minute));
    assert_eq!(kinds_and_times(&each_minute(in_flight)), NOTHING);
}

#[test]
fn calls_that_get_ahead_of_the_hourly_rate_will_hit_its_limit() {
    let history = ahead(&[0, 0, 0, 60, 120, 180]);
    assert_eq!(kinds_and_times(&history), [(What::HitsHourlyLimit, Some(180))]);
    assert_eq!(
        evidence(&history),
        "calls are 180 s ahead of the hourly rate and may be 360 s, 60.0 s more each minute by \
         the line through 4 observations of 3 min"
    );
    assert_eq!(forecast(&history)[0].about, "supplier");
}

#[test]
fn calls_that_are_as_far_ahead_as_allowed_have_hit_the_limit() {
    assert_eq!(kinds_and_times(&ahead(&[360])), [(What::HitsHourlyLimit, Some(0))]);
    assert_eq!(kinds_and_times(&ahead(&[362, 362, 361])), [(What::HitsHourlyLimit, Some(0))]);
}

#[test]
fn calls_within_the_hourly_rate_hit_no_limit() {
    assert_eq!(kinds_and_times(&ahead(&[80, 80, 80, 80])), NOTHING, "exactly at the rate");
    assert_eq!(kinds_and_times(&ahead(&[120, 100, 80, 60])), NOTHING, "below the rate");
    assert_eq!(kinds_and_times(&ahead(&[0, 0, 0, 60])), NOTHING, "one step is not a trend");
    assert_eq!(kinds_and_times(&ahead(&[1, 2, 3, 4])), NOTHING, "the limit is six hours away");
    let unlimited = DependencySeen { ahead_s: Some(500), ..DependencySeen::default() };
    assert_eq!(kinds_and_times(&each_minute([of_dependency(unlimited)])), NOTHING);
}

#[test]
fn forecasts_are_listed_by_kind_and_then_by_name() {
    let queue = |visible| QueueSeen { visible, ..QueueSeen::default() };
    let history = each_minute((0..6_u64).map(|minute| {
        let (rising, falling) = (queue(100 + 50 * minute), queue(1_000 - 100 * minute));
        let ahead_s = Some(60 * minute);
        let dependency =
            DependencySeen { ahead_s, may_be_ahead_s: Some(360), ..DependencySeen::default() };
        let queues = [("c", falling.clone()), ("b", falling), ("a", rising)];
        Observation {
            queues: queues.map(|(name, seen)| (name.to_owned(), seen)).into(),
            dependencies: [("a".to_owned(), dependency)].into(),
            ..Observation::default()
        }
    }));
    let listed: Vec<String> = forecast(&history)
        .into_iter()
        .map(|forecast| format!("{} {}", forecast.what.name(), forecast.about))
        .collect();
    assert_eq!(listed, ["clears b", "clears c", "grows a", "hits_hourly_limit a"]);
}

#[test]
fn a_kinds_name_is_its_json_value() {
    for what in [What::Clears, What::Grows, What::HitsHourlyLimit, What::Deteriorates] {
        assert_eq!(serde_json::to_value(what).unwrap(), what.name());
    }
}

/// Any observations, mostly one minute apart, some after a gap or a jump of the clock.
fn history() -> impl Strategy<Value = Vec<Observation>> {
    let step = prop_oneof![
        16 => Just(MINUTE_MS),
        2 => 0..10 * MINUTE_MS,
        1 => any::<u64>(),
    ];
    vec((step, observation()), 0..20).prop_map(|steps| {
        let mut at = START;
        let place = |(step, seen): (u64, Observation)| {
            at = at.wrapping_add(step);
            Observation { at, ..seen }
        };
        steps.into_iter().map(place).collect::<Vec<_>>()
    })
}

proptest! {
    /// For any history, times are bounded, numbers are finite, and each forecast occurs once.
    #[test]
    fn forecasts_of_any_history_are_bounded_and_distinct(history in history()) {
        let forecasts = forecast(&history);
        for forecast in &forecasts {
            let most = match forecast.what {
                What::Clears => LONGEST_CLEARING_S,
                What::Grows => 0,
                What::HitsHourlyLimit | What::Deteriorates => HORIZON_S,
            };
            prop_assert!(forecast.in_s.is_none_or(|in_s| in_s <= most), "{forecast:?}");
            let unsaid = ["NaN", "inf"].iter().any(|word| forecast.evidence.contains(word));
            prop_assert!(!unsaid, "{forecast:?}");
        }
        let before = |a: &Forecast, b: &Forecast| (a.what, &a.about) < (b.what, &b.about);
        prop_assert!(forecasts.is_sorted_by(before), "{forecasts:?}");
    }

    #[test]
    fn a_falling_backlog_clears_when_it_reaches_zero(left in 20..1_000_u64, rate in 20..200_u64) {
        let history = backlogs((0..10_u64).rev().map(|minute| left + rate * minute));
        let forecasts = forecast(&history);
        prop_assert_eq!(forecasts.len(), 1);
        let in_s = forecasts[0].in_s.unwrap();
        prop_assert!(in_s.abs_diff(left * 60 / rate) <= 1, "{in_s} s");
    }

    #[test]
    fn a_forecast_round_trips_through_json(
        what in prop_oneof![
            Just(What::Clears),
            Just(What::Grows),
            Just(What::HitsHourlyLimit),
            Just(What::Deteriorates),
        ],
        about in ".{0,20}",
        in_s in any::<Option<u64>>(),
        evidence in ".{0,80}",
    ) {
        let forecast = Forecast { what, about, in_s, evidence };
        let text = serde_json::to_string(&forecast).unwrap();
        prop_assert_eq!(serde_json::from_str::<Forecast>(&text).unwrap(), forecast);
    }
}
