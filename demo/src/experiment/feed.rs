//! A feed of 500 cars, 35 a page, read for real at the default rate; a process is killed in the middle.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use sandbox::dealers::{SiteChange, SiteSettings};
use serde_json::{Value, json};
use tokio::time::sleep;
use xtask::process;

use super::bench::{Bench, MOST_A_MINUTE, count};
use super::page::Page;

const SLUG: &str = "mesa-motors";
const CARS: u32 = 500;

/// A read of the feed with everything that it gives rise to.
const WITHIN: Duration = Duration::from_mins(8);

pub(super) async fn run(bench: &Bench<'_>) -> Result<Page> {
    let mut page = Page::new(
        "Five hundred cars, and a process killed in the middle",
        format!(
            "A site of {CARS} cars that gives 35 a page, whatever is asked for, on the local stack. The \
             feed is read, and the process that reads it is killed with SIGKILL on the way; each car's page \
             is scraped. Then it is read again, unchanged, and again after one price has changed."
        ),
    );
    let settings = SiteSettings { cars: CARS, ..SiteSettings::default() };
    bench.sandbox.put_site(SLUG, &settings).await.context("the site")?;
    send(bench, "first").await?;
    bench
        .until("the first hundred have jobs", WITHIN, async |bench| {
            Ok(bench.kinds().await?.get("product_detail_scraping").copied().unwrap_or_default()
                > 100)
        })
        .await?;
    let killed = bench.stack.function_processes();
    for pid in &killed {
        // One that has ended meanwhile is as good as killed.
        let _ = process::kill(*pid);
    }
    bench.say(&format!("{} function processes are killed", killed.len()));
    let first = ended(bench, "first").await?;
    bench.say(&format!("the feed is read: {first}"));
    let began = bench.elapsed();
    bench
        .until("every page is scraped", WITHIN, async |bench| {
            let records = bench.records().await?;
            let done = records
                .iter()
                .filter(|record| is_scraping(record) && record["state"] == "succeeded");
            Ok(done.count() == CARS as usize)
        })
        .await?;
    let scraping = bench.elapsed().saturating_sub(began);
    let scraped = bench.records().await?.into_iter().filter(is_scraping).count();
    send(bench, "second").await?;
    let second = ended(bench, "second").await?;
    let after_second = bench.records().await?.into_iter().filter(is_scraping).count();
    let car = bench.sandbox.cars(SLUG).await.context("the cars")?.swap_remove(333);
    let prices = BTreeMap::from([(car.vin.clone(), car.price + 500)]);
    let change = SiteChange { prices, ..SiteChange::default() };
    bench.sandbox.change_site(SLUG, &change).await.context("the price")?;
    send(bench, "third").await?;
    let third = ended(bench, "third").await?;
    let records = bench.records().await?;
    let all = records.iter().filter(|record| is_scraping(record)).count();
    let feed = records.iter().find(|record| record["pk"] == "dealer_com_feed#g:first");
    let feed = feed.context("the first feed's record")?;
    page.see("the first read", &first);
    page.see("its runs, attempts and crashes", counters(feed));
    page.see("seconds from its end until every page was scraped", scraping.as_secs());
    page.see("the second read", &second);
    page.see("the third read", &third);
    judge_rate(bench, &mut page).await?;
    page.must("the feed is read whole", first["vehicles"] == CARS && first["whole"] == true);
    page.must("it fans out once: one scraping job a car", scraped == CARS as usize);
    page.must(
        "an unchanged feed makes no job and writes no car",
        after_second == scraped && second["new"] == 0 && second["changed"] == 0,
    );
    page.must(
        "a changed price makes one scraping job",
        all == scraped + 1 && third["changed"] == 1,
    );
    Ok(page)
}

/// The site must never be called faster than its limit.
async fn judge_rate(bench: &Bench<'_>, page: &mut Page) -> Result<()> {
    let busiest = bench.busiest_minute(SLUG).await?;
    page.see("most calls of the site in a minute", busiest);
    page.must(
        format!("the site is called at most {MOST_A_MINUTE} times in any minute"),
        busiest <= MOST_A_MINUTE,
    );
    Ok(())
}

fn is_scraping(record: &Value) -> bool {
    record["pk"].as_str().is_some_and(|pk| pk.starts_with("product_detail_scraping#"))
}

fn counters(record: &Value) -> String {
    let [claims, attempts, crashes] =
        ["claims", "attempts", "crashes"].map(|name| count(record, name));
    format!("{claims}, {attempts}, {crashes}")
}

async fn send(bench: &Bench<'_>, id: &str) -> Result<()> {
    let site = bench.sandbox.site_origin(SLUG);
    let payload = json!({
        "dealer_slug": SLUG, "site_url": site, "fan_out": { "scrape": true, "shorten": false },
    });
    let body = json!({ "version": 1, "type": "dealer_com_feed", "id": id, "payload": payload });
    bench.send_to("DealerComFeedQueueUrl", &[body.to_string()]).await
}

/// The result of a feed, once it has ended.
async fn ended(bench: &Bench<'_>, id: &str) -> Result<Value> {
    let key = format!("dealer_com_feed#g:{id}");
    bench
        .until(&format!("the feed {id} has ended"), WITHIN, async |bench| {
            let record = bench.record(&key).await?;
            Ok(record.is_some_and(|record| record.get("ended_at").is_some()))
        })
        .await?;
    let record = bench.record(&key).await?.context("a feed's record")?;
    ensure!(record["state"] == "succeeded", "the feed {id}: {record}");
    sleep(Duration::from_secs(1)).await;
    Ok(serde_json::from_str(record["result"].as_str().unwrap_or_default())?)
}
