//! Reads and writes of records that the claims of a batch make at the same time: those of a kind share one call.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    base::gather::Gatherer,
    policy::BATCH_SIZE,
    ports::{PortError, Replacement, Store, Written},
    record::{Guard, Record},
};

/// The reads and writes that wait for a call. A batch has its own: its jobs differ, so no call names a record twice.
#[derive(Debug)]
pub(super) struct Gathered {
    reads: Gatherer<String, Result<Option<Record>, PortError>>,
    writes: Gatherer<Replacement, Result<Written, PortError>>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            reads: Gatherer::new(BATCH_SIZE, Duration::ZERO),
            writes: Gatherer::new(BATCH_SIZE, Duration::ZERO),
        }
    }
}

impl Gathered {
    /// Reads the record of a job, as [`Store::read`] does.
    pub(super) async fn read<S: Store>(
        &self,
        store: &S,
        key: &str,
    ) -> Result<Option<Record>, PortError> {
        self.reads.ask(key.to_owned(), |keys| read(store, keys)).await
    }

    /// Writes the record of a job, as [`Store::replace`] does.
    pub(super) async fn replace<S: Store>(
        &self,
        store: &S,
        record: &Record,
        guard: Option<Guard>,
    ) -> Result<Written, PortError> {
        let write = Replacement { record: record.clone(), guard };
        self.writes.ask(write, |writes| replace(store, writes)).await
    }
}

async fn read<S: Store>(store: &S, keys: Vec<String>) -> Vec<Result<Option<Record>, PortError>> {
    if let [key] = &keys[..] {
        return vec![store.read(key).await];
    }
    let answers = each(store.read_all(&keys).await, keys.len());
    let answers = keys.iter().zip(answers).map(async |(key, answer)| match answer {
        Err(PortError::Invalid(_)) => store.read(key).await,
        answer => answer,
    });
    join_all(answers).await
}

async fn replace<S: Store>(store: &S, writes: Vec<Replacement>) -> Vec<Result<Written, PortError>> {
    if let [write] = &writes[..] {
        return vec![replace_one(store, write).await];
    }
    let answers = each(store.replace_all(&writes).await, writes.len());
    let answers = writes.iter().zip(answers).map(async |(write, answer)| match answer {
        Err(PortError::Invalid(_)) => replace_one(store, write).await,
        answer => answer,
    });
    join_all(answers).await
}

async fn replace_one<S: Store>(store: &S, write: &Replacement) -> Result<Written, PortError> {
    store.replace(&write.record, write.guard.as_ref()).await
}

/// The answer to each of `count` questions of a call. An invalid one may fail the whole call, so whoever hears
/// [`PortError::Invalid`] asks again alone: a job is given up for its own record only.
fn each<T>(
    answers: Result<Vec<Result<T, PortError>>, PortError>,
    count: usize,
) -> Vec<Result<T, PortError>> {
    answers.unwrap_or_else(|error| (0..count).map(|_| Err(error.clone())).collect())
}
