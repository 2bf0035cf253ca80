//! What operators may ask for: `aws lambda invoke` with a payload that names a command.
//!
//! ```json
//! { "command": "audit", "from": null }
//! { "command": "retry", "type": "url_shortening", "quarantined": false, "from": null }
//! ```
//!
//! Both do as much as fits a call, and answer with whether there is more.

use std::time::Duration;

use evenkeel::{
    oversight::{Oversight as _, Table},
    policy::ANSWER_RESERVE,
    ports::PortError,
    random::Random,
    record::{Phase, Record},
    time::{Clock, Time},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    config::Config,
    memory::Memory,
    pass::audit,
    ports::{Ports, Sweep},
    records::{due, read},
    step::{self, Call, Step},
    survey::survey,
    tick::Tick,
};

/// Items of a page of an audit that was asked for.
const PAGE: usize = 200;

/// Time between two checks of results, so that they are in nobody's way, and what those of a page take.
const BETWEEN_CHECKS: Duration = Duration::from_millis(500);
const CHECKS_OF_A_PAGE: Duration = Duration::from_millis(500 * PAGE as u64);

/// Jobs that one call looks at, and the time over which the messages of those that begin anew are
/// spread.
const LOOKED_AT: usize = 500;
const RETRY_SPREAD: Duration = Duration::from_mins(1);

/// A command.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Look at the whole table of jobs, from the place that the last answer named.
    Audit {
        /// `next` of the answer before.
        #[serde(default)]
        from: Option<Vec<String>>,
    },
    /// Let jobs that were given up begin anew.
    Retry {
        /// Their type.
        #[serde(rename = "type")]
        kind: String,
        /// Whether those that crash what runs them may as well.
        #[serde(default)]
        quarantined: bool,
        /// `next` of the answer before.
        #[serde(default)]
        from: Option<u64>,
    },
}

impl Command {
    /// Reads a call for what `config` names; `None` if it names no command, as the schedule's does not. Fails with a sentence
    /// that names what is wrong.
    pub fn read(call: &Value, config: &Config) -> Result<Option<Self>, String> {
        if call.get("command").is_none() {
            return Ok(None);
        }
        let command: Self =
            serde_json::from_value(call.clone()).map_err(|error| format!("command: {error}"))?;
        match &command {
            Self::Retry { kind, .. } if config.job_type(kind).is_none() => {
                let known: Vec<&str> = config.types.iter().map(|job| job.kind.as_str()).collect();
                Err(format!("type: {kind:?}, expected one of {}", known.join(", ")))
            }
            _ => Ok(Some(command)),
        }
    }
}

/// Runs a command.
pub async fn run<P: Ports>(
    sweep: &Sweep<P>,
    command: &Command,
    deadline: Time,
) -> Result<Value, PortError> {
    match command {
        Command::Audit { from } => audit_all(sweep, from.clone(), deadline).await,
        Command::Retry { kind, quarantined, from } => {
            retry(sweep, kind, *quarantined, from.unwrap_or_default()).await
        }
    }
}

/// Page after page until the time is up.
async fn audit_all<P: Ports>(
    sweep: &Sweep<P>,
    mut from: Option<Vec<String>>,
    deadline: Time,
) -> Result<Value, PortError> {
    let now = sweep.clock.now();
    let view = survey(&sweep.store, &sweep.queue, &sweep.config, "", now).await;
    let mut tick = Tick::new(sweep.random.token(), now, view, Memory::default());
    // A page and its checks take a second or two.
    let end = deadline.before(ANSWER_RESERVE * 4);
    let (mut looked_at, mut delay) = (0, Duration::ZERO);
    loop {
        let page = sweep.store.page(Table::Jobs, from.as_deref(), PAGE).await?;
        looked_at += page.items.len();
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
    Ok(json!({ "looked_at": looked_at, "done": tick.done, "next": from }))
}

/// Lets the jobs of a type that were given up at `from` or later begin anew, those first that ended
/// first.
async fn retry<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    quarantined: bool,
    from: u64,
) -> Result<Value, PortError> {
    let (now, owner) = (sweep.clock.now(), sweep.random.token());
    let span = [Time::from_millis(from), now];
    let mut due = due(&sweep.store, &[format!("dead#{kind}")], span, LOOKED_AT).await?;
    let next = due.get(LOOKED_AT).map(|due| due.due_at.as_millis());
    due.truncate(LOOKED_AT);
    // Bodies that are no message stand there as well; they have no job.
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

/// The record of a job that was given up, about to begin anew with all its attempts.
fn begin_anew(record: &Record, owner: &str, at: Time) -> Step {
    let mut work = record.work.clone();
    // It was over when the job was given up, or will be: whoever retries wants the result.
    work.deadline = work.deadline.filter(|deadline| *deadline > at);
    let fresh = record.clone().reopened(&work);
    let fresh = fresh.called(owner, at, at + Duration::from_mins(1));
    let call = Some(Call { queue: record.work.queue.clone(), at });
    Step { guard: record.guard(), record: fresh, call }
}
