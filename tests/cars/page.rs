//! The kept page of a car that leaves the site, and perhaps comes back: it expires while the car is gone.

use evenkeel::testing::Fault;

use super::*;

impl Dealer {
    async fn remove(&self, vin: &str) {
        self.change(&SiteChange { remove: vec![vin.to_owned()], ..SiteChange::default() }).await;
    }

    async fn relist(&self, vin: &str) {
        self.change(&SiteChange { relist: vec![vin.to_owned()], ..SiteChange::default() }).await;
    }

    /// Whether a car's page expires.
    fn expires(&self, vin: &str) -> bool {
        let page = self.vehicles.page(SLUG, vin).unwrap();
        page.iter().any(|(name, _)| *name == inventory::testing::EXPIRES_AT)
    }
}

/// A dealer, and the VIN of a car that has left its site.
async fn with_a_car_gone() -> (Dealer, String) {
    let policy = json!({"fan_out": {"scrape": true, "shorten": false}});
    let mut dealer = Dealer::new(&SiteSettings::default(), policy).await;
    dealer.summary().await;
    let vin = dealer.control().cars(SLUG).await.unwrap().remove(3).vin;
    assert!(!dealer.expires(&vin));
    dealer.remove(&vin).await;
    assert_eq!((dealer.summary().await.gone, dealer.expires(&vin)), (1, true));
    (dealer, vin)
}

/// A car that is listed again is scraped again, also within the hours in which a scraping counts as done for others.
#[tokio::test(start_paused = true)]
async fn the_page_of_a_car_that_is_listed_again_stays() {
    let (mut dealer, vin) = with_a_car_gone().await;
    dealer.relist(&vin).await;
    let read = dealer.summary().await;
    assert_eq!((read.new, read.made.scraping_jobs, dealer.expires(&vin)), (1, 1, false));
}

/// The read that finds the car again dies at one of its calls, and is repeated: while the car is listed, or when it is
/// gone once more.
#[tokio::test(start_paused = true)]
async fn a_page_expires_with_its_car_wherever_a_read_dies() {
    for (call, fault) in [
        ("relist", Fault::DieBefore),
        ("relist", Fault::DieAfter),
        ("keep", Fault::DieBefore),
        ("enqueue", Fault::DieBefore),
    ] {
        for stays in [true, false] {
            let (mut dealer, vin) = with_a_car_gone().await;
            dealer.relist(&vin).await;
            dealer.faults.on(call, fault);
            let key = dealer.ask().await;
            dealer.work(Duration::from_secs(30)).await;
            assert_eq!(dealer.phase(&key), "running", "{call} {fault:?}: its process has died");
            if !stays {
                dealer.remove(&vin).await;
            }
            dealer.drain().await;
            assert_eq!(dealer.phase(&key), "succeeded", "{call} {fault:?}");
            assert_eq!(dealer.expires(&vin), !stays, "{call} {fault:?}");
        }
    }
}
