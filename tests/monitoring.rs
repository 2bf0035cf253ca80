//! The metrics, the alarms on them, and the pages about both.

mod coverage;
mod dashboard;
mod queries;
mod series;
mod zeros;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, Calls},
    failure::Class,
    record::outcomes::{OF_CLASS, OF_REASON, REASONS},
};
use serde_json::Value;
use sweeper::{
    config::Config,
    memory::Memory,
    metrics::{
        self, Line,
        table::{self, Of},
    },
    plan::{
        forecast::{Forecast, What},
        observation::{DependencySeen, Observation, QueueSeen, TypeSeen},
    },
    survey::View,
    tick::Tick,
};
use xtask::template;

use crate::golden::{assert_file, between};

/// Most that metrics, alarms and dashboard may cost a month at three types, in dollars.
const MOST_DOLLARS: f64 = 55.0;

/// Prices a month in us-east-1, as AWS's price page had them in 2025, without free tiers: a custom metric, a metric
/// that an alarm reads, a dashboard.
const METRIC: f64 = 0.30;
const ALARM_METRIC: f64 = 0.10;
const DASHBOARD: f64 = 3.00;

/// The metric that the metric filters of the log groups make.
const ALARM_LINES: &str = "AlarmLines";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn load() -> Value {
    template::load(&root().join("infra/monitoring.yaml")).unwrap()
}

