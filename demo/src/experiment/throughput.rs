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
    // The others are of the audit, which looks at some links afterwards.
    let of_jobs = calls.iter().filter(|call| call.method == "POST");
    let times: Vec<u64> = of_jobs.map(|call| call.at_ms).collect();
    let (began, last) = (times.iter().min(), times.iter().max());
    let span = last.zip(began).map_or(0, |(last, began)| last - began);
    let rate = f64::from(JOBS - 1) * 1_000.0 / f64::from(u32::try_from(span.max(1))?);
    let mut sorted = times.clone();
    sorted.sort_unstable();
    let most = sorted
        .iter()
        .enumerate()
        .map(|(place, at)| sorted[place..].iter().take_while(|other| **other < at + 1_000).count());
    page.see("calls", times.len());
    page.see("calls of the audit", calls.len() - times.len());
    page.see("answered with 429", throttled);
    page.see("calls a second", format!("{rate:.2}"));
    let (pause, after) = pause_ms(&sorted);
    page.see("longest time without a call, in ms", pause);
    page.see("when that began, in s from the first call", after / 1_000);
    page.see("most calls in any second", most.max().unwrap_or_default());
    let parked = records.iter().filter(|record| count(record, "defers") > 0).count();
    page.see("jobs that were claimed in vain or parked at some time", parked);
    page.see("seconds in all", span / 1_000);
    page.must("no more than five 429", throttled <= 5);
    page.must("all are done within 137 s", span <= 137_000);
    page.must("no second without a call", pause < 1_000);
    page.must("no job is parked", parked == 0);
    page.must("no address has two links", bench.doubled().await? == 0);
    Ok(page)
}

/// The longest time without a call, and when it began, counted from the first call. The times are sorted.
fn pause_ms(times: &[u64]) -> (u64, u64) {
    let pauses = times.windows(2).map(|pair| (pair[1] - pair[0], pair[0] - times[0]));
    pauses.max().unwrap_or_default()
}
