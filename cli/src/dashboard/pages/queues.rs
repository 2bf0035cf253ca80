//! The queues: depth, mapping and concurrency, and the index beside them.

use std::time::Duration;

use super::{Page, clock, overview::MINUTE};
use crate::{
    args::Priority,
    commands::{observed::Observed, queues::is_paused_state},
    dashboard::{
        acts::{Act, PRIORITIES, for_how_long, priority_name},
        cells,
        charts::{Lines, Series},
        live::Part,
        question::Reply,
        view::{Cell, Choice, Field, Section, Table, Tone},
    },
    shapes::QueueShown,
};

pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    Page {
        title: "Queues".to_owned(),
        sections: vec![queues(reply), change(reply), index(reply), depths(reply)],
        ..Page::default()
    }
}

fn queues(reply: &Reply) -> Section {
    let read_at = reply.live.read_at.get(&Part::Queues);
    let age = read_at.map(|at| cells::age(at.as_millis(), reply.now).text);
    let mut note = format!(
        "As SQS approximates them, read {}. A paused queue delivers nothing.",
        age.unwrap_or_else(|| "never".to_owned())
    );
    if let Some(why) = &reply.live.pins_unknown {
        note = format!("{note} Some pinned concurrency may not be shown: {why}.");
    }
    let row = |queue: &QueueShown| {
        let letters = queue.role == "dead_letters" && queue.visible > 0;
        let tone = if letters { Tone::Bad } else { Tone::Plain };
        let mapping = queue.mapping.as_deref();
        let is_paused = mapping.is_some_and(is_paused_state);
        let mapping = Cell::text(mapping.unwrap_or_default());
        let until = queue.pinned.as_ref().map(|pin| {
            let operation = cells::path("/operation", &[("id", &pin.operation)]);
            cells::when_ms(pin.until, reply.now).href(operation).tone(Tone::Warn)
        });
        let by = queue.pinned.as_ref().map(|pin| Cell::text(pin.by_whom()));
        vec![
            Cell::text(&queue.queue),
            cells::count(queue.visible, false).tone(tone),
            cells::count(queue.in_flight, false),
            cells::count(queue.delayed, false),
            mapping.tone(if is_paused { Tone::Bad } else { Tone::Plain }),
            Cell::number(queue.concurrency.map(|count| count.to_string()).unwrap_or_default()),
            until.unwrap_or_default(),
            by.unwrap_or_default(),
        ]
    };
    let head = [
        "Queue",
        "Visible",
        "In flight",
        "Delayed",
        "Mapping",
        "Concurrency",
        "Pinned until",
        "Pinned by",
    ];
    let table = Table {
        head: head.map(str::to_owned).to_vec(),
        rows: reply.live.queues.iter().map(row).collect(),
        empty: "The queues have not been read yet.".to_owned(),
    };
    Section { table: Some(table), ..Section::new("queues", "Queues").note(note) }
}

/// Forms that pause queues for a time, and resume them.
fn change(reply: &Reply) -> Section {
    let options = |values: Vec<&str>| -> Vec<Choice> {
        let option = |value: &str| Choice {
            value: value.to_owned(),
            label: value.to_owned(),
            ..Choice::default()
        };
        values.into_iter().map(option).collect()
    };
    let field = |name: &str, label: &str, values: Vec<&str>| Field {
        name: name.to_owned(),
        label: label.to_owned(),
        options: options(values),
        ..Field::default()
    };
    let kinds = || field("type", "Type", reply.stack.types.iter().map(|of| &*of.kind).collect());
    let priorities = || field("priority", "Priority", PRIORITIES.map(priority_name).to_vec());
    let (kind, priority, span) = (String::new(), Priority::Both, Duration::ZERO);
    let pause = Act::Pause { kind: kind.clone(), priority, span };
    let resume = Act::Resume { kind, priority };
    let acts = vec![
        pause.form("Pause …", 'P', vec![kinds(), priorities(), for_how_long()]),
        resume.form("Resume", 'R', vec![kinds(), priorities()]),
    ];
    Section { acts, ..Section::new("change", "Pause and resume") }
}

/// Jobs on the index `due` by type and state.
fn index(reply: &Reply) -> Section {
    let seen = &reply.live.observed;
    let age = seen.at().map(|at| cells::age(at.as_millis(), reply.now).text);
    let age = age.unwrap_or_else(|| "nothing for a day".to_owned());
    let mut rows = Vec::new();
    for (kind, of_kind) in &seen.types {
        for (state, count) in &of_kind.states {
            let path = cells::path("/jobs", &[("state", state), ("type", kind)]);
            rows.push(vec![
                Cell::text(kind).href(path),
                cells::state(state),
                cells::count(*count, of_kind.more && *count > 0),
            ]);
        }
    }
    for (dependency, of_dependency) in seen.dependencies.iter().filter(|(_, of)| of.parked > 0) {
        let path = cells::path("/jobs", &[("state", "parked"), ("dependency", dependency)]);
        rows.push(vec![
            Cell::text(dependency).href(path),
            cells::state("parked"),
            cells::count(of_dependency.parked, of_dependency.more),
        ]);
    }
    let table = Table {
        head: ["Type or dependency", "State", "Jobs"].map(str::to_owned).to_vec(),
        rows,
        empty: "No job is on the index.".to_owned(),
    };
    let note = format!(
        "By the sweeper's report, {age}. Each partition is counted up to 100; a + says that there may be more."
    );
    Section { table: Some(table), ..Section::new("index", "Jobs on the index").note(note) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of messages")]
fn depths(reply: &Reply) -> Section {
    let history = &reply.live.history;
    let now = reply.now.as_millis();
    let names = reply.live.observed.queues.iter().filter(|(_, queue)| !queue.dead_letter);
    let figure = |(number, (name, _)): (usize, (&String, _))| {
        let depth = |seen: &Observed| {
            let queue = seen.queues.get(name)?;
            Some((seen.at, queue.visible.saturating_add(queue.delayed) as f64))
        };
        let points = history.iter().filter_map(depth).collect();
        let lines = Lines {
            id: format!("depth-{number}"),
            title: name.clone(),
            series: vec![Series { name: "waiting messages".to_owned(), points }],
            span: [now - 60 * MINUTE, now],
            step: MINUTE,
            ..Lines::default()
        };
        lines.figure(clock)
    };
    let figures = names.enumerate().map(figure).collect();
    Section { figures, ..Section::new("depths", "Depth over the last hour") }
}
