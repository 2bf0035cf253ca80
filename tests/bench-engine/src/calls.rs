//! Calls of the tables: the statements by themselves, and the whole call with what the SDK makes of it.

use std::time::Duration;

use evenkeel::{
    aws::{
        DynamoStore,
        measured::{answer_to_statements, answering, build_claims, build_settles},
    },
    base::config::Tables,
    ports::{Store as _, Written},
    record::{Record, lease::Lease},
    testing::BEGINNING,
};

use crate::{
    case::Case,
    decisions::{ended, record},
    work::BATCH,
};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::pure("statements that claim ten", "batch", 1_000, || {
            let records: Vec<Record> = (0..BATCH).map(record).collect();
            let (tables, lease) = (tables(), lease(&records));
            move || build_claims(&tables, &records, &lease)
        }),
        Case::pure("statements that settle ten", "batch", 1_000, || {
            let records: Vec<Record> = (0..BATCH).map(ended).collect();
            let (tables, lease) = (tables(), lease(&records));
            move || build_settles(&tables, &records, &lease)
        }),
        Case::of_future("call that claims ten, with the SDK", "call", 200, claim_calls),
        Case::of_future("call that settles ten, with the SDK", "call", 200, settle_calls),
    ]
}

fn tables() -> Tables {
    Tables { jobs: "evenkeel-jobs".to_owned(), control: "evenkeel-control".to_owned() }
}

fn lease(records: &[Record]) -> Lease {
    let jobs = records.iter().map(|record| record.key.clone()).collect();
    let until = BEGINNING + Duration::from_secs(20);
    Lease { owner: "0123456789abcdef0123456789abcdef".to_owned(), until, jobs }
}

/// A store whose calls of ten records and a lease are answered at once.
async fn store() -> DynamoStore {
    DynamoStore::new(&answering(answer_to_statements(BATCH + 1)).await, tables())
}

async fn claim_calls(times: u32) {
    let store = store().await;
    let records: Vec<Record> = (0..BATCH).map(record).collect();
    let lease = lease(&records);
    for _ in 0..times {
        let written = store.insert(&records, &lease).await.expect("it is answered");
        assert!(written.iter().all(|written| *written == Written::Yes), "{written:?}");
    }
}

async fn settle_calls(times: u32) {
    let store = store().await;
    let records: Vec<Record> = (0..BATCH).map(ended).collect();
    let lease = lease(&records);
    for _ in 0..times {
        let written = store.settle(&records, &[], Some(&lease), None).await;
        let written = written.expect("it is answered");
        assert!(written.iter().all(|written| *written == Written::Yes), "{written:?}");
    }
}
