//! The CloudWatch dashboard: its body is JSON, its widgets read what is told, and the plan's targets are drawn in.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_json::Value;
use sweeper::metrics::table::{self, DEFERRALS, ERRORS, Of};

use super::{load, root, text};

/// A name of a stack that CloudWatch's search takes for two words unless it is quoted.
const STACK: &str = "two-words";

/// The widgets, with everything filled in.
fn widgets() -> Vec<Value> {
    let template = load();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    let variables = body[1].as_object().unwrap().iter();
    let filled = variables.fold(text(&body[0]).to_owned(), |filled, (name, value)| {
        filled.replace(&format!("${{{name}}}"), text(value))
    });
    let filled = filled.replace("${Stack}", STACK).replace("${AWS::Region}", "eu-west-1");
    assert!(!filled.contains("${"), "{filled}");
    let body: Value = serde_json::from_str(&filled).unwrap();
    let widgets = body["widgets"].as_array().unwrap().clone();
    assert!(widgets.len() >= 10, "{}", widgets.len());
    widgets
}

/// A metric that a widget reads. A search reads all values of the dimension.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    namespace: String,
    name: String,
    dimension: Option<String>,
    value: Option<String>,
}

/// Reads a search of the only form that the dashboard has, or metrics by name. A calculation reads none by itself.
fn read(metric: &Value) -> Option<Read> {
    if let Some(expression) = metric[0]["expression"].as_str() {
        let search = Regex::new(
            r#"^SEARCH\('\{"([^"]+)",(\w+)\} MetricName="(\w+)"', '(Sum|Average|Maximum)', 300\)$"#,
        );
        let found = search.unwrap().captures(expression);
        assert!(found.is_some() || !expression.contains("SEARCH"), "{expression}");
        let (_, [namespace, dimension, name, _]) = found?.extract();
        let dimension = Some(dimension.to_owned());
        return Some(Read {
            namespace: namespace.into(),
            name: name.into(),
            dimension,
            value: None,
        });
    }
    let parts = metric.as_array().unwrap().iter().filter_map(Value::as_str);
    let parts: Vec<String> = parts.map(str::to_owned).collect();
    let [namespace, name, of @ ..] = parts.as_slice() else { panic!("{metric}") };
    let (dimension, value) = (of.first().cloned(), of.get(1).cloned());
    Some(Read { namespace: namespace.clone(), name: name.clone(), dimension, value })
}

fn metrics(widget: &Value) -> &Vec<Value> {
    widget["properties"]["metrics"].as_array().unwrap()
}

fn all() -> BTreeSet<Read> {
    let widgets = widgets();
    widgets.iter().flat_map(metrics).filter_map(read).collect()
}

/// A widget of a name that nobody tells stays empty.
#[test]
fn every_widget_reads_what_is_told() {
    let told: BTreeMap<&str, Of> =
        table::all().iter().map(|metric| (metric.name, metric.of)).collect();
    let types = generator::job_types();
    for found in all() {
        let Read { namespace, name, dimension, value } = &found;
        if namespace == "AWS/SQS" {
            let of = (name.as_str(), dimension.as_deref());
            assert_eq!(of, ("ApproximateNumberOfMessagesVisible", Some("QueueName")), "{found:?}");
            continue;
        }
        assert_eq!(namespace, STACK, "{found:?}");
        let of = told.get(name.as_str()).unwrap_or_else(|| panic!("nobody tells {name}"));
        assert_eq!(dimension.as_deref(), of.dimension(), "{found:?}");
        let is_known = |value: &String| types.iter().any(|job| job.kind == value);
        assert!(value.as_ref().is_none_or(is_known), "{found:?}");
    }
}

#[test]
fn every_class_reason_type_and_queue_is_shown() {
    let all = all();
    let names: BTreeSet<&str> = all.iter().map(|found| found.name.as_str()).collect();
    let errors = ERRORS.iter().map(|(name, ..)| *name);
    let deferrals = DEFERRALS.iter().map(|(name, ..)| *name);
    let missing: Vec<&str> = errors.chain(deferrals).filter(|name| !names.contains(name)).collect();
    assert_eq!(missing, Vec::<&str>::new());
    for job in generator::read(&root()).unwrap() {
        let shown = |name: &str, value: &str| {
            all.iter().any(|found| found.name == name && found.value.as_deref() == Some(value))
        };
        for name in ["Succeeded", "Dead", "Quarantined"] {
            assert!(shown(name, &job.kind), "{name} of {}", job.kind);
        }
        for ending in ["", "-high", "-dlq"] {
            let queue = format!("{STACK}-{}{ending}", job.folder);
            assert!(shown("ApproximateNumberOfMessagesVisible", &queue), "{queue}");
        }
    }
}

#[test]
fn calculations_use_metrics_of_their_widget() {
    let id = Regex::new(r"\b[a-z]\w*").unwrap();
    let mut calculations = 0;
    for widget in widgets() {
        let options = metrics(&widget).iter().filter_map(|metric| metric.as_array()?.last());
        let ids: Vec<&str> = options.filter_map(|options| options["id"].as_str()).collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), ids.len(), "{ids:?}");
        let expressions = metrics(&widget).iter().filter_map(|of| of[0]["expression"].as_str());
        for expression in expressions.filter(|expression| !expression.contains("SEARCH")) {
            calculations += 1;
            let used: Vec<&str> = id.find_iter(expression).map(|found| found.as_str()).collect();
            assert!(!used.is_empty(), "{expression}");
            assert!(used.iter().all(|used| distinct.contains(used)), "{expression}: {ids:?}");
        }
    }
    assert_eq!(calculations, generator::job_types().len() + 1, "a share of each type, and of all");
}

/// "Success Metrics" of the plan: below 5 %, below 60 s, stuck jobs recovered within 5 minutes.
#[test]
fn the_plans_targets_are_drawn_in() {
    let widgets = widgets();
    let drawn = widgets.iter().filter_map(|widget| {
        let lines = widget["properties"]["annotations"]["horizontal"].as_array()?;
        let reads = metrics(widget).iter().filter_map(read).map(|found| found.name);
        Some((reads.collect::<BTreeSet<String>>(), lines[0]["value"].as_u64()?))
    });
    let drawn: BTreeMap<u64, BTreeSet<String>> =
        drawn.map(|(reads, target)| (target, reads)).collect();
    let expected: [(u64, &[&str]); 3] = [
        (5, &["Dead", "Quarantined", "Succeeded"]),
        (300, &["OldestJobAge"]),
        (60_000, &["DoneTimeMean"]),
    ];
    for (target, names) in expected {
        let names: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(drawn.get(&target), Some(&names), "{target}");
    }
    assert_eq!(drawn.len(), expected.len());
}
