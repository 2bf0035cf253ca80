//! Rules of alarms, read from the template, and whether they fire on data; and its metric filters.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use evenkeel::base::time::Time;
use serde_json::Value;
use xtask::template;

use super::expression::{self, Values};

/// The metric that the metric filters make.
const ALARM_LINES: &str = "AlarmLines";

/// The data of metrics: name and what it is of, then the points.
#[derive(Debug, Default)]
pub(super) struct Data(BTreeMap<(String, String), Vec<(Time, f64)>>);

impl Data {
    /// Adds a point. `of` are the values of the metric's dimensions, with a slash between them; empty if it has none.
    pub(super) fn add(&mut self, name: &str, of: &str, at: Time, value: f64) {
        self.0.entry((name.to_owned(), of.to_owned())).or_default().push((at, value));
    }

    /// Makes each value of a metric zero.
    pub(super) fn zero(&mut self, name: &str) {
        let found = self.0.iter_mut().filter(|((found, _), _)| found == name);
        found.flat_map(|(_, points)| points).for_each(|(_, value)| *value = 0.0);
    }

    fn stat(&self, read: &Read, from: Time, until: Time) -> Option<f64> {
        let points = self.0.get(&(read.name.clone(), read.of.clone()))?;
        let within = points.iter().filter(|(at, _)| (from..until).contains(at));
        let values = within.map(|(_, value)| *value);
        match read.stat.as_str() {
            "Sum" => values.reduce(|a, b| a + b),
            "Maximum" => values.reduce(f64::max),
            "Minimum" => values.reduce(f64::min),
            other => panic!("{other}: a statistic that no alarm has used so far"),
        }
    }
}

/// A metric that an alarm reads.
#[derive(Debug)]
struct Read {
    id: String,
    name: String,
    of: String,
    stat: String,
    /// Whether it does not come from the sweeper's lines, and is derived from the simulated services.
    is_simulated: bool,
}

/// The rule of an alarm.
#[derive(Debug)]
pub(super) struct Rule {
    /// The alarm's name, without the stack and what it is about.
    pub(super) name: String,
    expression: String,
    reads: Vec<Read>,
    period: Duration,
    least: usize,
    periods: u32,
    threshold: f64,
    is_below: bool,
    is_missing_bad: bool,
}

/// A text with the names of the stack and of the type that the bench runs; of a parameter its name.
fn text(value: &Value, names: &[(&str, &str)]) -> String {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str());
    let text = text.or_else(|| value["Ref"].as_str()).unwrap_or_default();
    let text = text.replace("${Stack}", "test");
    names.iter().fold(text, |text, (ours, here)| text.replace(ours, here))
}

fn read(id: &str, metric: &Value, stat: &Value, names: &[(&str, &str)]) -> Read {
    let name = metric["MetricName"].as_str().unwrap();
    let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
    let of: Vec<String> = dimensions.map(|of| text(&of["Value"], names)).collect();
    let is_of_aws = metric["Namespace"].as_str().is_some_and(|name| name.starts_with("AWS/"));
    Read {
        id: id.to_owned(),
        name: name.to_owned(),
        of: of.join("/"),
        stat: stat.as_str().unwrap().to_owned(),
        is_simulated: is_of_aws || name == ALARM_LINES,
    }
}

/// The properties of the template's resources of a type.
fn resources(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/monitoring.yaml");
    let template = template::load(&path).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let found = resources.filter(|found| found["Type"] == kind);
    found.map(|found| found["Properties"].clone()).collect()
}

/// The rules of the template. Of those of job types, only one type's: `names` are pairs of a name in the template and
/// its name on the bench.
pub(super) fn rules(names: &[(&str, &str)]) -> Vec<Rule> {
    resources("AWS::CloudWatch::Alarm").iter().map(|alarm| rule(alarm, names)).collect()
}

/// A metric filter: which log lines it counts, and as which metric.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Filter {
    pub(super) metric: String,
    field: String,
    value: String,
}

impl Filter {
    /// Reads a pattern of the only form that the template has: `{ $.FIELD = "VALUE" }`.
    fn read(filter: &Value) -> Self {
        let pattern = filter["FilterPattern"].as_str().unwrap();
        let inner = pattern.strip_prefix("{ $.").and_then(|rest| rest.strip_suffix("\" }"));
        let (field, value) = inner.and_then(|inner| inner.split_once(" = \"")).unwrap();
        let metric = &filter["MetricTransformations"][0];
        assert_eq!(metric["MetricValue"], "1", "{pattern}");
        let metric = metric["MetricName"].as_str().unwrap().to_owned();
        Self { metric, field: field.to_owned(), value: value.to_owned() }
    }

