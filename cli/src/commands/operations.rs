//! `evenkeel ops`, `sweep` and `audit`.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    ports::notes::{FINDING, Finding, OPS},
};
use serde_json::{Value, json};

use super::{
    noted::{Intent, Noted, Outcome},
    operate::{call, entry, shown, strange},
    shown::indented,
};
use crate::{
    args::{ListOps, OneOp},
    cursor,
    deployment::Deployment,
    exit::{Exit, Failure},
    moment::Moment,
    output::Answer,
    ports::{Called, Note, Ports},
    shapes::{
        FindingList, FindingShown, OperationList, OperationShown, SweepAction, SweepPreview, Swept,
    },
    table::table,
    text::{redact, redact_value},
};

/// How long a call of the sweeper may take: its time-out and the way.
const SWEEPS_WITHIN: Duration = Duration::from_secs(140);

/// Calls of the sweeper for one audit. Each examines some thousand records.
const MOST_CALLS: usize = 1_000;

/// A page of notes.
struct NotePage {
    notes: Vec<Note>,
    more: bool,
    /// Where the list goes on, if there is more.
    cursor: Option<String>,
    units: f64,
}

impl NotePage {
    /// How many there are, and how the list goes on.
    fn remark(&self) -> String {
        match &self.cursor {
            Some(cursor) => {
                format!("{} shown, and there are more: --after {cursor}", self.notes.len())
            }
            None if self.notes.is_empty() => "none found".to_owned(),
            None => format!("{} in all", self.notes.len()),
        }
    }
}

/// Reads a page of the notes of a kind. If it is full, one more read tells whether there are others.
async fn page_of_notes<P: Ports>(
    ports: &P,
    stack: &Deployment,
    kind: &str,
    wanted: &ListOps,
) -> Result<NotePage, Failure> {
    let most = usize::from(wanted.page.limit);
    let after = wanted.page.cursor.as_deref().map(cursor::place).transpose()?;
    let read = match &after {
        Some(after) => ports.notes_after(&stack.control, kind, after, most).await?,
        None => ports.notes(&stack.control, kind, most).await?,
    };
    let mut page = NotePage { notes: read.value, more: false, cursor: None, units: read.units };
    let last = page.notes.last().filter(|_| page.notes.len() >= most);
    if let Some(last) = last.map(|note| note.name.clone()) {
        let rest = ports.notes_after(&stack.control, kind, &last, 1).await?;
        page.units += rest.units;
        page.more = !rest.value.is_empty();
        page.cursor = page.more.then(|| cursor::of(&last));
    }
    Ok(page)
}

/// Lists operations, the latest first.
pub(super) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListOps,
    moment: Moment,
) -> Result<Answer, Failure> {
    let (list, remark) = read_list(ports, stack, wanted).await?;
    let row = |operation: &OperationShown| {
        let done = operation.counts.get("done").map_or_else(String::new, u64::to_string);
        vec![
            operation.id.clone(),
            moment.show(Time::from_millis(operation.at)),
            operation.what().to_owned(),
            operation.state.clone(),
            done,
            operation.by_whom().to_owned(),
            operation.reason.clone(),
        ]
    };
    let head = ["ID", "AT", "ACT", "STATE", "DONE", "BY", "REASON"];
    let text = table(&head, list.operations.iter().map(row).collect());
    Ok(Answer::list(&list, "operations", text)?.remark(remark))
}

/// Reads the latest operations, and says how the list goes on.
pub(crate) async fn read_list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListOps,
) -> Result<(OperationList, String), Failure> {
    let read = page_of_notes(ports, stack, OPS, wanted).await?;
    let parsed =
        read.notes.iter().filter_map(|note| serde_json::from_str::<Value>(&note.text).ok());
    let operations = parsed.filter_map(|value| entry(value).ok()).collect();
    let remark = read.remark();
    let NotePage { more, cursor, units: read_units, .. } = read;
    Ok((OperationList { operations, more, cursor, read_units }, remark))
}

/// Shows one operation.
pub(super) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneOp,
    moment: Moment,
) -> Result<Answer, Failure> {
    let (operation, _) = read(ports, stack, wanted).await?;
    shown(&operation, moment)
}

