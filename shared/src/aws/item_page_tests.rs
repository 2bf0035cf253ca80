//! The table of attributes in docs/records.md, against what is written.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{
    record::{FailedAttempt, journal::JournalEntry},
    testing::{self, BEGINNING},
};

/// An attribute that no version has written yet.
const NEVER_YET: &str = "format";

/// A row of the page: each attribute that it names with its type, and when it is there.
fn rows() -> Vec<(BTreeMap<&'static str, &'static str>, &'static str)> {
    let page = include_str!("../../../docs/records.md");
    let section = page.split("\n## A job\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names: Vec<&str> = cells[0].split(", ").map(|name| name.trim_matches('`')).collect();
        let types: Vec<&str> = cells[1].split(", ").collect();
        assert!(types.len() == 1 || types.len() == names.len(), "{row}");
        let of = |(place, name): (usize, &'static str)| (name, types[place.min(types.len() - 1)]);
        (names.into_iter().enumerate().map(of).collect(), cells[2])
    })
    .collect()
}

fn phases() -> [Phase; 9] {
    let (at, why) = (BEGINNING, String::new);
    let running = |lease_expiry_indexed| Phase::Running { lease_until: at, lease_expiry_indexed };
    [
        Phase::Queued { due_at: at },
        running(false),
        running(true),
        Phase::Waiting { run_after: at, due_at: at, why: why() },
        Phase::Parked { run_after: at, why: why() },
        Phase::Succeeded { at, result: why() },
        Phase::Dead { at, why: why() },
        Phase::Cancelled { at, why: why() },
        Phase::Quarantined { at, why: why() },
    ]
}

/// A record with all that it can have in this state.
fn full(phase: Phase) -> Record {
    let bare = testing::record("errand#g:1", phase);
    let is_done = matches!(bare.phase, Phase::Succeeded { .. });
    let trace = Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793");
    let (at, class) = (BEGINNING, "transient".to_owned());
    Record {
        cursor: Some("7".into()),
        provisional: (!is_done).then(|| "{}".into()),
        parking: Some(Parking {
            since: at,
            gated: true,
            ends_at: Some(at),
            paused_since: Some(at),
        }),
        last_failure: Some(LastFailure {
            class: class.clone(),
            fingerprint: "aeb49e4dcd47".into(),
            at,
        }),
        counters: Counters {
            receives: 1,
            claims: 1,
            attempts: 1,
            defers: 1,
            crashes: 1,
            paused_ms: 1,
        },
        work: Work {
            first_created_at: Some(at),
            deadline: Some(at),
            group: Some("acme".into()),
            trace,
            ..testing::work()
        },
        history: vec![FailedAttempt {
            at: 7,
            class,
            code: "http_500".into(),
            message: String::new(),
        }],
        journal: vec![JournalEntry {
            at: 7,
            op: None,
            what: "retried".into(),
            more: BTreeMap::new(),
        }],
        ..bare
    }
}

/// The name of an attribute's type in DynamoDB.
fn type_of(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::Bool(_) => "BOOL",
        other => panic!("{other:?}: a type that no record has had so far"),
    }
}

#[test]
fn the_page_names_every_attribute_of_a_record_with_its_type() {
    let mut written: BTreeMap<&str, &str> = BTreeMap::new();
    let mut always: Option<BTreeSet<&str>> = None;
    let bare = phases().map(|phase| testing::record("errand#g:1", phase));
    for record in bare.into_iter().chain(phases().map(full)) {
        let attributes = encode(&record);
        let names: BTreeSet<&str> = attributes.iter().map(|(name, _)| *name).collect();
        always = Some(always.map_or_else(|| names.clone(), |always| &always & &names));
        written.extend(attributes.iter().map(|(name, value)| (*name, type_of(value))));
    }
    let rows = rows();
    let mut named: BTreeMap<&str, &str> =
        rows.iter().flat_map(|(attributes, _)| attributes.clone()).collect();
    assert_eq!(named.remove(NEVER_YET), Some("N"));
    assert_eq!(named, written);
    let of_all = rows.iter().filter(|(_, present)| *present == "always");
    let of_all: BTreeSet<&str> = of_all.flat_map(|(names, _)| names.keys().copied()).collect();
    assert_eq!(Some(of_all), always);
}

#[test]
fn every_attribute_that_a_write_may_remove_is_written_by_some_record() {
    let written: BTreeSet<&str> =
        phases().map(full).iter().flat_map(encode).map(|(name, _)| name).collect();
    let removed = TRANSIENT.into_iter().chain(OPTIONAL);
    let unknown: Vec<&str> = removed.filter(|name| !written.contains(name)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
}
