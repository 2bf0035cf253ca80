//! The newest jobs that have succeeded, of each type.

use evenkeel::base::time::Time;

use super::Page;
use crate::{
    dashboard::{
        cells,
        params::Params,
        question::{Found, Reply},
        reader::MOST_SUCCEEDED,
        view::{Form, Section, Table},
    },
    text::redact,
};

/// The newest successes, and of which type.
pub(in crate::dashboard) fn page(reply: &Reply, params: &Params) -> Page {
    let Found::Succeeded(kinds) = &reply.found else { return Page::default() };
    let mut filter = Section::new("filter", "Filter").note(format!(
        "Of each type the last {MOST_SUCCEEDED} at most, as the sweeper's sums of the last minutes keep them: two to \
         three minutes late, and not all of a busy minute. A job that has succeeded is on no index: any other is found \
         by its id or through its car."
    ));
    filter.form = Some(Form {
        action: "/succeeded".to_owned(),
        fields: vec![super::jobs::types(&reply.stack, params)],
        submit: "Show".to_owned(),
    });
    let of_kind = |(number, (kind, jobs)): (usize, &(String, Vec<_>))| {
        let row = |(at, key): &(Time, String)| {
            vec![cells::job(&redact(key)), cells::when_ms(at.as_millis(), reply.now)]
        };
        let table = Table {
            head: ["Key", "Succeeded"].map(str::to_owned).to_vec(),
            rows: jobs.iter().map(row).collect(),
            empty: "No minute of the last hours keeps one.".to_owned(),
        };
        let age = cells::age(reply.read_at.as_millis(), reply.now).text;
        let note = format!("{} shown, the newest first, read {age}.", jobs.len());
        Section { table: Some(table), ..Section::new(&format!("type-{number}"), kind).note(note) }
    };
    let mut sections = vec![filter];
    sections.extend(kinds.iter().enumerate().map(of_kind));
    Page { title: "Jobs that have succeeded".to_owned(), sections, ..Page::default() }
}
