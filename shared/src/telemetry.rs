//! Log lines and metrics: one JSON line for each batch, and one for each job that did not simply
//! succeed.
//!
//! A job that succeeded has no line of its own: log bytes cost more than the compute. Secrets are
//! never logged. Of a message, only the value that was wrong is logged.

mod sweeping;

pub use sweeping::{balanced, crash_storm, forecast, many_stuck, metrics, swept};

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tracing::{error, info, level_filters::LevelFilter, warn};
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    base::{config::ConfigError, time::millis},
    dependency::{
        breaker::{Breaker, State},
        quota::{Quota, Usage},
    },
    failure::{Class, Failure},
    message::{RejectedMessage, Rejection},
    ports::{PortError, notes::Finding},
    record::item::TableItem,
    record::{
        Phase, Record,
        decision::{Decision, Spends},
        trace::Trace,
        transition::LEASE_OVER,
    },
};

/// How the jobs of one batch ended, as counts for the batch's log line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages of the event.
    pub messages: usize,
    /// Jobs that succeeded.
    pub succeeded: usize,
    /// Jobs that continue in another run.
    pub continued: usize,
    /// Jobs that will be retried.
    pub retried: usize,
    /// Jobs deferred without spending an attempt.
    pub deferred: usize,
    /// Jobs that wait, without a message, until the sweeper releases them.
    pub parked: usize,
    /// Jobs given up.
    pub dead: usize,
    /// Jobs that crashed too often to be run again.
    pub quarantined: usize,
    /// Jobs that are not claimed yet, because their slots are too far ahead.
    pub waiting: usize,
    /// How long all runs together have waited for their slots.
    pub waited: Duration,
    /// The longest of these waits.
    pub longest_waited: Duration,
    /// Jobs with nothing to do: duplicates, finished jobs, jobs that another run holds.
    pub not_run: usize,
    /// Messages whose body was not valid.
    pub rejected: usize,
    /// Messages with the key of another message of the batch and a different payload.
    pub contradicting: usize,
    /// Why the gates refused the latest of the refused jobs.
    pub gate: Option<String>,
}

impl Tally {
    /// Counts the decision about a job.
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

/// Starts logging to standard output, one flat JSON object per line. CloudWatch adds the time.
pub fn start() {
    STARTED.store(true, Ordering::Relaxed);
    // Fails only if a subscriber is set already, which then stays in use.
    let _ = tracing::subscriber::set_global_default(lines(std::io::stdout));
}

/// The subscriber that formats events as JSON lines.
pub(crate) fn lines<W>(writer: W) -> impl tracing::Subscriber + Send + Sync
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

/// `None` for zero, so that the line leaves the field out.
fn some(count: usize) -> Option<usize> {
    (count > 0).then_some(count)
}

/// The id of the trace that a job belongs to; `None` leaves the field out of a line.
fn trace_id(record: &Record) -> Option<&str> {
    record.work.trace.as_ref().map(Trace::id)
}

/// Logs the line of a batch.
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

/// Logs a job that did not simply succeed. A job that the gates refused has no line: there may be
/// thousands, nothing is wrong with them, and their records and the batch's line give the reason.
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
                trace = trace_id(record),
            )
        };
    }
    if lost { line!(error) } else { line!(warn) }
}

/// Logs a job that a claim found crashed, or past its deadline.
pub fn found(record: &Record) {
    let crashed = record.history.last().filter(|attempt| attempt.code == LEASE_OVER);
    let (class, reason) = match (&record.phase, crashed) {
        (_, Some(attempt)) => (attempt.class.as_str(), attempt.message.as_str()),
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
        trace = trace_id(record),
    );
}

/// Logs a rejected message.
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
        trace = message.trace.as_ref().map(Trace::id),
    );
}

/// Logs a change of a breaker's state. The line is an alarm if the breaker has newly opened for a
/// reason that only an operator can fix.
pub fn breaker(dependency: &str, before: &Breaker, after: &Breaker) {
    let (from, to) = (before.state.name(), after.state.name());
    let retry_at = match after.state {
        State::Open { retry_at, .. } => Some(retry_at.to_string()),
        _ => None,
    };
    let is_alarm = after.systemic && !before.systemic;
    let code = is_alarm.then_some("systemic");
    macro_rules! line {
        ($level:ident, $outcome:literal) => {
            $level!(
                dependency,
                outcome = $outcome,
                code,
                from,
                to,
                generation = after.generation,
                retry_at,
                reason = after.why,
            )
        };
    }
    if before.generation == after.generation {
        // Only a probe started or ended: the state is the same.
    } else if is_alarm {
        line!(error, "alarm");
    } else if to == "open" {
        line!(warn, "breaker");
    } else {
        line!(info, "breaker");
    }
}

/// Logs that most of a month's quota is used: the fleet does so once a month. It is no alarm, since nothing waits yet.
pub fn quota(dependency: &str, quota: Quota, usage: &Usage) {
    warn!(
        dependency,
        outcome = "warning",
        code = "quota",
        what = quota.what,
        used = usage.used,
        most = quota.most,
        month = %usage.month,
        reason = "most of the month's quota is used; at its end, jobs wait for the next month",
    );
}

/// Logs a run that was presumed dead and still ended, after another run had taken over its job.
pub fn zombie(record: &Record) {
    warn!(
        id = record.key,
        r#type = record.kind(),
        attempt = record.counters.attempts,
        outcome = "zombie",
        class = Class::Contended.name(),
        fence = record.fence,
        reason = "another run took over; this one's end changes nothing",
        trace = trace_id(record),
    );
}

/// Logs a run whose end could not be written in time.
pub fn unsettled(record: &Record) {
    error!(
        id = record.key,
        r#type = record.kind(),
        attempt = record.counters.attempts,
        outcome = "unsettled",
        class = Class::Transient.name(),
        reason = "the store did not accept the run's end; the next receive of the message reads the record",
        trace = trace_id(record),
    );
}

