//! Claiming the jobs of a batch: what is new in one call, everything else one by one.

use std::time::Duration;

use futures_util::future::join_all;

use crate::{
    batch::{Batch, Ticket, Worker},
    fate::Fate,
    job::Job,
    outcome::{Cause, Decision},
    policy::SHORTEST_DELAY,
    ports::{Control, PortError, Queue, Store, Written},
    random::Random,
    record::{Phase, Record},
    telemetry,
    time::{Clock, Time},
    verdict::{self, Verdict},
};

/// Lost races after which a message is given back: somebody else is busy with the job.
const MOST_RACES: usize = 5;

/// First pause after a read that failed while an insert is in doubt; it doubles.
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// What became of the claim of one ticket.
pub(crate) enum Claim {
    /// It is ours: run it.
    Run(Box<Record>),
    /// It may be ours, but only in a process of its own.
    Alone,
    /// There is nothing to run.
    Over(Fate),
    /// It may be ours: what was written or read last was never answered.
    InDoubt(Fate),
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Claims every ticket of the batch; the answers are in their order, with whether the batch's
    /// lease is written.
    ///
    /// What is received for the first time is nearly always new, so it is inserted, all in one
    /// call with the lease. What that refuses, and what was received before, is read and decided
    /// one by one.
    pub(crate) async fn claim(&self, batch: &Batch<J::Payload>) -> (Vec<Claim>, bool) {
        let mut claims: Vec<Option<Claim>> = batch.tickets.iter().map(|_| None).collect();
        let (indices, records) = self.new_records(batch);
        let (mut leased, mut doubt) = (false, false);
        match self.store.insert(&records, &batch.lease).await {
            Ok(mut written) => {
                leased = written.pop() == Some(Written::Yes);
                for ((index, record), written) in indices.into_iter().zip(records).zip(written) {
                    if written == Written::Yes {
                        claims[index] = Some(Claim::Run(Box::new(record)));
                    }
                }
            }
            // Whether anything was written is not known: each ticket asks for itself.
            Err(error) => {
                telemetry::port_failed("insert", &error);
                doubt = true;
            }
        }
        let time = Self::latest_start(batch).since(self.clock.now());
        let each =
            claims.into_iter().zip(&batch.tickets).map(async |(claim, ticket)| match claim {
                Some(claim) => claim,
                // One that hangs must not use up the time of its neighbours.
                None => tokio::time::timeout(time, self.claim_one(batch, ticket, false, doubt))
                    .await
                    .unwrap_or_else(|_| Claim::InDoubt(Fate::store_gone(ticket.receives))),
            });
        (join_all(each).await, leased)
    }

