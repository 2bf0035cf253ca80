//! What was given up, in clusters of failures of the same kind.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::Page;
use crate::{
    args::ListedState,
    dashboard::{
        acts::Act,
        cells,
        question::{Found, Reply},
        reader::MOST_ENDED,
        view::{CONFIRM, Cell, Choice, Field, Form, Section, Table},
    },
    moment::span,
    ports::DueItem,
    text::redact,
};

/// How far back the list reaches if nothing else is asked for.
pub(in crate::dashboard) const USUAL: Duration = Duration::from_hours(24);

/// The spans that can be chosen.
const SPANS: [(&str, Duration); 4] = [
    ("1h", Duration::from_hours(1)),
    ("24h", Duration::from_hours(24)),
    ("7d", Duration::from_hours(7 * 24)),
    ("90d", Duration::from_hours(90 * 24)),
];

/// Failures of the same kind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cluster {
    kind: String,
    state: String,
    class: String,
    fingerprint: String,
    count: u64,
    /// In milliseconds since the epoch.
    first: u64,
    last: u64,
    /// The key of the latest one.
    example: String,
}

/// Groups entries by type, state and fingerprint; the largest group first, and of equal ones the latest.
fn clusters(items: &[DueItem]) -> Vec<Cluster> {
    let mut found: BTreeMap<(&str, &str, &str), Cluster> = BTreeMap::new();
    for item in items {
        let fingerprint = item.fingerprint.as_deref().unwrap_or_default();
        let at = item.due_at.as_millis();
        let new = || Cluster {
            kind: item.kind.clone(),
            state: item.state.clone(),
            class: item.class.clone().unwrap_or_default(),
            fingerprint: fingerprint.to_owned(),
            count: 0,
            first: at,
            last: at,
            example: redact(&item.key),
        };
        let cluster =
            found.entry((item.kind.as_str(), item.state.as_str(), fingerprint)).or_insert_with(new);
        cluster.count += 1;
        cluster.first = cluster.first.min(at);
        if at > cluster.last {
            (cluster.last, cluster.example) = (at, redact(&item.key));
        }
    }
    let mut clusters: Vec<Cluster> = found.into_values().collect();
    clusters.sort_by_key(|cluster| std::cmp::Reverse((cluster.count, cluster.last)));
    clusters
}

pub(in crate::dashboard) fn page(reply: &Reply, since: Duration) -> Page {
    let (items, more): (&[DueItem], bool) = match &reply.found {
        Found::Errors(items, more) => (items.as_slice(), *more),
        _ => (&[], false),
    };
    let option = |(value, of): (&str, Duration)| Choice {
        value: value.to_owned(),
        label: value.to_owned(),
        is_chosen: of == since,
    };
    let field = Field {
        name: "since".to_owned(),
        label: "Ended within".to_owned(),
        options: SPANS.into_iter().map(option).collect(),
        ..Field::default()
    };
    let form =
        Form { action: "/errors".to_owned(), fields: vec![field], submit: "Show".to_owned() };
    let mut note = format!(
        "{} jobs and messages that ended without success within {}, read {}.",
        cells::count(items.len() as u64, more).text,
        span(since),
        cells::age(reply.read_at.as_millis(), reply.now).text
    );
    if more {
        let _ = write!(note, " Only the first {MOST_ENDED} are counted: choose a shorter time.");
    }
    let head = [
        "Cluster",
        "Jobs",
        "Type",
        "State",
        "Class",
        "First seen",
        "Last seen",
        "Example",
        "Change",
    ];
    let table = Table {
        head: head.map(str::to_owned).to_vec(),
        rows: clusters(items).iter().map(|cluster| row(cluster, reply)).collect(),
        empty: "Nothing was given up.".to_owned(),
    };
    let section = Section {
        form: Some(form),
        table: Some(table),
        ..Section::new("clusters", "Clusters").note(note)
    };
    Page { title: "Errors".to_owned(), sections: vec![section], ..Page::default() }
}

fn row(cluster: &Cluster, reply: &Reply) -> Vec<Cell> {
    let name = match cluster.fingerprint.as_str() {
        "" => "without a fingerprint",
        fingerprint => fingerprint,
    };
    let list = if cluster.state == "rejected" {
        cells::path("/rejected", &[("type", &cluster.kind)])
    } else {
        let (state, kind, fingerprint) = (&cluster.state, &cluster.kind, &cluster.fingerprint);
        let values = [("state", state), ("type", kind), ("fingerprint", fingerprint)];
        cells::path("/jobs", &values.map(|(name, value)| (name, value.as_str())))
    };
    vec![
        Cell::text(name).href(list),
        cells::count(cluster.count, false),
        Cell::text(&cluster.kind),
        cells::state(&cluster.state),
        Cell::text(&cluster.class),
        cells::age(cluster.first, reply.now),
        cells::age(cluster.last, reply.now),
        cells::job(&cluster.example),
        retry(cluster),
    ]
}

/// A link to the page that asks whether to retry all jobs of a cluster. Without a fingerprint they have nothing in
/// common, and messages that were rejected are no jobs.
fn retry(cluster: &Cluster) -> Cell {
    let states = [ListedState::Dead, ListedState::Quarantined];
    let state = states.into_iter().find(|state| state.name() == cluster.state);
    let Some(state) = state.filter(|_| !cluster.fingerprint.is_empty()) else {
        return Cell::default();
    };
    let (kind, fingerprint) = (cluster.kind.clone(), cluster.fingerprint.clone());
    let values = Act::RetryCluster { kind, state, fingerprint }.values();
    let values: Vec<(&str, &str)> =
        values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Cell { key: Some('R'), ..Cell::text("Retry all …").href(cells::path(CONFIRM, &values)) }
}

#[cfg(test)]
mod tests {
    use evenkeel::base::time::Time;

    use super::*;

    #[test]
    fn failures_of_a_kind_are_one_cluster_with_its_first_and_its_last() {
        let item = |at, key: &str, fingerprint: Option<&str>| DueItem {
            key: key.to_owned(),
            due_at: Time::from_millis(at),
            state: "dead".to_owned(),
            kind: "a".to_owned(),
            fingerprint: fingerprint.map(str::to_owned),
            ..DueItem::default()
        };
        let items = [
            item(5, "a#g:1", Some("f")),
            item(9, "a#g:2", Some("f")),
            item(7, "a#g:3", Some("f")),
            item(8, "a#g:4", None),
        ];
        let clusters = clusters(&items);
        let told: Vec<_> = clusters
            .iter()
            .map(|it| (it.fingerprint.as_str(), it.count, it.first, it.last, it.example.as_str()))
            .collect();
        assert_eq!(told, [("f", 3, 5, 9, "a#g:2"), ("", 1, 8, 8, "a#g:4")]);
    }
}
