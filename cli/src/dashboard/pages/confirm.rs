//! What an act would do, and the form that does it.

use std::time::Duration;

use super::Page;
use crate::{
    dashboard::{
        acts::Act,
        cells,
        question::{Found, Reply},
        view::{Cell, Section, Table, Tone},
    },
    moment::span,
    text::redact,
};

/// The second step of an act: what it would do, and the form that does it.
pub(in crate::dashboard) fn page(reply: &Reply, act: &Act) -> Page {
    let Found::Preview(preview) = &reply.found else { return Page::default() };
    let mut section = Section::new("confirm", "What will be done").note(redact(&act.sentence()));
    let tone = if preview.count > 0 { Tone::Warn } else { Tone::Plain };
    let count = cells::count(preview.count.into(), preview.more);
    section.fact("would change", count.tone(tone));
    section.fact("as of", cells::when_ms(preview.as_of, reply.now));
    if let Act::ForceBreaker { dependency, .. } = act {
        let breaker = reply.live.breakers.get(dependency);
        section.fact_some("breaker now", breaker.map(|breaker| cells::state(&breaker.state)));
        let why = breaker.and_then(|breaker| breaker.why.as_ref());
        section.fact_some("cause", why.map(Cell::text));
    }
    if preview.takes_ms > 0 {
        let takes = span(Duration::from_millis(preview.takes_ms));
        let at_least = if preview.more { "at least " } else { "" };
        section.fact("takes", Cell::text(format!("{at_least}{takes}, at the pace of the limiter")));
    }
    let is_of_jobs = matches!(act, Act::CancelJob(_) | Act::RetryJob(_) | Act::RetryCluster { .. });
    let sample = |key: &String| {
        let key = redact(key);
        vec![if is_of_jobs { cells::job(&key) } else { Cell::text(&key) }]
    };
    section.table = Some(Table {
        head: vec!["Among them".to_owned()],
        rows: preview.samples.iter().map(sample).collect(),
        empty: "Nothing would be changed.".to_owned(),
    });
    let mut sections = vec![section];
    if preview.count > 0 {
        let note = "It goes through the operators' function, as from the command line, and stands in the \
                    operations log with your ARN and the reason.";
        let mut ask = Section::new("act", "Do it?").note(note);
        ask.acts = vec![act.confirmed(preview.as_of)];
        sections.push(ask);
    }
    Page { title: "Confirm".to_owned(), sections, is_still: true }
}
