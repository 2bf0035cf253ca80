//! Claiming the jobs of a batch: what is new in one call, everything else one by one.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    batch::{Batch, Fate, Ticket, Worker},
    job::Job,
    policy::LONGEST_WAIT,
    ports::{PortError, Queue, Store, Written},
    random::Random,
    record::{self, Record, Verdict},
    telemetry,
    time::Clock,
};

/// Lost races after which a message is given back: somebody else is busy with the job.
const MOST_RACES: usize = 5;

/// How long a message waits when the store is gone at its first receive.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What became of the claim of one ticket.
pub(crate) enum Claim {
    /// It is ours: run it.
    Run(Box<Record>),
    /// It may be ours, but only in a process of its own.
    Alone,
    /// There is nothing to run.
    Over(Fate),
}

impl Fate {
    /// What happens to a message, on its n-th receive, whose job the store could not be asked
    /// about.
    pub(crate) fn after(error: &PortError, receives: u32) -> Self {
        telemetry::port_failed("store", error);
        match error {
            PortError::Unavailable(_) => Self::store_gone(receives),
            PortError::Broken(why) => Self::Broken(format!("broken: {why}")),
        }
    }

    /// Each receive waits twice as long as the one before: an outage of hours must not use up the
    /// receives that SQS grants a message.
    fn store_gone(receives: u32) -> Self {
        let doubled = STORE_PAUSE.saturating_mul(1 << receives.saturating_sub(1).min(20));
        Self::ComeBack(doubled.min(LONGEST_WAIT))
    }
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Claims every ticket of the batch; the answers are in their order.
    ///
    /// What is received for the first time is nearly always new, so it is inserted, all in one
    /// call with the batch's lease. What that refuses, and what was received before, is read and
    /// decided one by one.
    pub(crate) async fn claim(&self, batch: &Batch<J::Payload>) -> Vec<Claim> {
        let mut claims: Vec<Option<Claim>> = batch.tickets.iter().map(|_| None).collect();
        let (indices, records) = self.new_records(batch);
        match self.store.insert(&records, &batch.lease).await {
            Ok(mut written) => {
                if !matches!(written.pop(), Some(Written::Yes)) {
                    self.renew_lease(batch).await;
                }
                for ((index, record), written) in indices.into_iter().zip(records).zip(written) {
                    if written == Written::Yes {
                        claims[index] = Some(Claim::Run(Box::new(record)));
                    }
                }
            }
            // Whether anything was written is not known: each ticket asks for itself.
            Err(error) => {
                telemetry::port_failed("insert", &error);
                self.renew_lease(batch).await;
            }
        }
        join_all(claims.into_iter().zip(&batch.tickets).map(|(claim, ticket)| async {
            match claim {
                Some(claim) => claim,
                None => self.claim_one(batch, ticket, false).await,
            }
        }))
        .await
    }

    /// The records of the tickets that may be inserted unseen.
    fn new_records(&self, batch: &Batch<J::Payload>) -> (Vec<usize>, Vec<Record>) {
        let now = self.clock.now();
        let first = batch.tickets.iter().enumerate().filter(|(_, ticket)| ticket.receives <= 1);
        first
            .filter_map(|(index, ticket)| {
                let claimant = ticket.claimant(batch, J::POLICY.dedup_window, now);
                match record::claim(None, &ticket.message.key, &ticket.work, &claimant) {
                    Verdict::Take { record, alone: false } => Some((index, record)),
                    _ => None,
                }
            })
            .unzip()
    }

    /// A claimed job's own message still stands for it, so a batch without a lease loses nothing;
    /// it only takes longer until somebody looks.
    pub(crate) async fn renew_lease(&self, batch: &Batch<J::Payload>) {
        if let Err(error) = self.store.lease(&batch.lease).await {
            telemetry::port_failed("lease", &error);
        }
    }

    /// Claims one ticket by reading its record and writing on the condition that it is still as
    /// read; an answer that is lost is found out by reading again.
    pub(crate) async fn claim_one(
        &self,
        batch: &Batch<J::Payload>,
        ticket: &Ticket<J::Payload>,
        alone_now: bool,
    ) -> Claim {
        let mut seen: Option<Box<Record>> = None;
        for _ in 0..MOST_RACES {
            let existing = match seen.take() {
                Some(record) => Some(*record),
                None => match self.store.read(&ticket.message.key).await {
                    Ok(record) => record,
                    Err(error) => return Claim::Over(Fate::after(&error, ticket.receives)),
                },
            };
            let now = self.clock.now();
            let claimant = ticket.claimant(batch, J::POLICY.dedup_window, now);
            let key = &ticket.message.key;
            let verdict = record::claim(existing.as_ref(), key, &ticket.work, &claimant);
            let (record, claim) = match verdict {
                Verdict::Ours(record) => return Claim::Run(Box::new(record)),
                Verdict::Ended | Verdict::Looked => return Claim::Over(Fate::Acknowledge),
                Verdict::ComeBack(at) => return Claim::Over(Fate::ComeBack(at.since(now))),
                Verdict::OtherPayload => {
                    return Claim::Over(self.quarantine_ticket(batch, ticket).await);
                }
                Verdict::Take { alone: true, .. } if !alone_now => return Claim::Alone,
                Verdict::Take { record, .. } => (record.clone(), Claim::Run(Box::new(record))),
                Verdict::Note(record, None) => (record, Claim::Over(Fate::Acknowledge)),
                Verdict::Note(record, Some(at)) => {
                    (record, Claim::Over(Fate::ComeBack(at.since(now))))
                }
                Verdict::Arm(at) => {
                    let Some(record) = &existing else { continue };
                    match self.store.arm(record, at).await {
                        Ok(Written::Yes) => return Claim::Over(Fate::Acknowledge),
                        Ok(Written::No(current)) => seen = current,
                        Ok(Written::Unknown(_)) | Err(_) => {}
                    }
                    continue;
                }
            };
            let guard = existing.as_ref().map(Record::guard);
            let crashes = existing.as_ref().map_or(0, |existing| existing.ledger.crashes);
            match self.store.replace(&record, guard.as_ref()).await {
                Ok(Written::Yes) => {
                    if crashes < record.ledger.crashes || record.phase.ended_at().is_some() {
                        telemetry::found(&record);
                    }
                    return claim;
                }
                Ok(Written::No(Some(current))) if current.is_write_of(&record) => return claim,
                Ok(Written::No(current)) => seen = current,
                Ok(Written::Unknown(_)) | Err(PortError::Unavailable(_)) => {}
                Err(error) => return Claim::Over(Fate::after(&error, ticket.receives)),
            }
        }
        Claim::Over(Fate::store_gone(ticket.receives))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::MAX_RECEIVES;

    #[test]
    fn the_receives_of_a_message_outlast_hours_without_the_store() {
        let waits = (1..=MAX_RECEIVES).map(|receives| match Fate::store_gone(receives) {
            Fate::ComeBack(wait) => wait,
            other => panic!("{other:?}"),
        });
        let waits: Vec<Duration> = waits.collect();
        let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds[..10], [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert!(waits.iter().sum::<Duration>() > Duration::from_hours(4));
    }
}
