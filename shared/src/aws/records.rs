//! Reads and writes of several records in one call.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{
    BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse, KeysAndAttributes,
};

use super::{
    failure::port_error,
    item::{self, Item, Reader, n, s},
    jobs::{DynamoStore, decode, written},
    rounds, statement,
};
use crate::{
    ports::{PortError, Replacement, Written},
    record::Record,
};

/// Maximum calls for one batch of reads, since DynamoDB may leave some keys unprocessed.
const MOST_ROUNDS: u32 = 5;

impl DynamoStore {
    /// The records with these keys, in the order of the keys.
    pub(super) async fn read_records(
        &self,
        keys: &[String],
    ) -> Result<Vec<Result<Option<Record>, PortError>>, PortError> {
        let table = &self.tables.jobs;
        let mut read: BTreeMap<String, Item> = BTreeMap::new();
        let mut left: Vec<Item> =
            keys.iter().map(|key| Item::from([("pk".to_owned(), s(key))])).collect();
        for round in 0..MOST_ROUNDS {
            if left.is_empty() {
                break;
            }
            rounds::pause(round).await;
            let wanted = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true);
            let wanted = wanted.build().map_err(|error| PortError::Broken(error.to_string()))?;
            let get = self.client.batch_get_item().request_items(table, wanted);
            let answer = get.send().await.map_err(|error| port_error(&error))?;
            let items = answer.responses.and_then(|mut all| all.remove(table)).unwrap_or_default();
            read.extend(items.into_iter().filter_map(|item| Some((key_of(&item)?, item))));
            let rest = answer.unprocessed_keys.and_then(|mut all| all.remove(table));
            left = rest.map(|rest| rest.keys).unwrap_or_default();
        }
        let unread: BTreeSet<String> = left.iter().filter_map(key_of).collect();
        let answer = |key: &String| {
            if unread.contains(key) {
                return Err(PortError::Unavailable("the record was not read".into()));
            }
            Ok(read.get(key).map(decode).transpose()?.map(|record| *record))
        };
        Ok(keys.iter().map(answer).collect())
    }

    /// Writes these records, each if its guard holds.
    pub(super) async fn replace_records(
        &self,
        writes: &[Replacement],
    ) -> Result<Vec<Result<Written, PortError>>, PortError> {
        let statements = writes.iter().map(|write| replacement(&self.tables.jobs, write));
        let answers = self.run(statements.collect()).await?;
        Ok(answers.into_iter().map(replaced).collect())
    }
}

fn key_of(item: &Item) -> Option<String> {
    Reader(item).text("pk").ok()
}

/// The statement that writes a whole record. It leaves attributes alone that only another version knows.
fn replacement(table: &str, write: &Replacement) -> BatchStatementRequest {
    let Replacement { record, guard } = write;
    let mut attributes = item::encode(record);
    let Some(guard) = guard else { return statement::insert(table, attributes) };
    attributes.retain(|(name, _)| *name != "pk");
    let optional: Vec<&str> = item::TRANSIENT.into_iter().chain(item::OPTIONAL).collect();
    let only_if =
        vec![("pk", s(&record.key)), ("state", s(guard.state)), ("fence", n(guard.fence))];
    statement::update(table, attributes, &optional, only_if)
}

/// Translates the response to a [`replacement`].
fn replaced(response: BatchStatementResponse) -> Result<Written, PortError> {
    if let Some(error) = &response.error
        && error.code == Some(BatchStatementErrorCodeEnum::ValidationError)
    {
        return Err(PortError::Invalid(error.message.clone().unwrap_or_default()));
    }
    written(response)
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::{BatchStatementError, BatchStatementErrorCodeEnum as Code};
    use tokio::time::Instant;

    use super::*;
    use crate::{aws::measured, base::config::Tables, ports::Store};

    #[tokio::test(start_paused = true)]
    async fn keys_that_were_left_out_are_asked_for_again_after_pauses() {
        let left = r#"{"Responses":{},"UnprocessedKeys":{"jobs":{"Keys":[{"pk":{"S":"a"}}]}}}"#;
        let config = measured::answering(left.to_owned()).await;
        let tables = Tables { jobs: "jobs".into(), control: "control".into() };
        let store = DynamoStore::new(&config, tables);
        let began = Instant::now();
        let read = store.read_all(&["a".to_owned()]).await;
        assert_eq!(read, Ok(vec![Err(PortError::Unavailable("the record was not read".into()))]));
        // Up to 50, 100, 200 and 400 ms, and at least half of that.
        let waited = began.elapsed().as_millis();
        assert!((375..=750).contains(&waited), "{waited} ms");
    }

    #[test]
    fn a_record_that_the_table_refuses_is_told_from_one_that_was_throttled() {
        let answer = |code: Code| {
            let error = BatchStatementError::builder().code(code).message("why").build();
            replaced(BatchStatementResponse::builder().error(error).build())
        };
        assert_eq!(answer(Code::ValidationError), Err(PortError::Invalid("why".into())));
        assert!(matches!(answer(Code::ThrottlingError), Ok(Written::Unknown(_))));
        assert_eq!(answer(Code::ConditionalCheckFailed), Ok(Written::No(None)));
        assert_eq!(replaced(BatchStatementResponse::builder().build()), Ok(Written::Yes));
    }
}
