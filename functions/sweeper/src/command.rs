//! The sweeper's commands: calls whose payload names one. What changes jobs is the operator's, see [`crate::operator`].
//!
//! ```json
//! { "command": "audit", "from": null }
//! { "command": "preview" }
//! ```
//!
//! An audit does as much as one call has time for. Its answer has a `next`, which continues it in another call, or null
//! if nothing is left. A preview says what the next tick would do, and writes nothing.

use std::time::Duration;

use evenkeel::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    policy::ANSWER_RESERVE,
    ports::{
        PortError,
        maintenance::{Table, TableMaintenance as _},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    fields::{expect_one, object},
    memory::{Memory, Saved},
    pass::{audit, preview::preview},
    ports::{Ports, Sweep},
    step,
    survey::survey,
    tick::Tick,
};

/// Items of one page of an audit command.
const PAGE: usize = 200;

/// Time between two checks of results, so that they delay no other work.
const BETWEEN_CHECKS: Duration = Duration::from_millis(500);
/// The time over which the checks of one page are spread.
const CHECKS_OF_A_PAGE: Duration = Duration::from_millis(500 * PAGE as u64);

/// Longest time in which a preview begins to look at further dependencies, so that people do not wait for minutes.
const LONGEST_PREVIEW: Duration = Duration::from_secs(15);

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
    /// Say what a tick would do now.
    Preview {},
}

impl Command {
    /// Reads the payload of a call; `None` if it is an empty object, as the schedule's is, which asks for a tick. The
    /// error is a sentence that names what is wrong: a mistyped command must not look like a tick that went well.
    pub fn read(call: &Value) -> Result<Option<Self>, String> {
        if object(call)?.is_empty() {
            return Ok(None);
        }
        expect_one(call, &["command"])?;
        let command = serde_json::from_value(call.clone());
        command.map(Some).map_err(|error| format!("command: {error}"))
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
        Command::Preview {} => preview_tick(sweep, deadline).await,
    }
}

/// Surveys as a tick does, and says what its passes would do.
async fn preview_tick<P: Ports>(sweep: &Sweep<P>, deadline: Time) -> Result<Value, PortError> {
    let (now, token) = (sweep.clock.now(), sweep.random.token());
    let (_, memory) = Saved::read(&sweep.store, &token).await?;
    let from = &memory.watched_begin;
    let view = survey(&sweep.store, &sweep.queue, &sweep.config, from, now, now).await;
    let mut tick = Tick::new(token, now, view, memory);
    let end = deadline.min(now + LONGEST_PREVIEW);
    // On the heap: it holds the reads of several passes.
    Box::pin(preview(sweep, &mut tick, end)).await
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_object_asks_for_a_tick() {
        let read = |call: Value| Command::read(&call);
        assert_eq!(read(json!({})), Ok(None));
        assert_eq!(read(json!({ "command": "preview" })), Ok(Some(Command::Preview {})));
        let refused = |call: Value| read(call).unwrap_err();
        let mistyped = refused(json!({ "comand": "preview" }));
        assert_eq!(mistyped, "comand: unknown field, expected `command`");
        for (call, what) in [
            (json!(null), "null"),
            (json!([]), "a list"),
            (json!("retry"), "a text"),
            (json!(7), "a number"),
            (json!(false), "true or false"),
        ] {
            let expected = format!("call: expected an object such as {{}}, got {what}");
            assert_eq!(refused(call), expected);
        }
    }
}
