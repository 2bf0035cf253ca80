//! Whether the demo has shown what it claims: what was sent, held against the records that the
//! functions wrote and against the links that the sandbox has. Pure.

use std::collections::HashMap;

use sandbox::rebrandly::{CreatedBy, Link, LinkStatus};

use super::accident::Accident;
use super::job::Job;
use super::record::{Record, Shortened};
use super::replay::Sent;

/// All that is known at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    pub(super) jobs: &'a [Job],
    pub(super) sent: &'a [Sent],
    pub(super) records: &'a [Record],
    pub(super) links: &'a [Link],
    pub(super) accident: Option<Accident>,
    /// Messages that are still in the queue.
    pub(super) queued: u64,
    /// Messages that no function could acknowledge.
    pub(super) dead_letters: u64,
}

/// What follows from it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Verdict {
    /// How each job ended, in the order of the incident.
    pub(super) ends: Vec<End>,
    /// Messages without a record that has ended or waits.
    pub(super) lost: usize,
    /// Destinations that more than one link leads to.
    pub(super) duplicate_links: usize,
    /// Links that were made.
    pub(super) links_made: usize,
    /// Milliseconds from the kill to the end of its job.
    pub(super) recovery_ms: Option<u64>,
    /// Everything that is wrong, a sentence each. Nothing: all is well.
    pub(super) findings: Vec<String>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// What the record says of the link, if that is true.
    pub(super) outcome: Result<Shortened, String>,
    /// From sending the first message to the end of the record, in milliseconds.
    pub(super) took_ms: Option<u64>,
}

impl Verdict {
    /// Whether no job was lost, done twice or failed, and nothing else is odd.
    pub(super) fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    /// The successes.
    pub(super) fn successes(&self) -> impl Iterator<Item = &Shortened> {
        self.ends.iter().filter_map(|end| end.outcome.as_ref().ok())
    }

    /// The times of the successes, shortest first.
    pub(super) fn times_ms(&self) -> Vec<u64> {
        let done = self.ends.iter().filter(|end| end.outcome.is_ok());
        let mut times: Vec<u64> = done.filter_map(|end| end.took_ms).collect();
        times.sort_unstable();
        times
    }
}

/// Whether every sent message has a record that has ended, and no message is under way.
pub(super) fn is_over(evidence: &Evidence<'_>) -> bool {
    let case = Case::of(*evidence);
    let ended = |sent: &Sent| case.any_record(sent, Record::is_terminal);
    evidence.queued == 0 && evidence.sent.iter().all(ended)
}

/// Judges.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let case = Case::of(*evidence);
    let mut verdict = Verdict::default();
    for (place, job) in evidence.jobs.iter().enumerate() {
        let outcome = case.outcome(place);
        if let Err(why) = &outcome {
            verdict.findings.push(format!("{} failed: {why}", name(job)));
        }
        let first = evidence.sent.iter().filter(|sent| sent.message.job == Some(place));
        let first_ms = first.map(|sent| sent.at_ms).min();
        let ended_ms = case.record(place).and_then(|record| record.ended_at);
        let took_ms = ended_ms.zip(first_ms).map(|(end, first)| end.saturating_sub(first));
        verdict.ends.push(End { outcome, took_ms });
    }
    case.count_lost(&mut verdict);
    case.count_links(&mut verdict);
    case.look_for_strays(&mut verdict);
    case.look_at_accident(&mut verdict);
    verdict
}

/// The evidence in order.
struct Case<'a> {
    evidence: Evidence<'a>,
    /// The record of each job.
    records: Vec<Option<&'a Record>>,
    /// The live links by the place that they lead to.
    links: HashMap<String, Vec<&'a Link>>,
}

impl<'a> Case<'a> {
    fn of(evidence: Evidence<'a>) -> Self {
        let find = |job: &Job| evidence.records.iter().find(|record| record.is_of(job));
        let records = evidence.jobs.iter().map(find).collect();
        let mut links: HashMap<String, Vec<&Link>> = HashMap::new();
        for link in evidence.links.iter().filter(|link| link.status == LinkStatus::Active) {
            links.entry(place(&link.destination)).or_default().push(link);
        }
        Self { evidence, records, links }
    }

