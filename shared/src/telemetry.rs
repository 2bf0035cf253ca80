//! Logs: one JSON line for each job that did not simply succeed, one for each batch.
//!
//! A job that did succeed has no line of its own: log bytes cost more than the compute. No secret is
//! ever logged, and of a message no more than the value that was wrong with it.

use std::{
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    base::{
        config::ConfigError,
        time::{Time, millis},
    },
    dependency::breaker::{Breaker, State},
    failure::{Class, Failure},
    message::{RejectedMessage, Rejection},
    ports::{PortError, notes::Finding},
    record::{
        self, Phase, Record,
        decision::{Decision, Spends},
    },
};

/// What became of the jobs of one batch, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages of the event.
    pub messages: usize,
    /// Jobs that succeeded.
    pub succeeded: usize,
    /// Jobs that go on in another run.
    pub continued: usize,
    /// Jobs that will be tried again.
    pub retried: usize,
    /// Jobs put off without spending an attempt.
    pub deferred: usize,
    /// Jobs out of the way until something outside is mended.
    pub parked: usize,
    /// Jobs given up.
    pub dead: usize,
    /// Jobs that kill what runs them.
    pub quarantined: usize,
    /// Jobs that there was nothing to do for: duplicates, finished ones, ones held elsewhere.
    pub not_run: usize,
    /// Bodies that were no message.
    pub rejected: usize,
    /// Messages that contradict another one of the batch.
    pub contradicting: usize,
    /// Why a gate turned the latest of the parked jobs away.
    pub gate: Option<String>,
}

impl Tally {
    /// Counts what was decided about a job.
    pub fn count(&mut self, decision: &Decision) {
        match decision {
            Decision::Succeed => self.succeeded += 1,
            Decision::Continue => self.continued += 1,
            Decision::Retry { spends: Spends::Deferral, .. } => self.deferred += 1,
            Decision::Retry { .. } => self.retried += 1,
            Decision::Park { .. } => self.parked += 1,
            Decision::Bury(_) => self.dead += 1,
            Decision::Quarantine => self.quarantined += 1,
        }
    }
}

/// Whether lines go to standard output.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Sends events to standard output, one flat JSON object a line. CloudWatch adds the time.
pub fn start() {
    STARTED.store(true, Ordering::Relaxed);
    // Only fails if one is set already, which is then as good.
    let _ = tracing::subscriber::set_global_default(lines(std::io::stdout));
}

/// What turns events into lines.
fn lines<W>(writer: W) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .with_writer(writer)
        .finish()
}

/// Some, unless zero: fields that say nothing are left out.
fn some(count: usize) -> Option<usize> {
    (count > 0).then_some(count)
}

/// One line for a batch.
pub fn batch(kind: &str, tally: &Tally, took: Duration) {
    info!(
        r#type = kind,
        jobs = tally.messages,
        ok = some(tally.succeeded),
        continued = some(tally.continued),
        retried = some(tally.retried),
        deferred = some(tally.deferred),
        parked = some(tally.parked),
        dead = some(tally.dead),
        quarantined = some(tally.quarantined),
        not_run = some(tally.not_run),
        rejected = some(tally.rejected),
        contradicting = some(tally.contradicting),
        gate = tally.gate,
        ms = millis(took),
        "batch"
    );
}

/// One line for a job that did not simply succeed. Whom a gate turned away has none: there may be
/// thousands, nothing is wrong with them, and their record and the batch's line say why.
pub fn job(record: &Record, decision: Decision, failure: &Failure) {
    let put_off = matches!(decision, Decision::Retry { .. } | Decision::Park { .. });
    if put_off && failure.class() == Class::Deferred {
        return;
    }
    let (after_ms, lost) = match decision {
        Decision::Retry { after, .. } | Decision::Park { after, .. } => {
            (Some(millis(after)), false)
        }
        _ => (None, true),
    };
    macro_rules! line {
        ($level:ident) => {
            $level!(
                id = record.key,
                r#type = record.kind(),
                attempt = record.counters.attempts,
                claims = record.counters.claims,
                outcome = decision.name(),
                class = failure.class().name(),
                code = failure.code(),
                reason = failure.message(),
                dependency = record.work.dependency,
                fingerprint = failure.fingerprint(&record.work.dependency),
                after_ms,
            )
        };
    }
    if lost { line!(error) } else { line!(warn) }
}

