use proptest::prelude::*;

use super::*;
use crate::{
    failure::{Class, Failure},
    message::MAX_ID_BYTES,
    record::{
        FailedAttempt,
        journal::{ENTRY_BYTES, JOURNAL, JournalEntry},
    },
    testing::work,
};

fn item(attributes: Vec<Attribute>) -> Item {
    let count = attributes.len();
    let item: Item = attributes.into_iter().map(|(name, v)| (name.to_owned(), v)).collect();
    assert_eq!(item.len(), count, "an attribute occurs twice");
    item
}

fn times() -> impl Strategy<Value = Time> {
    (0..1_u64 << 45).prop_map(Time::from_millis)
}

fn phases() -> impl Strategy<Value = Phase> {
    let ended = || (times(), ".{0,20}");
    prop_oneof![
        times().prop_map(|due_at| Phase::Queued { due_at }),
        (times(), any::<bool>()).prop_map(|(lease_until, lease_expiry_indexed)| {
            Phase::Running { lease_until, lease_expiry_indexed }
        }),
        (times(), times(), ".{0,20}").prop_map(|(run_after, due_at, why)| Phase::Waiting {
            run_after,
            due_at,
            why
        }),
        (times(), ".{0,20}").prop_map(|(run_after, why)| Phase::Parked { run_after, why }),
        ended().prop_map(|(at, result)| Phase::Succeeded { at, result }),
        ended().prop_map(|(at, why)| Phase::Dead { at, why }),
        ended().prop_map(|(at, why)| Phase::Cancelled { at, why }),
        ended().prop_map(|(at, why)| Phase::Quarantined { at, why }),
    ]
}

fn traces() -> impl Strategy<Value = Trace> {
    let parts = ("[1-9a-f][0-9a-f]{31}", "[1-9a-f]{16}", any::<bool>());
    parts.prop_filter_map("no trace", |(trace, span, sampled)| {
        let flags = u8::from(sampled);
        Trace::of_traceparent(&format!("00-{trace}-{span}-{flags:02x}"))
    })
}

prop_compose! {
    fn records()(
        phase in phases(),
        key in "[a-z]{1,8}#[dg]:.{1,20}",
        fence in any::<u64>(),
        counts in proptest::array::uniform5(0_u32..9),
        payload in ".{0,40}",
        retention in 0_u64..1 << 40,
        created_at in times(),
        first_created_at in proptest::option::of(times()),
        deadline in proptest::option::of(times()),
        provisional in proptest::option::of(".{0,9}"),
        cursor in proptest::option::of(".{0,9}"),
        group in proptest::option::of("[a-z]{1,9}"),
        trace in proptest::option::of(traces()),
        parking in proptest::option::of((
            times(),
            any::<bool>(),
            proptest::option::of(times()),
            proptest::option::of(times()),
        )),
        paused_ms in 0_u64..9,
        last_failure in proptest::option::of(("[a-z]{1,9}", "[0-9a-f]{12}", times())),
        history in proptest::collection::vec(".{0,9}", 0..3),
        journal in proptest::collection::vec(entries(), 0..3),
    ) -> Record {
        let [receives, claims, attempts, defers, crashes] = counts;
        // A succeeded job has no provisional result.
        let done = matches!(phase, Phase::Succeeded { .. });
        let provisional = provisional.filter(|_| !done);
        Record {
            cursor,
            provisional,
            parking: parking.map(|(since, gated, ends_at, paused_since)| Parking {
                since,
                gated,
                ends_at,
                paused_since,
            }),
            last_failure: last_failure
                .map(|(class, fingerprint, at)| LastFailure { class, fingerprint, at }),
            key,
            fence,
            owner: "token".into(),
            message_id: "message".into(),
            counters: Counters { receives, claims, attempts, defers, crashes, paused_ms },
            phase,
            work: Work {
                payload,
                queue: "arn:aws:sqs:eu-west-1:1:q".into(),
                dependency: "elsewhere".into(),
                retention: Duration::from_secs(retention),
                created_at,
                first_created_at,
                deadline,
                group,
                trace,
            },
            history: history
                .into_iter()
                .map(|message| FailedAttempt {
                    at: 7,
                    class: "transient".into(),
                    code: "http_500".into(),
                    message,
                })
                .collect(),
            journal,
        }
    }
}

prop_compose! {
    fn entries()(
        at in any::<u64>(),
        op in proptest::option::of("[0-9a-f]{1,4}"),
        what in ".{0,9}",
        more in proptest::option::of("[a-z]{1,9}"),
    ) -> JournalEntry {
        let more = more.map(|text| ("newer".to_owned(), serde_json::Value::from(text)));
        JournalEntry { at, op, what, more: more.into_iter().collect() }
    }
}

fn longest_trace() -> Option<Trace> {
    Trace::of_header("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1")
}