/// Name and properties of every alarm.
fn alarms(template: &Value) -> Vec<(&str, &Value)> {
    let resources = template["Resources"].as_object().unwrap();
    let alarms = resources.iter().filter(|(_, found)| found["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, alarm)| (name.as_str(), &alarm["Properties"])).collect()
}

/// A text, or the text that `Fn::Sub` would fill in.
fn text(value: &Value) -> &str {
    value.as_str().or_else(|| value["Fn::Sub"].as_str()).unwrap_or_default()
}

/// The metrics that an alarm reads: namespace, name, and dimensions.
fn reads(alarm: &Value) -> Vec<&Value> {
    match alarm["Metrics"].as_array() {
        Some(metrics) => {
            let read = metrics.iter().filter_map(|metric| metric.get("MetricStat"));
            read.map(|stat| &stat["Metric"]).collect()
        }
        None => vec![alarm],
    }
}

/// The name of an alarm without the stack and what it is about.
fn short(alarm: &Value) -> &str {
    let name = text(&alarm["AlarmName"]).strip_prefix("${Stack}-").unwrap();
    name.split('-').next().unwrap()
}

/// `cargo xtask alarms` shows what this prints.
#[test]
fn metrics_alarms_and_dashboard_cost_at_most_fifty_five_dollars_at_three_types() {
    let template = load();
    let read: usize = alarms(&template).iter().map(|(_, alarm)| reads(alarm).len()).sum();
    let series = table::series(3, 1) + 1;
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    let [all_series, all_read] = [series, read].map(|count| count as f64);
    let (of_metrics, of_alarms) = (all_series * METRIC, all_read * ALARM_METRIC);
    let dollars = of_metrics + of_alarms + DASHBOARD;
    println!(
        "At most ${dollars:.2} a month for three job types, whatever the size of the fleet: ${of_metrics:.2} for {series} \
         metrics, ${of_alarms:.2} for {read} that alarms read, ${DASHBOARD:.2} for the dashboard (us-east-1, no free tier)"
    );
    assert!((20.0..=MOST_DOLLARS).contains(&dollars), "{dollars}");
    let sentence = format!("cost at most ${dollars:.2} a month at three job types");
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(&sentence), "docs/monitoring.md lacks: {sentence}");
}

/// A minute in which everything happens.
fn minute() -> Bucket {
    let counters = ["succeeded", "retried", "dead", "crashed", "quarantined", "attempts"];
    let counters = counters.into_iter().map(str::to_owned);
    let counters = counters.chain(["runs", "run_ms", "done_ms", "t3", "w3"].map(str::to_owned));
    let counters = counters.chain(REASONS.map(|reason| format!("{OF_REASON}{reason}")));
    let counters = counters.chain(Class::ALL.map(|class| format!("{OF_CLASS}{}", class.name())));
    Bucket { counts: counters.map(|name| (name, 2)).collect(), ..Bucket::default() }
}

/// A minute in which a call fails and another is throttled.
fn calls() -> Calls {
    let mut calls = Calls::default();
    for class in [Class::Transient, Class::Throttled] {
        calls.record(Some(class), Duration::from_secs(1), Duration::from_secs(9));
    }
    calls
}

/// A tick of a system in which everything happens.
fn told() -> Vec<Line> {
    let types = r#"[{"type":"q","dependency":"d","concurrency":[2,2]}]"#;
    let types = Config::types(types, "arn:aws:sqs:r:1:").unwrap();
    let config = Config { types, balance: true, namespace: "n".into() };
    let queue = QueueSeen { visible: 30, concurrency: Some(2), ..QueueSeen::default() };
    let states = ["queued", "waiting", "dead"].map(|state| (state.to_owned(), 1));
    let kind = TypeSeen {
        oldest_s: Some(1),
        states: states.into(),
        jobs: 1,
        busy_ms: 1,
        ..TypeSeen::default()
    };
    let dependency = DependencySeen {
        breaker: "closed".into(),
        opened: true,
        calls: 1,
        failed: 1,
        throttled: 1,
        parked: 1,
        longest_parked_s: Some(1),
        p95_ms: Some(1),
        p99_ms: Some(1),
        ..DependencySeen::default()
    };
    let host = DependencySeen { breaker: "open".into(), ..dependency.clone() };
    let seen = Observation {
        queues: [("q".to_owned(), queue)].into(),
        types: [("q".to_owned(), kind)].into(),
        dependencies: [("d".to_owned(), dependency), ("page/h".to_owned(), host)].into(),
        running: 1,
        stuck: 1,
        need_person: 1,
        overdue_pauses: 1,
        ..Observation::default()
    };
    let forecast = |what, in_s| Forecast {
        what,
        about: "q".into(),
        in_s: Some(in_s),
        evidence: String::new(),
    };
    let forecasts = [forecast(What::Clears, 60), forecast(What::HitsHourlyLimit, 60)];
    let mut lines = metrics::lines(&config, &seen, &forecasts);
    lines.push(metrics::minute("q", &minute(), &BTreeSet::new(), Time::default()));
    lines.push(metrics::calls("d", &calls(), Time::default()));
    lines.push(metrics::new_patterns("q", 1, Time::default()));
    lines.push(of_tick());
    lines
}

/// The line of a tick that has done something in each pass.
fn of_tick() -> Line {
    let mut tick = Tick::new(String::new(), Time::default(), View::default(), Memory::default());
    let done = [
        ("rescue", "crashed"),
        ("release", "released"),
        ("redrive", "held"),
        ("audit", "repaired"),
        ("balance", "moved"),
    ];
    for (pass, what) in done {
        tick.count(pass, what, 1);
    }
    metrics::of_tick(&tick.done, true, tick.now)
}

#[test]
fn what_is_told_is_what_the_table_names() {
    let told: BTreeSet<(Option<&str>, String, &str)> = told()
        .iter()
        .flat_map(|line| {
            let of = line.of.as_ref().map(|(name, _)| *name);
            line.numbers.iter().map(move |(name, _, unit)| (of, name.to_string(), *unit))
        })
        .collect();
    let named: BTreeSet<(Option<&str>, String, &str)> = table::all()
        .iter()
        .map(|metric| (metric.of.dimension(), metric.name.to_owned(), metric.unit))
        .collect();
    assert_eq!(told, named);
}

/// An alarm on a name that nobody tells never fires.
#[test]
fn every_alarm_reads_what_is_told() {
    let template = load();
    let ours: BTreeMap<&str, Of> =
        table::all().iter().map(|metric| (metric.name, metric.of)).collect();
    let types: BTreeSet<&str> = generator::job_types().iter().map(|job| job.kind).collect();
    let all = alarms(&template);
    assert!(all.len() > 30, "{}", all.len());
    for (id, alarm) in all {
        let reads = reads(alarm);
        assert!(!reads.is_empty(), "{id}");
        for metric in reads {
            let name = metric["MetricName"].as_str().unwrap();
            if text(&metric["Namespace"]).starts_with("AWS/") {
                continue;
            }
            assert_eq!(metric["Namespace"]["Ref"], "Stack", "{id}");
            let dimension = metric["Dimensions"][0]["Name"].as_str();
            if name == ALARM_LINES {
                assert_eq!(dimension, None, "{id}");
                continue;
            }
            let of = ours.get(name).unwrap_or_else(|| panic!("{id}: nobody tells {name}"));
            assert_eq!(dimension, of.dimension(), "{id}: {name}");
            if *of == Of::Type {
                assert!(types.contains(text(&metric["Dimensions"][0]["Value"])), "{id}: {name}");
            }
        }
    }
}

/// The operators' function and the sweeper log alarms as well.
#[test]
fn the_alarm_lines_of_every_function_are_counted() {
    let deployed = template::load(&root().join("template.yaml")).unwrap();
    let of = |template: &Value, kind: &str, stack: &str| -> BTreeSet<String> {
        let resources = template["Resources"].as_object().unwrap().values();
        let found = resources.filter(|found| found["Type"] == kind);
        let groups = found.map(|found| text(&found["Properties"]["LogGroupName"]));
        groups.map(|name| name.replace(stack, "STACK")).collect()
    };
    let groups = of(&deployed, "AWS::Logs::LogGroup", "${AWS::StackName}");
    assert!(groups.contains("/aws/lambda/STACK-operator"), "{groups:?}");
    let template = load();
    assert_eq!(of(&template, "AWS::Logs::MetricFilter", "${Stack}"), groups);
    let resources = template["Resources"].as_object().unwrap().values();
    for filter in resources.filter(|found| found["Type"] == "AWS::Logs::MetricFilter") {
        let filter = &filter["Properties"];
        assert_eq!(filter["FilterPattern"], r#"{ $.outcome = "alarm" }"#);
        assert_eq!(filter["MetricTransformations"][0]["MetricName"], ALARM_LINES);
    }
}

#[test]
fn every_alarm_says_what_a_missing_value_means_and_where_to_read_on() {
    let template = load();
    let runbook = fs::read_to_string(root().join("infra/runbook.md")).unwrap();
    let headings: BTreeSet<&str> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let mut names = BTreeSet::new();
    for (id, alarm) in alarms(&template) {
        let name = short(alarm);
        names.insert(name);
        assert!(headings.contains(name), "{id}: the runbook has no paragraph {name}");
        let kind = if alarm["AlarmActions"][0]["Ref"] == "PageTopic" { "page" } else { "ticket" };
        let description = format!("{kind}; infra/runbook.md#{}", name.to_lowercase());
        assert_eq!(alarm["AlarmDescription"], Value::from(description), "{id}");
        let paragraph = runbook.split(&format!("## {name}\n\n")).nth(1).unwrap();
        let word = if kind == "page" { "*Page.*" } else { "*Ticket.*" };
        assert!(paragraph.starts_with(word), "{id}: {word}");
        let missing = if name == "SweeperSilent" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{id}");
    }
    names.insert("Break glass");
    assert_eq!(headings, names, "each paragraph has its alarm, but for the last one");
}

fn rule(alarm: &Value) -> String {
    let number = |value: &Value| {
        value
            .as_u64()
            .map_or_else(|| format!("`{}`", value["Ref"].as_str().unwrap()), |n| n.to_string())
    };
    let of = format!(
        "{} of {}",
        number(&alarm["DatapointsToAlarm"]),
        number(&alarm["EvaluationPeriods"])
    );
    let metrics = alarm["Metrics"].as_array();
    let first = metrics.map_or(alarm, |metrics| &metrics[0]);
    let stat = metrics.map_or(alarm, |metrics| &metrics[metrics.len() - 1]["MetricStat"]);
    let period = number(&stat["Period"]);
    let what = if let Some(expression) = first["Expression"].as_str() {
        format!("`{expression}`")
    } else {
        let metric = if metrics.is_some() { &first["MetricStat"]["Metric"] } else { alarm };
        format!("`{}`", metric["MetricName"].as_str().unwrap())
    };
    let sign = match alarm["ComparisonOperator"].as_str().unwrap() {
        "LessThanThreshold" => "<",
        _ => ">",
    };
    format!("{what} {sign} {}, {of} of {period} s", number(&alarm["Threshold"]))
}

#[test]
fn the_page_has_the_tables_of_metrics_and_alarms() {
    let mut metrics = "| of | metric | unit | what |\n|---|---|---|---|\n".to_owned();
    for metric in table::all() {
        let of = metric.of.dimension().map_or("the stack".to_owned(), |name| format!("`{name}`"));
        let _ =
            writeln!(metrics, "| {of} | `{}` | {} | {} |", metric.name, metric.unit, metric.what);
    }
    metrics += "| `type` | `Succeeded.LABEL` | Count | jobs that succeeded with a label; two labels at most |\n";
    metrics += "| the stack | `AlarmLines` | Count | log lines with `outcome` `alarm`, by metric filters |\n";
    let template = load();
    let mut rules: BTreeMap<&str, (&str, BTreeSet<String>)> = BTreeMap::new();
    for (_, alarm) in alarms(&template) {
        let kind = if alarm["AlarmActions"][0]["Ref"] == "PageTopic" { "page" } else { "ticket" };
        rules.entry(short(alarm)).or_insert((kind, BTreeSet::new())).1.insert(rule(alarm));
    }
    let mut table = "| alarm | | rule |\n|---|---|---|\n".to_owned();
    for (name, (kind, rules)) in rules {
        let rules: Vec<String> = rules.into_iter().collect();
        let anchor = name.to_lowercase();
        let link = format!("[{name}](../infra/runbook.md#{anchor})");
        let _ = writeln!(table, "| {link} | {kind} | {} |", rules.join("; "));
    }
    let page = fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    let page = between(&page, "alarms", &table);
    assert_file("docs/monitoring.md", &between(&page, "metrics", &metrics));
}
