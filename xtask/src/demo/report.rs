//! What is left of a demo: the table on the terminal, and `target/demo/report.json`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use sandbox::CallCount;
use serde::Serialize;

use super::before::{self, Before};
use super::clock::Clock;
use super::incident::Incident;
use super::job::Taken;
use super::scene::Snapshot;
use super::verdict::{Evidence, Verdict, judge};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Whether no job was lost, done twice or failed.
    pub(super) ok: bool,
    pub(super) started_at: String,
    pub(super) seed: u64,
    /// Until everything was over, in milliseconds.
    pub(super) took_ms: u64,
    pub(super) before: Before,
    pub(super) jobs: usize,
    pub(super) succeeded: usize,
    pub(super) failed: usize,
    pub(super) failed_percent: f64,
    /// Of the jobs whose first slashtag was taken before they began.
    pub(super) taken_failed: usize,
    pub(super) lost: usize,
    pub(super) duplicate_links: usize,
    pub(super) messages: usize,
    pub(super) repeated_messages: usize,
    pub(super) links_made: usize,
    pub(super) adopted: usize,
    pub(super) alternates: usize,
    pub(super) mean_ms: Option<u64>,
    pub(super) median_ms: Option<u64>,
    pub(super) p95_ms: Option<u64>,
    pub(super) quarantined: usize,
    pub(super) quarantine: Vec<Quarantined>,
    pub(super) killed_pid: Option<u32>,
    /// From the kill to the end of the job, in milliseconds.
    pub(super) recovery_ms: Option<u64>,
    pub(super) calls: u64,
    pub(super) calls_by_status: Vec<CallCount>,
    /// Everything that is wrong.
    pub(super) findings: Vec<String>,
    pub(super) per_job: Vec<JobLine>,
}

/// A body that is kept because it is no message.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Quarantined {
    pub(super) flaw: String,
    pub(super) why: String,
    pub(super) body: String,
}

/// A job of the incident.
#[derive(Clone, Debug, Serialize)]
pub(super) struct JobLine {
    key: Option<String>,
    vin: String,
    destination: String,
    state: Option<String>,
    /// Messages that asked for it.
    messages: usize,
    /// When the first of them was sent, in epoch milliseconds.
    sent_ms: Option<u64>,
    ended_ms: Option<u64>,
    took_ms: Option<u64>,
    short_url: Option<String>,
    via: Option<String>,
    candidate: Option<u32>,
    claims: u32,
    attempts: u32,
    defers: u32,
    crashes: u32,
    /// Why it counts as failed.
    failed: Option<String>,
}

impl Report {
    /// Judges the evidence and writes down what came of it.
    pub(super) fn of(
        incident: &Incident,
        evidence: &Evidence<'_>,
        end: &Snapshot,
        clock: Clock,
    ) -> Self {
        let verdict = judge(evidence);
        let times = verdict.times_ms();
        let jobs = incident.jobs.len();
        let succeeded = verdict.successes().count();
        let repeated = evidence.sent.iter().filter(|sent| sent.message.job.is_some()).count();
        let adopted = verdict.successes().filter(|link| link.via == "adopted").count();
        let taken = incident.jobs.iter().zip(&verdict.ends);
        let taken_failed =
            taken.filter(|(job, end)| job.taken != Taken::Free && end.outcome.is_err()).count();
        let quarantine = quarantine(end);
        Self {
            ok: verdict.holds(),
            started_at: time(clock.started_ms()),
            seed: incident.seed,
            took_ms: clock.now_ms() - clock.started_ms(),
            before: before::INCIDENT,
            jobs,
            succeeded,
            failed: jobs - succeeded,
            failed_percent: percent(jobs - succeeded, jobs),
            taken_failed,
            lost: verdict.lost,
            duplicate_links: verdict.duplicate_links,
            messages: evidence.sent.len(),
            repeated_messages: repeated.saturating_sub(jobs),
            links_made: verdict.links_made,
            adopted,
            alternates: verdict.successes().filter(|link| link.candidate > 1).count(),
            mean_ms: mean(&times),
            median_ms: percentile(&times, 50),
            p95_ms: percentile(&times, 95),
            quarantined: quarantine.len(),
            quarantine,
            killed_pid: evidence.accident.map(|accident| accident.pid),
            recovery_ms: verdict.recovery_ms,
            calls: end.calls.total,
            calls_by_status: end.calls.rows.clone(),
            per_job: lines(incident, evidence, &verdict),
            findings: verdict.findings,
        }
    }