/// Logs that a job calls a site although its robots.txt forbids that, because its sender has the owner's permission.
pub fn robots_overruled(kind: &str, key: &str, trace: Option<&Trace>, host: &str) {
    let trace = trace.map(Trace::id);
    info!(r#type = kind, id = key, outcome = "robots_overruled", host, trace);
}

/// Logs an item of a job type that could not be written with the end of its run.
pub fn item_not_written(kind: &str, item: &TableItem, why: &str) {
    let [(_, partition), (_, sort)] = &item.key;
    error!(
        r#type = kind,
        outcome = "item_not_written",
        class = Class::Transient.name(),
        table = item.table,
        item = format!("{partition}/{sort}"),
        reason = why,
    );
}

/// Logs a record of an event of SQS that is no message. SQS delivers it again.
pub fn undecodable(kind: &str, message_id: Option<&str>, problem: &str) {
    error!(r#type = kind, outcome = "undecodable", message_id, reason = problem);
}

/// Logs an event whose time ran out before every job was settled. SQS delivers the unsettled
/// messages again.
pub fn out_of_time(kind: &str) {
    error!(
        r#type = kind,
        outcome = "out_of_time",
        reason = "the time was up; messages without a confirmed outcome return to the queue"
    );
}

/// Logs a failed port call. It is an alarm if all calls will fail until an operator mends their cause. An item that
/// cannot be read, or a request that is refused, concerns one job.
pub fn port_failed(call: &str, problem: &PortError) {
    match problem {
        PortError::Unavailable(why) => warn!(call, outcome = "unavailable", reason = why),
        PortError::Broken(why) => error!(call, outcome = "alarm", code = "broken", reason = why),
        PortError::Unreadable(why) => error!(call, outcome = "unreadable", reason = why),
        PortError::Invalid(why) => error!(call, outcome = "invalid", reason = why),
    }
}

/// Logs a finding of the audit about a job that belongs to this trace.
pub fn finding(key: &str, trace: Option<&Trace>, finding: &Finding) {
    warn!(
        id = key,
        outcome = "finding",
        code = finding.what,
        reason = finding.detail,
        repaired = finding.repaired,
        trace = trace.map(Trace::id),
    );
}

/// Logs a check of a job's result that failed.
pub fn check_failed(record: &Record, failure: &Failure) {
    info!(
        id = record.key,
        r#type = record.kind(),
        outcome = "unchecked",
        class = failure.class().name(),
        code = failure.code(),
        reason = failure.message(),
        trace = trace_id(record),
    );
}

/// Logs a request to check a result whose message is no longer valid for the job type.
pub fn not_checked(kind: &str, rejection: &Rejection) {
    info!(
        r#type = kind,
        outcome = "unchecked",
        code = rejection.flaw.name(),
        reason = rejection.reason
    );
}

/// Logs that the function cannot start because of its configuration.
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

    use super::{sweeping::embedded, *};
    use crate::{
        base::time::Time,
        record::{Counters, Work, decision::Cause},
        testing,
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

    /// Returns the one line that `say` logs.
    fn line(say: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        tracing::subscriber::with_default(lines(move || writer.clone()), say);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        text
    }

    fn record() -> Record {
        let phase = Phase::Running { lease_until: Time::default(), lease_expiry_indexed: false };
        let counters = Counters { receives: 1, claims: 1, ..Counters::default() };
        let work = Work { payload: "a payload".into(), ..testing::work() };
        Record { counters, work, ..testing::record("errand#g:1", phase) }
    }

    #[test]
    fn a_batch_of_one_success_logs_at_most_a_hundred_bytes() {
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

    /// The metric filters of infra/monitoring.yaml count the lines with `outcome` `alarm`, and somebody is woken.
    #[test]
    fn only_what_stops_many_jobs_is_an_alarm() {
        let why = || "why".to_owned();
        let closed = Breaker::default();
        let opened = |systemic| {
            let state = State::Open { retry_at: Time::default(), wait: Duration::ZERO };
            Breaker { generation: 1, systemic, state, ..Breaker::default() }
        };
        let quota_of = Quota { what: "creations", most: 10, month_begins: 1 };
        let failure = Failure::new(Class::Systemic, "http_401", "no");
        for (code, said) in [
            (Some("systemic"), line(|| breaker("d", &closed, &opened(true)))),
            (None, line(|| breaker("d", &closed, &opened(false)))),
            (Some("many_stuck"), line(|| many_stuck(30, 40))),
            (Some("crash_storm"), line(|| crash_storm("errand", 30, 40))),
            (Some("broken"), line(|| port_failed("insert", &PortError::Broken(why())))),
            (None, line(|| port_failed("read", &PortError::Unreadable(why())))),
            (None, line(|| port_failed("send", &PortError::Invalid(why())))),
            (None, line(|| port_failed("read", &PortError::Unavailable(why())))),
            (None, line(|| quota("d", quota_of, &Usage::default()))),
            (None, line(|| job(&record(), Decision::Bury(Cause::Permanent), &failure))),
        ] {
            let fields: Value = serde_json::from_str(&said).unwrap();
            assert_eq!(fields["outcome"] == "alarm", code.is_some(), "{said}");
            assert!(code.is_none_or(|code| fields["code"] == code), "{said}");
        }
    }

    #[test]
    fn metrics_are_in_the_embedded_metric_format() {
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
        let mut record = record();
        record.work.trace = Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793");
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
            assert_eq!(fields["trace"], "1-5759e988-bd862e3fe1be46a994272793", "{said}");
            assert!(!said.contains("a payload"), "{said}");
        }
    }
}