/// A record that a claim found crashed, or too late to begin.
pub fn found(record: &Record) {
    let crashed = record.history.last().filter(|mishap| mishap.code == record::LEASE_OVER);
    let (class, reason) = match (&record.phase, crashed) {
        (_, Some(mishap)) => (mishap.class.as_str(), mishap.message.as_str()),
        (Phase::Dead { why, .. }, None) => (Class::Permanent.name(), why.as_str()),
        // An ordinary claim.
        (_, None) => return,
    };
    warn!(
        id = record.key,
        r#type = record.kind(),
        attempt = record.counters.attempts,
        crashes = record.counters.crashes,
        outcome = record.phase.name(),
        class,
        reason,
    );
}

/// A body that is no message.
pub fn rejected(message: &RejectedMessage) {
    error!(
        id = message.key,
        r#type = message.kind,
        attempt = 0,
        outcome = "rejected",
        class = Class::Permanent.name(),
        code = message.rejection.flaw.name(),
        reason = message.rejection.reason,
        message_id = message.message_id,
        bytes = message.length,
    );
}

/// A breaker that has changed its state. It is an alarm when it is open for a reason that only people
/// can mend, and was not before.
pub fn breaker(dependency: &str, before: &Breaker, after: &Breaker) {
    let (from, to) = (before.state.name(), after.state.name());
    let retry_at = match after.state {
        State::Open { retry_at, .. } => Some(retry_at.to_string()),
        _ => None,
    };
    macro_rules! line {
        ($level:ident, $outcome:literal) => {
            $level!(
                dependency,
                outcome = $outcome,
                from,
                to,
                generation = after.generation,
                retry_at,
                reason = after.why,
            )
        };
    }
    if before.generation == after.generation {
        // A probe came or went.
    } else if after.systemic && !before.systemic {
        line!(error, "alarm");
    } else if to == "open" {
        line!(warn, "breaker");
    } else {
        line!(info, "breaker");
    }
}

/// A run that was believed dead and is not.
pub fn zombie(record: &Record) {
    warn!(
        id = record.key,
        r#type = record.kind(),
        attempt = record.counters.attempts,
        outcome = "zombie",
        class = Class::Contended.name(),
        fence = record.fence,
        reason = "another run took over; this one's end changes nothing",
    );
}

/// A run whose end could not be written in time.
pub fn unsettled(record: &Record) {
    error!(
        id = record.key,
        r#type = record.kind(),
        attempt = record.counters.attempts,
        outcome = "unsettled",
        class = Class::Transient.name(),
        reason = "the store did not take the run's end; the message finds out when it comes back",
    );
}

/// An event that ran out of time before all of it was known; its messages come back.
pub fn out_of_time(kind: &str) {
    error!(
        r#type = kind,
        outcome = "out_of_time",
        reason = "the time was up; what is not known comes back"
    );
}

/// A port that did not do what it was asked. A broken one is an alarm.
pub fn port_failed(call: &str, problem: &PortError) {
    match problem {
        PortError::Unavailable(why) => warn!(call, outcome = "unavailable", reason = why),
        PortError::Broken(why) | PortError::Unreadable(why) => {
            error!(call, outcome = "alarm", reason = why);
        }
    }
}

/// What a tick of the sweeper has done: counts by pass.
pub fn swept(done: &impl serde::Serialize, cut_short: &[&str], took: Duration) {
    let done = serde_json::to_string(done).unwrap_or_default();
    let cut_short = (!cut_short.is_empty()).then(|| cut_short.join(" "));
    info!(done, cut_short, ms = millis(took), "sweep");
}

/// So many jobs look stuck that the view itself is doubted.
pub fn many_stuck(stuck: usize, running: usize) {
    error!(
        outcome = "alarm",
        code = "many_stuck",
        stuck,
        running,
        reason =
            "many leases are over at once: perhaps clocks differ or reads are wrong; rescue pauses"
    );
}

/// Slots that move between queues.
pub fn balanced(from: Option<&str>, to: Option<&str>, slots: u32, reason: &str) {
    info!(from, to, slots, reason, "balance");
}

/// What is to be expected.
pub fn forecast(what: &str, about: &str, in_s: Option<u64>, evidence: &str) {
    warn!(outcome = "forecast", what, about, in_s, reason = evidence);
}

/// Numbers for CloudWatch in its Embedded Metric Format: one line of JSON with nothing around it.
///
/// `dimensions` are names and values; `metrics` names, values and units of CloudWatch's. Source: "Specification:
/// Embedded metric format" in the CloudWatch user guide.
pub fn metrics(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, u64, &str)],
    now: Time,
) {
    // A program that has no log has no metrics: tests do without.
    if !STARTED.load(Ordering::Relaxed) {
        return;
    }
    let line = embedded(namespace, dimensions, metrics, now);
    let mut out = std::io::stdout().lock();
    // Numbers that nobody takes are no reason to fail.
    let _ = writeln!(out, "{line}");
}

