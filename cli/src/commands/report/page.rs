//! The report as a page: one file for those who open no terminal.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{Bucket, date},
};

use super::{number, said_of, target_of};
use crate::{
    dashboard::report::{Day, ErrorPattern, Goal, Kind, Report as Page},
    exit::{Exit, Failure},
    moment::span,
    report::{Days, Period},
    shapes::{ForecastReport, Kpi, PatternReport, Report, TypeReport},
};

/// The page of a report about these types of a stack.
pub(super) fn html(
    report: &Report,
    days: &Days,
    kinds: &[&str],
    period: Period,
    stack: &str,
) -> Result<String, Failure> {
    let page = Page {
        title: format!("Evenkeel, stack {stack}"),
        about: about(report, period),
        goals: report.kpis.iter().map(goal).collect(),
        kinds: report.types.iter().map(kind).collect(),
        days: by_day(days, kinds, period),
        errors: report.patterns.iter().map(error).collect(),
        forecasts: report.forecasts.iter().map(forecast).collect(),
    };
    page.html().map_err(|error| Failure::new(Exit::Failed, "page", error.to_string()))
}

/// The period, and what is missing in it.
fn about(report: &Report, period: Period) -> String {
    let period = format!("{} to {}", period.from, period.until);
    std::iter::once(period).chain(report.cut.iter().map(said_of)).collect::<Vec<_>>().join("; ")
}

fn goal(kpi: &Kpi) -> Goal {
    Goal {
        name: kpi.name.clone(),
        target: target_of(kpi),
        before: kpi.before.map(|_| number(kpi.before, &kpi.unit)).unwrap_or_default(),
        now: number(kpi.value, &kpi.unit),
        is_met: kpi.reached,
    }
}

fn kind(of: &TypeReport) -> Kind {
    let [median, p95] = [0, 1].map(|place| of.done_percentiles_ms.map(|all| seconds(all[place])));
    Kind {
        name: of.kind.clone(),
        succeeded: of.succeeded,
        failed: of.dead.saturating_add(of.quarantined),
        median_s: median,
        p95_s: p95,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of jobs")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// The days of the period that have ends of jobs, the earliest first.
fn by_day(days: &Days, kinds: &[&str], period: Period) -> Vec<Day> {
    let mut sums: BTreeMap<Time, Bucket> = BTreeMap::new();
    for (_, days) in days.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())) {
        for (start, day) in days {
            sums.entry(*start).or_default().add(&day.sum(&period.hours(*start)));
        }
    }
    let day = |(start, sum): (Time, Bucket)| Day {
        start: start.as_millis(),
        name: date(start),
        succeeded: sum.count("succeeded"),
        failed: sum.count("dead").saturating_add(sum.count("quarantined")),
        p95_s: sum.histogram('t').quantile(0.95).map(|span| seconds(millis(span))),
    };
    sums.into_iter().map(day).collect()
}

fn error(of: &PatternReport) -> ErrorPattern {
    ErrorPattern {
        fingerprint: of.fingerprint.clone(),
        kind: of.kind.clone(),
        example: of.sample.clone().unwrap_or_default(),
        count: of.failures,
    }
}

fn forecast(of: &ForecastReport) -> String {
    let when = of.in_s.map(|in_s| format!(" in {}", span(Duration::from_secs(in_s))));
    let what = of.what.replace('_', " ");
    format!("{}: {what}{} ({})", of.about, when.unwrap_or_default(), of.evidence)
}
