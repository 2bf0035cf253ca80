//! Bodies that are no message for their queue: kept for operators, with the reason; then their messages
//! may go.

use futures_util::future::join_all;

use crate::{
    batch::{Batch, Delivery, Ticket, Worker},
    fate::Fate,
    job::Job,
    message::{Flaw, Rejection},
    ports::{Control, PortError, Quarantined, Queue, Store, Woken},
    random::Random,
    record::{Phase, Record},
    telemetry,
    time::Clock,
};

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Keeps the bodies of the batch that are no messages.
    pub(crate) async fn quarantine_rejected(&self, batch: &Batch<J::Payload>) {
        join_all(batch.rejected.iter().map(async |(index, rejection)| {
            let fate = self.refuse(&batch.deliveries[*index], rejection).await;
            batch.board.note(&[*index], &fate);
        }))
        .await;
    }

    /// Keeps a body that is no message. A job of ours that it was to wake ends: its type no longer takes
    /// its payload, and nothing would ever run it again.
    async fn refuse(&self, delivery: &Delivery, rejection: &Rejection) -> Fate {
        if let Some(woken) = &delivery.wakes
            && let Err(error) = self.give_up(woken, rejection).await
        {
            return Fate::after(&error, delivery.receives);
        }
        self.quarantine(delivery, rejection).await
    }

    /// Keeps a body for operators; then the message may go.
    async fn quarantine(&self, delivery: &Delivery, rejection: &Rejection) -> Fate {
        let now = self.clock.now();
        let body = delivery.body.as_deref().unwrap_or_default();
        let message_id = delivery.message_id.as_deref().unwrap_or_default();
        let kept = Quarantined::new(J::TYPE, &delivery.queue, message_id, body, rejection, now);
        telemetry::quarantined(&kept);
        match self.store.quarantine(&kept).await {
            Ok(()) => Fate::Acknowledge,
            Err(error) => Fate::after(&error, delivery.receives),
        }
    }

    /// Ends a job whose own wake-up call its type no longer takes for a message, if it waits for that.
    async fn give_up(&self, woken: &Woken, rejection: &Rejection) -> Result<(), PortError> {
        let Some(record) = self.store.read(&woken.key).await? else { return Ok(()) };
        let waits = matches!(record.phase, Phase::Queued { .. } | Phase::Waiting { .. });
        if record.fence != woken.fence || !waits {
            return Ok(());
        }
        let why = format!("its type no longer takes its payload: {rejection}");
        let dead = Record { phase: Phase::Dead { at: self.clock.now(), why }, ..record.clone() };
        self.store.replace(&dead, Some(&record.guard())).await.map(drop)
    }

    /// Quarantines every message of a ticket whose id is known with another payload.
    pub(crate) async fn quarantine_ticket(
        &self,
        batch: &Batch<J::Payload>,
        ticket: &Ticket<J::Payload>,
    ) -> Fate {
        let reason = format!("id: {} is known with another payload", ticket.message.key);
        let rejection = Rejection::new(Flaw::OtherPayload, reason);
        for &index in &ticket.deliveries {
            let fate = self.quarantine(&batch.deliveries[index], &rejection).await;
            if fate != Fate::Acknowledge {
                return fate;
            }
        }
        Fate::Acknowledge
    }
}
