//! The report of a demo: the table on the terminal, a page, and `target/demo/report.json`.

mod before;
mod job_line;
pub(crate) mod page;
pub(crate) mod table;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use sandbox::{CallCount, FaultReport, SiteCount};
use serde::Serialize;

use crate::incident::Incident;
use crate::scene::Snapshot;
use crate::scene::clock::Clock;
use crate::scene::record::Breaker;
use crate::verdict::outage;
use crate::verdict::outcome::Output;
use crate::verdict::tally::{self, Fields, Outcome, Share};
use crate::verdict::{Evidence, Verdict, judge};
use before::Before;
use job_line::JobLine;

/// The whole report. Unless a field says otherwise, it counts the jobs that were sent, not those
/// that feeds enqueued.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Whether no job was lost, done twice or failed.
    pub(crate) ok: bool,
    pub(crate) started_at: String,
    pub(crate) seed: u64,
    /// From the start to the last job's end, in milliseconds.
    pub(crate) took_ms: u64,
    pub(crate) before: Before,
    pub(crate) jobs: usize,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) failed_percent: f64,
    /// Failed jobs whose first slashtag existed already.
    pub(crate) taken_failed: usize,
    pub(crate) by_type: Vec<Share>,
    pub(crate) by_outcome: Vec<Outcome>,
    pub(crate) mean_ms: Option<u64>,
    pub(crate) median_ms: Option<u64>,
    pub(crate) p95_ms: Option<u64>,
    pub(crate) messages: usize,
    pub(crate) repeated_messages: usize,
    pub(crate) lost: usize,
    /// Includes those of jobs that feeds enqueued.
    pub(crate) duplicate_links: usize,
    /// Includes those of jobs that feeds enqueued.
    pub(crate) links_made: usize,
    pub(crate) adopted: usize,
    pub(crate) alternates: usize,
    pub(crate) fields: Fields,
    pub(crate) fan_out: FanOut,
    pub(crate) rejected: usize,
    pub(crate) rejected_messages: Vec<RejectedMessage>,
    pub(crate) killed_pid: Option<u32>,
    /// From the kill to the end of the job, in milliseconds.
    pub(crate) recovery_ms: Option<u64>,
    /// Calls of the link shortener.
    pub(crate) calls: u64,
    pub(crate) calls_by_status: Vec<CallCount>,
    pub(crate) calls_of_sites: Vec<SiteCount>,
    /// The injected faults, and how many calls each of them hit.
    pub(crate) faults: Vec<FaultReport>,
    /// The dependency whose breaker must have opened, and that breaker.
    pub(crate) walled: String,
    pub(crate) breaker: Option<Breaker>,
    /// Everything that is wrong, a sentence each.
    pub(crate) findings: Vec<String>,
    pub(crate) per_job: Vec<JobLine>,
    pub(crate) per_fanned_out_job: Vec<JobLine>,
}

/// The feeds, and the jobs that they enqueued.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct FanOut {
    /// Feeds that were read.
    pub(crate) feeds: usize,
    /// Pages of their lists.
    pub(crate) pages: usize,
    /// Cars on the sites whose feeds were read.
    pub(crate) cars: usize,
    /// Cars according to the results of the feeds.
    pub(crate) vehicles: usize,
    pub(crate) vehicles_kept: usize,
    /// Jobs according to the results of the feeds.
    pub(crate) jobs_said: usize,
    /// The jobs that the feeds should have enqueued.
    pub(crate) by_type: Vec<Share>,
    pub(crate) jobs: usize,
    pub(crate) failed: usize,
    pub(crate) made_twice: usize,
    /// From the enqueueing to the end.
    pub(crate) mean_ms: Option<u64>,
    pub(crate) fields: Fields,
}

/// A rejected message, which is kept for operators.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RejectedMessage {
    pub(crate) flaw: String,
    pub(crate) why: String,
    pub(crate) body: String,
}

