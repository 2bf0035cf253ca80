//! Rules of alarms, read from the template, and whether they fire on data.

use std::{collections::BTreeMap, path::Path, time::Duration};

use evenkeel::base::time::Time;
use serde_json::Value;
use xtask::template;

use super::expression::{self, Values};

/// The data of metrics: namespace and name, dimension and its value, then the points.
#[derive(Debug, Default)]
pub(super) struct Data(BTreeMap<(String, String), Vec<(Time, f64)>>);

impl Data {
    /// Adds a point. `of` is the value of the metric's only dimension; empty if it has none.
    pub(super) fn add(&mut self, name: &str, of: &str, at: Time, value: f64) {
        self.0.entry((name.to_owned(), of.to_owned())).or_default().push((at, value));
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

/// A text with the names of the stack and of the type that the bench runs.
fn text(value: &Value, names: &[(&str, &str)]) -> String {
    let text = value.as_str().or_else(|| value["Fn::Sub"].as_str()).unwrap_or_default();
    let text = text.replace("${Stack}", "test");
    names.iter().fold(text, |text, (ours, here)| text.replace(ours, here))
}

fn read(id: &str, metric: &Value, stat: &Value, names: &[(&str, &str)]) -> Read {
    Read {
        id: id.to_owned(),
        name: metric["MetricName"].as_str().unwrap().to_owned(),
        of: text(&metric["Dimensions"][0]["Value"], names),
        stat: stat.as_str().unwrap().to_owned(),
    }
}

/// The rules of the template. Of those of job types, only one type's: `names` are pairs of a name in the template and
/// its name on the bench.
pub(super) fn rules(names: &[(&str, &str)]) -> Vec<Rule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/monitoring.yaml");
    let template = template::load(&path).unwrap();
    let resources = template["Resources"].as_object().unwrap().values();
    let alarms = resources.filter(|found| found["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|alarm| rule(&alarm["Properties"], names)).collect()
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
