//! Rejected messages: each is kept for operators with the reason, then acknowledged.

use futures_util::future::join_all;

use crate::failure::{Class, Failure};
use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::Clock,
    },
    job::Job,
    message::{Flaw, ReceivedMessage, RejectedMessage, Rejection, Woken},
    policy::LONGEST_WAIT,
    ports::{PortError, Ports, Store},
    record::Phase,
    telemetry,
    worker::{
        Worker,
        batch::{Batch, Ticket},
        disposition::Disposition,
    },
};

/// From this receive on, a message of a newer version is kept as rejected, and so is one whose record a newer version
/// has written. Until then it waits in its queue for the update that knows it: 20 times 15 minutes, which is five hours.
pub(super) const HELD_FROM_RECEIVE: u32 = 21;

/// Keeps the rejected messages of the batch.
pub(super) async fn keep_rejected<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) {
    join_all(batch.rejected.iter().map(async |(index, rejection)| {
        let disposition = reject(worker, &batch.messages[*index], rejection).await;
        batch.dispositions.note(&[*index], &disposition);
    }))
    .await;
}

/// Keeps a rejected message. If it is a wake-up message, its job ends as dead: the job type no
/// longer accepts the payload, so the job could never run again.
async fn reject<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    message: &ReceivedMessage,
    rejection: &Rejection,
) -> Disposition {
    if rejection.flaw == Flaw::Newer && message.receives < HELD_FROM_RECEIVE {
        return Disposition::Retry(LONGEST_WAIT);
    }
    if let Some(woken) = &message.wakes
        && let Err(error) = give_up(worker, woken, rejection).await
    {
        return Disposition::after_error(&error, message.receives);
    }
    keep(worker, message, rejection).await
}

/// Keeps a rejected message for operators; then it can be acknowledged.
async fn keep<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    message: &ReceivedMessage,
    rejection: &Rejection,
) -> Disposition {
    let now = worker.clock.now();
    let body = message.body.as_deref().unwrap_or_default();
    let message_id = message.message_id.as_deref().unwrap_or_default();
    let kept = RejectedMessage::new(J::TYPE, &message.queue, message_id, body, rejection, now);
    let kept = kept.in_group(message.group.as_deref()).traced(message.trace.as_ref());
    telemetry::rejected(&kept);
    if is_on(Mutant::RejectedWithoutRecord) {
        return Disposition::Ack;
    }
    match worker.store.reject(&kept).await {
        Ok(()) => Disposition::Ack,
        Err(error) => Disposition::after_error(&error, message.receives),
    }
}

/// Ends the job of a rejected wake-up message as dead, if the job waits for that message.
async fn give_up<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    woken: &Woken,
    rejection: &Rejection,
) -> Result<(), PortError> {
    let Some(record) = worker.store.read(&woken.key).await? else { return Ok(()) };
    let waits = matches!(record.phase, Phase::Queued { .. } | Phase::Waiting { .. });
    if record.fence != woken.fence || !waits {
        return Ok(());
    }
    let why = format!("its type no longer takes its payload: {rejection}");
    let failure = Failure::new(Class::Permanent, rejection.flaw.name(), &rejection.reason);
    let dead = record.buried(&failure, why, worker.clock.now());
    worker.store.replace(&dead, Some(&record.guard())).await.map(drop)
}

/// Rejects every message of a ticket whose id is known with another payload.
pub(super) async fn reject_ticket<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
) -> Disposition {
    let reason = format!("id: {} is known with another payload", ticket.message.key);
    keep_all(worker, batch, ticket, &Rejection::new(Flaw::OtherPayload, reason)).await
}

/// Rejects every message of a ticket whose record cannot be read.
pub(super) async fn reject_unreadable<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
    why: &str,
) -> Disposition {
    let reason = format!("record: {}: {why}", ticket.message.key);
    keep_all(worker, batch, ticket, &Rejection::new(Flaw::Newer, reason)).await
}

/// Rejects every message of a ticket whose record the table refuses.
pub(super) async fn reject_unwritable<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
    why: &str,
) -> Disposition {
    let reason = format!("record: {}: the table refuses it: {why}", ticket.message.key);
    keep_all(worker, batch, ticket, &Rejection::new(Flaw::Invalid, reason)).await
}

async fn keep_all<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
    rejection: &Rejection,
) -> Disposition {
    for &index in &ticket.messages {
        let disposition = keep(worker, &batch.messages[index], rejection).await;
        if disposition != Disposition::Ack {
            return disposition;
        }
    }
    Disposition::Ack
}