fn embedded(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, u64, &str)],
    now: Time,
) -> serde_json::Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let units: Vec<_> = metrics
        .iter()
        .map(|(name, _, unit)| serde_json::json!({ "Name": name, "Unit": unit }))
        .collect();
    let mut line = serde_json::json!({
        "_aws": {
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": namespace,
                "Dimensions": [names],
                "Metrics": units,
            }],
        },
    });
    for (name, value) in dimensions {
        line[*name] = (*value).into();
    }
    for (name, value, _) in metrics {
        line[*name] = (*value).into();
    }
    line
}

/// What an audit has found.
pub fn finding(key: &str, finding: &Finding) {
    warn!(
        id = key,
        outcome = "finding",
        code = finding.what,
        reason = finding.detail,
        repaired = finding.repaired,
    );
}

/// A look at a job's result that came to nothing.
pub fn check_failed(record: &Record, failure: &Failure) {
    info!(
        id = record.key,
        r#type = record.kind(),
        outcome = "unchecked",
        class = failure.class().name(),
        code = failure.code(),
        reason = failure.message(),
    );
}

/// A look that was asked for by what is no message of this type any more.
pub fn not_checked(kind: &str, rejection: &Rejection) {
    info!(
        r#type = kind,
        outcome = "unchecked",
        code = rejection.flaw.name(),
        reason = rejection.reason
    );
}

/// A function that cannot start as it is configured.
pub fn not_started(problem: &ConfigError) {
    error!(outcome = "not_started", reason = %problem);
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use serde_json::Value;

    use super::*;
    use crate::record::{
        Work,
        claim_decision::{ClaimDecision, Claimant, claim},
        decision::Cause,
    };

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The one line that `say` says.
    fn line(say: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(lines(move || writer.clone()), say);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    fn record() -> Record {
        let work = Work {
            payload: "a payload".into(),
            queue: "arn:q".into(),
            dependency: "elsewhere".into(),
            retention: Duration::ZERO,
            created_at: Time::default(),
            deadline: None,
            group: None,
        };
        let ids = ["m".to_owned()];
        let by = Claimant {
            owner: "o",
            message_ids: &ids,
            sent_at: Time::default(),
            receives: 1,
            wakes: None,
            stray: false,
            dedup_window: Duration::ZERO,
            fallback: None,
            give_up_after: Duration::ZERO,
            now: Time::default(),
            lease_until: Time::default(),
        };
        match claim(None, "errand#g:1", &work, &by) {
            ClaimDecision::Take { record, .. } => record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_job_that_succeeds_alone_costs_at_most_a_hundred_bytes() {
        let tally = Tally { messages: 1, succeeded: 1, ..Tally::default() };
        let said = line(|| batch("product_detail_scraping", &tally, Duration::from_secs(14)));
        assert!(said.len() <= 100, "{} bytes: {said}", said.len());
        let tally = Tally { messages: 10, succeeded: 10, ..Tally::default() };
        let said = line(|| batch("url_shortening", &tally, Duration::from_secs(14)));
        assert_eq!(
            said.trim_end(),
            r#"{"level":"INFO","message":"batch","type":"url_shortening","jobs":10,"ok":10,"ms":14000}"#
        );
    }

    #[test]
    fn numbers_are_in_the_embedded_metric_format() {
        let dimensions = [("type", "errand")];
        let said =
            embedded("Evenkeel", &dimensions, &[("stuck", 2, "Count")], Time::from_millis(7));
        let expected = serde_json::json!({
            "_aws": {
                "Timestamp": 7,
                "CloudWatchMetrics": [{
                    "Namespace": "Evenkeel",
                    "Dimensions": [["type"]],
                    "Metrics": [{ "Name": "stuck", "Unit": "Count" }],
                }],
            },
            "type": "errand",
            "stuck": 2,
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn every_line_about_a_job_has_the_fields_to_search_by() {
        let failure = Failure::new(Class::Permanent, "refused", "no");
        let record = record();
        let said = [
            line(|| job(&record, Decision::Bury(Cause::Permanent), &failure)),
            line(|| zombie(&record)),
            line(|| unsettled(&record)),
        ];
        for said in said {
            let fields: Value = serde_json::from_str(&said).unwrap();
            for field in ["id", "type", "attempt", "outcome", "class", "reason"] {
                assert!(!fields[field].is_null(), "{field}: {said}");
            }
            assert!(!said.contains("a payload"), "{said}");
        }
    }
}
