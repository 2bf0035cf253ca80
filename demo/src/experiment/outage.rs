//! Rebrandly is down for some minutes while one job a second comes in.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::{Fault, FaultKind, Scope, Target};
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval};

use super::bench::{Bench, count, states};
use super::page::Page;

const HEALTHY: u32 = 20;
const AFTER: u32 = 30;

/// The seconds of an outage in which calls are counted, and the most of them.
const COUNTED: u32 = 180;
const MOST_CALLS: u64 = 30;

/// An outage, in seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outage {
    down: u32,
    /// All must be done so long after the service is back.
    recovered_within: u32,
}

/// The breaker probes every quarter of a minute during the first ten minutes.
pub(super) const SHORT: Outage = Outage { down: 90, recovered_within: 60 };
pub(super) const USUAL: Outage = Outage { down: 180, recovered_within: 60 };
pub(super) const LONG: Outage = Outage { down: 600, recovered_within: 150 };

pub(super) async fn run(bench: &Bench<'_>, outage: Outage) -> Result<Page> {
    let Outage { down: lasting, recovered_within } = outage;
    let mut page = Page::new(
        format!("{lasting} seconds without Rebrandly"),
        format!(
            "One job a second on the local stack (real binaries, the real template, MiniStack). After \
             {HEALTHY} s every call is answered with 503, for {lasting} s; jobs go on coming in, and for \
             {AFTER} s after it."
        ),
    );
    let mut ticks = interval(Duration::from_secs(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut fault, mut before, mut while_down, mut spent) = (None, 0, 0, BTreeMap::new());
    let mut attempts_grew = Vec::new();
    for second in 0..HEALTHY + lasting + AFTER {
        ticks.tick().await;
        bench.send([second]).await?;
        if second == HEALTHY {
            before = bench.calls().await?;
            let kind = FaultKind::status(503);
            let scope = Scope::calls(1_000_000);
            let down = Fault { kind, on: Target::default(), scope, after_work: false };
            fault = Some(bench.sandbox.add_fault(&down).await.context("the fault")?);
            bench.say("Rebrandly answers 503");
        }
        if second == HEALTHY + lasting.min(COUNTED) {
            while_down = bench.calls().await? - before;
            bench.say(&format!("{while_down} calls have reached it"));
        }
        if second == HEALTHY + lasting {
            let fault = fault.take().context("the fault was not added")?;
            bench.sandbox.remove_fault(fault).await.context("the fault stays")?;
            bench.say("Rebrandly is back");
        }
        if second % 10 == 9 {
            let records = bench.records().await?;
            attempts_grew.extend(grown(&mut spent, &records));
            let (states, breaker) = (states(&records), bench.breaker().await?);
            let line = format!("{:>4} s  breaker {breaker:<10} {states:?}", second + 1);
            page.tell(&line);
            bench.say(&line);
        }
    }
    let jobs = (HEALTHY + lasting + AFTER) as usize;
    let took = Cell::new(Duration::from_secs(AFTER.into()));
    let began = bench.elapsed();
    let records = bench
        .until_done(jobs, Duration::from_secs(recovered_within.into()) * 3, |states| {
            took.set(Duration::from_secs(AFTER.into()) + bench.elapsed().saturating_sub(began));
            if took.get().as_secs().is_multiple_of(10) {
                bench.say(&format!("{states:?}"));
            }
        })
        .await?;
    let doubled = bench.doubled().await?;
    let most = records.iter().map(|record| count(record, "attempts")).max().unwrap_or_default();
    page.see("jobs", jobs);
    page.see("calls that reached Rebrandly in the first three minutes of it", while_down);
    page.see("seconds from its return until all were done", took.get().as_secs());
    page.see("most attempts of a job", most);
    page.see("jobs that were parked at some time", parked(&records));
    page.must("at most 30 calls reach it in its first three minutes", while_down <= MOST_CALLS);
    page.must("no job's attempts grow while it is parked", attempts_grew.is_empty());
    let is_in_time = took.get() <= Duration::from_secs(recovered_within.into());
    page.must(format!("all are done within {recovered_within} s of its return"), is_in_time);
    page.must("no address has two links", doubled == 0);
    Ok(page)
}

/// Jobs that were parked at the last look and this one, and have more attempts now.
fn grown(spent: &mut BTreeMap<String, u64>, records: &[Value]) -> Vec<String> {
    let parked = records.iter().filter(|record| record["state"] == "parked");
    let now: BTreeMap<String, u64> =
        parked.map(|record| (record["pk"].to_string(), count(record, "attempts"))).collect();
    let grown = now
        .iter()
        .filter(|(key, attempts)| spent.get(*key).is_some_and(|before| before < *attempts));
    let grown = grown.map(|(key, _)| key.clone()).collect();
    *spent = now;
    grown
}

fn parked(records: &[Value]) -> usize {
    records.iter().filter(|record| count(record, "defers") > 0).count()
}
