//! For each of a table of faults, which alarms fire: the real rules of infra/monitoring.yaml, on what the sweeper tells
//! in virtual time. One alarm more or less fails.
//!
//! *Simulated* are the metrics of SQS, from the simulated queues, and the metric filters, on the log lines of functions
//! and sweeper. Metrics of Lambda, DynamoDB and CloudWatch itself have no data here, so `FunctionErrors`, `Throttles`,
//! `TableThrottles`, `AccountConcurrency` and `MetricsLost` cannot fire.

mod expression;
mod rules;

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    record::Phase,
    testing::{Fault, LogLines},
};
use sweeper::plan::rescue::MANY_STUCK;

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand},
    run::MINUTE,
};
use rules::{Data, Filter, filters, rules};

/// The names of a job type of the template, and of the one that the bench runs in its place.
const NAMES: [(&str, &str); 3] =
    [("url_shortening", "errand"), ("url-shortening", "errand"), ("rebrandly", DEPENDENCY)];

/// A fault, which alarms must fire, and what happens.
struct Case {
    name: &'static str,
    fires: &'static [&'static str],
    happens: fn(&Bench),
    /// How each job ends, and how many are sent a minute.
    jobs: (&'static [&'static str], usize),
    /// Whether the sweeper's schedule goes on after ten minutes.
    is_swept: bool,
}

const WELL: Case =
    Case { name: "nothing", fires: &[], happens: |_| {}, jobs: (&["ok"], 4), is_swept: true };

fn cases() -> Vec<Case> {
    vec![
        WELL,
        Case { name: "no sweeper", fires: &["SweeperSilent"], is_swept: false, ..WELL },
        Case {
            name: "a pass never ends",
            fires: &["SweepCutShort"],
            happens: |bench| bench.sweeper_faults.on("page", Fault::Before),
            ..WELL
        },
        Case {
            name: "wrong input",
            fires: &["FailureShare", "FailureShareOfDay", "NewPattern"],
            jobs: (&["permanent"], 8),
            ..WELL
        },
        Case {
            name: "wrong input of a type with few jobs",
            fires: &["FailureShareOfDay", "NewPattern"],
            jobs: (&["permanent"], 1),
            ..WELL
        },
        Case {
            name: "a message that is none",
            fires: &["NeedsPerson"],
            happens: |bench| bench.send("not JSON"),
            ..WELL
        },
        Case {
            name: "a job that kills its process",
            fires: &["NeedsPerson"],
            happens: |bench| bench.send(&errand("killer", 10, &["kill"])),
            ..WELL
        },
        Case {
            name: "the service is down",
            fires: &["BreakerOpenLong", "NewPattern"],
            happens: |bench| bench.journal.go_down(bench.now() + MINUTE * 120),
            ..WELL
        },
        Case {
            name: "the service refuses our key",
            fires: &["AlarmLine", "BreakerOpenLong", "NewPattern"],
            jobs: (&["systemic"], 4),
            ..WELL
        },
        Case {
            name: "many jobs stuck at once",
            fires: &["AlarmLine"],
            happens: many_are_stuck,
            ..WELL
        },
        Case {
            name: "the jobs table refuses every call of a minute",
            fires: &["AlarmLine"],
            happens: jobs_are_refused,
            ..WELL
        },
    ]
}

/// Jobs whose lease is over, more than the sweeper believes in.
fn many_are_stuck(bench: &Bench) {
    for n in 0..MANY_STUCK + 2 {
        let lease_until = bench.now().before(Duration::from_secs(10));
        let phase = Phase::Running { lease_until, lease_expiry_indexed: true };
        bench.put(&format!("stuck-{n}"), phase);
    }
}

/// Calls of the functions on the table `Jobs`.
const ON_JOBS: [&str; 6] = ["insert", "read", "read_all", "replace", "replace_all", "settle"];