/// DynamoDB takes items of up to 400 KB.
#[test]
fn the_largest_record_fits_an_item() {
    use crate::{
        failure::MESSAGE_BYTES,
        message::MAX_BODY_BYTES,
        policy::{HISTORY, MAX_CURSOR_BYTES, MAX_DEPENDENCY_BYTES, MAX_RESULT_BYTES},
    };
    let text = |bytes: usize| "x".repeat(bytes);
    let attempt = FailedAttempt {
        at: u64::MAX,
        class: text(20),
        code: text(40),
        message: text(MESSAGE_BYTES),
    };
    let why = text(2 * MESSAGE_BYTES);
    let (at, op, more) = (u64::MAX, Some(text(32)), BTreeMap::new());
    let entry = JournalEntry { at, op, what: text(ENTRY_BYTES), more };
    let record = Record {
        key: text(100 + MAX_ID_BYTES),
        fence: u64::MAX,
        owner: text(32),
        message_id: text(100),
        counters: Counters {
            receives: u32::MAX,
            claims: u32::MAX,
            attempts: u32::MAX,
            defers: u32::MAX,
            crashes: u32::MAX,
            paused_ms: u64::MAX,
        },
        phase: Phase::Waiting { run_after: Time::MAX, due_at: Time::MAX, why },
        work: Work {
            payload: text(MAX_BODY_BYTES),
            queue: text(200),
            dependency: text(MAX_DEPENDENCY_BYTES),
            retention: Duration::MAX,
            created_at: Time::MAX,
            first_created_at: Some(Time::MAX),
            deadline: Some(Time::MAX),
            group: Some(text(128)),
            trace: longest_trace(),
        },
        cursor: Some(text(MAX_CURSOR_BYTES)),
        provisional: Some(text(MAX_RESULT_BYTES)),
        parking: Some(Parking {
            since: Time::MAX,
            gated: true,
            ends_at: Some(Time::MAX),
            paused_since: Some(Time::MAX),
        }),
        last_failure: Some(LastFailure { class: text(20), fingerprint: text(12), at: Time::MAX }),
        history: vec![attempt; HISTORY],
        journal: vec![entry; JOURNAL],
    };
    let bytes = crate::aws::size::record(&record);
    assert!(bytes > MAX_BODY_BYTES + MAX_CURSOR_BYTES + MAX_RESULT_BYTES, "{bytes}");
    assert!(bytes < 400_000, "{bytes}");
}

proptest! {
    #[test]
    fn every_record_round_trips_through_its_item(record in records()) {
        prop_assert_eq!(decode(&item(encode(&record))), Ok(record));
    }

    #[test]
    fn a_settle_written_over_a_running_record_yields_the_whole_record(
        run in records(),
        end in phases(),
    ) {
        prop_assume!(!matches!(end, Phase::Queued { .. } | Phase::Running { .. }));
        let run = Record { phase: Phase::Running { lease_until: Time::from_millis(9), lease_expiry_indexed: true }, ..run };
        let mut table = item(encode(&run));
        let provisional =
            run.provisional.clone().filter(|_| !matches!(end, Phase::Succeeded { .. }));
        let ended = Record { phase: end, provisional, ..run };
        for name in TRANSIENT {
            table.remove(name);
        }
        table.extend(item(encode_progress(&ended)));
        prop_assert_eq!(decode(&table), Ok(ended));
    }
}

proptest! {
    #[test]
    fn nothing_is_left_of_a_record_that_is_replaced(old in records(), new in records()) {
        let new = Record { key: old.key.clone(), ..new };
        let mut table = item(encode(&old));
        for name in TRANSIENT.into_iter().chain(OPTIONAL) {
            table.remove(name);
        }
        table.extend(item(encode(&new)));
        prop_assert_eq!(decode(&table), Ok(new));
    }
}

proptest! {
    /// A healthy job has no journal, so its item is as small as it can be.
    #[test]
    fn a_journal_without_entries_is_no_attribute(record in records()) {
        for attributes in [encode(&record), encode_progress(&record)] {
            let has = attributes.iter().any(|(name, _)| *name == "journal");
            prop_assert_eq!(has, !record.journal.is_empty());
        }
    }
}

#[test]
fn the_error_names_a_missing_attribute() {
    let item = Item::from([("pk".to_owned(), s("a#d:1"))]);
    assert_eq!(decode(&item), Err("fence: expected a whole number".into()));
}

/// A newer version may have written it: the message of the job waits, and is held in the end.
#[test]
fn a_state_that_this_version_does_not_know_is_an_error_that_names_it() {
    let phase = Phase::Queued { due_at: Time::from_millis(1) };
    let mut item = item(encode(&crate::testing::record("a#d:1", phase)));
    assert!(decode(&item).is_ok());
    item.insert("state".to_owned(), s("dreaming"));
    assert_eq!(decode(&item), Err("state: \"dreaming\" is none".into()));
}

#[test]
fn leases_sort_by_their_end() {
    let sort_key = |until| {
        let lease = Lease { owner: "b".into(), until: Time::from_millis(until), jobs: vec![] };
        lease_key(&lease)[1].1.as_s().unwrap().clone()
    };
    assert!(sort_key(999) < sort_key(1_795_456_800_250));
}

#[test]
fn an_entry_of_the_due_index_costs_one_write_unit() {
    let kind = "product_detail_scraping";
    let failure = Failure::new(Class::Contended, "holder_invisible", "taken");
    let dependency = format!("page/{}", "h".repeat(253));
    let arn = "arn:aws-us-gov:sqs:us-gov-west-1:123456789012";
    let key = format!("{kind}#g:{}", "k".repeat(MAX_ID_BYTES));
    let at = Time::from_millis(1_999_999_999_999);
    for phase in [
        Phase::Parked { run_after: at, why: "w".repeat(300) },
        Phase::Waiting { run_after: at, due_at: at, why: "w".repeat(300) },
        Phase::Dead { at, why: "w".repeat(300) },
    ] {
        let work = Work {
            payload: "p".repeat(60_000),
            queue: format!("{arn}:{}-high", "q".repeat(75)),
            dependency: dependency.clone(),
            created_at: at,
            group: Some("g".repeat(128)),
            trace: longest_trace(),
            ..work()
        };
        let last_failure = Some(LastFailure {
            class: failure.class().name().into(),
            fingerprint: failure.fingerprint(&dependency),
            at,
        });
        let record = Record { phase, last_failure, ..Record::queued(key.clone(), work, at) };
        let entry = crate::aws::size::due_entry(&record);
        assert!(entry < 1024, "{entry} bytes: {}", record.phase.name());
    }
}