    /// Whether it counts a line. One that is no JSON it does not.
    pub(super) fn counts(&self, line: &str) -> bool {
        let fields: Value = serde_json::from_str(line).unwrap_or_default();
        fields[&self.field] == self.value.as_str()
    }
}

/// The metric filters of the template. Each log group has one, and they differ in nothing else.
pub(super) fn filters() -> BTreeSet<Filter> {
    resources("AWS::Logs::MetricFilter").iter().map(Filter::read).collect()
}

#[test]
fn a_filter_counts_the_lines_with_its_value() {
    let filters: Vec<Filter> = filters().into_iter().collect();
    let [filter] = filters.as_slice() else { panic!("one pattern: {filters:?}") };
    assert_eq!(filter.metric, ALARM_LINES);
    let counted = [
        r#"{"level":"ERROR","outcome":"alarm","code":"broken"}"#,
        r#"{"level":"WARN","outcome":"unavailable"}"#,
        r#"{"level":"INFO","message":"alarm"}"#,
        "outcome alarm",
    ];
    assert_eq!(counted.map(|line| filter.counts(line)), [true, false, false, false]);
}

fn rule(alarm: &Value, names: &[(&str, &str)]) -> Rule {
    let name = text(&alarm["AlarmName"], &[]);
    let name = name.strip_prefix("test-").unwrap().split('-').next().unwrap().to_owned();
    let metrics = alarm["Metrics"].as_array();
    let (expression, reads, period) = match metrics {
        None => {
            let read = read("m", alarm, &alarm["Statistic"], names);
            ("m".to_owned(), vec![read], &alarm["Period"])
        }
        Some(metrics) => {
            let stats = metrics.iter().filter(|metric| metric["MetricStat"].is_object());
            let reads: Vec<Read> = stats
                .map(|metric| {
                    let stat = &metric["MetricStat"];
                    read(metric["Id"].as_str().unwrap(), &stat["Metric"], &stat["Stat"], names)
                })
                .collect();
            let first = metrics[0]["Expression"].as_str();
            let expression = first.map_or_else(|| reads[0].id.clone(), str::to_owned);
            let last = &metrics[metrics.len() - 1];
            (expression, reads, &last["MetricStat"]["Period"])
        }
    };
    Rule {
        name,
        expression,
        reads,
        period: Duration::from_secs(period.as_u64().unwrap()),
        least: usize::try_from(alarm["DatapointsToAlarm"].as_u64().unwrap()).unwrap(),
        periods: u32::try_from(alarm["EvaluationPeriods"].as_u64().unwrap()).unwrap(),
        // A parameter instead of a number is a threshold that the simulation never reaches.
        threshold: alarm["Threshold"].as_f64().unwrap_or(f64::INFINITY),
        is_below: alarm["ComparisonOperator"] == "LessThanThreshold",
        is_missing_bad: alarm["TreatMissingData"] == "breaching",
    }
}

impl Rule {
    /// Whether it reads a metric that is derived from the simulated services.
    pub(super) fn reads_simulated(&self) -> bool {
        self.reads.iter().any(|read| read.is_simulated)
    }

    /// Whether the period that ends at `until` is over the threshold.
    fn is_breached(&self, data: &Data, until: Time) -> bool {
        let from = until.before(self.period);
        let of = |read: &Read| (read.id.clone(), data.stat(read, from, until));
        let values: Values = self.reads.iter().map(of).collect();
        match expression::value(&self.expression, &values) {
            Some(value) if self.is_below => value < self.threshold,
            Some(value) => value > self.threshold,
            None => self.is_missing_bad,
        }
    }

    /// Whether the alarm fires at any time between `from` and `until`, with all data at hand. It is evaluated each
    /// minute, over the whole periods before; CloudWatch does so at the ends of longer periods only.
    pub(super) fn fires(&self, data: &Data, from: Time, until: Time) -> bool {
        let minute = Duration::from_mins(1);
        // Nothing is known of what was before the beginning.
        let mut at =
            if self.is_missing_bad { from + self.period * (self.periods + 1) } else { from };
        while at <= until {
            let ends = (0..self.periods).map(|back| at.before(self.period * back));
            if ends.filter(|end| self.is_breached(data, *end)).count() >= self.least {
                return true;
            }
            at = at + minute;
        }
        false
    }
}
