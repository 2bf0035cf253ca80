//! The operators' commands: `aws lambda invoke` with a payload that names one.
//!
//! ```json
//! { "command": "audit", "from": null }
//! { "command": "retry", "type": "url_shortening", "quarantined": false, "from": null }
//! { "command": "release_held", "type": "url_shortening", "flaw": "newer_version" }
//! ```
//!
//! A command does as much as one call has time for. Its answer has a `next`, which continues it in
//! another call, or null if nothing is left.

use std::time::Duration;

use evenkeel::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    message::{Flaw, OutgoingMessage},
    policy::ANSWER_RESERVE,
    ports::{
        PortError,
        maintenance::{Table, TableMaintenance as _},
    },
    record::{Phase, Record, Work},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    config::Config,
    memory::Memory,
    pass::audit,
    ports::{Ports, Sweep},
    records::{due, read, together},
    step::{self, Call, Step},
    survey::survey,
    tick::Tick,
};

/// Items of one page of an audit command.
const PAGE: usize = 200;

/// Time between two checks of results, so that they delay no other work.
const BETWEEN_CHECKS: Duration = Duration::from_millis(500);
/// The time over which the checks of one page are spread.
const CHECKS_OF_A_PAGE: Duration = Duration::from_millis(500 * PAGE as u64);

/// Jobs that one `retry` call reads.
const MOST_EXAMINED: usize = 500;
/// The time over which the messages of the retried jobs are spread.
const RETRY_SPREAD: Duration = Duration::from_mins(1);

/// A command, as the payload spells it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Audit the whole table of jobs, beginning at `from`.
    Audit {
        /// `next` of the previous answer.
        #[serde(default)]
        from: Option<Vec<String>>,
    },
    /// Send the bodies of held messages again, for instance after an update that can read them.
    ReleaseHeld {
        /// The job type of their queue.
        #[serde(rename = "type")]
        kind: String,
        /// Only messages with this flaw, such as `newer_version`.
        #[serde(default)]
        flaw: Option<String>,
        /// Only messages that were held at this time or later, in milliseconds since the epoch; or `next` of the
        /// previous answer.
        #[serde(default)]
        from: Option<u64>,
        /// Only messages that were held before this time, in milliseconds since the epoch.
        #[serde(default)]
        until: Option<u64>,
    },
    /// Restart jobs that are dead, with all their attempts.
    Retry {
        /// The job type to restart.
        #[serde(rename = "type")]
        kind: String,
        /// Whether to restart quarantined jobs too, which crashed their process three times.
        #[serde(default)]
        quarantined: bool,
        /// `next` of the previous answer: milliseconds since the epoch.
        #[serde(default)]
        from: Option<u64>,
    },
}

impl Command {
    /// Reads the payload of a call; `None` if it names no command, as the schedule's does not. The
    /// error is a sentence that names what is wrong, such as a job type that `config` does not
    /// list.
    pub fn read(call: &Value, config: &Config) -> Result<Option<Self>, String> {
        if call.get("command").is_none() {
            return Ok(None);
        }
        let command: Self =
            serde_json::from_value(call.clone()).map_err(|error| format!("command: {error}"))?;
        match &command {
            Self::ReleaseHeld { flaw: Some(flaw), .. } if Flaw::of(flaw).is_none() => {
                let known = Flaw::ALL.map(Flaw::name).join(", ");
                Err(format!("flaw: {flaw:?}, expected one of {known}"))
            }
            Self::Retry { kind, .. } | Self::ReleaseHeld { kind, .. }
                if config.job_type(kind).is_none() =>
            {
                let known: Vec<&str> = config.types.iter().map(|job| job.kind.as_str()).collect();
                Err(format!("type: {kind:?}, expected one of {}", known.join(", ")))
            }
            _ => Ok(Some(command)),
        }
    }
}

/// Runs a command and returns its answer.
pub async fn run<P: Ports>(
    sweep: &Sweep<P>,
    command: &Command,
    deadline: Time,
) -> Result<Value, PortError> {
    match command {
        Command::Audit { from } => audit_all(sweep, from.clone(), deadline).await,
        Command::ReleaseHeld { kind, flaw, from, until } => {
            let now = sweep.clock.now();
            let span = [from.unwrap_or_default(), until.unwrap_or(now.as_millis())];
            release_held(sweep, kind, flaw.as_deref(), span.map(Time::from_millis)).await
        }
        Command::Retry { kind, quarantined, from } => {
            retry(sweep, kind, *quarantined, from.unwrap_or_default()).await
        }
    }
}