    /// Writes the report into a directory.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).context("report.json cannot be written")
    }
}

fn quarantine(end: &Snapshot) -> Vec<Quarantined> {
    let kept = end.records.iter().filter(|record| record.is_kept_body());
    let mut kept: Vec<_> = kept
        .map(|record| Quarantined {
            flaw: record.flaw.clone().unwrap_or_default(),
            why: record.why.clone().unwrap_or_default(),
            body: record.body.clone().unwrap_or_default(),
        })
        .collect();
    kept.sort_by(|one, other| (&one.flaw, &one.why).cmp(&(&other.flaw, &other.why)));
    kept
}

fn lines(incident: &Incident, evidence: &Evidence<'_>, verdict: &Verdict) -> Vec<JobLine> {
    let ends = incident.jobs.iter().zip(&verdict.ends).enumerate();
    ends.map(|(place, (job, end))| {
        let record = evidence.records.iter().find(|record| record.is_of(job));
        let sent = evidence.sent.iter().filter(|sent| sent.message.job == Some(place));
        let link = end.outcome.as_ref().ok();
        let count = |of: fn(&super::record::Record) -> u32| record.map_or(0, of);
        JobLine {
            key: record.map(|record| record.pk.clone()),
            vin: job.car.vin.clone(),
            destination: job.car.destination.clone(),
            state: record.map(|record| record.state.clone()),
            messages: sent.clone().count(),
            sent_ms: sent.map(|sent| sent.at_ms).min(),
            ended_ms: record.and_then(|record| record.ended_at),
            took_ms: end.took_ms,
            short_url: link.map(|link| link.short_url.clone()),
            via: link.map(|link| link.via.clone()),
            candidate: link.map(|link| link.candidate),
            claims: count(|record| record.claims),
            attempts: count(|record| record.attempts),
            defers: count(|record| record.defers),
            crashes: count(|record| record.crashes),
            failed: end.outcome.as_ref().err().cloned(),
        }
    })
    .collect()
}

fn time(epoch_ms: u64) -> String {
    let epoch_ms = i64::try_from(epoch_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(epoch_ms).unwrap_or(Timestamp::MAX).to_string()
}

/// A share in percent, to one decimal.
fn percent(part: usize, whole: usize) -> f64 {
    let whole = u32::try_from(whole).unwrap_or(u32::MAX).max(1);
    let part = u32::try_from(part).unwrap_or(u32::MAX);
    (f64::from(part) * 1_000.0 / f64::from(whole)).round() / 10.0
}

fn mean(times: &[u64]) -> Option<u64> {
    times.iter().sum::<u64>().checked_div(times.len() as u64)
}

/// The nearest-rank percentile of times in order: the least one that so many percent do not exceed.
fn percentile(times: &[u64], percent: usize) -> Option<u64> {
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::{mean, percent, percentile, time};

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<u64> = (1..=132).collect();
        assert_eq!(percentile(&times, 95), Some(126));
        assert_eq!(percentile(&times, 50), Some(66));
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[], 95), None);
    }

    #[test]
    fn shares_and_means() {
        assert!((percent(23, 151) - 15.2).abs() < f64::EPSILON);
        assert!(percent(0, 0).abs() < f64::EPSILON);
        assert_eq!(mean(&[1, 2, 6]), Some(3));
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn a_time_is_written_as_everywhere() {
        assert_eq!(time(1_756_000_000_000), "2025-08-24T01:46:40Z");
    }
}
