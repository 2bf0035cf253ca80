//! Pages that are gone while their site recovers.

use std::time::Duration;

use evenkeel::{dependency::breaker::State, ports::Control as _};
use sandbox::FaultKind;

use super::Pages;
use crate::bench::run::MINUTE;

/// The state of the site's breaker.
async fn state(pages: &Pages) -> State {
    let dependency = pages.page(0).work.dependency;
    assert!(dependency.starts_with("page/"), "{dependency}");
    pages.store.breaker(&dependency).await.unwrap().value.at(pages.now()).state
}

/// All probes find pages that no longer exist. That proves that the site answers.
#[tokio::test(start_paused = true)]
async fn pages_that_are_gone_close_the_breaker_of_a_site_that_answers_again() {
    let pages = Pages::new(&[]).await;
    pages.strike(FaultKind::status(503), u64::MAX).await;
    (0..12).for_each(|car| pages.send_page(car));
    let mut minutes = 0;
    while minutes == 0 || state(&pages).await == State::Closed {
        assert!(minutes < 20, "twelve pages that fail open the breaker");
        pages.run_for(MINUTE).await;
        minutes += 1;
    }
    pages.control().clear_faults().await.unwrap();
    pages.strike(FaultKind::status(404), u64::MAX).await;
    let mut minutes = 0;
    while state(&pages).await != State::Closed {
        assert!(minutes < 20, "it stays {:?}", state(&pages).await);
        pages.run_for(MINUTE).await;
        minutes += 1;
    }
    // None of them waits for the breaker any more, but some until the outage has lasted half as long again.
    pages.run_for(Duration::from_mins(20)).await;
    for car in 0..12 {
        let record = pages.page(car);
        let last = record.history.last().map(|failed| failed.code.as_str());
        assert_eq!(last, Some("http_404"), "{record:?}");
    }
}