    /// The records of the tickets that may be inserted unseen.
    fn new_records(&self, batch: &Batch<J::Payload>) -> (Vec<usize>, Vec<Record>) {
        let now = self.clock.now();
        // What we woke ourselves has a record.
        let new = |ticket: &Ticket<J::Payload>| ticket.receives <= 1 && ticket.wakes.is_none();
        let first = batch.tickets.iter().enumerate().filter(|(_, ticket)| new(ticket));
        first
            .filter_map(|(index, ticket)| {
                let claimant = ticket.claimant(batch, &J::POLICY, now);
                match verdict::claim(None, &ticket.message.key, &ticket.work, &claimant) {
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
        doubt: bool,
    ) -> Claim {
        let (mut seen, mut doubt): (Option<Box<Record>>, bool) = (None, doubt);
        let (mut pause, mut races) = (DOUBT_PAUSE, 0);
        while races < MOST_RACES {
            let existing = match seen.take() {
                Some(record) => Some(*record),
                None => match self.store.read(&ticket.message.key).await {
                    Ok(record) => record,
                    // The job may be ours already: to go away now would count as a crash later.
                    Err(PortError::Unavailable(_)) if doubt => {
                        if self.clock.now() + pause >= Self::latest_start(batch) {
                            return Claim::InDoubt(Fate::store_gone(ticket.receives));
                        }
                        tokio::time::sleep(pause).await;
                        pause *= 2;
                        continue;
                    }
                    Err(error) => return Claim::Over(Fate::after(&error, ticket.receives)),
                },
            };
            races += 1;
            let now = self.clock.now();
            let claimant = ticket.claimant(batch, &J::POLICY, now);
            let key = &ticket.message.key;
            let verdict = verdict::claim(existing.as_ref(), key, &ticket.work, &claimant);
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
                Verdict::Arm(_) => match self.arm(ticket, existing.as_ref()).await {
                    Attempt::Done(claim) => return claim,
                    Attempt::Again(current) => {
                        seen = current;
                        continue;
                    }
                    Attempt::InDoubt => continue,
                },
            };
            match self.write(ticket, existing.as_ref(), &record, claim).await {
                Attempt::Done(claim) => return claim,
                Attempt::Again(current) => seen = current,
                Attempt::InDoubt => doubt = true,
            }
        }
        let fate = Fate::ComeBack(SHORTEST_DELAY);
        if doubt { Claim::InDoubt(fate) } else { Claim::Over(fate) }
    }

    /// When a run must have started to fit the time, with its end written.
    pub(crate) fn latest_start(batch: &Batch<J::Payload>) -> Time {
        batch.deadline.before(J::POLICY.job_timeout + J::POLICY.reserve)
    }

    /// Sees to it that somebody looks when the live run's lease is over; then the message may go.
    async fn arm(&self, ticket: &Ticket<J::Payload>, live: Option<&Record>) -> Attempt {
        let Some(live) = live else { return Attempt::Again(None) };
        match self.store.arm(live).await {
            Ok(Written::Yes) => Attempt::Done(Claim::Over(Fate::Acknowledge)),
            Ok(Written::No(current)) => Attempt::Again(current),
            Ok(Written::Unknown(why)) | Err(PortError::Unavailable(why)) => in_doubt("arm", why),
            Err(error) => Attempt::Done(Claim::Over(Fate::after(&error, ticket.receives))),
        }
    }

    /// Writes what the verdict says, if the record is still as it was read.
    async fn write(
        &self,
        ticket: &Ticket<J::Payload>,
        existing: Option<&Record>,
        record: &Record,
        claim: Claim,
    ) -> Attempt {
        let guard = existing.map(Record::guard);
        let crashes = existing.map_or(0, |existing| existing.ledger.crashes);
        match self.store.replace(record, guard.as_ref()).await {
            Ok(Written::Yes) => {
                if crashes < record.ledger.crashes || record.phase.ended_at().is_some() {
                    telemetry::found(record);
                }
                // What ends here has no run that would count it.
                let end = match record.phase {
                    Phase::Dead { .. } => Some(Decision::Bury(Cause::DeadlineOver)),
                    Phase::Quarantined { .. } => Some(Decision::Quarantine),
                    _ => None,
                };
                if let Some(end) = end {
                    self.gates.ended(&end, record.work.created_at);
                }
                Attempt::Done(claim)
            }
            Ok(Written::No(Some(current))) if current.is_write_of(record) => Attempt::Done(claim),
            Ok(Written::No(current)) => Attempt::Again(current),
            Ok(Written::Unknown(why)) | Err(PortError::Unavailable(why)) => {
                in_doubt("replace", why)
            }
            Err(error) => Attempt::Done(Claim::Over(Fate::after(&error, ticket.receives))),
        }
    }
}

/// What one conditional write came to.
enum Attempt {
    Done(Claim),
    /// Look again, at the record in its way if the answer showed it.
    Again(Option<Box<Record>>),
    /// Look again: it may have been written.
    InDoubt,
}

/// A write in doubt is looked at again; the line is for whoever counts them.
fn in_doubt(call: &str, why: String) -> Attempt {
    telemetry::port_failed(call, &PortError::Unavailable(why));
    Attempt::InDoubt
}
