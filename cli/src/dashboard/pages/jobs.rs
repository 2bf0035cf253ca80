//! Lists of jobs and of rejected messages, from the index.

use std::fmt::Write as _;

use super::Page;
use crate::{
    dashboard::{
        cells,
        params::{PAGE, Params, STATES},
        question::{Found, Reply},
        view::{Cell, Choice, Field, Form, Section, Table},
    },
    deployment::Deployment,
    shapes::{JobList, JobSummary},
};

/// The query values of the list of jobs.
pub(in crate::dashboard) const NAMES: [&str; 8] =
    ["state", "type", "dependency", "class", "fingerprint", "group", "since", "cursor"];

/// The list of jobs, and what was asked for.
pub(in crate::dashboard) fn page(reply: &Reply, params: &Params) -> Page {
    let mut filters = Section::new("filter", "Filter").note(
        "Jobs that have succeeded, or run and are not overdue, are on no index: a job's page finds them by id.",
    );
    filters.form = Some(form(&reply.stack, params));
    filters.next = Some(Cell::text("The newest that have succeeded").href("/succeeded"));
    let list = list(reply, params, "/jobs", &NAMES, "No job on the index matches.");
    Page {
        title: "Jobs".to_owned(),
        sections: vec![find(&reply.stack), filters, list],
        ..Page::default()
    }
}

/// The list of rejected messages, and what was asked for.
pub(in crate::dashboard) fn rejected(reply: &Reply, params: &Params) -> Page {
    let mut filters = Section::new("filter", "Filter")
        .note("Bodies that are no valid jobs. Each was acknowledged and kept, with what is wrong.");
    filters.form = Some(Form {
        action: "/rejected".to_owned(),
        fields: vec![types(&reply.stack, params)],
        submit: "Show".to_owned(),
    });
    let list = list(reply, params, "/rejected", &["type", "cursor"], "No message is kept.");
    Page { title: "Rejected messages".to_owned(), sections: vec![filters, list], ..Page::default() }
}

fn field(params: &Params, name: &str, label: &str) -> Field {
    let value = params.text(name).to_owned();
    let (name, label) = (name.to_owned(), label.to_owned());
    Field { name, label, value, ..Field::default() }
}

/// A choice of one of these values or of none.
fn choice(params: &Params, name: &str, label: &str, none: &str, values: &[&str]) -> Field {
    let chosen = params.text(name);
    let option = |value: &&str| Choice {
        value: (*value).to_owned(),
        label: (*value).to_owned(),
        is_chosen: *value == chosen,
    };
    let none = Choice { label: none.to_owned(), ..Choice::default() };
    let options = std::iter::once(none).chain(values.iter().map(option)).collect();
    Field { options, ..field(params, name, label) }
}

/// A choice of the job types.
pub(super) fn types(stack: &Deployment, params: &Params) -> Field {
    let types: Vec<&str> = stack.types.iter().map(|job| job.kind.as_str()).collect();
    choice(params, "type", "Type", "all types", &types)
}

fn form(stack: &Deployment, params: &Params) -> Form {
    let states = STATES.map(crate::args::ListedState::name);
    let spans = ["15m", "1h", "6h", "24h", "7d"];
    Form {
        action: "/jobs".to_owned(),
        fields: vec![
            choice(params, "state", "State", "unfinished", &states),
            types(stack, params),
            choice(params, "since", "Due or ended within", "any time", &spans),
            field(params, "dependency", "Dependency (parked)"),
            field(params, "class", "Class"),
            field(params, "fingerprint", "Fingerprint"),
            field(params, "group", "Group"),
        ],
        submit: "Show".to_owned(),
    }
}

/// A form that leads to one job.
fn find(stack: &Deployment) -> Section {
    let id = Field { name: "id".to_owned(), label: "Id or key".to_owned(), ..Field::default() };
    let kinds = types(stack, &Params::default());
    let form =
        Form { action: "/job".to_owned(), fields: vec![id, kinds], submit: "Find".to_owned() };
    Section { form: Some(form), ..Section::new("find", "One job") }
}

fn row(job: &JobSummary, reply: &Reply) -> Vec<Cell> {
    let class = job.class.clone().unwrap_or_default();
    let fingerprint = job.fingerprint.clone().unwrap_or_default();
    let same = cells::path("/jobs", &[("state", &job.state), ("fingerprint", &fingerprint)]);
    // Of rejected messages there is no list by fingerprint.
    let is_listed = STATES.iter().any(|state| state.name() == job.state);
    let cluster = Cell::text(&fingerprint);
    vec![
        cells::job(&job.key),
        cells::state(&job.state),
        cells::age(job.due_at, reply.now),
        job.created_at.map(|at| cells::age(at, reply.now)).unwrap_or_default(),
        Cell::text(class),
        if is_listed && !fingerprint.is_empty() { cluster.href(same) } else { cluster },
        Cell::text(job.group.clone().unwrap_or_default()),
        Cell::text(job.priority.clone().unwrap_or_default()),
    ]
}

fn list(reply: &Reply, params: &Params, path: &str, names: &[&str], empty: &str) -> Section {
    let nothing = JobList::default();
    let list = match &reply.found {
        Found::Jobs(list) => list,
        _ => &nothing,
    };
    let head =
        ["Key", "State", "Due or ended", "Created", "Class", "Fingerprint", "Group", "Priority"];
    let mut section = Section::new("list", "Found");
    section.table = Some(Table {
        head: head.map(str::to_owned).to_vec(),
        rows: list.jobs.iter().map(|job| row(job, reply)).collect(),
        empty: empty.to_owned(),
    });
    let mut note = format!(
        "{} shown, the earliest first, read {} for {} read units.",
        cells::count(list.jobs.len() as u64, list.more).text,
        cells::age(reply.read_at.as_millis(), reply.now).text,
        list.read_units
    );
    if list.dependencies_left_out > 0 {
        let _ = write!(
            note,
            " {} hosts with parked jobs were not asked: name one.",
            list.dependencies_left_out
        );
    }
    section.note = note;
    if let Some(cursor) = &list.cursor {
        let mut values: Vec<(&str, &str)> = names
            .iter()
            .filter(|name| **name != "cursor")
            .map(|name| (*name, params.text(name)))
            .collect();
        values.push(("cursor", cursor));
        let label = format!("The next {PAGE}");
        section.next = Some(Cell::text(label).href(cells::path(path, &values)));
    }
    section
}
