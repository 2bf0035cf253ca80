//! How the queue scales: one to 64 containers that share one limiter and one breaker, and a tick of the sweeper
//! against the size of the table. Virtual time makes the numbers the same on each machine.
//!
//! `cargo xtask bench --scaling` runs all sizes, and compares the tables with those of docs/performance.md. The tests
//! by themselves run the small sizes.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use evenkeel::{
    base::time::Time, dependency::limiter::Rates, ports::Control as _, record::Phase,
    testing::Faults,
};

use crate::{
    bench::{
        Bench,
        errands::{DEPENDENCY, errand},
    },
    golden::{assert_file, between},
};

/// Containers at work.
const CONTAINERS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];
const FEW_CONTAINERS: [u32; 2] = [1, 8];

/// Records in the table.
const RECORDS: [u32; 3] = [1_000, 10_000, 100_000];
const FEW_RECORDS: [u32; 2] = [1_000, 10_000];

/// What the dependency allows: about what 15 containers can use.
const PER_SECOND: u32 = 100;

/// How long each call of the dependency takes.
const TAKES_MS: u64 = 500;

/// How long a call of the tables takes for a function, and for the sweeper.
const PORT: Duration = Duration::from_millis(4);
const SWEEPER_PORT: Duration = Duration::from_millis(10);

/// How long the containers work.
const SPAN: Duration = Duration::from_secs(30);

/// When the outage begins, and when it ends.
const OUTAGE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(30)];

/// Jobs for each container: more than it can do.
const JOBS_EACH: u32 = 8 * 30;

/// The heads of the tables.
const HEAD_OF_CONTAINERS: &str = "| containers | jobs a second | round trips a job | writes of the \
    limiter | lost races | calls into the outage | writes of the breaker | lost races |";
const HEAD_OF_TICKS: &str = "| records | calls, items read and time of a tick with nothing due | \
    the same with one in a hundred overdue |";

/// Most items that a tick may read besides due records, as in `tests/sweeps/capacity.rs`.
const CONSTANT: usize = 5_000;

/// Whether all sizes were asked for.
#[expect(clippy::disallowed_methods, reason = "cargo xtask bench --scaling asks this way")]
fn is_whole() -> bool {
    std::env::var_os("BENCH_SCALING").is_some()
}

/// Compares a table with that of the document, if all sizes were asked for.
fn publish(name: &str, table: &str) {
    if is_whole() {
        let path = "docs/performance.md";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let page = fs::read_to_string(file).unwrap();
        assert_file(path, &between(&page, name, table));
    }
}

/// A bench with a backlog for so many containers of one function.
fn backlogged(containers: u32) -> Bench {
    let bench = Bench::errands_at(Rates::each_second(PER_SECOND, PER_SECOND * 3_600));
    bench.mappings.put(&bench.function().job_type.normal.mapping, containers);
    bench.faults.slow(PORT);
    for n in 0..containers * JOBS_EACH {
        bench.send(&errand(&format!("job-{n}"), TAKES_MS, &["ok"]));
    }
    bench
}

fn count(calls: usize) -> u32 {
    u32::try_from(calls).unwrap()
}

fn named(faults: &Faults, names: &[&str]) -> u32 {
    count(faults.calls().into_iter().filter(|name| names.contains(name)).count())
}

/// What so many containers have done, while all was well and while the dependency was down for a time.
struct Measured {
    containers: u32,
    /// Jobs that succeeded within the span.
    jobs: u32,
    round_trips: u32,
    /// Conditional writes of the limiter, and those that another container came before.
    writes: u32,
    lost: u32,
    /// Calls that began while the dependency was down.
    vain: u32,
    /// The same writes of the breaker.
    breaker_writes: u32,
    breaker_lost: u32,
}

impl Measured {
    async fn of(containers: u32) -> Self {
        let bench = backlogged(containers);
        let end = bench.now() + SPAN;
        bench.work(SPAN).await;
        let is_done = |phase: &Phase| matches!(phase, Phase::Succeeded { at, .. } if *at <= end);
        let records = bench.store.records();
        let jobs = count(records.iter().filter(|record| is_done(&record.phase)).count());
        let started = bench.containers().started();
        assert!(started <= u64::from(containers), "{started} containers");
        let writes = named(&bench.faults, &["swap_limiter", "swap_limiters"]);
        let written = bench.store.limiter(DEPENDENCY).await.unwrap().revision;
        let lost = writes - u32::try_from(written).unwrap();
        let round_trips = count(bench.faults.calls().len());
        let [vain, breaker_writes, breaker_lost] = outage(containers).await;
        Self { containers, jobs, round_trips, writes, lost, vain, breaker_writes, breaker_lost }
    }

