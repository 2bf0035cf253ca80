//! What a month costs: calls and capacity units of the simulated system, at the prices of AWS. The result is
//! docs/costs.md, which `UPDATE_PAGES=1 cargo test -p tests what_a_month_costs` writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::Path,
    time::Duration,
};

use evenkeel::{dependency::limiter::Rates, testing::Units};
use sandbox::SettingsChange;
use xtask::template;

use crate::{
    bench::{Bench, Kind, run::MINUTE, third_parties::shortening},
    golden::assert_file,
};

const MONTH: Duration = Duration::from_hours(730);

/// Volumes of a month, and how long of it is simulated: long enough for some jobs, and short enough for a test.
const VOLUMES: [(u64, Duration); 4] = [
    (0, Duration::from_hours(1)),
    (1_000, Duration::from_hours(3)),
    (100_000, Duration::from_hours(1)),
    (10_000_000, Duration::from_mins(8)),
];

/// Prices in dollars, us-east-1, as AWS's price pages had them in 2025, without free tiers.
mod price {
    /// DynamoDB on demand: a million write units, a million read units, a GB of table and one of backup.
    pub(super) const WRITES: f64 = 0.625;
    pub(super) const READS: f64 = 0.125;
    pub(super) const STORED_GB: f64 = 0.25 + 0.20;
    /// Lambda on arm64: a million requests, a GB-second.
    pub(super) const REQUESTS: f64 = 0.20;
    pub(super) const GB_SECOND: f64 = 0.000_013_333_4;
    /// SQS: a million requests of a standard queue.
    pub(super) const SQS: f64 = 0.40;
    /// EventBridge Scheduler: a million calls.
    pub(super) const SCHEDULED: f64 = 1.00;
    /// CloudWatch: a GB of log lines, a custom metric.
    pub(super) const LOGS_GB: f64 = 0.50;
    pub(super) const METRIC: f64 = 0.30;
    pub(super) const SECRET: f64 = 0.40;
}

/// Time that a call of AWS takes, which the simulation leaves out. An assumption.
const AWS_CALL: Duration = Duration::from_millis(5);

/// Time that a call of Rebrandly takes. An assumption.
const SERVICE_MS: u64 = 250;

/// Bytes of a record in the table with its keys. docs/performance.md: 600 to 700, without what DynamoDB adds.
const RECORD_BYTES: f64 = 800.0;

/// Log bytes: Lambda's three lines of an invocation and ours of a batch; a line of metrics. Assumptions.
const INVOCATION_LOG_BYTES: f64 = 400.0;
const METRICS_LINE_BYTES: f64 = 450.0;

/// An idle event source mapping keeps five pollers, each of which asks three times a minute ("Using Lambda with
/// Amazon SQS": long polls of up to 20 s).
const IDLE_POLLS_A_MINUTE: u64 = 5 * 3;

/// What a time of the whole system has used.
#[derive(Clone, Copy, Debug)]
struct Used {
    units: Units,
    batches: u64,
    worked: Duration,
    /// Calls of AWS by the functions, and by the sweeper.
    calls: usize,
    sweeper_calls: usize,
    sweeper_queue_calls: usize,
    /// Custom metrics, and their log lines a minute.
    metrics: f64,
    metric_lines: f64,
}

impl Used {
    fn so_far(bench: &Bench) -> Self {
        let (batches, worked) = bench.containers().invocations();
        let swept = bench.sweeper_faults.trace();
        Self {
            units: bench.store.units(),
            batches,
            worked,
            calls: bench.faults.trace().len(),
            sweeper_calls: swept.len(),
            sweeper_queue_calls: swept.iter().filter(|c| c.about.starts_with("arn:")).count(),
            metrics: 0.0,
            metric_lines: 0.0,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            units: Units {
                writes: self.units.writes - before.units.writes,
                half_reads: self.units.half_reads - before.units.half_reads,
            },
            batches: self.batches - before.batches,
            worked: self.worked.saturating_sub(before.worked),
            calls: self.calls - before.calls,
            sweeper_calls: self.sweeper_calls - before.sweeper_calls,
            sweeper_queue_calls: self.sweeper_queue_calls - before.sweeper_queue_calls,
            ..self
        }
    }
}

/// Lets the three job types and the sweeper run for `span` at the rate of `jobs` shortening jobs a month, after
/// as long a time of the same.
async fn used(jobs: u64, span: Duration) -> Used {
    let rates = Rates::each_second(8, 18_000);
    let bench = Bench::of(&[Kind::Shortening(rates), Kind::Feeds, Kind::Pages]);
    let slow = SettingsChange { latency_ms: Some(SERVICE_MS), ..SettingsChange::default() };
    bench.control().change_settings(&slow).await.unwrap();
    let share = span.as_secs_f64() / MONTH.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a small count"
    )]
    let count = (jobs as f64 * share).round() as u32;
    let pause = span.checked_div(count).unwrap_or(span);
    let (mut before, mut told) = (Used::so_far(&bench), 0);
    for round in 0..2 {
        before = Used::so_far(&bench);
        told = bench.told.borrow().len();
        let sending = async {
            for n in 0..count {
                let vin = format!("{:017}", round * count + n);
                let car = format!("https://www.acme.example/new/{vin}");
                bench.send(&shortening(&vin, &car));
                tokio::time::sleep(pause).await;
            }
            if count == 0 {
                tokio::time::sleep(span).await;
            }
        };
        bench.run_while(sending).await;
    }
    let (metrics, metric_lines) = metrics(&bench, told, span);
    let used = Used { metrics, metric_lines, ..Used::so_far(&bench).since(before) };
    bench.drain().await;
    let done = bench.store.records().iter().filter(|r| r.phase.name() == "succeeded").count();
    assert_eq!(done, 2 * count as usize, "every job succeeds");
    used
}

