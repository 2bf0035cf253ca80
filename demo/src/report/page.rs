//! The report as a page for those who open no terminal: `target/demo/report.html`. It looks like that of
//! `evenkeel report --html`, whose hours are not over when the demo ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use evenkeel_cli::dashboard::report::{ErrorPattern, Goal, Kind, Report as Page};

use super::{Report, table};
use crate::verdict::tally::Share;

/// The plan's targets: the share of failed jobs in percent, the mean time in milliseconds, and the time in which a
/// stuck job recovers, in milliseconds.
const FAILED_PERCENT: f64 = 5.0;
const MEAN_MS: u64 = 60_000;
const RECOVERY_MS: u64 = 300_000;

/// Writes the page.
pub(crate) fn write(report: &Report, path: &Path) -> Result<()> {
    fs::write(path, html(report)?).context("report.html cannot be written")
}

/// The page as one file.
pub(crate) fn html(report: &Report) -> Result<String> {
    page(report).html().context("the page of the report cannot be made")
}

fn page(report: &Report) -> Page {
    let took = table::time(Some(report.took_ms));
    Page {
        title: "Evenkeel: the incident, replayed".to_owned(),
        about: format!(
            "{} jobs in {} messages, from {} on, in {took}. Before: the same jobs in the old system.",
            report.jobs, report.messages, report.started_at
        ),
        goals: goals(report),
        kinds: report.by_type.iter().map(kind).collect(),
        days: Vec::new(),
        errors: errors(report),
        forecasts: Vec::new(),
    }
}

fn goals(report: &Report) -> Vec<Goal> {
    let before = report.before;
    let goal = |name: &str, target: &str, before: String, now: String, is_met: Option<bool>| Goal {
        name: name.to_owned(),
        target: target.to_owned(),
        before,
        now,
        is_met,
    };
    let percent = |percent: f64| format!("{percent:.1} %");
    vec![
        goal(
            "failed jobs",
            "below 5 %",
            percent(before.failed_percent),
            percent(report.failed_percent),
            Some(report.failed_percent < FAILED_PERCENT),
        ),
        goal(
            "failed because the slashtag was taken",
            "",
            before.slashtag_conflicts.to_string(),
            report.taken_failed.to_string(),
            None,
        ),
        goal(
            "mean time from sending to the end",
            "below 60 s",
            table::time(Some(before.mean_ms)),
            table::time(report.mean_ms),
            report.mean_ms.map(|mean| mean < MEAN_MS),
        ),
        goal(
            "from a killed process to its job's end",
            "below 5 min",
            "not known".to_owned(),
            table::time(report.recovery_ms),
            report.recovery_ms.map(|took| took < RECOVERY_MS),
        ),
        goal("messages lost", "", "not known".to_owned(), report.lost.to_string(), None),
        goal(
            "jobs done twice",
            "",
            "not known".to_owned(),
            (report.duplicate_links + report.fan_out.made_twice).to_string(),
            None,
        ),
    ]
}

fn kind(of: &Share) -> Kind {
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Kind {
        name: of.kind.to_owned(),
        succeeded: count(of.succeeded),
        failed: count(of.failed),
        median_s: None,
        p95_s: of.p95_ms.map(|ms| Duration::from_millis(ms).as_secs_f64()),
    }
}

/// What the third parties have answered other than success, the most frequent first.
fn errors(report: &Report) -> Vec<ErrorPattern> {
    let is_error = |status: Option<u16>| status.is_none_or(|status| status >= 400);
    let answer = |status: Option<u16>| {
        status.map_or_else(|| "no answer".to_owned(), |status| format!("HTTP {status}"))
    };
    let links = report.calls_by_status.iter().filter(|call| is_error(call.status));
    let links = links.map(|call| ErrorPattern {
        fingerprint: answer(call.status),
        kind: "link shortener".to_owned(),
        example: call.method.clone(),
        count: call.count,
    });
    let sites = report.calls_of_sites.iter().filter(|call| is_error(call.status));
    let sites = sites.map(|call| ErrorPattern {
        fingerprint: answer(call.status),
        kind: "dealer's site".to_owned(),
        example: call.site.clone(),
        count: call.count,
    });
    let mut errors: Vec<ErrorPattern> = links.chain(sites).collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors
}
