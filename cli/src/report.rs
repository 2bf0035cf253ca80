//! A report: what the days that the sweeper has kept say about a period. Pure.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use evenkeel::{
    base::time::{Time, millis},
    dependency::stats::{Bucket, Calls, Day, date, day_start},
    record::outcomes::{
        ATTEMPTS, BUSY_MS, DONE_MS, JOBS, NEVER_CAME_BACK, OF_CLASS, OF_LABEL, OVERDUE_MS, RUN_MS,
        RUNS,
    },
};

use crate::shapes::{DependencyReport, HostReport, Kpi, TypeReport};

const HOUR: Duration = Duration::from_hours(1);

/// The plan's numbers: what it began with, and its targets. "Success Metrics" of the improvement plan.
const FAILURES_BEFORE: f64 = 15.2;
const FAILURES_TARGET: f64 = 5.0;
const SECONDS_BEFORE: f64 = 202.5;
const SECONDS_TARGET: f64 = 60.0;
const LARGEST_BEFORE: f64 = 87.4;
const RECOVERY_TARGET: f64 = 300.0;

/// A period of whole hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: Time,
    pub(crate) until: Time,
}

impl Period {
    /// The last whole hours before now, at least as long as `since`.
    pub(crate) fn last(since: Duration, now: Time) -> Self {
        let hour = millis(HOUR);
        let floor = |at: Time| Time::from_millis(at.as_millis() / hour * hour);
        Self { from: floor(now.before(since)), until: floor(now) }
    }

    /// The first and the last date of its days.
    pub(crate) fn dates(self) -> [String; 2] {
        [self.from, self.until].map(date)
    }

    /// The hours of the day that begins at `start` which lie in the period.
    pub(crate) fn hours(self, start: Time) -> Range<usize> {
        let hour = |at: Time| {
            let hours = at.since(start).as_secs() / HOUR.as_secs();
            usize::try_from(hours).unwrap_or(usize::MAX).min(24)
        };
        hour(self.from)..hour(self.until)
    }

    fn length(self) -> usize {
        usize::try_from(self.until.since(self.from).as_secs() / HOUR.as_secs()).unwrap_or_default()
    }
}

/// The days of one kind, by subject and date.
#[derive(Clone, Debug, Default)]
pub(crate) struct Days(BTreeMap<String, Vec<(Time, Day)>>);

impl Days {
    /// Takes a note of a day in, by its name `DATE#SUBJECT`. What cannot be read is left out.
    pub(crate) fn insert(&mut self, name: &str, text: &str) {
        let Some((date, subject)) = name.split_once('#') else { return };
        let start = Time::parse_rfc3339(&format!("{date}T00:00:00Z"));
        if let (Ok(start), Ok(day)) = (start, serde_json::from_str(text)) {
            self.0.entry(subject.to_owned()).or_default().push((day_start(start), day));
        }
    }

    /// The day of a subject that begins at `start`.
    pub(crate) fn on(&self, subject: &str, start: Time) -> Option<&Day> {
        let mut days = self.0.get(subject)?.iter();
        days.find(|(begins, _)| *begins == start).map(|(_, day)| day)
    }

    /// The subjects, with their days.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Vec<(Time, Day)>)> {
        self.0.iter()
    }

    /// The counts of a subject in the period, and how many of its hours are known.
    pub(crate) fn sum(&self, subject: &str, period: Period) -> (Bucket, usize) {
        let (mut sum, mut known) = (Bucket::default(), 0);
        for (start, day) in self.0.get(subject).into_iter().flatten() {
            let hours = period.hours(*start);
            sum.add(&day.sum(&hours));
            known += hours.filter(|hour| *hour < day.hours).count();
        }
        (sum, known)
    }

    /// Runs of a type that never came back, and for how long their leases were over in all: of the hours that know that
    /// time. An earlier version has counted the runs without it.
    fn timed_recoveries(&self, kind: &str, period: Period) -> (u64, u64) {
        let (mut runs, mut overdue_ms) = (0_u64, 0_u64);
        for (start, day) in self.0.get(kind).into_iter().flatten() {
            for hour in period.hours(*start) {
                let count = |counter| day.count(counter, &(hour..hour + 1));
                let ms = count(OVERDUE_MS);
                if ms > 0 {
                    runs = runs.saturating_add(count(NEVER_CAME_BACK));
                    overdue_ms = overdue_ms.saturating_add(ms);
                }
            }
        }
        (runs, overdue_ms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of jobs are far below 2^52")]
fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 * 1_000.0 / whole as f64).round() / 10.0)
}

#[expect(clippy::cast_precision_loss, reason = "counts of jobs are far below 2^52")]
fn mean(sum: u64, many: u64) -> Option<f64> {
    (many > 0).then(|| (sum as f64 * 100.0 / many as f64).round() / 100.0)
}

/// The reports of job types, and how many hours of the period are unknown for the type that is known best.
pub(crate) fn of_types(
    days: &Days,
    kinds: &[&str],
    all: &[&str],
    period: Period,
) -> (Vec<TypeReport>, usize) {
    let sums: BTreeMap<&str, (Bucket, usize)> =
        all.iter().map(|kind| (*kind, days.sum(kind, period))).collect();
    let total = |counter: &str| sums.values().map(|(sum, _)| sum.count(counter)).sum::<u64>();
    let (jobs, busy) = (total(JOBS), total(BUSY_MS));
    let known = sums.values().map(|(_, known)| *known).max().unwrap_or_default();
    let of_type = |kind: &&str| {
        let (sum, _) = sums.get(kind)?;
        let shares = [percent(sum.count(JOBS), jobs), percent(sum.count(BUSY_MS), busy)];
        Some(of_type(kind, sum, shares, days.timed_recoveries(kind, period)))
    };
    let reports = kinds.iter().filter_map(of_type).collect();
    (reports, period.length().saturating_sub(known))
}

