//! A job in the report.

use serde::Serialize;
use serde_json::Value;

use crate::scene::record::Record;
use crate::verdict::Evidence;
use crate::verdict::end::End;

/// A job that was sent, or that a feed should have enqueued.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct JobLine {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    key: Option<String>,
    payload: Option<Value>,
    state: Option<String>,
    /// How many messages asked for it, not counting those of feeds.
    messages: usize,
    /// When the first of them was sent, in epoch milliseconds.
    sent_ms: Option<u64>,
    ended_ms: Option<u64>,
    took_ms: Option<u64>,
    /// As the function wrote it.
    result: Option<Value>,
    claims: u32,
    attempts: u32,
    defers: u32,
    crashes: u32,
    /// Why the job counts as failed.
    failed: Option<String>,
}

/// The jobs that were sent.
pub(crate) fn sent(ends: &[End], evidence: &Evidence<'_>) -> Vec<JobLine> {
    let ends = ends.iter().enumerate();
    ends.map(|(place, end)| {
        let sent = evidence.sent.iter().filter(|sent| sent.message.job == Some(place));
        let times: Vec<u64> = sent.map(|sent| sent.at_ms).collect();
        line(end, &times, evidence)
    })
    .collect()
}

/// The jobs that feeds should have enqueued.
pub(crate) fn made(ends: &[End], evidence: &Evidence<'_>) -> Vec<JobLine> {
    ends.iter().map(|end| line(end, &[], evidence)).collect()
}

fn line(end: &End, sent_ms: &[u64], evidence: &Evidence<'_>) -> JobLine {
    let key = end.key.as_ref();
    let record = evidence.records.iter().find(|record| Some(&record.pk) == key);
    let result = record.and_then(|record| record.result.as_ref());
    JobLine {
        kind: end.kind.name(),
        name: end.name.clone(),
        key: end.key.clone(),
        payload: record.and_then(Record::payload),
        state: end.state.clone(),
        messages: sent_ms.len(),
        sent_ms: sent_ms.iter().min().copied(),
        ended_ms: record.and_then(|record| record.ended_at),
        took_ms: end.took_ms,
        result: result.and_then(|result| result.parse().ok()),
        claims: record.map_or(0, |record| record.claims),
        attempts: record.map_or(0, |record| record.attempts),
        defers: record.map_or(0, |record| record.defers),
        crashes: record.map_or(0, |record| record.crashes),
        failed: end.outcome.as_ref().err().cloned(),
    }
}
