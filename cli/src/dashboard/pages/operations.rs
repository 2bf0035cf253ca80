//! The operations log: what people have changed, and how far it is.

use super::Page;
use crate::{
    commands::shown::indented,
    dashboard::{
        cells,
        question::{Found, Reply},
        view::{Cell, Section, Table, Tone},
    },
    shapes::OperationShown,
    text::redact,
};

/// Operations that are listed.
pub(in crate::dashboard) const MOST: u16 = 50;

/// The latest operations.
pub(in crate::dashboard) fn list(reply: &Reply) -> Page {
    let Found::Operations(list) = &reply.found else { return Page::default() };
    let head = ["Operation", "When", "Act", "State", "Done", "By", "Reason"];
    let table = Table {
        head: head.map(str::to_owned).to_vec(),
        rows: list.operations.iter().map(|operation| row(operation, reply)).collect(),
        empty: "Nobody has changed anything for 90 days.".to_owned(),
    };
    let note = format!(
        "The latest {MOST} at most, read {}. Each was logged before it was done, and is kept for 90 days.",
        cells::age(reply.read_at.as_millis(), reply.now).text
    );
    let section = Section { table: Some(table), ..Section::new("log", "Log").note(note) };
    Page { title: "Operations".to_owned(), sections: vec![section], ..Page::default() }
}

fn row(operation: &OperationShown, reply: &Reply) -> Vec<Cell> {
    let path = cells::path("/operation", &[("id", &operation.id)]);
    let done = operation.counts.get("done").map(u64::to_string).unwrap_or_default();
    vec![
        Cell::text(&operation.id).href(path),
        cells::age(operation.at, reply.now),
        Cell::text(operation.what()),
        state(operation),
        Cell::number(done),
        Cell::text(operation.by_whom()),
        Cell::text(&operation.reason),
    ]
}

fn state(operation: &OperationShown) -> Cell {
    let tone = match operation.state.as_str() {
        "done" => Tone::Good,
        "failed" => Tone::Bad,
        "stopped" => Tone::Plain,
        _ => Tone::Warn,
    };
    Cell::text(&operation.state).tone(tone)
}

/// One operation: what was asked for, by whom, and what has become of it.
pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    let Found::Operation(operation) = &reply.found else { return Page::default() };
    let mut section = Section::new("operation", "What was asked for, and what became of it");
    if operation.goes_on() {
        section = section.note("It goes on by itself: the sweeper carries it on each minute.");
    }
    section.fact("act", Cell::text(operation.what()));
    section.fact("state", state(operation));
    section.fact_some("why", operation.why.as_ref().map(|why| Cell::text(redact(why))));
    for (outcome, count) in &operation.counts {
        section.fact(outcome, Cell::number(count.to_string()));
    }
    section.fact("asked for", cells::when_ms(operation.at, reply.now));
    section.fact("by", Cell::text(&operation.by));
    section.fact("reason", Cell::text(&operation.reason));
    section.fact_some("over", operation.ended_at.map(|at| cells::when_ms(at, reply.now)));
    section = section.lines(&redact(&indented(&operation.act)));
    let mut sections = vec![section];
    if !operation.pending.is_empty() {
        let pending = operation.pending.iter().map(|key| vec![cells::job(&redact(key))]);
        let table =
            Table { head: vec!["Key".to_owned()], rows: pending.collect(), empty: String::new() };
        let pending = Section::new("pending", "Still to be looked at");
        sections.push(Section { table: Some(table), ..pending });
    }
    Page { title: "Operation".to_owned(), sections, ..Page::default() }
}