/// Reads one operation, and what that cost.
pub(crate) async fn read<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &OneOp,
) -> Result<(OperationShown, f64), Failure> {
    let read = ports.note(&stack.control, OPS, &wanted.id).await?;
    let Some(text) = read.value else {
        let message = format!("no operation {:?}", wanted.id);
        return Err(Failure::new(Exit::Failed, "not_found", message)
            .hint("`evenkeel ops log` lists those of the last 90 days"));
    };
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    Ok((entry(value)?, read.units))
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

/// All counts in an answer of the sweeper, by pass and action, such as `rescue.crashed`.
fn add_counts(answer: &Value, counts: &mut BTreeMap<String, u64>) {
    for (pass, actions) in answer["done"].as_object().into_iter().flatten() {
        for (action, count) in actions.as_object().into_iter().flatten() {
            *counts.entry(format!("{pass}.{action}")).or_default() += count.as_u64().unwrap_or(0);
        }
    }
}

/// The answer of a command that has called the sweeper. It logs the result first.
async fn swept<P: Ports>(
    ports: &P,
    stack: &Deployment,
    noted: &Noted,
    called: Result<Value, Failure>,
    counts: BTreeMap<String, u64>,
) -> Result<Answer, Failure> {
    let outcome = match &called {
        Ok(_) => Outcome::done(counts),
        Err(failure) => Outcome::failed(&failure.message, counts),
    };
    let remark = noted.end(ports, stack, &outcome).await;
    let answer = redact_value(called?);
    let text = indented(&answer) + "\n";
    let answer = Answer::one(&Swept { operation: noted.id.clone(), answer }, text)?;
    Ok(match remark {
        Some(remark) => answer.remark(remark),
        None => answer,
    })
}

/// Runs a tick of the sweeper now, and says what it has done.
pub(super) async fn sweep<P: Ports>(
    ports: &P,
    stack: &Deployment,
    reason: Option<&str>,
) -> Result<Answer, Failure> {
    let intent = Intent { what: "sweep", about: String::new(), reason };
    let noted = Noted::begin(ports, stack, intent).await?;
    let called = ask_sweeper(ports, stack, &json!({})).await;
    let mut counts = BTreeMap::new();
    if let Ok(answer) = &called {
        add_counts(answer, &mut counts);
    }
    swept(ports, stack, &noted, called, counts).await
}

/// Says what a tick of the sweeper would do now.
pub(super) async fn preview<P: Ports>(
    ports: &P,
    stack: &Deployment,
    moment: Moment,
) -> Result<Answer, Failure> {
    let answer = ask_sweeper(ports, stack, &json!({ "command": "preview" })).await?;
    let mut preview: SweepPreview =
        serde_json::from_value(answer).map_err(|error| strange(&error))?;
    for action in &mut preview.actions {
        action.samples.iter_mut().for_each(|key| *key = redact(key));
    }
    let row = |of: &SweepAction| {
        vec![of.pass.clone(), of.action.clone(), of.count.to_string(), of.samples.join(" ")]
    };
    let head = ["PASS", "ACTION", "COUNT", "AMONG THEM"];
    let text = match preview.actions.as_slice() {
        [] => "a tick would do nothing about jobs now\n".to_owned(),
        actions => table(&head, actions.iter().map(row).collect()),
    };
    let at = moment.show(Time::from_millis(preview.as_of));
    let rest = if preview.whole { "" } else { "; not all parked jobs were looked at" };
    Ok(Answer::one(&preview, text)?.remark(format!("nothing was done; as of {at}{rest}")))
}

/// Audits all records, call by call, and says what was found.
pub(super) async fn audit<P: Ports>(
    ports: &P,
    stack: &Deployment,
    reason: Option<&str>,
) -> Result<Answer, Failure> {
    let intent = Intent { what: "audit", about: String::new(), reason };
    let noted = Noted::begin(ports, stack, intent).await?;
    let mut counts = BTreeMap::new();
    let called = audit_all(ports, stack, &mut counts).await;
    swept(ports, stack, &noted, called, counts).await
}

/// Calls the sweeper until it has examined all records. `counts` has what was done even if a call fails.
async fn audit_all<P: Ports>(
    ports: &P,
    stack: &Deployment,
    counts: &mut BTreeMap<String, u64>,
) -> Result<Value, Failure> {
    let (mut from, mut examined, mut done) = (Value::Null, 0, Vec::new());
    for _ in 0..MOST_CALLS {
        let answer =
            ask_sweeper(ports, stack, &json!({ "command": "audit", "from": from })).await?;
        examined += answer["examined"].as_u64().unwrap_or_default();
        counts.insert("examined".to_owned(), examined);
        add_counts(&answer, counts);
        done.push(answer["done"].clone());
        from = answer["next"].clone();
        if from.is_null() {
            break;
        }
    }
    Ok(json!({ "examined": examined, "done": done, "next": from }))
}

/// Lists what the audit has found.
pub(super) async fn findings<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListOps,
    moment: Moment,
) -> Result<Answer, Failure> {
    let read = page_of_notes(ports, stack, FINDING, wanted).await?;
    let mut findings = Vec::new();
    for note in &read.notes {
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
    let text = table(&head, findings.iter().map(row).collect());
    let remark = read.remark();
    let NotePage { more, cursor, units: read_units, .. } = read;
    let list = FindingList { findings, more, cursor, read_units };
    Ok(Answer::list(&list, "findings", text)?.remark(remark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        args::{Page, TimeForm},
        memory::MemoryPorts,
        stack,
        stack::Target,
    };
    fn noted(state: &str) -> Called {
        let act = json!({ "do": "note", "what": "sweep", "about": "" });
        Called::Answer(
            json!({ "id": "9-a", "at": 1, "by": "", "reason": "", "act": act, "state": state }),
        )
    }

    fn ports(answers: impl IntoIterator<Item = Called>) -> MemoryPorts {
        MemoryPorts::stack("s", r#"[{"type":"webhook"}]"#).answering(answers)
    }

    async fn stack(ports: &MemoryPorts) -> Deployment {
        stack::find(ports, &Target::default()).await.unwrap()
    }

    #[tokio::test]
    async fn a_sweep_is_logged_before_and_after_and_its_answer_is_clean() {
        let answer = json!({ "done": { "rescue": { "crashed": 2 } }, "cut_short": ["a\u{9b}b"] });
        let ports = ports([noted("intent"), Called::Answer(answer), noted("done")]);
        let told = sweep(&ports, &stack(&ports).await, Some("as tested")).await.unwrap();
        let text = format!("{told:?}");
        assert!(text.contains('\u{fffd}') && text.contains("9-a"), "{text}");
        let asked = ports.invoked();
        let functions: Vec<&str> = asked.iter().map(|(function, _)| function.as_str()).collect();
        assert_eq!(functions, ["s-operator", "s-sweeper", "s-operator"]);
        assert_eq!(asked[0].1["act"]["what"], "sweep");
        assert_eq!(asked[0].1["reason"], "as tested");
        assert_eq!((&asked[2].1["report"], &asked[2].1["state"]), (&json!("9-a"), &json!("done")));
        assert_eq!(asked[2].1["counts"], json!({ "rescue.crashed": 2 }));
    }

    #[tokio::test]
    async fn a_sweep_that_fails_is_logged_as_failed_and_one_that_is_not_logged_does_not_begin() {
        let ports_of_failure =
            ports([noted("intent"), Called::Failed("unavailable: x".into()), noted("failed")]);
        let stack_of_failure = stack(&ports_of_failure).await;
        let failure = sweep(&ports_of_failure, &stack_of_failure, None).await.unwrap_err();
        assert_eq!(failure.code, "sweeper_failed");
        assert_eq!(ports_of_failure.invoked()[2].1["state"], "failed");
        let silent = ports([]);
        assert!(sweep(&silent, &stack(&silent).await, None).await.is_err());
        assert_eq!(silent.invoked().len(), 1, "the sweeper was not called");
    }

    #[tokio::test]
    async fn a_preview_shows_what_a_tick_would_do_and_logs_nothing() {
        let actions = json!([{ "pass": "rescue", "action": "crashed", "count": 7,
            "samples": ["webhook#g:1"] }]);
        let answer = json!({ "dry_run": true, "as_of": 7, "whole": false, "actions": actions });
        let ports = ports([Called::Answer(answer)]);
        let moment = Moment { now: Time::from_millis(9), form: TimeForm::Ms };
        let told = preview(&ports, &stack(&ports).await, moment).await.unwrap();
        let text = format!("{told:?}");
        for part in ["crashed", "webhook#g:1", "nothing was done", "not all parked jobs"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let asked = ports.invoked();
        let [(function, request)] = asked.as_slice() else { panic!("one call: {asked:?}") };
        assert_eq!((function.as_str(), &request["command"]), ("s-sweeper", &json!("preview")));
    }

    /// Pages of the log with so many entries each: the ids of each page.
    async fn pages(ports: &MemoryPorts, limit: u16) -> Vec<String> {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let mut pages = Vec::new();
        let mut cursor = None;
        loop {
            let wanted = ListOps { page: Page { limit, cursor } };
            let page = page_of_notes(ports, &stack, OPS, &wanted).await.unwrap();
            assert_eq!(page.more, page.cursor.is_some());
            let names: Vec<&str> = page.notes.iter().map(|note| note.name.as_str()).collect();
            pages.push(names.join(" "));
            cursor = page.cursor;
            if cursor.is_none() {
                return pages;
            }
            assert!(pages.len() < 9, "it ends: {pages:?}");
        }
    }

    #[tokio::test]
    async fn the_log_is_listed_page_by_page_and_the_last_one_has_no_cursor() {
        let mut ports = MemoryPorts::stack("s", r#"[{"type":"a"}]"#);
        assert_eq!(pages(&ports, 2).await, [""]);
        for name in ["1", "2", "3", "4"] {
            ports = ports.with_note(OPS, name, "{}");
        }
        assert_eq!(pages(&ports, 2).await, ["1 2", "3 4"]);
        assert_eq!(pages(&ports, 3).await, ["1 2 3", "4"]);
        let stack = stack::find(&ports, &Target::default()).await.unwrap();
        let wanted = ListOps { page: Page { limit: 50, cursor: Some("zz".to_owned()) } };
        let moment = Moment { now: Time::default(), form: TimeForm::Ms };
        let failure = list(&ports, &stack, &wanted, moment).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
    }
}
