//! The report as a page: one file for those who open no terminal.

use std::{iter, time::Duration};

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{Bucket, date, day_start},
};

use super::{number, remarks, target_of};
use crate::{
    dashboard::report::{Day, ErrorPattern, Goal, Kind, Report as Page},
    exit::{Exit, Failure},
    moment::span,
    report::{Days, Period},
    shapes::{ForecastReport, Kpi, PatternReport, Report, TypeReport},
};

const DAY: Duration = Duration::from_hours(24);

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
    iter::once(period).chain(remarks(report)).collect::<Vec<_>>().join("; ")
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

/// The days of the period, the earliest first, from the first of which anything is known.
fn by_day(days: &Days, kinds: &[&str], period: Period) -> Vec<Day> {
    let first = day_start(period.from);
    let starts = iter::successors(Some(first), |start| Some(*start + DAY));
    let starts = starts.take_while(|start| *start < period.until);
    let is_known = |start: &Time| kinds.iter().any(|kind| days.on(kind, *start).is_some());
    starts
        .skip_while(|start| !is_known(start))
        .map(|start| on(days, kinds, period, start))
        .collect()
}

/// What is known of the day that begins at `start`. Of its hours, those of the type count that is known best: a type
/// without jobs has no day.
fn on(days: &Days, kinds: &[&str], period: Period, start: Time) -> Day {
    let hours = period.hours(start);
    let known = kinds.iter().filter_map(|kind| {
        let day = days.on(kind, start)?;
        Some(hours.clone().filter(|hour| *hour < day.hours).count())
    });
    let known = known.max().unwrap_or_default();
    let sums = kinds.iter().filter_map(|kind| Some((*kind, days.on(kind, start)?.sum(&hours))));
    let sums: Vec<(&str, Bucket)> = sums.collect();
    let mut all = Bucket::default();
    for (_, sum) in &sums {
        all.add(sum);
    }
    let all = kind_of("", &all);
    let kinds = sums.iter().map(|(kind, sum)| kind_of(kind, sum));
    Day {
        start: start.as_millis(),
        name: date(start),
        succeeded: all.succeeded,
        failed: all.failed,
        p95_s: all.p95_s,
        kinds: kinds.filter(|kind| kind.succeeded.saturating_add(kind.failed) > 0).collect(),
        hours: hours.len(),
        unknown_hours: hours.len().saturating_sub(known),
    }
}

/// The ends that were counted of a type.
fn kind_of(name: &str, sum: &Bucket) -> Kind {
    let done = sum.histogram('t');
    let quantile = |q: f64| done.quantile(q).map(|took| seconds(millis(took)));
    Kind {
        name: name.to_owned(),
        succeeded: sum.count("succeeded"),
        failed: sum.count("dead").saturating_add(sum.count("quarantined")),
        median_s: quantile(0.5),
        p95_s: quantile(0.95),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn days_are_told_by_type_with_the_hours_that_are_not_known() {
        let mut days = Days::default();
        days.insert(
            "2027-01-13#a",
            r#"{"hours":24,"counts":{"succeeded":[90,0,0,0,0,0,0,0,0,0,4]}}"#,
        );
        days.insert("2027-01-13#b", r#"{"hours":24,"counts":{"dead":[0,0,0,0,0,0,0,0,0,0,1]}}"#);
        days.insert(
            "2027-01-15#a",
            r#"{"hours":6,"counts":{"succeeded":[3],"quarantined":[0,2]}}"#,
        );
        let period =
            Period { from: time("2027-01-12T10:00:00Z"), until: time("2027-01-15T08:00:00Z") };
        let told = by_day(&days, &["a", "b", "c"], period);
        let rows: Vec<_> = told
            .iter()
            .map(|day| {
                let kinds = day.kinds.iter().map(|kind| (&*kind.name, kind.succeeded, kind.failed));
                (&*day.name, kinds.collect::<Vec<_>>(), day.hours, day.unknown_hours)
            })
            .collect();
        let expected = [
            ("2027-01-13", vec![("a", 94, 0), ("b", 0, 1)], 24, 0),
            ("2027-01-14", Vec::new(), 24, 24),
            ("2027-01-15", vec![("a", 3, 2)], 8, 2),
        ];
        assert_eq!(rows, expected, "the first day is left out: nothing is known of it");
        assert_eq!((told[0].succeeded, told[0].failed, told[2].failed), (94, 1, 2));
    }

    #[test]
    fn the_first_and_the_last_day_count_within_the_period_only() {
        let mut days = Days::default();
        days.insert(
            "2027-01-13#a",
            r#"{"hours":24,"counts":{"succeeded":[90,0,0,0,0,0,0,0,0,0,4]}}"#,
        );
        let period =
            Period { from: time("2027-01-13T10:00:00Z"), until: time("2027-01-13T12:00:00Z") };
        let [day]: [Day; 1] = by_day(&days, &["a"], period).try_into().unwrap();
        assert_eq!((day.succeeded, day.hours, day.unknown_hours), (4, 2, 0));
    }
}
