//! Handles one SQS event, step by step.

use std::{collections::BTreeMap, fmt};

use super::{
    Worker,
    batch::{self, Batch},
    claim,
    disposition::Disposition,
    reject, schedule, settle, slots, verify,
};
use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::{Clock, Time},
    },
    job::Job,
    message::{Purpose, ReceivedMessage},
    policy::{ANSWER_RESERVE, LONGEST_VISIBILITY},
    ports::{ExtendVisibility, PortError, Ports, Queue},
    telemetry,
};

/// The whole event fails: SQS delivers all its messages again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError(pub String);

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BatchError {}

/// Handles one event and returns the ids of the messages that SQS must deliver again.
///
/// `deadline` is when Lambda ends the invocation. Fails, and with it the whole event, only if an
/// operator must fix the store, or if a message that must be delivered again has no id.
pub async fn handle<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    messages: Vec<ReceivedMessage>,
    deadline: Time,
) -> Result<Vec<String>, BatchError> {
    const {
        let _ = J::POLICY.checked();
    }
    let started = worker.clock.now();
    let batch = batch::decode(worker, messages, deadline);
    let mut tally = batch.tally();
    count_new_messages(worker, &batch);
    // Do not start without time: an insert whose response is never read would later count as a
    // crash.
    let end = if is_on(Mutant::AnswersLate) { Time::MAX } else { deadline.before(ANSWER_RESERVE) };
    let limit = end.since(started);
    let in_time = !limit.is_zero() && {
        // On the heap: it holds every run of the batch.
        let work = Box::pin(async {
            if batch.tickets.is_empty() {
                return;
            }
            let waiting = slots::reserve(worker, &batch).await;
            let jobs = async {
                let claims = claim::claim(worker, &batch, &waiting).await;
                let settled = schedule::run_and_settle(worker, &batch, claims, &mut tally).await;
                settle::close_lease(worker, &batch, settled).await;
            };
            tokio::join!(hide_waiting(worker, &batch, &waiting), jobs);
        });
        let steps = async {
            tokio::join!(
                reject::keep_rejected(worker, &batch),
                work,
                verify::verify_results(worker, &batch),
            )
        };
        tokio::time::timeout(limit, steps).await.is_ok()
    };
    if !in_time {
        telemetry::out_of_time(J::TYPE);
    }
    let dispositions = batch.dispositions.dispositions();
    hide_and_report(worker, &batch, &dispositions).await;
    let took = worker.clock.now().since(started);
    if !batch.tickets.is_empty() {
        // While runs wait for their slots, more concurrency would not speed them up.
        let runs = u32::try_from(J::POLICY.concurrency).unwrap_or(u32::MAX);
        let waited = tally.longest_waited.max(tally.waited / runs);
        let jobs = batch.tickets.len().saturating_sub(tally.waiting);
        worker.gates.worked(jobs, took.saturating_sub(waited));
    }
    telemetry::batch(J::TYPE, &tally, took);
    answer(&batch.messages, &dispositions)
}

/// Reports the send times of messages that are received for the first time. A redelivered message
/// says nothing about the queue's backlog.
fn count_new_messages<J: Job, P: Ports>(worker: &Worker<J, P>, batch: &Batch<J::Payload>) {
    let new =
        |message: &&ReceivedMessage| message.receives <= 1 && message.purpose == Purpose::Work;
    for message in batch.messages.iter().filter(new) {
        worker.gates.received(&message.queue, message.sent_at);
    }
}

/// Hides the messages that will be delivered again, and reports the statistics, within the time
/// left.
async fn hide_and_report<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    dispositions: &[Disposition],
) {
    // A batch in which nothing ran still reports its oldest message.
    let last = async { tokio::join!(hide(worker, batch, dispositions), worker.gates.report(true)) };
    let left = batch.deadline.before(ANSWER_RESERVE / 3).since(worker.clock.now());
    if tokio::time::timeout(left, last).await.is_err() {
        // The messages are delivered again anyway, after the queue's own visibility time-out.
        telemetry::port_failed("extend_visibility", &PortError::Unavailable("out of time".into()));
    }
}

/// Hides the messages that wait for their slots. The runs of the batch may take seconds, and a message that was hidden
/// only after them would come back after its slot.
async fn hide_waiting<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    waiting: &BTreeMap<usize, Disposition>,
) {
    let mut dispositions = vec![Disposition::Ack; batch.messages.len()];
    for (ticket, disposition) in waiting {
        for place in &batch.tickets[*ticket].messages {
            dispositions[*place] = disposition.clone();
        }
    }
    if hide(worker, batch, &dispositions).await {
        batch.hides(waiting.keys());
    }
}

/// Hides the messages that will be delivered again, in one call per queue, before the response
/// names them. Returns false if that failed.
async fn hide<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    dispositions: &[Disposition],
) -> bool {
    let mut hidden: BTreeMap<&str, Vec<ExtendVisibility>> = BTreeMap::new();
    for (place, (message, disposition)) in batch.messages.iter().zip(dispositions).enumerate() {
        if let (Some(span), Some(receipt)) = (disposition.visibility_extension(), &message.receipt)
            && !batch.is_hidden(place)
        {
            let hide =
                ExtendVisibility { receipt: receipt.clone(), span: span.min(LONGEST_VISIBILITY) };
            hidden.entry(&message.queue).or_default().push(hide);
        }
    }
    let mut all = true;
    for (queue, messages) in hidden {
        if let Err(error) = worker.queue.extend_visibility(queue, &messages).await {
            // The messages are delivered again anyway, after the queue's own visibility time-out.
            telemetry::port_failed("extend_visibility", &error);
            all = false;
        }
    }
    all
}

/// The ids of the messages that SQS must deliver again.
fn answer(
    messages: &[ReceivedMessage],
    dispositions: &[Disposition],
) -> Result<Vec<String>, BatchError> {
    let mut failed = Vec::new();
    for (message, disposition) in messages.iter().zip(dispositions) {
        match (disposition, message.message_id.as_deref()) {
            (Disposition::Ack, _) => {}
            (Disposition::FailBatch(why, _), _) => {
                return Err(BatchError(format!("the store is broken: {why}")));
            }
            // Lambda treats an empty id as a failure of the whole batch, without a reason.
            (Disposition::Retry(_), None | Some("")) => {
                return Err(BatchError("a message without messageId must come again".into()));
            }
            (Disposition::Retry(_), Some(id)) => failed.push(id.to_owned()),
        }
    }
    Ok(failed)
}
