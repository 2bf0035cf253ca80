//! A list of a site that is suddenly empty, while the others are whole.

use std::time::Duration;

use dealer_com_feed::payload::Condition;
use sandbox::dealers::{Alias, SiteChange, SiteSettings};

use super::{Feeds, summary};

impl Feeds {
    /// How many cars of the list of new ones count as listed.
    fn new_cars(&self) -> usize {
        let cars = self.vehicles.vehicles().into_iter();
        cars.filter(|car| car.list == "new" && car.hash.is_some()).count()
    }

    async fn show(&self, aliases: &[Alias]) {
        let aliases = Some(aliases.to_vec());
        self.change(&SiteChange { aliases, ..SiteChange::default() }).await;
    }
}

const WITHOUT_NEW: [Alias; 3] = [Alias::Used, Alias::All, Alias::CertifiedUsed];

#[tokio::test(start_paused = true)]
async fn a_list_that_empties_is_believed_when_it_is_empty_again_an_hour_later() {
    for (cars, is_long) in [(20, false), (200, true)] {
        let feeds = Feeds::new(SiteSettings { cars, ..SiteSettings::default() }).await;
        feeds.read("full").await;
        let new = feeds.new_cars();
        assert!(new > 0 && (new >= 20) == is_long, "{new} new cars");
        feeds.show(&WITHOUT_NEW).await;
        let first = feeds.read("0").await;
        let began = first.phase.ended_at().unwrap();
        let doubted = summary(&first);
        assert_eq!((doubted.gone, doubted.doubted), (0, vec![Condition::New]), "{cars}");
        for (minutes, gone) in [(59, 0), (61, new)] {
            let at = began + Duration::from_mins(minutes);
            tokio::time::advance(at.since(feeds.now())).await;
            let record = feeds.read(&minutes.to_string()).await;
            let ended = record.phase.ended_at().unwrap();
            assert!(ended < at + Duration::from_secs(50), "{record:?}");
            let read = summary(&record);
            let still = if gone == 0 { vec![Condition::New] } else { vec![] };
            assert!(read.whole && !read.stale, "{read:?}");
            assert_eq!((read.gone as usize, read.doubted), (gone, still), "{cars}, {minutes} min");
            assert_eq!(feeds.new_cars(), new - gone, "{cars}, {minutes} min");
        }
        feeds.show(&[Alias::New, Alias::Used, Alias::All, Alias::CertifiedUsed]).await;
        let back = summary(&feeds.read("back").await);
        assert_eq!((back.new as usize, feeds.new_cars()), (new, new), "{cars}");
    }
}

/// Full again in between: the hour begins anew.
#[tokio::test(start_paused = true)]
async fn a_list_must_be_empty_twice_in_a_row() {
    let feeds = Feeds::new(SiteSettings { cars: 200, ..SiteSettings::default() }).await;
    feeds.read("full").await;
    let new = feeds.new_cars();
    for (id, is_empty) in [("a", true), ("b", false), ("c", true)] {
        tokio::time::advance(Duration::from_mins(50)).await;
        let all = [Alias::New, Alias::Used, Alias::All, Alias::CertifiedUsed];
        feeds.show(if is_empty { &WITHOUT_NEW } else { &all }).await;
        let read = summary(&feeds.read(id).await);
        assert_eq!((read.gone, read.doubted.len()), (0, usize::from(is_empty)), "{id}");
        assert_eq!(feeds.new_cars(), new, "{id}");
    }
}

/// Without a car in any list, nothing is believed, however often it is seen.
#[tokio::test(start_paused = true)]
async fn a_site_without_any_car_is_not_believed_an_hour_later() {
    let feeds = Feeds::new(SiteSettings::default()).await;
    feeds.read("full").await;
    feeds.show(&[]).await;
    for id in ["0", "later", "last"] {
        let read = summary(&feeds.read(id).await);
        assert!(read.stale && read.why.as_ref().unwrap().contains("collapse"), "{read:?}");
        assert_eq!(read.gone, 0);
        tokio::time::advance(Duration::from_hours(2)).await;
    }
    assert!(feeds.vehicles.vehicles().iter().all(|car| car.hash.is_some()));
}
