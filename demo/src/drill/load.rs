//! A trickle of jobs of every type, so that what is broken shows.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::ground::{Ground, link, message};

/// Time between two rounds.
const EVERY: Duration = Duration::from_secs(5);

/// Rounds between two reads of the feed.
const FEED_EVERY: u32 = 3;

/// Sends jobs until it is dropped. Fails if AWS or the sandbox does.
pub(super) async fn trickle(on: &Ground<'_>) -> Result<Infallible> {
    let site = on.sandbox.site_origin("lakeside");
    let cars = on.sandbox.cars("lakeside").await.context("the cars of lakeside")?;
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cars = cars.iter().cycle();
    let mut round = 0_u32;
    loop {
        rounds.tick().await;
        round = round.wrapping_add(1);
        let id = format!("listing-{round}");
        let job = message("url_shortening", &id, &link(round));
        on.send("UrlShorteningQueueUrl", &[job]).await?;
        if let Some(car) = cars.next() {
            let url = format!("{site}/{}", car.path);
            let payload = json!({ "dealer_slug": "lakeside", "vin": car.vin, "url": url });
            let job = message("product_detail_scraping", &id, &payload);
            on.send("ProductDetailScrapingQueueUrl", &[job]).await?;
        }
        if round % FEED_EVERY == 1 {
            let payload = json!({ "dealer_slug": "lakeside", "site_url": site });
            let job = message("dealer_com_feed", &id, &payload);
            on.send("DealerComFeedQueueUrl", &[job]).await?;
        }
    }
}
