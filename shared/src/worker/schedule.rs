//! Schedules the claimed jobs: first those that run concurrently, then those that must run
//! isolated.

use std::mem;

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{
    Worker,
    batch::Batch,
    claim::{self, Claim, Claims},
    disposition::Disposition,
    execute::guarded,
    run::{self, Ended},
    settle::{self, Settled},
};
use crate::{
    failure::Class,
    job::Job,
    policy::{PREPARE_TIME, SHORTEST_DELAY},
    ports::{PortError, Ports},
    record::Record,
    telemetry::{self, Tally},
};

/// What is left to do after the claims of a batch.
struct Plan {
    /// Tickets with their claimed records, to run concurrently.
    runs: Vec<(usize, Record)>,
    /// Tickets to claim and run one by one after the others are settled.
    isolated: Vec<usize>,
    /// Whether a claim may have been written although its response was lost.
    in_doubt: bool,
    /// Whether the batch's lease is in the table.
    leased: bool,
}

/// Sorts the claims of a batch and sets the disposition of each message. Writes the lease if it is
/// missing and anything may run.
async fn plan<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    claims: Claims,
    tally: &mut Tally,
) -> Plan {
    let Claims { each, leased } = claims;
    let mut plan = Plan { runs: Vec::new(), isolated: Vec::new(), in_doubt: false, leased };
    for (ticket, claim) in each.into_iter().enumerate() {
        match claim {
            Claim::Run(record) => {
                // Until the end is written, only redelivery of the message brings the job back.
                batch.note(ticket, &settle::after_the_lease(worker, batch));
                plan.runs.push((ticket, *record));
            }
            Claim::Isolated => {
                batch.note(ticket, &Disposition::Retry(SHORTEST_DELAY));
                plan.isolated.push(ticket);
            }
            Claim::Waits(disposition) => {
                tally.waiting += 1;
                batch.note(ticket, &disposition);
            }
            Claim::NothingToRun(disposition) => {
                tally.not_run += 1;
                batch.note(ticket, &disposition);
            }
            Claim::InDoubt(disposition) => {
                plan.in_doubt = true;
                batch.note(ticket, &disposition);
            }
        }
    }
    let any = plan.in_doubt || !plan.runs.is_empty() || !plan.isolated.is_empty();
    if any && !plan.leased {
        settle::renew_lease(worker, batch).await;
        plan.leased = true;
    }
    plan
}

/// Runs the claimed jobs and settles each as its run ends.
pub(super) async fn run_and_settle<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    claims: Claims,
    tally: &mut Tally,
) -> Settled {
    let Plan { runs, isolated, in_doubt, leased } = plan(worker, batch, claims, tally).await;
    let last = isolated.is_empty() && !in_doubt;
    prepare(worker, batch, &runs).await;
    let mut settled = run_together(worker, batch, runs, last, tally).await;
    for ticket in isolated {
        settled.confirmed &= run_isolated(worker, batch, ticket, tally).await;
    }
    // A claim in doubt may have landed.
    settled.confirmed &= !in_doubt;
    settled.lease_closed |= !leased;
    settled
}

/// Lets the job type read what these runs need. If it fails, they read it themselves.
async fn prepare<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    runs: &[(usize, Record)],
) {
    let payloads = runs.iter().map(|(ticket, _)| &batch.tickets[*ticket].message.payload);
    let payloads: Vec<&J::Payload> = payloads.collect();
    let work = guarded(worker.job.prepare(&payloads));
    match tokio::time::timeout(PREPARE_TIME, work).await {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => not_prepared(panic.to_string()),
        Err(_) => not_prepared("out of time".to_owned()),
    }
}

fn not_prepared(why: String) {
    telemetry::port_failed("prepare", &PortError::Unavailable(why));
}

/// Runs jobs concurrently and settles them in groups. A finished job waits at most
/// `settle_grouping` of its policy for slower ones. If no job follows (`last`), the last group also removes the
/// lease.
async fn run_together<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    runs: Vec<(usize, Record)>,
    last: bool,
    tally: &mut Tally,
) -> Settled {
    let mut waiting = runs.into_iter();
    let mut running = FuturesUnordered::new();
    let mut settling = FuturesUnordered::new();
    let mut reporting = FuturesUnordered::new();
    let mut ended: Vec<Ended> = Vec::new();
    let mut settled = Settled { confirmed: true, lease_closed: false };
    let mut flush_at = Instant::now();
    loop {
        while running.len() < J::POLICY.concurrency
            && let Some((ticket, record)) = waiting.next()
        {
            running.push(run::run_one(worker, batch, ticket, record));
        }
        if running.is_empty() && !ended.is_empty() {
            let closing = last && settled.confirmed && settling.is_empty();
            settling.push(settle::settle(worker, batch, mem::take(&mut ended), closing));
            reporting.push(worker.gates.report(false));
        }
        if running.is_empty() && settling.is_empty() && reporting.is_empty() {
            return settled;
        }
        tokio::select! {
            biased;
            Some(job) = running.next() => {
                tally.count(&job.decision);
                tally.waited += job.waited;
                tally.longest_waited = tally.longest_waited.max(job.waited);
                worker.gates.ended(&job.counted);
                let deferred = job.failure.as_ref().filter(|f| f.class() == Class::Deferred);
                tally.gate = deferred.map(ToString::to_string).or(tally.gate.take());
                if ended.is_empty() {
                    flush_at = Instant::now() + J::POLICY.settle_grouping;
                }
                ended.push(job);
            }
            Some(group) = settling.next() => {
                settled.confirmed &= group.confirmed;
                settled.lease_closed |= group.lease_closed;
            }
            Some(()) = reporting.next() => {}
            () = tokio::time::sleep_until(flush_at), if !ended.is_empty() => {
                settling.push(settle::settle(worker, batch, mem::take(&mut ended), false));
                reporting.push(worker.gates.report(false));
            }
        }
    }
}

/// Claims and runs a job that may kill its process, after all other jobs are settled. Returns
/// whether every write is confirmed.
async fn run_isolated<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: usize,
    tally: &mut Tally,
) -> bool {
    if !claim::fits(worker, batch) {
        return true;
    }
    match claim::claim_isolated(worker, batch, &batch.tickets[ticket]).await {
        Claim::Run(record) => {
            batch.note(ticket, &settle::after_the_lease(worker, batch));
            let runs = vec![(ticket, *record)];
            run_together(worker, batch, runs, false, tally).await.confirmed
        }
        Claim::Isolated => true,
        Claim::Waits(disposition) | Claim::NothingToRun(disposition) => {
            tally.not_run += 1;
            batch.note(ticket, &disposition);
            true
        }
        Claim::InDoubt(disposition) => {
            batch.note(ticket, &disposition);
            false
        }
    }
}
