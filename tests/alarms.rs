//! For each of a table of faults, which alarms fire: the real rules of infra/monitoring.yaml, on what the sweeper tells
//! in virtual time. One alarm more or less fails.
//!
//! *Simulated* are the metrics of SQS, Lambda and DynamoDB, which come from the simulated queues, containers and tables,
//! and the metric filters, which count the log lines of functions and sweeper. `cargo xtask alarms` prints which alarms
//! of each case read such metrics. What cannot fire here is in [`NOT_PLAYED`].

mod cases;
mod expression;
mod rules;
mod simulated;

use std::collections::BTreeSet;

use evenkeel::base::time::Time;

use crate::bench::{Bench, errands::DEPENDENCY};
use cases::{Case, WELL, cases};
use rules::{Data, Filter, Rule, filters, rules};
use simulated::Known;

/// The names of a job type of the template, and of the one that the bench runs in its place.
const NAMES: [(&str, &str); 3] =
    [("url_shortening", "errand"), ("url-shortening", "errand"), ("rebrandly", DEPENDENCY)];

/// Alarms that fire in no case, and why not.
const NOT_PLAYED: [(&str, &str); 2] = [
    (
        "AccountConcurrency",
        "it counts all functions of the account against the account's quota; the bench has one function and no quota",
    ),
    (
        "MetricsLost",
        "CloudWatch tells it of lines that it cannot read; tests of the telemetry and of the table of metrics hold the \
         lines to its format",
    ),
];

/// How long a fault lasts, in minutes.
const LASTS: usize = 40;

/// What CloudWatch knows at the end of a case, and when that began and ended.
struct Played {
    data: Data,
    began: Time,
    end: Time,
    /// A few of the records of jobs that have not succeeded, and of the messages that are held.
    unfinished: Vec<String>,
}

impl Played {
    /// The rules whose alarms fire.
    fn fired<'a>(&self, rules: &'a [Rule]) -> Vec<&'a Rule> {
        rules.iter().filter(|rule| rule.fires(&self.data, self.began, self.end)).collect()
    }
}

/// Lets a case happen.
async fn play(case: &Case, filters: &BTreeSet<Filter>) -> Played {
    let bench = Bench::errands();
    let (began, mut known) = (bench.now(), Known::new(filters.clone()));
    let _collected = known.log.collect();
    bench.run_while(known.minutes(&bench, &WELL, 0..case.warm_up)).await;
    (case.happens)(&bench);
    let end = case.warm_up + LASTS;
    let main = async {
        let mut from = case.warm_up;
        if let Some((after, then)) = case.then {
            known.minutes(&bench, case, from..from + after).await;
            from += after;
            then(&bench);
        }
        known.minutes(&bench, case, from..end).await;
    };
    if case.is_swept {
        bench.run_while(main).await;
    } else {
        bench.work_while(main).await;
    }
    known.note_told(&bench);
    let records = bench.store.records().into_iter();
    let unfinished = records.filter(|record| record.phase.name() != "succeeded");
    let held = bench.store.rejected_messages().into_iter().map(|message| format!("{message:?}"));
    let unfinished = unfinished.map(|record| format!("{record:?}")).chain(held).take(3).collect();
    Played { data: known.data, began, end: bench.now(), unfinished }
}

fn names(rules: &[&Rule]) -> BTreeSet<String> {
    rules.iter().map(|rule| rule.name.clone()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_fault_fires_its_alarms_and_no_other() {
    let (rules, filters) = (rules(&NAMES), filters());
    let mut wrong = Vec::new();
    for case in cases() {
        let mut played = play(&case, &filters).await;
        let fired = played.fired(&rules);
        let (found, expected) = (names(&fired), set(case.fires));
        let simulated: BTreeSet<&str> = fired
            .iter()
            .filter(|rule| rule.reads_simulated())
            .map(|rule| rule.name.as_str())
            .collect();
        println!("{}: {found:?}, by simulated metrics: {simulated:?}", case.name);
        if found != expected {
            let jobs = &played.unfinished;
            wrong.push(format!("{}: {found:?}, expected {expected:?}; {jobs:?}", case.name));
        }
        let Some((metric, expected)) = case.without else { continue };
        played.data.zero(metric);
        let (found, expected) = (names(&played.fired(&rules)), set(expected));
        if found != expected {
            wrong.push(format!("{} without {metric}: {found:?}, expected {expected:?}", case.name));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_alarm_fires_in_a_case_or_is_named() {
    let all: BTreeSet<String> = rules(&NAMES).into_iter().map(|rule| rule.name).collect();
    let played: BTreeSet<String> = cases().iter().flat_map(|case| set(case.fires)).collect();
    let named: BTreeSet<String> = NOT_PLAYED.iter().map(|(name, _)| (*name).to_owned()).collect();
    let both: Vec<&String> = played.intersection(&named).collect();
    assert!(both.is_empty(), "named although they fire: {both:?}");
    assert_eq!(&played | &named, all);
}

/// Two alarms are silent while something else explains what they see. A case each shows that they would fire otherwise.
#[test]
fn every_suppression_is_told_by_a_case() {
    let told: BTreeSet<(&str, &str)> = cases()
        .iter()
        .filter_map(|case| case.without.map(|(metric, fires)| (metric, fires, case.fires)))
        .flat_map(|(metric, fires, before)| {
            fires.iter().filter(move |name| !before.contains(name)).map(move |name| (metric, *name))
        })
        .collect();
    let expected = [
        ("BacklogClears", "OldestJob"),
        ("BreakerOpen", "FailureShare"),
        ("BreakerOpen", "OldestJob"),
    ];
    assert_eq!(told, BTreeSet::from(expected));
}
