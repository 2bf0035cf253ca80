//! The case of a record that no item can hold.

use super::{insert, running};
use crate::{
    ports::{PortError, Store},
    record::Record,
};

/// More than an item of DynamoDB may have, in bytes.
const TOO_LONG: usize = 450_000;

/// The refusal is about the record, and no trouble of the table: nobody tries again, and nothing is written.
pub(super) async fn a_record_that_is_too_long_is_refused_as_invalid<S: Store>(store: &S) {
    let record = running("case#d:too-long", "a");
    insert(store, &record).await;
    let long = Record { cursor: Some("x".repeat(TOO_LONG)), fence: 2, ..record.clone() };
    let written = store.replace(&long, Some(&record.guard())).await;
    assert!(matches!(written, Err(PortError::Invalid(_))), "{written:?}");
    assert_eq!(store.read(&record.key).await, Ok(Some(record)));
}
