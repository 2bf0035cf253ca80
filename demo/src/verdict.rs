//! The verdict of the demo. Compares the messages that were sent, and the results that they should
//! have, with the records and vehicles that the functions wrote and with the links in the sandbox.
//! Pure.

pub(crate) mod end;
mod fan_out;
pub(crate) mod outage;
pub(crate) mod outcome;
pub(crate) mod tally;

use std::collections::{BTreeMap, HashMap, HashSet};

use sandbox::FaultReport;
use sandbox::rebrandly::{CreatedBy, Link, LinkStatus};

use crate::incident::job::{Job, Kind};
use crate::replay::Sent;
use crate::replay::accident::Accident;
use crate::scene::record::{Record, Shortened, Vehicle};
use end::End;
use fan_out::Due;
use outcome::{Aim, Output, place};

/// The mean time from sending a job to its end must be below this. In the old system it was 202.5
/// s.
const MEAN_BELOW_MS: u64 = 5_000;

/// Everything that the verdict depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) jobs: &'a [Job],
    pub(crate) sent: &'a [Sent],
    pub(crate) records: &'a [Record],
    pub(crate) vehicles: &'a [Vehicle],
    pub(crate) links: &'a [Link],
    pub(crate) faults: &'a [FaultReport],
    pub(crate) accident: Option<Accident>,
    /// Messages that are still in a queue.
    pub(crate) queued: u64,
    /// Messages in the dead-letter queues.
    pub(crate) dead_letters: u64,
}

impl Evidence<'_> {
    /// Messages that may be left in a queue: they wait for an update of the functions.
    fn waiting(&self) -> u64 {
        let waiting = self.sent.iter().filter(|sent| sent.message.waits_for_an_update());
        waiting.count() as u64
    }
}

/// What follows from the evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How each job ended, in the order of the incident.
    pub(crate) ends: Vec<End>,
    /// How each job ended that a feed should have enqueued.
    pub(crate) fanned_out: Vec<End>,
    /// Messages of which no record is left that has ended or will run again.
    pub(crate) lost: usize,
    /// Destinations with more than one link.
    pub(crate) duplicate_links: usize,
    /// Jobs that a feed has enqueued more than once.
    pub(crate) duplicate_jobs: usize,
    /// Links that were created by the functions.
    pub(crate) links_made: usize,
    /// Cars of the feeds that are in the vehicles table.
    pub(crate) vehicles_kept: usize,
    /// Milliseconds from the kill to the end of its job.
    pub(crate) recovery_ms: Option<u64>,
    /// Everything that is wrong, a sentence each.
    pub(crate) findings: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub(crate) fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    /// The links of the jobs that were sent.
    pub(crate) fn shortened(&self) -> impl Iterator<Item = &Shortened> {
        self.ends.iter().filter_map(|end| match &end.outcome {
            Ok(Output::Link(shortened)) => Some(shortened),
            Ok(Output::Car(_) | Output::Cars(_)) | Err(_) => None,
        })
    }
}

/// Whether every sent message has a record in a final state, the queues are empty, and every other
/// record is in a final state, too.
pub(crate) fn is_over(evidence: &Evidence<'_>) -> bool {
    let case = Case::of(*evidence);
    let ended = |sent: &Sent| {
        sent.message.waits_for_an_update() || case.any_record(sent, Record::is_terminal)
    };
    evidence.queued == evidence.waiting()
        && evidence.sent.iter().all(ended)
        && evidence.records.iter().all(Record::is_terminal)
}

/// Compares everything and collects the findings.
pub(crate) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let case = Case::of(*evidence);
    let mut verdict = Verdict::default();
    case.judge_jobs(&mut verdict);
    case.judge_fan_out(&mut verdict);
    case.count_lost(&mut verdict);
    case.count_links(&mut verdict);
    case.count_vehicles(&mut verdict);
    case.find_strays(&mut verdict);
    case.judge_accident(&mut verdict);
    case.judge_faults(&mut verdict);
    if let Some(mean) = tally::mean(&tally::times(&verdict.ends)).filter(|ms| *ms >= MEAN_BELOW_MS)
    {
        let wanted = format!("expected less than {MEAN_BELOW_MS} ms");
        verdict.findings.push(format!("the mean of the times is {mean} ms, {wanted}"));
    }
    verdict
}

