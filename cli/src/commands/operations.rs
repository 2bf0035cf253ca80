//! `evenkeel ops`, `sweep` and `audit`.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    ports::notes::{FINDING, Finding},
};
use serde_json::{Value, json};

use super::operate::{call, entry, shown};
use crate::{
    args::{ListOps, OneOp},
    deployment::Deployment,
    exit::{Exit, Failure},
    moment::Moment,
    output::Answer,
    ports::{Called, Ports},
    shapes::{FindingList, FindingShown, OperationList, OperationShown, Swept},
    table::table,
    text::redact,
};

/// The kind of notes that are entries of the operations log.
const OPS: &str = "ops";

/// How long a call of the sweeper may take: its time-out and the way.
const SWEEPS_WITHIN: Duration = Duration::from_secs(140);

/// Calls of the sweeper for one audit. Each examines some thousand records.
const MOST_CALLS: usize = 1_000;

/// Lists operations, the latest first.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListOps,
    moment: Moment,
) -> Result<Answer, Failure> {
    let read = ports.notes(&stack.control, OPS, usize::from(wanted.limit)).await?;
    let parsed =
        read.value.iter().filter_map(|note| serde_json::from_str::<Value>(&note.text).ok());
    let operations: Vec<OperationShown> = parsed.filter_map(|value| entry(value).ok()).collect();
    let row = |operation: &OperationShown| {
        let what = operation.act.get("do").and_then(Value::as_str).unwrap_or_default();
        let done = operation.counts.get("done").map_or_else(String::new, u64::to_string);
        vec![
            operation.id.clone(),
            moment.show(Time::from_millis(operation.at)),
            what.to_owned(),
            operation.state.clone(),
            done,
            operation.by.rsplit('/').next().unwrap_or_default().to_owned(),
            operation.reason.clone(),
        ]
    };
    let head = ["ID", "AT", "ACT", "STATE", "DONE", "BY", "REASON"];
    let text = table(&head, operations.iter().map(row).collect());
    let list = OperationList { operations, read_units: read.units };
    Answer::list(&list, "operations", text)
}

/// Shows one operation.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneOp,
    moment: Moment,
) -> Result<Answer, Failure> {
    let read = ports.note(&stack.control, OPS, &wanted.id).await?;
    let Some(text) = read.value else {
        let message = format!("no operation {:?}", wanted.id);
        return Err(Failure::new(Exit::Failed, "not_found", message)
            .hint("`evenkeel ops log` lists those of the last 90 days"));
    };
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    shown(&entry(value)?, moment)
}

/// Stops an operation that goes on.
pub(super) async fn stop<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneOp,
    moment: Moment,
) -> Result<Answer, Failure> {
    let answer = call(ports, stack, &json!({ "stop": wanted.id })).await?;
    Ok(shown(&entry(answer)?, moment)?.exit(Exit::Done))
}

async fn ask_sweeper<P: Ports>(
    ports: &P,
    stack: &Deployment,
    request: &Value,
) -> Result<Value, Failure> {
    match ports.invoke(&stack.sweeper(), request, SWEEPS_WITHIN).await? {
        Called::Answer(answer) => Ok(answer),
        Called::Failed(why) => Err(Failure::new(Exit::Failed, "sweeper_failed", why)
            .hint("read the sweeper's log; `evenkeel doctor` checks its configuration")),
    }
}

fn swept(answer: Value) -> Result<Answer, Failure> {
    let text = serde_json::to_string_pretty(&answer).unwrap_or_default() + "\n";
    Answer::one(&Swept { answer }, text)
}

/// Runs a tick of the sweeper now, and says what it has done.
pub(super) async fn sweep<P: Ports>(ports: &P, stack: &Deployment) -> Result<Answer, Failure> {
    swept(ask_sweeper(ports, stack, &json!({})).await?)
}

/// Audits all records, call by call, and says what was found.
pub(super) async fn audit<P: Ports>(ports: &P, stack: &Deployment) -> Result<Answer, Failure> {
    let (mut from, mut examined, mut done) = (Value::Null, 0, Vec::new());
    for _ in 0..MOST_CALLS {
        let answer =
            ask_sweeper(ports, stack, &json!({ "command": "audit", "from": from })).await?;
        examined += answer["examined"].as_u64().unwrap_or_default();
        done.push(answer["done"].clone());
        from = answer["next"].clone();
        if from.is_null() {
            break;
        }
    }
    swept(json!({ "examined": examined, "done": done, "next": from }))
}

/// Lists what the audit has found.
pub(super) async fn findings<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListOps,
    moment: Moment,
) -> Result<Answer, Failure> {
    let read = ports.notes(&stack.control, FINDING, usize::from(wanted.limit)).await?;
    let mut findings = Vec::new();
    for note in &read.value {
        let Ok(found) = serde_json::from_str::<Finding>(&note.text) else { continue };
        let Finding { what, detail, at, repaired } = found;
        let (key, detail) = (redact(&note.name), redact(&detail));
        findings.push(FindingShown { key, what, detail, at, repaired });
    }
    let row = |found: &FindingShown| {
        vec![
            found.key.clone(),
            found.what.clone(),
            moment.show(Time::from_millis(found.at)),
            if found.repaired { "yes" } else { "no" }.to_owned(),
            found.detail.clone(),
        ]
    };
    let head = ["KEY", "WHAT", "AT", "REPAIRED", "DETAIL"];
    let text = match findings.as_slice() {
        [] => "none found\n".to_owned(),
        found => table(&head, found.iter().map(row).collect()),
    };
    let list = FindingList { findings, read_units: read.units };
    Answer::list(&list, "findings", text)
}