fn of_type(
    kind: &str,
    sum: &Bucket,
    shares: [Option<f64>; 2],
    timed_recoveries: (u64, u64),
) -> TypeReport {
    let [succeeded, dead, quarantined] =
        ["succeeded", "dead", "quarantined"].map(|name| sum.count(name));
    let ended = succeeded + dead + quarantined;
    let done = sum.histogram('t');
    let percentiles = [0.5, 0.95, 0.99].map(|q| done.quantile(q).map_or(0, millis));
    let named =
        |prefix| sum.counts_of(prefix).map(|(name, count)| (name.to_owned(), count)).collect();
    TypeReport {
        kind: kind.to_owned(),
        succeeded,
        dead,
        quarantined,
        failure_percent: percent(dead + quarantined, ended),
        retried: sum.count("retried"),
        deferred: sum.count("deferred") + sum.count("parked"),
        attempts_mean: mean(sum.count(ATTEMPTS), ended),
        done_mean_ms: sum.count(DONE_MS).checked_div(succeeded),
        done_percentiles_ms: (done.total() > 0).then_some(percentiles),
        run_mean_ms: sum.count(RUN_MS).checked_div(sum.count(RUNS)),
        share_of_jobs_percent: shares[0],
        share_of_run_time_percent: shares[1],
        share_of_slots_percent: None,
        recovered: sum.count(NEVER_CAME_BACK),
        recovery_mean_ms: timed_recoveries.1.checked_div(timed_recoveries.0),
        timed_recoveries,
        errors: named(OF_CLASS),
        labels: named(OF_LABEL),
    }
}

/// Each type's part of all slots, in percent. `slots` are those of each type at present; a type without is left out.
pub(crate) fn share_slots(types: &mut [TypeReport], slots: &BTreeMap<&str, u64>) {
    let all = slots.values().copied().fold(0, u64::saturating_add);
    for of in types {
        let own = slots.get(of.kind.as_str());
        of.share_of_slots_percent = own.and_then(|own| percent(*own, all));
    }
}

/// The reports of dependencies.
pub(crate) fn of_dependencies(
    days: &Days,
    names: &[&str],
    period: Period,
) -> Vec<DependencyReport> {
    let of = |name: &&str| {
        let (sum, _) = days.sum(name, period);
        let calls = Calls::from(&sum);
        DependencyReport {
            dependency: (*name).to_owned(),
            calls: calls.conclusive(),
            failed: calls.failed,
            throttled: calls.throttled,
            opened: sum.count("opened"),
            p95_ms: calls.latency.quantile(0.95).map(millis),
        }
    };
    names.iter().map(of).collect()
}

/// The worst hosts, at most `most`.
pub(crate) fn of_hosts(days: &Days, period: Period, most: usize) -> Vec<HostReport> {
    let of = |(name, _): (&String, _)| {
        let (sum, _) = days.sum(name, period);
        let [calls, failed, throttled] =
            ["calls", "failed", "throttled"].map(|counter| sum.count(counter));
        HostReport { dependency: name.clone(), calls, failed, throttled }
    };
    let mut hosts: Vec<HostReport> =
        days.iter().map(of).filter(|host| host.failed + host.throttled > 0).collect();
    hosts.sort_by_key(|host| std::cmp::Reverse(host.failed + host.throttled));
    hosts.truncate(most);
    hosts
}

/// The plan's KPIs over all types of the report.
pub(crate) fn kpis(
    types: &[TypeReport],
    dependencies: &[DependencyReport],
    waiting: u64,
) -> Vec<Kpi> {
    let sum = |of: fn(&TypeReport) -> u64| types.iter().map(of).sum::<u64>();
    let succeeded = sum(|of| of.succeeded);
    let failed = sum(|of| of.dead + of.quarantined);
    let done_ms = sum(|of| of.done_mean_ms.unwrap_or_default().saturating_mul(of.succeeded));
    let seconds = mean(done_ms, succeeded.saturating_mul(1_000));
    let shares = types.iter().filter_map(|of| of.share_of_jobs_percent);
    let largest = shares.reduce(f64::max);
    let (recovered, overdue_ms) = types
        .iter()
        .map(|of| of.timed_recoveries)
        .fold((0_u64, 0_u64), |sum, of| (sum.0 + of.0, sum.1.saturating_add(of.1)));
    let recovery = mean(overdue_ms, recovered.saturating_mul(1_000));
    let opened: u64 = dependencies.iter().map(|of| of.opened).sum();
    let kpi = |name: &str, unit: &str, value: Option<f64>, before, target: Option<f64>| Kpi {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        before,
        target,
        reached: value.zip(target).map(|(value, target)| value < target),
    };
    let share = percent(failed, succeeded + failed);
    let (failures, time) = (Some(FAILURES_TARGET), Some(SECONDS_TARGET));
    vec![
        kpi("failure rate", "%", share, Some(FAILURES_BEFORE), failures),
        kpi("mean processing time", "s", seconds, Some(SECONDS_BEFORE), time),
        kpi("largest type's share of jobs", "%", largest, Some(LARGEST_BEFORE), None),
        kpi("mean recovery time of stuck jobs", "s", recovery, None, Some(RECOVERY_TARGET)),
        kpi("breaker openings", "", mean(opened, 1), None, None),
        kpi("jobs succeeded", "", mean(succeeded, 1), None, None),
        kpi("messages waiting now", "", mean(waiting, 1), None, None),
    ]
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