/// The evidence, indexed.
struct Case<'a> {
    evidence: Evidence<'a>,
    /// The record of each job.
    records: Vec<Option<&'a Record>>,
    /// The jobs that the feeds should have enqueued.
    due: Vec<Due<'a>>,
    /// The active links by their destination.
    links: HashMap<String, Vec<&'a Link>>,
}

impl<'a> Case<'a> {
    fn of(evidence: Evidence<'a>) -> Self {
        let find = |job: &Job| evidence.records.iter().find(|record| record.is_of(job));
        let records: Vec<Option<&'a Record>> = evidence.jobs.iter().map(find).collect();
        let sent: HashSet<&str> =
            records.iter().flatten().map(|record| record.pk.as_str()).collect();
        let is_unsent =
            |record: &&Record| !record.is_rejected_message() && !sent.contains(record.pk.as_str());
        let due = fan_out::due(evidence.jobs, evidence.records.iter().filter(is_unsent));
        let mut links: HashMap<String, Vec<&Link>> = HashMap::new();
        for link in evidence.links.iter().filter(|link| link.status == LinkStatus::Active) {
            links.entry(place(&link.destination)).or_default().push(link);
        }
        Self { evidence, records, due, links }
    }

    fn record(&self, job: usize) -> Option<&'a Record> {
        self.records.get(job).copied().flatten()
    }

    /// Whether the record of the message's job, or of the rejected body, satisfies `such`.
    fn any_record(&self, sent: &Sent, such: fn(&Record) -> bool) -> bool {
        let of_job = sent.message.job.and_then(|job| self.record(job));
        let mut kept = self.evidence.records.iter().filter(|r| r.keeps(&sent.message.body));
        of_job.is_some_and(such) || kept.any(such)
    }

    fn judge_jobs(&self, verdict: &mut Verdict) {
        for (number, job) in self.evidence.jobs.iter().enumerate() {
            let record = self.record(number);
            let outcome = outcome::judge(Aim::of(job), record, self.evidence.links);
            if let Err(why) = &outcome {
                verdict.findings.push(format!("{} failed: {why}", job.name()));
            }
            let first = self.evidence.sent.iter().filter(|sent| sent.message.job == Some(number));
            let first_ms = first.map(|sent| sent.at_ms).min();
            verdict.ends.push(End::of((job.kind(), job.name()), record, first_ms, outcome));
        }
    }

    fn judge_fan_out(&self, verdict: &mut Verdict) {
        for due in &self.due {
            let record = due.records.first().copied();
            let outcome = outcome::judge(due.aim(), record, self.evidence.links);
            if let Err(why) = &outcome {
                verdict.findings.push(format!("{} failed: {why}", due.name()));
            }
            if due.records.len() > 1 {
                verdict.duplicate_jobs += due.records.len() - 1;
                let keys: Vec<&str> = due.records.iter().map(|record| record.pk.as_str()).collect();
                let keys = keys.join(" and ");
                verdict.findings.push(format!("{} was made more than once: {keys}", due.name()));
            }
            let made_ms = record.and_then(|record| record.created_at);
            verdict.fanned_out.push(End::of((due.kind, due.name()), record, made_ms, outcome));
        }
    }

    fn count_lost(&self, verdict: &mut Verdict) {
        let waits = |sent: &&Sent| sent.message.waits_for_an_update();
        for sent in self.evidence.sent.iter().filter(|sent| !waits(sent)) {
            if !self.any_record(sent, Record::is_accounted_for) {
                verdict.lost += 1;
                verdict.findings.push(format!("a message was lost: {}", sent.message.body));
            }
        }
        let Evidence { queued, dead_letters, .. } = self.evidence;
        let waiting = self.evidence.waiting();
        if queued < waiting {
            let gone = waiting - queued;
            verdict
                .findings
                .push(format!("messages that wait for an update, and are gone: {gone}"));
        }
        let queued = queued.saturating_sub(waiting);
        for (count, queues) in [(queued, "queues"), (dead_letters, "dead-letter queues")] {
            if count > 0 {
                verdict.findings.push(format!("messages left in the {queues}: {count}"));
            }
        }
    }

    /// The destinations that should have a link, and the names of their jobs.
    fn destinations(&self) -> BTreeMap<String, String> {
        let jobs = self.evidence.jobs.iter();
        let sent =
            jobs.filter_map(|job| Some((place(&job.shortening()?.car.destination), job.name())));
        let made = self.due.iter().filter(|due| due.kind == Kind::Shortening);
        sent.chain(made.map(|due| (place(&due.page.url), due.name()))).collect()
    }

    fn count_links(&self, verdict: &mut Verdict) {
        for (wanted, name) in self.destinations() {
            let leading = self.links.get(&wanted);
            let links: Vec<String> =
                leading.into_iter().flatten().map(|link| link.short_url()).collect();
            if links.len() > 1 {
                verdict.duplicate_links += 1;
                let links = links.join(" and ");
                verdict.findings.push(format!("{name} was done twice: {links}"));
            }
        }
    }

    fn count_vehicles(&self, verdict: &mut Verdict) {
        let kept: HashSet<(&str, &str)> = self
            .evidence
            .vehicles
            .iter()
            .filter_map(|vehicle| {
                Some((vehicle.dealer.as_str(), vehicle.vin.strip_prefix("car#")?))
            })
            .collect();
        for page in self.evidence.jobs.iter().filter_map(Job::feed).flat_map(|feed| &feed.pages) {
            if kept.contains(&(page.dealer_slug.as_str(), page.vin.as_str())) {
                verdict.vehicles_kept += 1;
            } else {
                let (vin, dealer) = (&page.vin, &page.dealer_slug);
                verdict.findings.push(format!("{vin} of {dealer} was listed and is not kept"));
            }
        }
    }

    /// Finds links and records without a message, and good messages that were rejected.
    fn find_strays(&self, verdict: &mut Verdict) {
        let Evidence { sent, records, links, .. } = self.evidence;
        let wanted = self.destinations();
        for link in links.iter().filter(|link| link.created_by == CreatedBy::Api) {
            verdict.links_made += 1;
            if !wanted.contains_key(&place(&link.destination)) {
                let (link, to) = (link.short_url(), &link.destination);
                verdict.findings.push(format!("no message asked for {link}, which leads to {to}"));
            }
        }
        let of_jobs = self.records.iter().flatten();
        let asked = of_jobs.chain(self.due.iter().flat_map(|due| &due.records));
        let asked: HashSet<&str> = asked.map(|record| record.pk.as_str()).collect();
        for record in records.iter().filter(|record| !record.is_rejected_message()) {
            if !asked.contains(record.pk.as_str()) {
                verdict.findings.push(format!("no message asked for the job {}", record.pk));
            }
        }
        for record in records.iter().filter(|record| record.is_rejected_message()) {
            let flawed =
                |sent: &Sent| sent.message.job.is_none() && record.keeps(&sent.message.body);
            if !sent.iter().any(flawed) {
                let body = record.body.as_deref().unwrap_or_default();
                verdict.findings.push(format!("a valid message was rejected: {body}"));
            }
        }
    }

    /// If the killed process did not run the job, the demo has not tested a crash.
    fn judge_accident(&self, verdict: &mut Verdict) {
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

    /// If a fault has hit fewer calls than planned, the demo has not tested it.
    fn judge_faults(&self, verdict: &mut Verdict) {
        for FaultReport { fault, struck, .. } in self.evidence.faults {
            if let Some(calls) = fault.scope.calls.filter(|calls| struck < calls) {
                let kind = fault.kind.name();
                verdict.findings.push(format!("a fault ({kind}) struck {struck} of {calls} calls"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
