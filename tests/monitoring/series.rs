//! How many series CloudWatch bills: what is told when everything happens to many job types, dependencies, hosts and
//! labels, against the numbers that docs/monitoring.md states.

use std::{collections::BTreeSet, fs};

use evenkeel::{base::time::Time, record::outcomes::OF_LABEL};
use serde_json::{Value, json};
use sweeper::{
    config::Config,
    metrics::{
        self, Line,
        table::{self, MOST_LABELS},
    },
    plan::{
        forecast::{Forecast, What},
        observation::{DependencySeen, Observation, QueueSeen, TypeSeen},
    },
};

use super::{ALARM_LINES, calls, minute, of_tick, root};

/// Most series that three job types may have.
const MOST_SERIES: usize = 140;

/// Most series of a job type, with its queues and labels.
const MOST_OF_TYPE: usize = 40;

/// So many job types, of which each has a dependency of its own.
fn config(types: usize) -> Config {
    let entry = |n: usize| {
        let (kind, dependency) = (format!("type_{n}"), format!("service-{n}"));
        json!({ "type": kind, "dependency": dependency, "concurrency": [2, 2] })
    };
    let types = Value::from((0..types).map(entry).collect::<Vec<_>>()).to_string();
    let types = Config::types(&types, "arn:aws:sqs:r:1:").unwrap();
    Config { types, balance: true, namespace: "n".into() }
}

/// What a tick sees of these types, and of so many hosts in trouble.
fn seen(config: &Config, hosts: usize) -> Observation {
    let queue = QueueSeen { visible: 30, concurrency: Some(2), ..QueueSeen::default() };
    let dead = QueueSeen { visible: 30, dead_letter: true, ..QueueSeen::default() };
    let states = ["queued", "waiting", "dead"].map(|state| (state.to_owned(), 1));
    let kind = TypeSeen {
        oldest_s: Some(1),
        states: states.into(),
        jobs: 1,
        busy_ms: 1,
        ..TypeSeen::default()
    };
    let dependency = DependencySeen {
        breaker: "open".into(),
        opened: true,
        parked: 1,
        longest_parked_s: Some(1),
        ..DependencySeen::default()
    };
    let mut seen = Observation {
        running: 1,
        stuck: 1,
        need_person: 1,
        overdue_pauses: 1,
        ..Observation::default()
    };
    for job in &config.types {
        for source in job.sources() {
            seen.queues.insert(source.name().to_owned(), queue.clone());
        }
        seen.queues.insert(format!("{}-dlq", job.normal.name()), dead.clone());
        seen.types.insert(job.kind.clone(), kind.clone());
        seen.dependencies.insert(job.dependency.clone().unwrap(), dependency.clone());
    }
    for n in 0..hosts {
        seen.dependencies.insert(format!("page/host-{n}.example.com"), dependency.clone());
    }
    seen
}

/// A tick in which everything happens to all of them. Each type has three labels, of which the sweeper tells two.
fn told(config: &Config, hosts: usize) -> Vec<Line> {
    let forecast = Forecast {
        what: What::HitsHourlyLimit,
        about: "service-0".into(),
        in_s: Some(60),
        evidence: String::new(),
    };
    let mut lines = metrics::lines(config, &seen(config, hosts), &[forecast]);
    let names = ["adopted", "alternate", "stale"];
    let labels: BTreeSet<String> = names.into_iter().take(MOST_LABELS).map(str::to_owned).collect();
    let mut bucket = minute();
    bucket.counts.extend(names.map(|name| (format!("{OF_LABEL}{name}"), 1)));
    let now = Time::default();
    for job in &config.types {
        lines.push(metrics::minute(&job.kind, &bucket, &labels, now));
        lines.push(metrics::calls(job.dependency.as_ref().unwrap(), &calls(), now));
        lines.push(metrics::new_patterns(&job.kind, 200, now));
    }
    lines.push(of_tick());
    lines
}

/// The series of some lines: CloudWatch bills each metric of each value of its dimension.
fn series(lines: &[Line]) -> BTreeSet<(Option<(&str, &str)>, &str)> {
    let all = lines.iter().flat_map(|line| {
        let of = line.of.as_ref().map(|(name, value)| (*name, value.as_str()));
        line.numbers.iter().map(move |(name, ..)| (of, name.as_ref()))
    });
    all.collect()
}

#[test]
fn three_job_types_have_at_most_a_hundred_and_forty_series() {
    let types = generator::job_types();
    let shared = generator::read(&root()).unwrap();
    let shared: BTreeSet<_> = shared.iter().filter_map(|job| job.dependency.as_ref()).collect();
    let today = table::series(types.len(), shared.len()) + 1;
    assert!(types.len() > 3 || today <= MOST_SERIES, "{today} series");
    assert!(table::series(3, 1) < MOST_SERIES, "with {ALARM_LINES}");
}

#[test]
fn ten_job_types_have_ten_times_the_series_of_one_and_hosts_have_none() {
    for types in [1, 3, 10] {
        let (config, most) = (config(types), table::series(types, types));
        for hosts in [0, 1, 500] {
            let lines = told(&config, hosts);
            assert_eq!(series(&lines).len(), most, "{types} types, {hosts} hosts");
        }
    }
    let of_type = table::series(2, 0) - table::series(1, 0);
    assert!(of_type <= MOST_OF_TYPE, "{of_type}");
}

#[test]
fn the_page_says_how_many_series_there_are() {
    let none = table::series(0, 0);
    let sentence = format!(
        "A job type has at most {} series, with its two queues and two labels; a dependency that all jobs of a type share \
         has {}, and the stack {}. That makes at most {} for three types of which one has such a dependency, and {} for \
         ten of which each has one.",
        table::series(1, 0) - none,
        table::series(0, 1) - none,
        none + 1,
        table::series(3, 1) + 1,
        table::series(10, 10) + 1,
    );
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&sentence), "docs/monitoring.md lacks: {sentence}");
}
