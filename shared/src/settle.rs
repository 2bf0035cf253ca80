//! Running the claimed jobs of a batch and writing down how they ended.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    batch::{Batch, Fate, Worker},
    claim::Claim,
    executor,
    job::Job,
    outcome::{Decision, Outcome},
    policy::{SETTLE_GROUPING, SHORTEST_DELAY},
    ports::{PortError, Queue, Store, Written},
    random::Random,
    record::{Guard, Record},
    retry::{self, Situation},
    telemetry::{self, Tally},
    time::{Clock, Time},
};

/// Time kept for the answer when settling is tried again and again.
const LAST_CALL: Duration = Duration::from_millis(500);

/// First pause between two tries to settle; it doubles.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// A job whose run is over and whose end is not written yet.
struct Ended {
    ticket: usize,
    record: Record,
    fate: Fate,
}

/// What is known of a ticket once its end is written, or cannot be.
struct Settled {
    ticket: usize,
    fate: Fate,
    confirmed: bool,
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Claims, runs and settles the tickets of a batch; answers with the fate of each.
    pub(crate) async fn work(
        &self,
        batch: &Batch<J::Payload>,
        tally: &mut Tally,
    ) -> Vec<(usize, Fate)> {
        if batch.tickets.is_empty() {
            return Vec::new();
        }
        let (mut runs, mut alone, mut fates) = (Vec::new(), Vec::new(), Vec::new());
        for (ticket, claim) in self.claim(batch).await.into_iter().enumerate() {
            match claim {
                Claim::Run(record) => runs.push((ticket, *record)),
                Claim::Alone => alone.push(ticket),
                Claim::Over(fate) => fates.push((ticket, fate)),
            }
        }
        tally.not_run = fates.len();
        let (mut settled, closed) = self.run_together(batch, runs, alone.is_empty(), tally).await;
        for ticket in alone {
            settled.push(self.run_alone(batch, ticket, tally).await);
        }
        // An end that is not confirmed leaves the lease standing, for the sweeper to find.
        if !closed
            && settled.iter().all(|settled| settled.confirmed)
            && let Err(error) = self.store.release(&batch.lease).await
        {
            telemetry::port_failed("release", &error);
        }
        fates.extend(settled.into_iter().map(|settled| (settled.ticket, settled.fate)));
        fates
    }

    /// Runs jobs side by side. Their ends are written in groups, but none waits longer than
    /// [`SETTLE_GROUPING`] for a slower neighbour. If nothing comes after them (`last`), the lease
    /// closes with the last group; the answer says whether it did.
    async fn run_together(
        &self,
        batch: &Batch<J::Payload>,
        runs: Vec<(usize, Record)>,
        last: bool,
        tally: &mut Tally,
    ) -> (Vec<Settled>, bool) {
        let mut waiting = runs.into_iter();
        let mut running = FuturesUnordered::new();
        let mut settling = FuturesUnordered::new();
        let mut ended: Vec<Ended> = Vec::new();
        let (mut settled, mut closed) = (Vec::<Settled>::new(), false);
        let mut flush_at = Instant::now();
        loop {
            while running.len() < J::POLICY.concurrency
                && let Some((ticket, record)) = waiting.next()
            {
                running.push(self.run_one(batch, ticket, record));
            }
            if running.is_empty() && !ended.is_empty() {
                let others_done = settling.is_empty() && settled.iter().all(|one| one.confirmed);
                let closing = last && others_done;
                settling.push(self.settle(batch, std::mem::take(&mut ended), closing));
            }
            if running.is_empty() && settling.is_empty() {
                return (settled, closed);
            }
            tokio::select! {
                Some((job, decision)) = running.next() => {
                    tally.count(&decision);
                    if ended.is_empty() {
                        flush_at = Instant::now() + SETTLE_GROUPING;
                    }
                    ended.push(job);
                }
                Some((group, lease_closed)) = settling.next() => {
                    settled.extend(group);
                    closed |= lease_closed;
                }
                () = tokio::time::sleep_until(flush_at), if !ended.is_empty() => {
                    settling.push(self.settle(batch, std::mem::take(&mut ended), false));
                }
            }
        }
    }

    /// Claims and runs a job that may kill its process, when every neighbour is settled.
    async fn run_alone(
        &self,
        batch: &Batch<J::Payload>,
        ticket: usize,
        tally: &mut Tally,
    ) -> Settled {
        if !self.fits(batch) {
            return Settled { ticket, fate: Fate::ComeBack(SHORTEST_DELAY), confirmed: true };
        }
        match self.claim_one(batch, &batch.tickets[ticket], true).await {
            Claim::Run(record) => {
                let (settled, _) =
                    self.run_together(batch, vec![(ticket, *record)], false, tally).await;
                settled.into_iter().next().unwrap_or(Settled {
                    ticket,
                    fate: Fate::ComeBack(SHORTEST_DELAY),
                    confirmed: false,
                })
            }
            Claim::Alone => {
                Settled { ticket, fate: Fate::ComeBack(SHORTEST_DELAY), confirmed: true }
            }
            Claim::Over(fate) => {
                tally.not_run += 1;
                Settled { ticket, fate, confirmed: true }
            }
        }
    }

