//! Ten thousand shortening jobs at once, and a feed and scraping jobs beside them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::dealers::SiteSettings;
use serde_json::json;

use super::bench::{Bench, MOST_A_MINUTE};
use super::page::Page;

const FLOOD: u32 = 10_000;
const CARS: u32 = 30;
const WITHIN: Duration = Duration::from_mins(5);

/// The longest that a job of high priority may take, whatever waits.
const URGENT_WITHIN: Duration = Duration::from_secs(15);

/// How much longer the others may take beside the flood: they share two cores and one local AWS with it.
const LONGER: Duration = Duration::from_secs(30);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Page> {
    let mut page = Page::new(
        "A flood of shortening jobs",
        format!(
            "A feed of {CARS} cars whose pages are scraped, and {CARS} scraping jobs of another site sent \
             from outside: first alone, then right after {FLOOD} shortening jobs, on the local stack. When \
             these are done, a shortening job of high priority is sent. It stops when that is done, too."
        ),
    );
    let alone = others(bench, "calm").await?;
    bench.say(&format!("alone: {} ms", alone.as_millis()));
    bench.send(0..FLOOD).await?;
    bench.say(&format!("{FLOOD} shortening jobs are sent"));
    let beside = others(bench, "flood").await?;
    let urgent = urgent(bench).await?;
    let shortened = bench.states_of("url_shortening").await?;
    bench.say(&format!("beside the flood: {} ms; the flood: {shortened:?}", beside.as_millis()));
    let done = shortened.get("succeeded").copied().unwrap_or_default();
    page.see("seconds alone", format!("{:.1}", alone.as_secs_f64()));
    page.see("seconds beside the flood", format!("{:.1}", beside.as_secs_f64()));
    page.see("shortening jobs done by then", done);
    page.see("seconds of the job of high priority", format!("{:.1}", urgent.as_secs_f64()));
    let sites = ["calm-listed", "calm-plain", "flood-listed", "flood-plain"];
    let mut busiest = 0;
    for site in sites {
        busiest = busiest.max(bench.busiest_minute(site).await?);
    }
    page.see("most calls of a site in a minute", busiest);
    page.must(
        format!("no site is called more than {MOST_A_MINUTE} times in any minute"),
        busiest <= MOST_A_MINUTE,
    );
    page.must("the flood is not over when they are done", done < FLOOD as usize / 2);
    page.must(
        format!("the job of high priority is done within {} s", URGENT_WITHIN.as_secs()),
        urgent <= URGENT_WITHIN,
    );
    page.must(
        format!("they take no more than {} s longer", LONGER.as_secs()),
        beside <= alone + LONGER,
    );
    Ok(page)
}

/// Sends a shortening job of high priority, and waits until it is done.
async fn urgent(bench: &Bench<'_>) -> Result<Duration> {
    let began = bench.elapsed();
    let payload = json!({
        "destination": "https://www.acme.example/new/urgent", "dealer_slug": "acme",
        "vin": "1M8GDM9AXKP042788",
    });
    let body =
        json!({ "version": 1, "type": "url_shortening", "id": "urgent", "payload": payload });
    bench.send_to("UrlShorteningHighQueueUrl", &[body.to_string()]).await?;
    let done = async |bench: &Bench<'_>| {
        let record = bench.record("url_shortening#g:urgent").await?;
        Ok(record.is_some_and(|record| record["state"] == "succeeded"))
    };
    bench.until("the job of high priority", WITHIN, done).await?;
    Ok(bench.elapsed().saturating_sub(began))
}

/// Sends a feed and scraping jobs, and waits until all are done, what the feed gave rise to as well.
async fn others(bench: &Bench<'_>, name: &str) -> Result<Duration> {
    let began = bench.elapsed();
    let (listed, plain) = (format!("{name}-listed"), format!("{name}-plain"));
    let settings = SiteSettings { cars: CARS, ..SiteSettings::default() };
    for slug in [&listed, &plain] {
        bench.sandbox.put_site(slug, &settings).await.context("a site")?;
    }
    let origin = bench.sandbox.site_origin(&listed);
    let payload = json!({
        "dealer_slug": listed, "site_url": origin, "fan_out": { "scrape": true, "shorten": false },
    });
    let feed = json!({ "version": 1, "type": "dealer_com_feed", "id": name, "payload": payload });
    bench.send_to("DealerComFeedQueueUrl", &[feed.to_string()]).await?;
    let origin = bench.sandbox.site_origin(&plain);
    let cars = bench.sandbox.cars(&plain).await.context("the cars")?;
    let pages = cars.iter().map(|car| {
        let payload = json!({
            "dealer_slug": plain, "vin": car.vin, "url": format!("{origin}/{}", car.path),
        });
        let id = format!("{name}-{}", car.vin);
        json!({ "version": 1, "type": "product_detail_scraping", "id": id, "payload": payload })
            .to_string()
    });
    bench.send_to("ProductDetailScrapingQueueUrl", &pages.collect::<Vec<_>>()).await?;
    let expected = CARS as usize * 2;
    bench
        .until(&format!("{name}: a feed and {expected} pages"), WITHIN, async |bench| {
            let records = bench.records().await?;
            let done = |kind: &str| {
                let ours = records.iter().filter(|record| {
                    let pk = record["pk"].as_str().unwrap_or_default();
                    pk.starts_with(kind) && pk.contains(name) && record["state"] == "succeeded"
                });
                ours.count()
            };
            Ok(done("dealer_com_feed#") == 1 && done("product_detail_scraping#") == expected)
        })
        .await?;
    Ok(bench.elapsed().saturating_sub(began))
}
