//! For each of a table of faults, which alarms fire: the real rules of infra/monitoring.yaml, on what the sweeper tells
//! in virtual time. One alarm more or less fails.
//!
//! *Simulated* are the metrics of SQS, from the simulated queues. Metrics of Lambda, DynamoDB and CloudWatch itself,
//! and the metric filters on log lines, have no data here, so `FunctionErrors`, `Throttles`, `TableThrottles`,
//! `AccountConcurrency`, `MetricsLost` and `AlarmLine` cannot fire.

mod expression;
mod rules;

use std::{collections::BTreeSet, time::Duration};

use evenkeel::testing::Fault;

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, errand},
    run::MINUTE,
};
use rules::{Data, rules};

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
    ]
}

/// How long a fault lasts.
const LASTS: Duration = Duration::from_mins(40);

/// Sends jobs for some minutes, and notes what SQS would tell of the queues.
async fn minutes(bench: &Bench, case: &Case, first: usize, data: &mut Data, many: usize) {
    let (ends, a_minute) = case.jobs;
    for minute in first..first + many {
        for n in 0..a_minute {
            bench.send(&errand(&format!("job-{minute}-{n}"), 10, ends));
            tokio::time::sleep(MINUTE / 10).await;
        }
        let so_far = MINUTE / 10 * u32::try_from(a_minute).unwrap();
        tokio::time::sleep(MINUTE.saturating_sub(so_far)).await;
        note_queues(bench, data);
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
    let (began, mut data) = (bench.now(), Data::default());
    bench.run_while(minutes(&bench, &WELL, 0, &mut data, 10)).await;
    (case.happens)(&bench);
    let many = usize::try_from(LASTS.as_secs() / 60).unwrap();
    let main = minutes(&bench, case, 10, &mut data, many);
    if case.is_swept {
        bench.run_while(main).await;
    } else {
        bench.work_while(main).await;
    }
    note_told(&bench, &mut data);
    let end = bench.now();
    let rules = rules(&NAMES);
    let fired = rules.iter().filter(|rule| rule.fires(&data, began, end));
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