impl Report {
    /// Judges the evidence and fills in the report.
    pub(crate) fn of(
        incident: &Incident,
        evidence: &Evidence<'_>,
        end: &Snapshot,
        clock: Clock,
    ) -> Self {
        let mut verdict = judge(evidence);
        verdict.findings.extend(outage::finding(&incident.walled, end.breaker.as_ref()));
        let times = tally::times(&verdict.ends);
        let jobs = incident.jobs.len();
        let failed = verdict.ends.iter().filter(|end| end.outcome.is_err()).count();
        let asked = evidence.sent.iter().filter(|sent| sent.message.job.is_some()).count();
        let taken = incident.jobs.iter().zip(&verdict.ends).filter(|(job, _)| job.is_taken());
        let rejected_messages = rejected_messages(end);
        Self {
            ok: verdict.holds(),
            started_at: time(clock.started_ms()),
            seed: incident.seed,
            took_ms: clock.now_ms() - clock.started_ms(),
            before: before::INCIDENT,
            jobs,
            succeeded: jobs - failed,
            failed,
            failed_percent: tally::percent(failed, jobs),
            taken_failed: taken.filter(|(_, end)| end.outcome.is_err()).count(),
            by_type: tally::by_type(&verdict.ends),
            by_outcome: tally::by_outcome(&verdict.ends),
            mean_ms: tally::mean(&times),
            median_ms: tally::percentile(&times, 50),
            p95_ms: tally::percentile(&times, 95),
            messages: evidence.sent.len(),
            repeated_messages: asked.saturating_sub(jobs),
            lost: verdict.lost,
            duplicate_links: verdict.duplicate_links,
            links_made: verdict.links_made,
            adopted: verdict.shortened().filter(|link| link.via == "adopted").count(),
            alternates: verdict.shortened().filter(|link| link.candidate > 1).count(),
            fields: tally::fields(&verdict.ends),
            fan_out: FanOut::of(incident, &verdict),
            rejected: rejected_messages.len(),
            rejected_messages,
            killed_pid: evidence.accident.map(|accident| accident.pid),
            recovery_ms: verdict.recovery_ms,
            calls: end.calls.total,
            calls_by_status: end.calls.rows.clone(),
            calls_of_sites: end.calls.sites.clone(),
            faults: evidence.faults.to_vec(),
            walled: incident.walled.clone(),
            breaker: end.breaker.clone(),
            per_job: job_line::sent(&verdict.ends, evidence),
            per_fanned_out_job: job_line::made(&verdict.fanned_out, evidence),
            findings: verdict.findings,
        }
    }

    /// Writes the report as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).context("report.json cannot be written")
    }
}

impl FanOut {
    fn of(incident: &Incident, verdict: &Verdict) -> Self {
        let mut read = Self {
            feeds: 0,
            pages: 0,
            cars: incident.jobs.iter().filter_map(|job| Some(job.feed()?.pages.len())).sum(),
            vehicles: 0,
            vehicles_kept: verdict.vehicles_kept,
            jobs_said: 0,
            by_type: tally::by_type(&verdict.fanned_out),
            jobs: verdict.fanned_out.len(),
            failed: verdict.fanned_out.iter().filter(|end| end.outcome.is_err()).count(),
            made_twice: verdict.duplicate_jobs,
            mean_ms: tally::mean(&tally::times(&verdict.fanned_out)),
            fields: tally::fields(&verdict.fanned_out),
        };
        for end in &verdict.ends {
            if let Ok(Output::Cars(feed)) = &end.outcome {
                read.feeds += 1;
                read.pages += feed.pages;
                read.vehicles += feed.vehicles;
                read.jobs_said += feed.scraping_jobs + feed.shortening_jobs;
            }
        }
        read
    }
}

fn rejected_messages(end: &Snapshot) -> Vec<RejectedMessage> {
    let kept = end.records.iter().filter(|record| record.is_rejected_message());
    let mut kept: Vec<_> = kept
        .map(|record| RejectedMessage {
            flaw: record.flaw.clone().unwrap_or_default(),
            why: record.why.clone().unwrap_or_default(),
            body: record.body.clone().unwrap_or_default(),
        })
        .collect();
    kept.sort_by(|one, other| (&one.flaw, &one.why).cmp(&(&other.flaw, &other.why)));
    kept
}

fn time(epoch_ms: u64) -> String {
    let epoch_ms = i64::try_from(epoch_ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(epoch_ms).unwrap_or(Timestamp::MAX).to_string()
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn a_time_is_written_as_everywhere() {
        assert_eq!(time(1_756_000_000_000), "2025-08-24T01:46:40Z");
    }
}
