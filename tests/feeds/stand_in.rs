//! When the last good snapshot stands in for a list that is not believed.

use std::time::Duration;

use dealer_com_feed::POLICY;
use sandbox::dealers::{SiteChange, SiteSettings};

use super::{Feeds, summary};

/// A dealer whose list has just become empty.
async fn collapsed() -> Feeds {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.read("good").await;
    feeds.change(&SiteChange { collapsed: Some(true), ..SiteChange::default() }).await;
    feeds
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_stands_in_when_the_job_is_given_up_and_not_when_its_attempts_are_spent() {
    let feeds = collapsed().await;
    let record = feeds.read("bad").await;
    assert!(summary(&record).stale && record.counters.attempts >= POLICY.max_attempts);
    let lasted = record.phase.ended_at().unwrap().since(record.work.created_at);
    let latest = POLICY.give_up_after + Duration::from_mins(2);
    assert!(lasted >= POLICY.give_up_after && lasted <= latest, "{lasted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_whole_again_before_the_job_is_given_up_is_read() {
    let feeds = collapsed().await;
    feeds.send_feed("late").await;
    feeds.run_for(Duration::from_mins(40)).await;
    let record = feeds.feed("late");
    assert_eq!(record.phase.ended_at(), None, "{record:?}");
    assert!(record.counters.attempts >= POLICY.max_attempts, "{record:?}");
    feeds.change(&SiteChange { collapsed: Some(false), ..SiteChange::default() }).await;
    let read = summary(&feeds.end("late").await);
    assert_eq!((read.vehicles, read.gone, read.whole, read.stale), (40, 0, true, false));
}
