//! Dependencies that fail more often or get slow.

use super::*;

#[test]
fn a_dependency_that_fails_more_often_deteriorates() {
    let history = calls(&change(5, (20, 0, 100), (20, 6, 100)));
    assert_eq!(kinds_and_times(&history), [(What::Deteriorates, Some(100))]);
    assert_eq!(
        evidence(&history),
        "18 of 60 calls (30 %) failed, 0 of 100 calls (0 %) before: the last 3 observations \
         against the 5 before, of 7 min"
    );
    let history = calls(&change(5, (20, 0, 100), (20, 15, 100)));
    assert_eq!(
        kinds_and_times(&history),
        [(What::Deteriorates, Some(0))],
        "three of four calls fail"
    );
}

#[test]
fn a_dependency_that_gets_slow_deteriorates() {
    let history = calls(&change(3, (20, 0, 300), (20, 0, 900)));
    assert_eq!(kinds_and_times(&history), [(What::Deteriorates, None)]);
    assert_eq!(
        evidence(&history),
        "95 of 100 calls took up to 900 ms, 300 ms before: the last 3 observations against \
         the 3 before, of 5 min"
    );
}

#[test]
fn a_dependency_that_fails_and_gets_slow_deteriorates_once() {
    let history = calls(&change(5, (20, 0, 300), (20, 6, 900)));
    assert_eq!(kinds_and_times(&history), [(What::Deteriorates, Some(100))]);
    let evidence = evidence(&history);
    assert!(evidence.contains("(30 %)") && evidence.contains("900 ms"), "{evidence}");
}

#[test]
fn a_healthy_dependency_has_no_forecast() {
    assert_eq!(kinds_and_times(&calls(&[(20, 1, 100); 15])), NOTHING);
    assert_eq!(
        kinds_and_times(&calls(&change(9, (20, 1, 100), (20, 2, 100)))),
        NOTHING,
        "five percentage points more"
    );
    assert_eq!(
        kinds_and_times(&calls(&change(9, (20, 9, 900), (20, 0, 100)))),
        NOTHING,
        "the dependency recovers"
    );
    assert_eq!(
        kinds_and_times(&calls(&change(9, (20, 0, 50), (20, 0, 200)))),
        NOTHING,
        "200 ms are still fast"
    );
    assert_eq!(
        kinds_and_times(&calls(&change(9, (20, 0, 900), (20, 0, 1_500)))),
        NOTHING,
        "the duration has not doubled"
    );
}

#[test]
fn a_quiet_minute_does_not_outweigh_busy_ones() {
    let mut minutes = change(9, (50, 0, 300), (50, 0, 300));
    minutes[11] = (1, 1, 9_000);
    assert_eq!(kinds_and_times(&calls(&minutes)), NOTHING);
}

#[test]
fn a_few_calls_or_a_few_observations_give_no_forecast() {
    assert_eq!(
        kinds_and_times(&calls(&change(9, (20, 0, 100), (3, 3, 900)))),
        NOTHING,
        "nine calls lately"
    );
    assert_eq!(
        kinds_and_times(&calls(&change(9, (1, 0, 100), (20, 20, 900)))),
        NOTHING,
        "nine calls before"
    );
    assert_eq!(
        kinds_and_times(&calls(&change(2, (20, 0, 100), (20, 20, 900)))),
        NOTHING,
        "two observations before"
    );
}

#[test]
fn a_breaker_that_is_not_closed_needs_no_forecast() {
    for state in ["open", "half_open", ""] {
        let mut history = calls(&change(9, (20, 0, 100), (20, 20, 900)));
        for seen in history.iter_mut().flat_map(|seen| seen.dependencies.values_mut()) {
            state.clone_into(&mut seen.breaker);
        }
        assert_eq!(kinds_and_times(&history), NOTHING, "{state}");
    }
}