/// Custom metrics and log lines of what the sweeper has told since `from`: a metric is billed for each hour in which
/// it has a value, so its mean over the hours.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn metrics(bench: &Bench, from: usize, span: Duration) -> (f64, f64) {
    let told = bench.told.borrow();
    let lines = told[from..].iter().filter(|line| !line.numbers.is_empty());
    let series = lines.clone().flat_map(|line| {
        let hour = line.at.as_millis() / 3_600_000;
        line.numbers.iter().map(move |(name, ..)| (hour, line.of.clone(), name.clone()))
    });
    let series: BTreeSet<_> = series.collect();
    let hours: BTreeSet<u64> = series.iter().map(|(hour, ..)| *hour).collect();
    let minutes = span.as_secs_f64() / 60.0;
    (series.len() as f64 / hours.len().max(1) as f64, lines.count() as f64 / minutes)
}

/// Dollars of a month, by what they are paid for.
#[expect(clippy::cast_precision_loss, reason = "dollars are rounded to cents")]
fn month(jobs: u64, span: Duration, used: Used) -> Vec<(&'static str, f64)> {
    let times = MONTH.as_secs_f64() / span.as_secs_f64();
    let millions = |count: f64| count * times / 1e6;
    let minutes = span.as_secs_f64() / 60.0;
    let sweeps = minutes;
    let template = template::load(Path::new("../template.yaml")).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let mappings = resources.filter(|r| r["Type"] == "AWS::Lambda::EventSourceMapping").count();
    let memory_gb = template["Globals"]["Function"]["MemorySize"].as_f64().unwrap() / 1_024.0;
    let polls = mappings as f64 * minutes * IDLE_POLLS_A_MINUTE as f64;
    // A send each, as upstream systems do; a receive and a delete each batch.
    let sent = jobs as f64 / times;
    let requests = sent + 2.0 * used.batches as f64 + polls + used.sweeper_queue_calls as f64;
    let calls = |count: usize| count as f64 * AWS_CALL.as_secs_f64();
    let seconds = used.worked.as_secs_f64() + calls(used.calls) + calls(used.sweeper_calls);
    let log = (used.batches as f64 + sweeps) * INVOCATION_LOG_BYTES
        + sweeps * used.metric_lines * METRICS_LINE_BYTES;
    let kept = url_shortening::POLICY.retention().as_secs_f64() / MONTH.as_secs_f64();
    vec![
        ("DynamoDB, writes", millions(used.units.writes as f64) * price::WRITES),
        ("DynamoDB, reads", millions(used.units.half_reads as f64 / 2.0) * price::READS),
        (
            "DynamoDB, storage and backup",
            jobs as f64 * kept * RECORD_BYTES / 1e9 * price::STORED_GB,
        ),
        ("Lambda, requests", millions(used.batches as f64 + sweeps) * price::REQUESTS),
        ("Lambda, time", seconds * times * memory_gb * price::GB_SECOND),
        ("SQS, requests, idle polls included", millions(requests) * price::SQS),
        ("EventBridge Scheduler", millions(sweeps) * price::SCHEDULED),
        ("CloudWatch, log lines", log * times / 1e9 * price::LOGS_GB),
        ("CloudWatch, custom metrics", used.metrics * price::METRIC),
        ("Secrets Manager", price::SECRET),
    ]
}

