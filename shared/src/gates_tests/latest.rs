//! An outage that begins while all is well.

use super::*;

/// Without load shedding, which would let fewer calls fail.
const CALM: Policy = Policy { sheds_load: false, ..POLICY };

#[tokio::test(start_paused = true)]
async fn a_minute_in_which_all_was_well_hides_no_outage_for_longer_than_twenty_seconds() {
    let rules = Rules { kind: "errand", policy: &CALM, breaker: POLICY.breaker };
    let mut fleet = Fleet { rules, ..Fleet::default() };
    let gates = fleet.container();
    for _ in 0..60 {
        run(&gates, None, QUICK).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    let mut seconds = 0;
    while fleet.breaker().await.state == State::Closed {
        run(&gates, Some(Class::Transient), QUICK).await.unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds <= 20, "the failures are less than half of the calls of a minute");
    }
    assert!(seconds >= 5, "{seconds}");
    let why = fleet.breaker().await.why;
    assert!(why.contains("calls failed within a minute"), "{why}");
}
