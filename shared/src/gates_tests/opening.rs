//! What a breaker that opens tells of its cause, and to whom.

use super::*;
use crate::ports::notes::Opened;

/// Runs whose calls fail with these codes, one after the other.
async fn fail_with(gates: &TestGates, codes: &[&'static str]) {
    for code in codes {
        let failure = Failure::new(Class::Transient, *code, "as asked");
        run_to(gates, Some(&failure), QUICK).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_cause_names_the_code_that_most_of_the_failed_calls_had() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    fail_with(&gates, &["connect", "http_503", "http_503", "connect", "http_503"]).await;
    let why = "5 of 5 calls failed within a minute, most often with http_503";
    assert_eq!(fleet.breaker().await.why, why);
}

#[tokio::test(start_paused = true)]
async fn codes_of_an_earlier_minute_and_of_failures_that_say_nothing_are_no_cause() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    fail_with(&gates, &["connect"; 4]).await;
    tokio::time::advance(Duration::from_secs(61)).await;
    for _ in 0..9 {
        run(&gates, Some(Class::Permanent), QUICK).await.unwrap();
    }
    fail_with(&gates, &["http_500"; 5]).await;
    let why = "5 of 5 calls failed within a minute, most often with http_500";
    assert_eq!(fleet.breaker().await.why, why);
}

/// Behind a wall, jobs with a stand-in for their result neither fail again nor park.
#[tokio::test(start_paused = true)]
async fn a_breaker_that_one_failure_opens_is_found_by_the_sweeper_and_by_those_who_watch() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    run(&gates, Some(Class::Systemic), QUICK).await.unwrap();
    let Breaker { state, since, .. } = fleet.breaker().await;
    assert_eq!(state.name(), "open");
    let opened = Opened { dependency: DEPENDENCY.to_owned(), at: since.as_millis() };
    for key in [opened.note_key(), NoteKey::watched(DEPENDENCY)] {
        let note = fleet.store.note(&key).await.unwrap().value;
        assert!(note.is_some(), "{key:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_not_noted_as_another_outage() {
    let mut fleet = Fleet::default();
    let gates = fleet.container();
    let notes = || fleet.faults.calls().iter().filter(|call| **call == "put_note").count();
    run(&gates, Some(Class::Systemic), QUICK).await.unwrap();
    assert_eq!(notes(), 2, "the opening, and the dependency");
    tokio::time::advance(Duration::from_secs(61)).await;
    run(&gates, Some(Class::Systemic), QUICK).await.unwrap();
    assert_eq!((fleet.breaker().await.state.name(), notes()), ("open", 2));
}
