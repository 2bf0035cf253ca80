//! Logs: one JSON line for each job that did not simply succeed, one for each batch.
//!
//! A job that did succeed has no line of its own: log bytes cost more than the compute. No secret is
//! ever logged, and of a message no more than the value that was wrong with it.

use std::time::Duration;

use tracing::{error, info, level_filters::LevelFilter, warn};

use crate::{
    config::ConfigError,
    error::{Class, Failure},
    outcome::Decision,
    ports::{PortError, Quarantined},
    record::{self, Phase, Record},
    time::millis,
};

/// What became of the jobs of one batch, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages of the event.
    pub messages: usize,
    /// Jobs that succeeded.
    pub succeeded: usize,
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
}

impl Tally {
    /// Counts what was decided about a job.
    pub fn count(&mut self, decision: &Decision) {
        match decision.name() {
            "succeeded" => self.succeeded += 1,
            "retried" => self.retried += 1,
            "deferred" => self.deferred += 1,
            "parked" => self.parked += 1,
            "dead" => self.dead += 1,
            _ => self.quarantined += 1,
        }
    }
}

/// Sends events to standard output, one flat JSON object a line. CloudWatch adds the time.
pub fn start() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .without_time()
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(LevelFilter::INFO)
        .finish();
    // Only fails if one is set already, which is then as good.
    let _ = tracing::subscriber::set_global_default(subscriber);
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
        retried = some(tally.retried),
        deferred = some(tally.deferred),
        parked = some(tally.parked),
        dead = some(tally.dead),
        quarantined = some(tally.quarantined),
        not_run = some(tally.not_run),
        rejected = some(tally.rejected),
        contradicting = some(tally.contradicting),
        ms = millis(took),
        "batch"
    );
}

/// One line for a job that did not simply succeed.
pub fn job(record: &Record, decision: Decision, failure: &Failure) {
    let (after_ms, lost) = match decision {
        Decision::Retry { after, .. } | Decision::Park { after } => (Some(millis(after)), false),
        _ => (None, true),
    };
    macro_rules! line {
        ($level:ident) => {
            $level!(
                id = record.key,
                r#type = record.kind(),
                attempt = record.ledger.attempts,
                claims = record.ledger.claims,
                outcome = decision.name(),
                class = failure.class().name(),
                code = failure.code(),
                reason = failure.message(),
                dependency = record.work.dependency,
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
        attempt = record.ledger.attempts,
        crashes = record.ledger.crashes,
        outcome = record.phase.name(),
        class,
        reason,
    );
}

/// A body that is no message.
pub fn quarantined(body: &Quarantined) {
    error!(
        id = body.key,
        r#type = body.kind,
        outcome = "quarantined",
        class = "permanent",
        code = body.rejection.flaw.name(),
        reason = body.rejection.reason,
        message_id = body.message_id,
        bytes = body.length,
    );
}

/// A run that was believed dead and is not.
pub fn zombie(record: &Record) {
    warn!(
        id = record.key,
        r#type = record.kind(),
        outcome = "zombie",
        fence = record.fence,
        reason = "another run took over; this one's end changes nothing",
    );
}

/// A run whose end could not be written in time.
pub fn unsettled(record: &Record) {
    error!(
        id = record.key,
        r#type = record.kind(),
        outcome = "unsettled",
        reason = "the store did not take the run's end; the message finds out when it comes back",
    );
}

/// A port that did not do what it was asked. A broken one is an alarm.
pub fn port_failed(call: &str, problem: &PortError) {
    match problem {
        PortError::Unavailable(why) => warn!(call, outcome = "unavailable", reason = why),
        PortError::Broken(why) => error!(call, outcome = "alarm", reason = why),
    }
}

/// A function that cannot start as it is configured.
pub fn not_started(problem: &ConfigError) {
    error!(outcome = "not_started", reason = %problem);
}