    /// Whether a whole run, and settling it, fits into the time left.
    fn fits(&self, batch: &Batch<J::Payload>) -> bool {
        self.clock.now() + J::POLICY.job_timeout + J::POLICY.reserve <= batch.deadline
    }

    async fn run_one(
        &self,
        batch: &Batch<J::Payload>,
        ticket: usize,
        record: Record,
    ) -> (Ended, Decision) {
        let outcome = if self.fits(batch) {
            let payload = &batch.tickets[ticket].message.payload;
            let latest_end = batch.deadline.before(J::POLICY.reserve);
            executor::execute(&self.job, payload, &record, &self.clock, latest_end).await
        } else {
            Outcome::Failed(executor::unstarted())
        };
        let now = self.clock.now();
        let (decision, record) = self.decided(&record, outcome, now);
        let fate = match decision {
            Decision::Succeed | Decision::Bury(_) | Decision::Quarantine => Fate::Acknowledge,
            Decision::Retry { after, .. } | Decision::Park { after } => Fate::ComeBack(after),
        };
        (Ended { ticket, record, fate }, decision)
    }

    /// The record as the outcome leaves it.
    fn decided(&self, record: &Record, outcome: Outcome, now: Time) -> (Decision, Record) {
        match outcome {
            Outcome::Succeeded(result) => {
                let decision = Decision::Succeed;
                (decision, record.settled(decision, None, result, now))
            }
            Outcome::Failed(failure) => {
                let decision = retry::decide(
                    &failure,
                    &Situation {
                        policy: &J::POLICY,
                        ledger: record.ledger,
                        deadline: record.work.deadline,
                        now,
                        chance: self.random.unit(),
                    },
                );
                let record = record.settled(decision, Some(&failure), String::new(), now);
                telemetry::job(&record, decision, &failure);
                (decision, record)
            }
        }
    }

    /// Writes the ends of several runs in one call, and closes the batch's lease with them if
    /// `closing`; an entry that is refused or in doubt is resolved alone, after the lease is
    /// written again. Until then the jobs' own messages stand for them: none is acknowledged yet.
    async fn settle(
        &self,
        batch: &Batch<J::Payload>,
        ended: Vec<Ended>,
        closing: bool,
    ) -> (Vec<Settled>, bool) {
        let (mut others, mut records) = (Vec::new(), Vec::new());
        for Ended { ticket, record, fate } in ended {
            others.push((ticket, fate));
            records.push(record);
        }
        let lease = closing.then_some(&batch.lease);
        let written = match self.store.settle(&records, lease).await {
            Ok(written) => written,
            Err(error) => {
                telemetry::port_failed("settle", &error);
                vec![Written::Unknown(error.to_string()); records.len()]
            }
        };
        let closed = closing && written.iter().all(|written| *written == Written::Yes);
        if closing && !closed {
            self.renew_lease(batch).await;
        }
        let resolved = records.iter().zip(others).zip(written).map(
            async |((record, (ticket, fate)), written)| match written {
                Written::Yes => Settled { ticket, fate, confirmed: true },
                _ => self.settle_one(batch, ticket, record, fate).await,
            },
        );
        (futures_util::future::join_all(resolved).await, closed)
    }

    /// Writes the end of one run, again and again while there is time: the work is done, and only
    /// the note of it is missing.
    async fn settle_one(
        &self,
        batch: &Batch<J::Payload>,
        ticket: usize,
        record: &Record,
        fate: Fate,
    ) -> Settled {
        let guard = Guard { state: "running", fence: record.fence };
        let mut pause = SETTLE_PAUSE;
        loop {
            match self.store.replace(record, Some(&guard)).await {
                Ok(Written::Yes) => return Settled { ticket, fate, confirmed: true },
                Ok(Written::No(Some(current))) if current.is_write_of(record) => {
                    return Settled { ticket, fate, confirmed: true };
                }
                Ok(Written::No(_)) => {
                    // The lease ran out and another run took over: what this one did is harmless
                    // when repeated, and what it says changes nothing.
                    telemetry::zombie(record);
                    let fate = Fate::ComeBack(SHORTEST_DELAY);
                    return Settled { ticket, fate, confirmed: true };
                }
                Err(PortError::Broken(why)) => {
                    let fate = Fate::Broken(format!("broken: {why}"));
                    return Settled { ticket, fate, confirmed: false };
                }
                Ok(Written::Unknown(_)) | Err(PortError::Unavailable(_)) => {}
            }
            if self.clock.now() + pause + LAST_CALL >= batch.deadline {
                // The message finds the lease over when it comes back, and the job goes on.
                let fate = Fate::ComeBack(batch.lease.until.since(self.clock.now()));
                telemetry::unsettled(record);
                return Settled { ticket, fate, confirmed: false };
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}
