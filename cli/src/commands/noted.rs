//! Acts that a command does itself, such as to send messages. The operators' function writes the intent into the
//! operations log before, and the result after.

use std::{collections::BTreeMap, future::Future};

use serde_json::json;

use super::operate::{call, entry};
use crate::{deployment::Deployment, exit::Failure, ports::Ports, text::redact};

/// Longest sentence about a failure that the log takes, in bytes.
const WHY_BYTES: usize = 500;

/// What a command is about to do.
pub(super) struct Intent<'a> {
    /// The command, such as `submit`.
    pub(super) what: &'static str,
    /// What it is about, for those who read the log.
    pub(super) about: String,
    pub(super) reason: Option<&'a str>,
}

/// How an act has ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `done`, `failed` or `stopped`.
    pub(super) state: &'static str,
    /// Why it has failed.
    pub(super) why: Option<String>,
    /// What was done, by name.
    pub(super) counts: BTreeMap<String, u64>,
}

impl Outcome {
    /// An act that was done.
    pub(super) fn done(counts: BTreeMap<String, u64>) -> Self {
        Self { state: "done", why: None, counts }
    }

    /// An act that has failed.
    pub(super) fn failed(why: &str, counts: BTreeMap<String, u64>) -> Self {
        let mut why = redact(why);
        why.truncate(why.floor_char_boundary(WHY_BYTES));
        Self { state: "failed", why: Some(why), counts }
    }
}

/// The entry of an intent in the operations log.
#[derive(Debug)]
pub(super) struct Noted {
    /// Its id, by which the result is reported.
    pub(super) id: String,
}

impl Noted {
    /// Writes the intent. If that fails, the act must not begin.
    pub(super) async fn begin<P: Ports>(
        ports: &P,
        stack: &Deployment,
        intent: Intent<'_>,
    ) -> Result<Self, Failure> {
        let Intent { what, about, reason } = intent;
        // Who it is was declared, and is proved by CloudTrail alone: without STS the act is still done.
        let by = ports.caller().await.unwrap_or_default();
        let act = json!({ "do": "note", "what": what, "about": about });
        let request = json!({ "act": act, "by": by, "reason": reason.unwrap_or_default() });
        let entry = entry(call(ports, stack, &request).await?)?;
        Ok(Self { id: entry.id })
    }

    /// Writes the result. What is done is done, so a failure is only a remark.
    pub(super) async fn end<P: Ports>(
        &self,
        ports: &P,
        stack: &Deployment,
        outcome: &Outcome,
    ) -> Option<String> {
        let Outcome { state, why, counts } = outcome;
        let request = json!({ "report": self.id, "state": state, "why": why, "counts": counts });
        let failure = call(ports, stack, &request).await.err()?;
        Some(format!("the operations log lacks its result: {}", failure.message))
    }
}

/// Notes an act, does it, and notes what became of it. With `dry_run`, nothing of that. Returns a remark if the result
/// could not be noted.
pub(super) async fn noted<P: Ports>(
    ports: &P,
    stack: &Deployment,
    intent: Intent<'_>,
    dry_run: bool,
    act: impl Future<Output = Result<(), Failure>>,
) -> Result<Option<String>, Failure> {
    if dry_run {
        return Ok(None);
    }
    let noted = Noted::begin(ports, stack, intent).await?;
    let done = act.await;
    let outcome = match &done {
        Ok(()) => Outcome::done(BTreeMap::new()),
        Err(failure) => Outcome::failed(&failure.message, BTreeMap::new()),
    };
    let remark = noted.end(ports, stack, &outcome).await;
    done.map(|()| remark)
}
