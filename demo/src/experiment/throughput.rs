//! A thousand jobs of one call each, while Rebrandly allows ten calls a second.

use std::cell::Cell;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::bench::{Bench, count};
use super::page::Page;

const JOBS: u32 = 1_000;

/// `RebrandlyRatePerSecond` of the template.
const RATE: f64 = 8.0;

pub(super) async fn run(bench: &Bench<'_>) -> Result<Page> {
    let mut page = Page::new(
        "A thousand jobs against ten calls a second",
        format!(
            "{JOBS} jobs at once on the local stack, one call each; Rebrandly takes 10 calls a second \
             and answers more with 429. The functions are configured for {RATE} a second."
        ),
    );
    bench.send(0..JOBS).await?;
    bench.say("sent");
    let polls = Cell::new(0);
    let records = bench
        .until_done(JOBS as usize, Duration::from_mins(6), |states| {
            if polls.replace(polls.get() + 1) % 10 == 0 {
                bench.say(&format!("{states:?}"));
            }
        })
        .await?;
    let calls = bench.sandbox.calls().await.context("the calls")?;
    let throttled = calls.iter().filter(|call| call.status == Some(429)).count();
    let times: Vec<u64> = calls.iter().map(|call| call.at_ms).collect();
    let (began, last) = (times.iter().min(), times.iter().max());
    // What finds no slot at once is parked until the sweeper lets it go, which is called each minute.
    let pause = pause_ms(&times);
    let span = last.zip(began).map_or(0, |(last, began)| last - began);
    let at_work = u32::try_from(span.saturating_sub(pause)).unwrap_or(u32::MAX).max(1);
    let rate = f64::from(JOBS - 1) * 1_000.0 / f64::from(at_work);
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let most = sorted
        .iter()
        .enumerate()
        .map(|(place, at)| sorted[place..].iter().take_while(|other| **other < at + 1_000).count());
    page.see("calls", calls.len());
    page.see("answered with 429", throttled);
    page.see("calls a second, but for that pause", format!("{rate:.2}"));
    page.see(
        "seconds without a call, until the sweeper let the first parked jobs go",
        pause / 1_000,
    );
    page.see("most calls in any second", most.max().unwrap_or_default());
    let parked = records.iter().filter(|record| count(record, "defers") > 0).count();
    page.see("jobs that were parked at some time", parked);
    page.see("seconds in all", span / 1_000);
    page.must("no more than five 429", throttled <= 5);
    page.must("throughput within 10 % of the configured rate", (rate - RATE).abs() <= RATE / 10.0);
    page.must("no address has two links", bench.doubled().await? == 0);
    Ok(page)
}

/// The longest time without a call.
fn pause_ms(times: &[u64]) -> u64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
}
