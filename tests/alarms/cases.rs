//! The table of faults.

use std::time::Duration;

use evenkeel::{
    message::OutgoingMessage,
    record::Phase,
    testing::{Fault, PartitionLimits, containers::FunctionSettings},
};
use sweeper::plan::rescue::MANY_STUCK;

use crate::bench::{Bench, errands::errand, run::MINUTE};

/// Something that happens to the stack.
type Happening = fn(&Bench);

/// A fault, which alarms must fire, and what happens.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) fires: &'static [&'static str],
    /// A metric that suppresses alarms, and what would fire if it were zero.
    pub(super) without: Option<(&'static str, &'static [&'static str])>,
    /// Minutes before the fault in which all is well.
    pub(super) warm_up: usize,
    pub(super) happens: fn(&Bench),
    /// What happens so many minutes after that.
    pub(super) then: Option<(usize, Happening)>,
    /// How each job ends, and how many are sent a minute.
    pub(super) jobs: (&'static [&'static str], usize),
    /// How long after it is sent a job is no longer worth doing.
    pub(super) deadline: Option<Duration>,
    /// Whether the sweeper's schedule goes on after the warm-up.
    pub(super) is_swept: bool,
}

pub(super) const WELL: Case = Case {
    name: "nothing",
    fires: &[],
    without: None,
    warm_up: 10,
    happens: |_| {},
    then: None,
    jobs: (&["ok"], 4),
    deadline: None,
    is_swept: true,
};

/// The key of the mapping of the queue of ordinary priority, and of the other one.
const MAPPINGS: [&str; 2] = ["errand", "errand-high"];

pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![WELL];
    all.extend(of_jobs());
    all.extend(of_the_service());
    all.extend(of_aws());
    all.extend(of_people());
    all
}

/// Jobs and messages that go wrong.
fn of_jobs() -> [Case; 5] {
    [
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
            name: "many jobs stuck at once",
            fires: &["AlarmLine"],
            happens: many_are_stuck,
            ..WELL
        },
    ]
}

/// The third party is down, or too slow for a flood.
fn of_the_service() -> [Case; 5] {
    [
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
            name: "the service is down, and jobs are given up meanwhile",
            fires: &["BreakerOpenLong", "FailureShareOfDay", "NewPattern"],
            without: Some((
                "BreakerOpen",
                &["FailureShare", "FailureShareOfDay", "NewPattern", "OldestJob"],
            )),
            happens: |bench| bench.journal.go_down(bench.now() + MINUTE * 120),
            jobs: (&["ok"], 8),
            deadline: Some(Duration::from_mins(5)),
            ..WELL
        },
        Case {
            name: "a queue is paused by hand while the service is down",
            fires: &["BreakerOpenLong", "Forecast", "NewPattern", "Paused"],
            without: Some(("BreakerOpen", &["Forecast", "NewPattern", "OldestJob", "Paused"])),
            happens: |bench| bench.journal.go_down(bench.now() + MINUTE * 120),
            then: Some((5, |bench| bench.mappings.enable(MAPPINGS[0], false))),
            jobs: (&["ok"], 8),
            ..WELL
        },
        Case {
            name: "a flood that is gone within half an hour",
            fires: &[],
            without: Some(("BacklogClears", &["OldestJob"])),
            warm_up: 0,
            happens: flood,
            jobs: (&["ok"], 0),
            ..WELL
        },
    ]
}

/// AWS refuses, or processes die.
fn of_aws() -> [Case; 6] {
    [
        Case {
            name: "a pass never ends",
            fires: &["SweepCutShort"],
            happens: |bench| bench.sweeper_faults.on("page", Fault::Before),
            ..WELL
        },
        Case {
            name: "the jobs table refuses every call of a minute",
            fires: &["AlarmLine"],
            happens: jobs_are_refused,
            ..WELL
        },
        Case {
            name: "processes die before they have done anything",
            fires: &["FunctionErrors"],
            happens: |bench| {
                bench.faults.decide(|call| {
                    // The first job of each third minute.
                    let into = call.at.as_millis() % 180_000;
                    (call.name == "insert" && into < 5_000).then_some(Fault::DieBefore)
                });
            },
            ..WELL
        },
        Case {
            name: "Lambda refuses invocations for six minutes",
            fires: &["Throttles"],
            happens: |bench| allow(bench, Some(0)),
            then: Some((6, |bench| allow(bench, None))),
            ..WELL
        },
        Case {
            name: "the jobs table is throttled for four minutes",
            fires: &["TableThrottles"],
            happens: |bench| {
                let limits = PartitionLimits { writes: 0, ..PartitionLimits::AWS };
                bench.store.limit_table("jobs", Some(limits));
            },
            then: Some((4, |bench| bench.store.limit(None))),
            ..WELL
        },
        Case {
            name: "the dead-letter queue cannot be read",
            fires: &["DeadLetters", "SweepCutShort"],
            happens: |bench| {
                bench.sweeper_faults.on("receive", Fault::Before);
                bench.bury(OutgoingMessage::new(errand("letter", 10, &["ok"]), None, None));
            },
            ..WELL
        },
    ]
}

/// What people do or forget.
fn of_people() -> [Case; 3] {
    [
        Case { name: "no sweeper", fires: &["SweeperSilent"], is_swept: false, ..WELL },
        Case {
            name: "the queue of high priority is paused by hand, and nobody sends to it",
            fires: &["Paused"],
            happens: |bench| bench.mappings.enable(MAPPINGS[1], false),
            ..WELL
        },
        Case {
            name: "the queue of ordinary priority is paused by hand",
            fires: &["Forecast", "OldestJob", "Paused"],
            happens: |bench| bench.mappings.enable(MAPPINGS[0], false),
            ..WELL
        },
    ]
}

/// Jobs for some twenty minutes at the pace of two slots. Each takes less time than what counts as slow.
fn flood(bench: &Bench) {
    const SLOTS: u32 = 2;
    bench.configure(|config| {
        config.balance = false;
        config.types[0].normal.concurrency = SLOTS;
    });
    bench.mappings.put(MAPPINGS[0], SLOTS);
    for n in 0..5_000 {
        bench.send(&errand(&format!("flood-{n}"), 1_500, &["ok"]));
    }
}

/// Lets Lambda run at most so many invocations at once; `None` for any number.
fn allow(bench: &Bench, concurrency: Option<usize>) {
    let containers = bench.containers();
    containers.set(FunctionSettings { concurrency, ..containers.settings() });
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