    fn record(&self, job: usize) -> Option<&'a Record> {
        self.records.get(job).copied().flatten()
    }

    /// Whether the message's job has such a record, or the body itself does.
    fn any_record(&self, sent: &Sent, such: fn(&Record) -> bool) -> bool {
        let of_job = sent.message.job.and_then(|job| self.record(job));
        let mut kept = self.evidence.records.iter().filter(|r| r.keeps(&sent.message.body));
        of_job.is_some_and(such) || kept.any(such)
    }

    fn outcome(&self, job: usize) -> Result<Shortened, String> {
        let record = self.record(job).ok_or("it has no record")?;
        if record.state != "succeeded" {
            let why = record.why.as_deref().unwrap_or("no reason is given");
            return Err(format!("its record is {}: {why}", record.state));
        }
        let result = record.result.as_deref().unwrap_or_default();
        let result: Shortened = serde_json::from_str(result)
            .map_err(|error| format!("its record has a result {result:?}: {error}"))?;
        let wanted = self.evidence.jobs.get(job).map(|job| place(&job.car.destination));
        let Some(link) = self.evidence.links.iter().find(|link| link.id == result.link_id) else {
            return Err(format!("its link {} does not exist", result.short_url));
        };
        if Some(place(&link.destination)) != wanted || link.status != LinkStatus::Active {
            return Err(format!("its link {} leads to {}", result.short_url, link.destination));
        }
        if link.slashtag != result.slashtag || link.short_url() != result.short_url {
            return Err(format!("its link is {}, not {}", link.short_url(), result.short_url));
        }
        Ok(result)
    }

    fn count_lost(&self, verdict: &mut Verdict) {
        for sent in self.evidence.sent {
            if !self.any_record(sent, Record::is_accounted_for) {
                verdict.lost += 1;
                verdict.findings.push(format!("a message was lost: {}", sent.message.body));
            }
        }
        let Evidence { queued, dead_letters, .. } = self.evidence;
        for (count, queue) in [(queued, "queue"), (dead_letters, "dead-letter queue")] {
            if count > 0 {
                verdict.findings.push(format!("messages left in the {queue}: {count}"));
            }
        }
    }

    fn count_links(&self, verdict: &mut Verdict) {
        for job in self.evidence.jobs {
            let leading = self.links.get(&place(&job.car.destination));
            let links: Vec<String> =
                leading.into_iter().flatten().map(|link| link.short_url()).collect();
            if links.len() > 1 {
                verdict.duplicate_links += 1;
                let links = links.join(" and ");
                verdict.findings.push(format!("{} was done twice: {links}", name(job)));
            }
        }
    }

    /// Links and records that nobody asked for, and quarantined bodies that are messages.
    fn look_for_strays(&self, verdict: &mut Verdict) {
        let Evidence { jobs, sent, records, links, .. } = self.evidence;
        for link in links.iter().filter(|link| link.created_by == CreatedBy::Api) {
            verdict.links_made += 1;
            let wanted = place(&link.destination);
            if !jobs.iter().any(|job| place(&job.car.destination) == wanted) {
                let (link, to) = (link.short_url(), &link.destination);
                verdict.findings.push(format!("nobody asked for {link}, which leads to {to}"));
            }
        }
        for record in records.iter().filter(|record| !record.is_kept_body()) {
            let known = self.records.iter().flatten().any(|of_job| of_job.pk == record.pk);
            if !known {
                verdict.findings.push(format!("nobody asked for the job {}", record.pk));
            }
        }
        for record in records.iter().filter(|record| record.is_kept_body()) {
            let flawed =
                |sent: &Sent| sent.message.job.is_none() && record.keeps(&sent.message.body);
            if !sent.iter().any(flawed) {
                let body = record.body.as_deref().unwrap_or_default();
                verdict.findings.push(format!("a good message was quarantined: {body}"));
            }
        }
    }

    /// The killed process must have been the one that had the job, or nothing was shown.
    fn look_at_accident(&self, verdict: &mut Verdict) {
        let Some(accident) = self.evidence.accident else {
            verdict.findings.push("no process was killed".to_owned());
            return;
        };
        let Some(record) = self.record(accident.job) else { return };
        if record.crashes == 0 {
            let pid = accident.pid;
            verdict.findings.push(format!("the job of process {pid} does not know of its crash"));
        }
        let ended = record.ended_at.filter(|_| record.state == "succeeded");
        verdict.recovery_ms = ended.map(|end| end.saturating_sub(accident.at_ms));
    }
}

fn name(job: &Job) -> String {
    format!("{} of {}", job.car.vin, job.car.dealer_slug)
}

/// What addresses have in common that lead to one place. Not the engine's rule, which is what is
/// on trial here.
fn place(destination: &str) -> String {
    let rest = destination.split_once("://").map_or(destination, |(_, rest)| rest);
    rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/').to_owned()
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
