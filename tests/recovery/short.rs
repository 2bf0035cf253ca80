//! Outages that end while the breaker waits for its first probe.

use std::time::Duration;

use evenkeel::dependency::breaker::State;
use url_shortening::POLICY;

use super::{RATES, outage, second};

/// How long it takes the sweeper to come to the full rate.
const RAMP: Duration = Duration::from_secs(20);

/// What is left of the wait is waited for: nothing says earlier that the service is back. Then the backlog takes its own
/// time. While it waits and while it is worked off, a job comes each second.
#[tokio::test(start_paused = true)]
async fn an_outage_that_ends_within_the_first_wait_costs_that_wait_and_its_backlog() {
    for (begins, down) in [(0, 20), (29, 20), (13, 40), (47, 40), (7, 55), (41, 55)] {
        let outage = outage(second(begins), second(down)).await;
        let breaker = &outage.breaker;
        let State::Open { wait, .. } = breaker.state else {
            panic!("{down} s, from {begins}: {outage:?}")
        };
        assert_eq!(wait, POLICY.breaker.open_wait);
        assert_eq!(breaker.since, breaker.down_since, "no probe has failed yet");
        let left = (breaker.since + wait).since(outage.ended);
        let takes = (second(down) + left) / (RATES.per_minute / 60 - 1);
        let most = left + RAMP + takes;
        let case = format!("{down} s, from {begins}, {left:?} left of the wait");
        assert!(outage.recovered <= most, "{case}: {:?} of {most:?}", outage.recovered);
        assert!(outage.calls <= 30, "{case}: {} calls", outage.calls);
    }
}
