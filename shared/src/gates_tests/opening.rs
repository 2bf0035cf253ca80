//! What a breaker that opens tells of its cause.

use super::*;

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
