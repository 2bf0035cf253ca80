//! Of what and when a metric is told: CloudWatch bills each value of a dimension, and each hour with a value.

use std::collections::BTreeSet;

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, Calls},
};
use sweeper::{
    config::Config,
    metrics::{self, Done},
    plan::observation::{DependencySeen, Observation, TypeSeen},
};

use super::{alarms, load, reads, text, told};

/// An expression has no value while a metric in it has never had one. All other alarms know what a missing value means.
#[test]
fn a_quiet_tick_tells_a_zero_only_where_an_alarm_calculates_with_it() {
    let types = r#"[{"type":"q","dependency":"d","concurrency":[2,2]}]"#;
    let types = Config::types(types, "arn:aws:sqs:r:1:").unwrap();
    let config = Config { types, balance: true, namespace: "n".into() };
    let closed = DependencySeen { breaker: "closed".into(), ..DependencySeen::default() };
    let seen = Observation {
        types: [("q".to_owned(), TypeSeen::default())].into(),
        dependencies: [("d".to_owned(), closed)].into(),
        ..Observation::default()
    };
    let now = Time::default();
    let mut lines = metrics::lines(&config, &seen, &[]);
    lines.push(metrics::minute("q", &Bucket::default(), &BTreeSet::new(), now));
    lines.push(metrics::calls("d", &Calls::default(), now));
    lines.push(metrics::new_patterns("q", 0, now));
    lines.push(metrics::of_tick(&Done::default(), false, now));
    let numbers = || lines.iter().flat_map(|line| &line.numbers);
    let of = |is_zero: bool| -> BTreeSet<&str> {
        let found = numbers().filter(|(_, value, _)| (*value == 0) == is_zero);
        found.map(|(name, ..)| name.as_ref()).collect()
    };
    assert_eq!(of(false), BTreeSet::from(["Ticks"]));
    let template = load();
    let calculated = alarms(&template).into_iter().map(|(_, alarm)| reads(alarm));
    let calculated = calculated.filter(|reads| reads.len() > 1).flatten();
    let ours = calculated.filter(|metric| metric["Namespace"]["Ref"] == "Stack");
    let ours: BTreeSet<&str> = ours.map(|metric| text(&metric["MetricName"])).collect();
    assert_eq!(of(true), ours);
}

#[test]
fn nothing_is_told_of_a_host() {
    let told = told();
    let of = told.iter().filter_map(|line| line.of.as_ref());
    let of: BTreeSet<(&str, &str)> = of.map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(of, BTreeSet::from([("dependency", "d"), ("queue", "q"), ("type", "q")]));
}