    fn per_second(&self) -> f64 {
        f64::from(self.jobs) / SPAN.as_secs_f64()
    }

    fn row(&self) -> String {
        let Self { containers, writes, lost, vain, breaker_writes, breaker_lost, .. } = self;
        let (jobs, per_second) = (f64::from(self.jobs), self.per_second());
        let trips = f64::from(self.round_trips) / jobs;
        let limiter = format!("| {containers} | {per_second:.1} | {trips:.2} | {writes} | {lost}");
        format!("{limiter} | {vain} | {breaker_writes} | {breaker_lost} |")
    }
}

/// Calls into an outage, writes of the breaker, and those that another container came before.
async fn outage(containers: u32) -> [u32; 3] {
    let bench = backlogged(containers);
    let [from, until] = OUTAGE.map(|after| bench.now() + after);
    let story = async {
        tokio::time::sleep(from.since(bench.now())).await;
        bench.journal.go_down(until);
        tokio::time::sleep(until.since(bench.now())).await;
    };
    bench.work_while(story).await;
    let is_vain = |at: &&Time| (from..until).contains(*at);
    let vain = count(bench.journal.all_calls().iter().filter(is_vain).count());
    let writes = named(&bench.faults, &["swap_breaker"]);
    let written = bench.store.breaker(DEPENDENCY).await.unwrap().revision;
    [vain, writes, writes - u32::try_from(written).unwrap()]
}

#[tokio::test(start_paused = true)]
async fn containers_share_one_limiter_and_one_breaker() {
    let sizes: &[u32] = if is_whole() { &CONTAINERS } else { &FEW_CONTAINERS };
    let mut table = format!("{HEAD_OF_CONTAINERS}\n|{}\n", "---:|".repeat(8));
    let mut all = Vec::new();
    for containers in sizes {
        let measured = Measured::of(*containers).await;
        let _ = writeln!(table, "{}", measured.row());
        all.push(measured);
    }
    println!("{table}");
    publish("containers", &table);
    let (one, eight) = (&all[0], all.iter().find(|measured| measured.containers == 8).unwrap());
    // They write the same limiter, and some of their writes come too late.
    assert!(eight.per_second() >= 4.0 * one.per_second(), "eight do the work of four:\n{table}");
    for measured in &all {
        // The hourly rate allows calls ahead of time; the rate per second does not.
        assert!(measured.per_second() <= f64::from(PER_SECOND) * 1.05, "the rate holds:\n{table}");
        assert!(measured.breaker_writes > measured.breaker_lost, "the breaker opens:\n{table}");
    }
}

/// What a tick has cost: calls, items read, and its time.
async fn tick(bench: &Bench) -> (usize, usize, Duration) {
    let so_far = |bench: &Bench| (bench.sweeper_faults.calls().len(), bench.store.reads());
    let ((calls, reads), began) = (so_far(bench), bench.now());
    let report = bench.tick().await.unwrap();
    assert!(report.cut_short.is_empty(), "{report:?}");
    let after = so_far(bench);
    (after.0 - calls, after.1 - reads, bench.now().since(began))
}

#[tokio::test(start_paused = true)]
async fn a_tick_costs_what_is_due_and_not_what_is_in_the_table() {
    let sizes: &[u32] = if is_whole() { &RECORDS } else { &FEW_RECORDS };
    let mut table = format!("{HEAD_OF_TICKS}\n|---:|---|---|\n");
    for records in sizes {
        let bench = Bench::errands();
        bench.sweeper_faults.slow(SWEEPER_PORT);
        let at = bench.now();
        for n in 0..*records {
            bench.put(&format!("done-{n}"), Phase::Succeeded { at, result: "\"done\"".into() });
        }
        // The first ticks find what was never told or walked before.
        for _ in 0..2 {
            bench.tick().await.unwrap();
        }
        let quiet = tick(&bench).await;
        assert!(quiet.1 <= CONSTANT, "{} items read when nothing is due", quiet.1);
        let late = bench.now().before(Duration::from_mins(2));
        for n in 0..*records / 100 {
            let why = "http_503".to_owned();
            bench.put(&format!("lost-{n}"), Phase::Waiting { run_after: late, due_at: late, why });
        }
        let busy = tick(&bench).await;
        let row = |(calls, reads, took): (usize, usize, Duration)| {
            format!("{calls}, {reads}, {:.1} s", took.as_secs_f64())
        };
        let _ = writeln!(table, "| {records} | {} | {} |", row(quiet), row(busy));
    }
    println!("{table}");
    publish("ticks", &table);
}