#[tokio::test(start_paused = true)]
async fn what_a_month_costs_is_on_the_page() {
    let mut rows: BTreeMap<usize, (&str, Vec<f64>)> = BTreeMap::new();
    let (mut counted, mut metrics) = (String::new(), String::new());
    for (jobs, span) in VOLUMES {
        let used = used(jobs, span).await;
        if jobs == 0 {
            metrics = format!("{:.0}", used.metrics);
        }
        for (place, (name, dollars)) in month(jobs, span, used).into_iter().enumerate() {
            rows.entry(place).or_insert((name, Vec::new())).1.push(dollars);
        }
        let minutes = span.as_secs() / MINUTE.as_secs();
        let Units { writes, half_reads } = used.units;
        let line = format!(
            "| {} | {minutes} min | {writes} | {} | {} | {} |",
            grouped(jobs),
            half_reads / 2,
            used.batches,
            used.calls + used.sweeper_calls
        );
        let _ = writeln!(counted, "{line}");
    }
    let mut bill = String::new();
    let mut sums = vec![0.0; VOLUMES.len()];
    for (name, dollars) in rows.values() {
        let cells: Vec<String> = dollars.iter().map(|amount| format!("{amount:.2}")).collect();
        let _ = writeln!(bill, "| {name} | {} |", cells.join(" | "));
        sums.iter_mut().zip(dollars).for_each(|(sum, amount)| *sum += amount);
    }
    let cells: Vec<String> = sums.iter().map(|sum| format!("**{sum:.2}**")).collect();
    let _ = writeln!(bill, "| together | {} |", cells.join(" | "));
    let volumes: Vec<String> = VOLUMES.iter().map(|(jobs, _)| grouped(*jobs)).collect();
    let page = format!(
        "{}| dollars a month | {} |\n|---|{}\n{bill}\n{}\n{counted}",
        INTRODUCTION.replace("METRICS", &metrics),
        volumes.join(" | "),
        "---|".repeat(VOLUMES.len()),
        COUNTED
    );
    assert_file("docs/costs.md", &page);
}

/// The rows of a page's tables that have dollars: their names and cents.
fn cents(page: &str) -> BTreeMap<&str, Vec<i64>> {
    let amount = |cell: &str| {
        let (dollars, cents) = cell.trim_matches('*').split_once('.')?;
        (cents.len() == 2).then(|| format!("{dollars}{cents}").parse().ok()).flatten()
    };
    let row = |line| {
        let mut cells = str::trim_matches(line, '|').split('|').map(str::trim);
        Some((cells.next()?, cells.filter_map(amount).collect::<Vec<i64>>()))
    };
    let rows = page.lines().filter(|line| line.starts_with("| ")).filter_map(row);
    rows.filter(|(_, cents)| !cents.is_empty()).collect()
}

/// docs/performance.md has the cost of a million jobs: a tenth of what the last column of docs/costs.md has more than
/// the first, which is an idle stack.
#[test]
fn a_million_jobs_cost_what_the_months_say() {
    let read = |name: &str| std::fs::read_to_string(Path::new("..").join(name)).unwrap();
    let (costs, performance) = (read("docs/costs.md"), read("docs/performance.md"));
    let (_, rest) = performance.split_once("## Cost of a million jobs").unwrap();
    let of_million = cents(rest.split("\n## ").next().unwrap());
    let months = cents(&costs);
    let more = |begin: &str| -> i64 {
        let rows = months.iter().filter(|(name, _)| name.starts_with(begin));
        rows.map(|(_, cents)| cents.last().unwrap() - cents.first().unwrap()).sum()
    };
    let groups = [
        ("DynamoDB: writes, reads, storage and backup", "DynamoDB"),
        ("Lambda: requests and time", "Lambda"),
        ("SQS", "SQS"),
        ("log lines and metrics", "CloudWatch"),
        ("together", "together"),
    ];
    assert_eq!(of_million.len(), groups.len(), "{of_million:?}");
    for (name, begin) in groups {
        let said = *of_million[name].first().unwrap();
        let expected = more(begin);
        assert!(expected > 0, "{begin}: docs/costs.md has such rows");
        // Both are rounded: ten millions cost as many cents as one costs tenths of them.
        let differs = (said * 10 - expected).abs();
        assert!(differs <= 5, "{name}: {said} cents, expected {expected} tenths of a cent");
    }
    let rest: i64 = groups[..4].iter().map(|(_, begin)| more(begin)).sum();
    assert!((rest - more("together")).abs() <= 5, "no other row grows with the jobs");
}

/// A number with commas.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const INTRODUCTION: &str = "# Costs

What a month costs, by the number of shortening jobs. `UPDATE_PAGES=1 cargo test -p tests what_a_month_costs`
writes this page: it runs the system in virtual time, with the sweeper and all three job types deployed, counts
calls and capacity units, and multiplies them by AWS's prices of 2025 (us-east-1, arm64, no free tiers).

- The jobs come evenly and one by one, which is the dearest way: bursts share batches.
- The sweeper runs each minute, and pollers ask the queues, whether there are jobs or not. This, the secret and
  the METRICS custom metrics are what an idle stack costs.
- The audit has five results a minute checked, as long as there are any. At low volume, these are nearly all
  batches.
- Assumed, because no simulation tells: a call of Rebrandly takes 250 ms, and one of AWS 5 ms; a record takes
  800 bytes, the log lines of an invocation 400, a line of metrics 450.
- Left out, because they are cents: the KMS requests of the encrypted tables, and reading the secret.
- SAM and cargo-lambda deploy the same resources. The packages in S3 cost less than a cent.
- A VPC comes on top: some $33 a month for each NAT gateway, $4 for its public address, and $0.045 a GB.
- The largest part at low volume are the custom metrics, at $0.30 each. One is billed for the hours in which it has a
  value. The alarms of infra/monitoring.yaml come on top: docs/monitoring.md.

";

const COUNTED: &str = "## Counted

| jobs a month | simulated | write units | read units | batches | calls of AWS by functions and sweeper |
|---|---|---|---|---|---|";