/// Audits page after page until the time is up.
async fn audit_all<P: Ports>(
    sweep: &Sweep<P>,
    mut from: Option<Vec<String>>,
    deadline: Time,
) -> Result<Value, PortError> {
    let now = sweep.clock.now();
    let view = survey(&sweep.store, &sweep.queue, &sweep.config, &[], now, now).await;
    let mut tick = Tick::new(sweep.random.token(), now, view, Memory::default());
    // The last page and its checks may take a second or two more.
    let end = deadline.before(ANSWER_RESERVE * 4);
    let (mut examined, mut delay) = (0, Duration::ZERO);
    loop {
        let page = sweep.store.page(Table::Jobs, from.as_deref(), PAGE).await?;
        examined += page.items.len();
        let (must, may) = audit::examine(sweep, &mut tick, &page.items).await;
        let asked = must.into_iter().chain(may).map(|record| {
            let at = delay;
            delay += BETWEEN_CHECKS;
            (record, Duration::from_secs(at.as_secs()))
        });
        let sent = audit::check(&sweep.queue, &asked.collect::<Vec<_>>()).await;
        tick.count("audit", "checks", sent);
        from = page.next;
        let is_full = delay + CHECKS_OF_A_PAGE > step::LONGEST_DELAY;
        if from.is_none() || is_full || sweep.clock.now() >= end {
            break;
        }
    }
    Ok(json!({ "examined": examined, "done": tick.done, "next": from }))
}

/// Restarts the jobs of a type that ended dead at `from` or later, oldest first.
async fn retry<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    quarantined: bool,
    from: u64,
) -> Result<Value, PortError> {
    let (now, owner) = (sweep.clock.now(), sweep.random.token());
    let span = [Time::from_millis(from), now];
    let mut due = due(&sweep.store, &[format!("dead#{kind}")], span, MOST_EXAMINED).await?;
    let next = due.get(MOST_EXAMINED).map(|due| due.due_at.as_millis());
    due.truncate(MOST_EXAMINED);
    // Rejected messages are in the same partition of the index, but have no job record.
    let keys = due.into_iter().map(|due| due.key).filter(|key| !key.starts_with("q#"));
    let records = read(&sweep.store, keys.collect()).await?;
    let again = records.values().filter(|record| match record.phase {
        Phase::Dead { .. } => true,
        Phase::Quarantined { .. } => quarantined,
        _ => false,
    });
    let again: Vec<&Record> = again.collect();
    let count = u32::try_from(again.len()).unwrap_or(u32::MAX).max(1);
    let steps = (0..).zip(&again).map(|(place, record)| {
        let at = now + RETRY_SPREAD * place / count;
        begin_anew(record, &owner, at)
    });
    let taken = step::take(&sweep.store, &sweep.queue, &steps.collect::<Vec<_>>(), now).await;
    Ok(json!({ "retried": taken.written.len(), "failed": taken.failed, "next": next }))
}

/// Sends the bodies of a type's held messages again, to the queues that they came from, oldest first. Each is removed
/// once it is sent. One of which only the beginning was kept stays.
async fn release_held<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    flaw: Option<&str>,
    span: [Time; 2],
) -> Result<Value, PortError> {
    let mut due = due(&sweep.store, &[format!("dead#{kind}")], span, MOST_EXAMINED).await?;
    let next = due.get(MOST_EXAMINED).map(|due| due.due_at.as_millis());
    due.truncate(MOST_EXAMINED);
    let keys: Vec<String> =
        due.into_iter().map(|due| due.key).filter(|key| key.starts_with("q#")).collect();
    let reads = keys.iter().map(|key| sweep.store.rejected(key));
    let (mut sent, mut cut, mut failed) = (0, 0, 0);
    for (_, read) in together(reads.collect()).await {
        let Some(held) = read? else { continue };
        if flaw.is_some_and(|flaw| held.rejection.flaw.name() != flaw) {
            continue;
        }
        let Some(body) = held.body() else {
            cut += 1;
            continue;
        };
        // If its function rejects the body before it is removed here, the new rejection stays.
        if !sweep.store.mark_released(&held).await? {
            continue;
        }
        let message = OutgoingMessage::new(body.to_owned(), None, held.group.clone());
        if step::send(&sweep.queue, &held.queue, &[message]).await > 0 {
            failed += 1;
            continue;
        }
        // If that fails, the next command sends it once more, and its job is not done twice.
        sweep.store.remove_released(&held.key).await?;
        sent += 1;
    }
    Ok(json!({ "released": sent, "cut": cut, "failed": failed, "next": next }))
}

/// Restarts a dead job with all its attempts.
fn begin_anew(record: &Record, owner: &str, at: Time) -> Step {
    // Its time begins anew as well, or it would be given up at the next deferral.
    let mut work = Work { created_at: at, ..record.work.clone() };
    // A deadline that has passed would end the job again at once, but the operator wants the
    // result.
    work.deadline = work.deadline.filter(|deadline| *deadline > at);
    let fresh = record.clone().reopened(&work);
    let fresh = fresh.awaiting_wake_up(owner, at, at + Duration::from_mins(1));
    let call = Some(Call { queue: record.work.queue.clone(), at });
    Step { guard: record.guard(), record: fresh, call }
}