/// Access to the table is denied to the functions for a minute, as by a policy that is taken back.
fn jobs_are_refused(bench: &Bench) {
    let end = bench.now() + MINUTE;
    bench.faults.decide(move |call| {
        (call.at < end && ON_JOBS.contains(&call.name)).then_some(Fault::Broken)
    });
}

/// How long a fault lasts.
const LASTS: Duration = Duration::from_mins(40);

/// What CloudWatch would know.
#[derive(Default)]
struct Known {
    data: Data,
    /// The log of functions and sweeper, and how many of its lines the filters have seen.
    log: LogLines,
    seen: usize,
}

impl Known {
    /// Lets the filters count the lines that have come since the last time.
    fn note_lines(&mut self, bench: &Bench, filters: &BTreeSet<Filter>) {
        let text = self.log.text();
        for line in text.lines().skip(self.seen) {
            self.seen += 1;
            for filter in filters.iter().filter(|filter| filter.counts(line)) {
                self.data.add(&filter.metric, "", bench.now(), 1.0);
            }
        }
    }
}

/// Sends jobs for some minutes, and notes what SQS would tell of the queues, and the filters of the log.
async fn minutes(bench: &Bench, case: &Case, first: usize, known: &mut Known, many: usize) {
    let filters = filters();
    let (ends, a_minute) = case.jobs;
    for minute in first..first + many {
        for n in 0..a_minute {
            bench.send(&errand(&format!("job-{minute}-{n}"), 10, ends));
            tokio::time::sleep(MINUTE / 10).await;
        }
        let so_far = MINUTE / 10 * u32::try_from(a_minute).unwrap();
        tokio::time::sleep(MINUTE.saturating_sub(so_far)).await;
        note_queues(bench, &mut known.data);
        known.note_lines(bench, &filters);
    }
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn note_queues(bench: &Bench, data: &mut Data) {
    let now = bench.now();
    for (arn, name) in [
        (bench.queue(), "test-errand"),
        (bench.high(), "test-errand-high"),
        (bench.dead(), "test-errand-dlq"),
    ] {
        let messages = bench.sqs.messages(arn);
        let visible = "ApproximateNumberOfMessagesVisible";
        data.add(visible, name, now, messages.len() as f64);
        let oldest = messages.iter().map(|message| now.since(message.sent_at).as_secs()).max();
        let age = oldest.unwrap_or_default() as f64;
        data.add("ApproximateAgeOfOldestMessage", name, now, age);
    }
}

/// What the sweeper has told, as CloudWatch would have it.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn note_told(bench: &Bench, data: &mut Data) {
    for line in bench.told.borrow().iter() {
        let of = line.of.as_ref().map(|(_, value)| value.as_str()).unwrap_or_default();
        for (name, value, _) in &line.numbers {
            data.add(name, of, line.at, *value as f64);
        }
    }
}

/// The alarms that fire in a case.
async fn fired(case: &Case) -> BTreeSet<String> {
    let bench = Bench::errands();
    let (began, mut known) = (bench.now(), Known::default());
    let _collected = known.log.collect();
    bench.run_while(minutes(&bench, &WELL, 0, &mut known, 10)).await;
    (case.happens)(&bench);
    let many = usize::try_from(LASTS.as_secs() / 60).unwrap();
    let main = minutes(&bench, case, 10, &mut known, many);
    if case.is_swept {
        bench.run_while(main).await;
    } else {
        bench.work_while(main).await;
    }
    note_told(&bench, &mut known.data);
    let end = bench.now();
    let rules = rules(&NAMES);
    let fired = rules.iter().filter(|rule| rule.fires(&known.data, began, end));
    fired.map(|rule| rule.name.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_fault_fires_its_alarms_and_no_other() {
    let mut wrong = Vec::new();
    for case in cases() {
        let found = fired(&case).await;
        let expected: BTreeSet<String> = case.fires.iter().map(|name| (*name).to_owned()).collect();
        if found != expected {
            wrong.push(format!("{}: {found:?}, expected {expected:?}", case.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
