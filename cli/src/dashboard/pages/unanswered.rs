//! What is said of an act that may have been done, although no answer has come.

use super::Page;
use crate::{
    dashboard::{
        acts::Act,
        cells,
        view::{Cell, Section},
    },
    exit::Failure,
    text::redact,
};

/// Says where to look before anybody asks for the act again, and has no form that does.
pub(in crate::dashboard) fn page(act: &Act, failure: &Failure) -> Page {
    let note = "No answer has come. The operators' function writes an entry of the operations log before it does \
                anything, and what was begun goes on by itself. If the log has no new entry after a minute, nothing \
                was done. Look there first: to load this page again is to act again.";
    let mut section = Section::new("unanswered", "This may have been done").note(note);
    section.fact("look here first", Cell::text("the operations log").href("/operations"));
    section.fact("where its effect shows", effect(act));
    section.fact("what was asked for", Cell::text(redact(&act.sentence())));
    section.fact("what happened", Cell::text(redact(&failure.message)));
    section.fact("code", Cell::text(&failure.code));
    Page { title: "Perhaps done".to_owned(), sections: vec![section], is_still: true }
}

/// The page that shows what an act has changed.
fn effect(act: &Act) -> Cell {
    match act {
        Act::RetryJob(key) | Act::CancelJob(key) | Act::Release(key) => cells::job(&redact(key)),
        Act::RetryCluster { .. } => Cell::text("errors").href("/errors"),
        Act::ForceBreaker { .. } | Act::FreeBreaker(_) => {
            Cell::text("dependencies").href("/dependencies")
        }
        Act::Pause { .. } | Act::Resume { .. } => Cell::text("queues").href("/queues"),
    }
}
