//! Running the claimed jobs of a batch and writing down how they ended.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use tokio::time::Instant;

use crate::{
    batch::{Batch, Worker},
    claim::Claim,
    error::Class,
    fate::Fate,
    job::Job,
    outcome::Decision,
    policy::{ANSWER_RESERVE, SETTLE_GROUPING, SHORTEST_DELAY},
    ports::{Control, PortError, Queue, Store, Written},
    random::Random,
    record::{Guard, Phase, Record},
    run::Ended,
    telemetry::{self, Tally},
    time::Clock,
};

/// First pause between two tries to settle; it doubles.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Claims, runs and settles the tickets of a batch, noting the fate of each as it is known.
    pub(crate) async fn work(&self, batch: &Batch<J::Payload>, tally: &mut Tally) {
        if batch.tickets.is_empty() {
            return;
        }
        let (mut runs, mut alone, mut in_doubt) = (Vec::new(), Vec::new(), false);
        let ((claims, mut leased), ()) = tokio::join!(self.claim(batch), self.look(batch));
        for (ticket, claim) in claims.into_iter().enumerate() {
            match claim {
                Claim::Run(record) => {
                    // Until its end is written, the message is the job's way back.
                    batch.note(ticket, &self.after_the_lease(batch));
                    runs.push((ticket, *record));
                }
                Claim::Alone => {
                    batch.note(ticket, &Fate::ComeBack(SHORTEST_DELAY));
                    alone.push(ticket);
                }
                Claim::Over(fate) => {
                    tally.not_run += 1;
                    batch.note(ticket, &fate);
                }
                Claim::InDoubt(fate) => {
                    in_doubt = true;
                    batch.note(ticket, &fate);
                }
            }
        }
        let any = in_doubt || !runs.is_empty() || !alone.is_empty();
        if any && !leased {
            self.renew_lease(batch).await;
            leased = true;
        }
        let (mut confirmed, closed) =
            self.run_together(batch, runs, alone.is_empty() && !in_doubt, tally).await;
        for ticket in alone {
            confirmed &= self.run_alone(batch, ticket, tally).await;
        }
        // An end that is not confirmed, or a claim in doubt, leaves the lease standing, for the sweeper
        // to find.
        if leased
            && confirmed
            && !in_doubt
            && !closed
            && let Err(error) = self.store.release(&batch.lease).await
        {
            telemetry::port_failed("release", &error);
        }
    }

    /// Looks at the breakers while the jobs are claimed.
    async fn look(&self, batch: &Batch<J::Payload>) {
        let dependencies: BTreeSet<&str> =
            batch.tickets.iter().map(|ticket| ticket.work.dependency.as_str()).collect();
        join_all(dependencies.into_iter().map(|dependency| self.gates.look(dependency))).await;
    }

    /// Reserves slots for the jobs that will run, in one write a dependency.
    async fn prepare(&self, runs: &[(usize, Record)]) {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for (_, record) in runs {
            *counts.entry(&record.work.dependency).or_default() += 1;
        }
        let each =
            counts.into_iter().map(|(dependency, runs)| self.gates.prepare(dependency, runs));
        join_all(each).await;
    }

    /// The fate of a message whose job is claimed and whose end nobody has written: it finds the
    /// lease over when it comes back.
    fn after_the_lease(&self, batch: &Batch<J::Payload>) -> Fate {
        Fate::ComeBack(batch.lease.until.since(self.clock.now()))
    }

    /// Runs jobs side by side. Their ends are written in groups, but none waits longer than
    /// [`SETTLE_GROUPING`] for a slower neighbour. If nothing comes after them (`last`), the lease
    /// closes with the last group. Answers whether every end is confirmed, and whether it closed.
    async fn run_together(
        &self,
        batch: &Batch<J::Payload>,
        runs: Vec<(usize, Record)>,
        last: bool,
        tally: &mut Tally,
    ) -> (bool, bool) {
        self.prepare(&runs).await;
        let mut waiting = runs.into_iter();
        let mut running = FuturesUnordered::new();
        let mut settling = FuturesUnordered::new();
        let mut reporting = FuturesUnordered::new();
        let mut ended: Vec<Ended> = Vec::new();
        let (mut confirmed, mut closed) = (true, false);
        let mut flush_at = Instant::now();
        loop {
            while running.len() < J::POLICY.concurrency
                && let Some((ticket, record)) = waiting.next()
            {
                running.push(self.run_one(batch, ticket, record));
            }
            if running.is_empty() && !ended.is_empty() {
                let closing = last && confirmed && settling.is_empty();
                settling.push(self.settle(batch, std::mem::take(&mut ended), closing));
                reporting.push(self.gates.report());
            }
            if running.is_empty() && settling.is_empty() && reporting.is_empty() {
                return (confirmed, closed);
            }
            tokio::select! {
                Some(job) = running.next() => {
                    tally.count(&job.decision);
                    self.gates.ended(&job.decision, job.record.work.created_at);
                    let deferred = job.failure.as_ref().filter(|f| f.class() == Class::Deferred);
                    tally.gate = deferred.map(ToString::to_string).or(tally.gate.take());
                    if ended.is_empty() {
                        flush_at = Instant::now() + SETTLE_GROUPING;
                    }
                    ended.push(job);
                }
                Some((group_confirmed, lease_closed)) = settling.next() => {
                    confirmed &= group_confirmed;
                    closed |= lease_closed;
                }
                Some(()) = reporting.next() => {}
                () = tokio::time::sleep_until(flush_at), if !ended.is_empty() => {
                    settling.push(self.settle(batch, std::mem::take(&mut ended), false));
                    reporting.push(self.gates.report());
                }
            }
        }
    }

    /// Claims and runs a job that may kill its process, when every neighbour is settled. Answers
    /// whether its end is confirmed, if it began.
    async fn run_alone(&self, batch: &Batch<J::Payload>, ticket: usize, tally: &mut Tally) -> bool {
        if !self.fits(batch) {
            return true;
        }
        match self.claim_one(batch, &batch.tickets[ticket], true, false).await {
            Claim::Run(record) => {
                batch.note(ticket, &self.after_the_lease(batch));
                let runs = vec![(ticket, *record)];
                self.run_together(batch, runs, false, tally).await.0
            }
            Claim::Alone => true,
            Claim::Over(fate) => {
                tally.not_run += 1;
                batch.note(ticket, &fate);
                true
            }
            Claim::InDoubt(fate) => {
                batch.note(ticket, &fate);
                false
            }
        }
    }

    /// Writes the ends of several runs in one call, and closes the batch's lease with them if
    /// `closing`; an entry that is refused or in doubt is resolved alone. Answers whether every end
    /// is confirmed and whether the lease closed.
    ///
    /// A lease that closed although not every end was taken is written again beside the ends. In
    /// between, the jobs' own messages stand for them: they are not acknowledged yet.
    async fn settle(
        &self,
        batch: &Batch<J::Payload>,
        ended: Vec<Ended>,
        closing: bool,
    ) -> (bool, bool) {
        let records: Vec<Record> = ended.iter().map(|ended| ended.record.clone()).collect();
        let lease = closing.then_some(&batch.lease);
        let settled = async {
            self.gates.note_parked(&records).await?;
            self.store.settle(&records, lease).await
        };
        let written = match settled.await {
            Ok(written) => written,
            Err(error) => {
                telemetry::port_failed("settle", &error);
                vec![Written::Unknown(error.to_string()); records.len()]
            }
        };
        let at_once = written.iter().all(|written| *written == Written::Yes);
        let each = ended.iter().zip(written).map(async |(ended, written)| match written {
            Written::Yes => {
                confirm(batch, ended);
                true
            }
            _ => self.settle_one(batch, ended).await,
        });
        let renewed = async {
            if closing && !at_once {
                self.renew_lease(batch).await;
            }
        };
        let (confirmed, ()) = tokio::join!(join_all(each), renewed);
        (confirmed.into_iter().all(|confirmed| confirmed), closing && at_once)
    }

    /// Writes the end of one run, again and again while there is time: the work is done, and only
    /// the note of it is missing. Answers whether it is confirmed, or another run's business now.
    async fn settle_one(&self, batch: &Batch<J::Payload>, ended: &Ended) -> bool {
        let Ended { ticket, record, .. } = ended;
        let guard = Guard { state: "running", fence: record.fence };
        let mut pause = SETTLE_PAUSE;
        loop {
            let written = async {
                self.gates.note_parked(std::slice::from_ref(record)).await?;
                self.store.replace(record, Some(&guard)).await
            };
            match written.await {
                Ok(Written::Yes) => {
                    confirm(batch, ended);
                    return true;
                }
                Ok(Written::No(Some(current))) if current.is_write_of(record) => {
                    confirm(batch, ended);
                    return true;
                }
                Ok(Written::No(_)) => {
                    // The lease ran out and another run took over: what this one did is harmless
                    // when repeated, and what it says changes nothing.
                    telemetry::zombie(record);
                    batch.note(*ticket, &Fate::ComeBack(SHORTEST_DELAY));
                    return true;
                }
                Err(error @ (PortError::Broken(_) | PortError::Unreadable(_))) => {
                    let receives = batch.tickets[*ticket].receives;
                    batch.note(*ticket, &Fate::after(&error, receives));
                    return false;
                }
                Ok(Written::Unknown(_)) | Err(PortError::Unavailable(_)) => {}
            }
            if self.clock.now() + pause + ANSWER_RESERVE >= batch.deadline {
                telemetry::unsettled(record);
                batch.note(*ticket, &self.after_the_lease(batch));
                return false;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The end of a run is in the table: its messages follow it.
fn confirm<P>(batch: &Batch<P>, ended: &Ended) {
    // A parked job has a look of its own: whoever finds it sends a new message.
    let parked = matches!(ended.record.phase, Phase::Parked { .. });
    let fate = match (&ended.broken, ended.decision) {
        (Some(why), Decision::Retry { after, .. }) => Fate::Broken(why.clone(), after),
        (_, Decision::Retry { after, .. }) => Fate::ComeBack(after),
        (_, Decision::Continue) if !parked => Fate::ComeBack(SHORTEST_DELAY),
        _ => Fate::Acknowledge,
    };
    batch.note(ended.ticket, &fate);
    if let Some(failure) = &ended.failure {
        telemetry::job(&ended.record, ended.decision, failure);
    }
}
