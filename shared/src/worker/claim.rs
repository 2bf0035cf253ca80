//! Claims the jobs of a batch: new jobs in one call, all others with reads and writes that share calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::{CLOCK_SKEW, Clock, Time},
    },
    job::Job,
    policy::SHORTEST_DELAY,
    ports::{PortError, Ports, Store, Written},
    record::{
        Phase, Record,
        claim_decision::{self, ClaimDecision},
        decision::{Cause, Decision},
        outcomes::End,
    },
    telemetry,
    worker::{
        Worker,
        batch::{Batch, Ticket},
        disposition::Disposition,
        reject::{self, HELD_FROM_RECEIVE},
    },
};

/// Lost races, or writes without an answer, after which a message is retried later: other processes keep writing the
/// record, or the table takes none.
const MOST_RACES: usize = 5;

/// First pause after a failed read while an insert is in doubt; it doubles with each failure.
const DOUBT_PAUSE: Duration = Duration::from_millis(50);

/// The result of claiming one ticket.
pub(crate) enum Claim {
    /// The job is claimed: run it.
    Run(Box<Record>),
    /// The job must run isolated. It is not claimed yet.
    Isolated,
    /// The job has no slot yet. It is not claimed: its message waits in the queue.
    Waits(Disposition),
    /// There is nothing to run.
    NothingToRun(Disposition),
    /// The job may be claimed: the last write or read got no response.
    InDoubt(Disposition),
}

/// The results of claiming a batch.
pub(super) struct Claims {
    /// One result per ticket, in the order of the batch's tickets.
    pub(super) each: Vec<Claim>,
    /// Whether the batch's lease is written.
    pub(super) leased: bool,
}

/// Claims the jobs of a batch, but for those that are `waiting` for their slots. Meanwhile, reads the breakers that their
/// runs will ask.
pub(super) async fn claim<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    waiting: &BTreeMap<usize, Disposition>,
) -> Claims {
    let (claims, ()) =
        tokio::join!(claim_all(worker, batch, waiting), read_breakers(worker, batch));
    claims
}

/// Claims every ticket of the batch.
///
/// A job that is received for the first time is nearly always new, and so is one that waited for its slot. All such jobs
/// are inserted in one call, together with the lease. Jobs that the insert refuses, and others that were received
/// before, are read, decided each on its own, and written: what they read or write at the same time is one call.
async fn claim_all<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    waiting: &BTreeMap<usize, Disposition>,
) -> Claims {
    let waits = |place: usize| waiting.get(&place).cloned().map(Claim::Waits);
    let mut claims: Vec<Option<Claim>> = (0..batch.tickets.len()).map(waits).collect();
    if claims.iter().all(Option::is_some) {
        return Claims { each: claims.into_iter().flatten().collect(), leased: false };
    }
    let (indices, records) = new_records(worker, batch, waiting);
    let (mut leased, mut doubt) = (false, false);
    match worker.store.insert(&records, &batch.lease).await {
        Ok(mut written) => {
            leased = written.pop() == Some(Written::Yes);
            for ((index, record), written) in indices.into_iter().zip(records).zip(written) {
                if written == Written::Yes {
                    claims[index] = Some(Claim::Run(Box::new(record)));
                }
            }
        }
        // Any of the records may have been written, so each ticket reads its own.
        Err(error) => {
            telemetry::port_failed("insert", &error);
            doubt = true;
        }
    }
    let time = latest_start::<J>(batch).since(worker.clock.now());
    let each = claims.into_iter().zip(&batch.tickets).map(async |(claim, ticket)| match claim {
        Some(claim) => claim,
        // A claim that hangs must not use up the time of the others.
        None => tokio::time::timeout(time, claim_one(worker, batch, ticket, false, doubt))
            .await
            .unwrap_or_else(|_| Claim::InDoubt(Disposition::store_gone(ticket.receives))),
    });
    Claims { each: join_all(each).await, leased }
}

/// Reads the breakers of the batch's dependencies into the cache, while the jobs are claimed.
async fn read_breakers<J: Job, P: Ports>(worker: &Worker<J, P>, batch: &Batch<J::Payload>) {
    let dependencies: BTreeSet<&str> =
        batch.tickets.iter().map(|ticket| ticket.work.dependency.as_str()).collect();
    join_all(dependencies.into_iter().map(|dependency| worker.gates.read_breaker(dependency)))
        .await;
}

/// The records of the tickets that may be inserted without a read.
fn new_records<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    waiting: &BTreeMap<usize, Disposition>,
) -> (Vec<usize>, Vec<Record>) {
    let now = worker.clock.now();
    // The job of a wake-up message has a record already. A message that was received before has most likely waited in the
    // queue for a slot, without a claim, if there are slots to wait for.
    let new = |ticket: &Ticket<J::Payload>| {
        (ticket.receives <= 1 || ticket.limit.is_some()) && ticket.wakes.is_none()
    };
    let first = batch.tickets.iter().enumerate();
    let first = first.filter(|(place, ticket)| new(ticket) && !waiting.contains_key(place));
    first
        .filter_map(|(index, ticket)| {
            let claimant = ticket.claimant::<J>(batch, now);
            match claim_decision::claim(None, &ticket.message.key, &ticket.work, &claimant) {
                ClaimDecision::Take { record, isolated: false } => Some((index, record)),
                _ => None,
            }
        })
        .unzip()
}

/// Claims one ticket: reads its record, decides, and writes on condition that the record is
/// unchanged. After a lost response, reads again.
async fn claim_one<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
    isolated_now: bool,
    doubt: bool,
) -> Claim {
    let (mut seen, mut doubt): (Option<Box<Record>>, bool) = (None, doubt);
    let (mut pause, mut races) = (DOUBT_PAUSE, 0);
    while races < MOST_RACES {
        let existing = match seen.take() {
            Some(record) => Some(*record),
            None => match batch.gathered.read(&worker.store, &ticket.message.key).await {
                Ok(record) => record,
                // The job may be claimed already: giving up now would later count as a crash.
                Err(PortError::Unavailable(_)) if doubt => {
                    if worker.clock.now() + pause >= latest_start::<J>(batch) {
                        return Claim::InDoubt(Disposition::store_gone(ticket.receives));
                    }
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    continue;
                }
                Err(PortError::Unreadable(why)) if ticket.receives >= HELD_FROM_RECEIVE => {
                    let disposition = reject::reject_unreadable(worker, batch, ticket, &why).await;
                    return Claim::NothingToRun(disposition);
                }
                Err(error) => {
                    return Claim::NothingToRun(Disposition::after_error(&error, ticket.receives));
                }
            },
        };
        races += 1;
        let now = worker.clock.now();
        let mut claimant = ticket.claimant::<J>(batch, now);
        if existing.as_ref().is_some_and(|record| record.is_overdue(now)) {
            claimant.excuses_crashes = worker.gates.excuses_crashes().await;
        }
        let key = &ticket.message.key;
        let decision = claim_decision::claim(existing.as_ref(), key, &ticket.work, &claimant);
        let attempt = match decision {
            ClaimDecision::OtherPayload => {
                let disposition = reject::reject_ticket(worker, batch, ticket).await;
                return Claim::NothingToRun(disposition);
            }
            ClaimDecision::IndexLeaseExpiry(_) => {
                index_lease_expiry(worker, ticket, existing.as_ref()).await
            }
            decision => match next(decision, isolated_now, now) {
                Next::Return(claim) => return claim,
                Next::Write(..) if !is_leased(batch.lease.until, worker.clock.now()) => break,
                Next::Write(record, claim) => {
                    let attempt =
                        write(worker, batch, ticket, existing.as_ref(), &record, claim).await;
                    doubt |= matches!(attempt, Attempt::InDoubt);
                    attempt
                }
            },
        };
        match attempt {
            Attempt::Done(claim) => return claim,
            Attempt::Refused(current) => seen = current,
            Attempt::InDoubt => {}
        }
    }
    given_up(doubt, ticket.receives)
}

/// The result of a claim that was tried too often. A write without an answer is an outage of the table, and no lost race.
fn given_up(doubt: bool, receives: u32) -> Claim {
    if doubt {
        return Claim::InDoubt(Disposition::store_gone(receives));
    }
    Claim::NothingToRun(Disposition::Retry(SHORTEST_DELAY))
}

/// Whether the lease of a batch, which ends at `until`, still stands for a claim that is written now. The sweeper removes
/// a lease that is over, by a clock that may be ahead: if a process was frozen until then, and claimed a job, and died,
/// nothing would lead to the job.
pub(crate) fn is_leased(until: Time, now: Time) -> bool {
    until > now + CLOCK_SKEW
}

/// What a claim decision asks for.
pub(crate) enum Next {
    /// Nothing is written.
    Return(Claim),
    /// This record is written; if it lands, the claim stands.
    Write(Box<Record>, Claim),
}

/// What a decision asks for that concerns this record alone.
pub(crate) fn next(decision: ClaimDecision, isolated_now: bool, now: Time) -> Next {
    let retry = |at: Time| Claim::NothingToRun(Disposition::Retry(at.since(now)));
    match decision {
        ClaimDecision::AlreadyClaimed(record) => Next::Return(Claim::Run(Box::new(record))),
        ClaimDecision::ComeBack(at) if !is_on(Mutant::ComeBackAcknowledged) => {
            Next::Return(retry(at))
        }
        ClaimDecision::Take { isolated: true, .. } if !isolated_now => {
            Next::Return(Claim::Isolated)
        }
        ClaimDecision::Take { record, .. } => {
            Next::Write(Box::new(record.clone()), Claim::Run(Box::new(record)))
        }
        ClaimDecision::Write(record, Some(at)) => Next::Write(Box::new(record), retry(at)),
        ClaimDecision::Write(record, None) => {
            Next::Write(Box::new(record), Claim::NothingToRun(Disposition::Ack))
        }
        ClaimDecision::Ended
        | ClaimDecision::AlreadyDue
        | ClaimDecision::ComeBack(_)
        | ClaimDecision::IndexLeaseExpiry(_)
        | ClaimDecision::OtherPayload => Next::Return(Claim::NothingToRun(Disposition::Ack)),
    }
}

/// Claims a ticket whose job must run isolated, once all other jobs of the batch are settled.
pub(super) async fn claim_isolated<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
) -> Claim {
    claim_one(worker, batch, ticket, true, false).await
}

/// Whether a whole run, and settling it, fits into the time left.
pub(super) fn fits<J: Job, P: Ports>(worker: &Worker<J, P>, batch: &Batch<J::Payload>) -> bool {
    worker.clock.now() <= latest_start::<J>(batch)
}

/// The latest time at which a run may start so that it ends and is settled in time.
fn latest_start<J: Job>(batch: &Batch<J::Payload>) -> Time {
    batch.deadline.before(J::POLICY.job_timeout + J::POLICY.reserve)
}

/// Puts the record of a live run on the index `due` at lease expiry. The message can then be
/// acknowledged.
async fn index_lease_expiry<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    ticket: &Ticket<J::Payload>,
    live: Option<&Record>,
) -> Attempt {
    let Some(live) = live else { return Attempt::Refused(None) };
    match worker.store.index_lease_expiry(live).await {
        Ok(Written::Yes) => Attempt::Done(Claim::NothingToRun(Disposition::Ack)),
        Ok(Written::No(current)) => Attempt::Refused(current),
        Ok(Written::Unknown(why)) | Err(PortError::Unavailable(why)) => {
            in_doubt("index_lease_expiry", why)
        }
        Err(error) => {
            Attempt::Done(Claim::NothingToRun(Disposition::after_error(&error, ticket.receives)))
        }
    }
}

/// Writes the decided record, if the one in the table is unchanged.
async fn write<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ticket: &Ticket<J::Payload>,
    existing: Option<&Record>,
    record: &Record,
    claim: Claim,
) -> Attempt {
    let guard = existing.map(Record::guard);
    let crashes = existing.map_or(0, |existing| existing.counters.crashes);
    // The process of its run died, or could not write its end.
    let overdue = existing.and_then(|existing| existing.overdue_by(worker.clock.now()));
    match batch.gathered.replace(&worker.store, record, guard).await {
        Ok(Written::Yes) => {
            if crashes < record.counters.crashes || record.phase.ended_at().is_some() {
                telemetry::found(record);
            }
            if let Some(overdue) = overdue {
                let is_quarantined = matches!(record.phase, Phase::Quarantined { .. });
                worker.gates.never_came_back(is_quarantined, overdue);
            }
            // A job that ends here has no run that would count its end.
            let end = match record.phase {
                Phase::Dead { .. } => Some(Decision::Bury(Cause::DeadlinePassed)),
                Phase::Quarantined { .. } => Some(Decision::Quarantine),
                _ => None,
            };
            if let Some(end) = end {
                let end = End::of(end, record.work.created_at, worker.clock.now());
                worker.gates.ended(&End { attempts: record.counters.attempts, ..end });
            }
            Attempt::Done(claim)
        }
        Ok(Written::No(Some(current))) if current.is_write_of(record) => Attempt::Done(claim),
        Ok(Written::No(current)) => Attempt::Refused(current),
        Ok(Written::Unknown(why)) | Err(PortError::Unavailable(why)) => in_doubt("replace", why),
        Err(PortError::Invalid(why)) => {
            let disposition = reject::reject_unwritable(worker, batch, ticket, &why).await;
            Attempt::Done(Claim::NothingToRun(disposition))
        }
        Err(error) => {
            Attempt::Done(Claim::NothingToRun(Disposition::after_error(&error, ticket.receives)))
        }
    }
}

/// The result of one conditional write of a claim.
enum Attempt {
    Done(Claim),
    /// The condition did not hold: decide again, from the conflicting record if the response
    /// contained it.
    Refused(Option<Box<Record>>),
    /// The write may have taken effect: read and decide again.
    InDoubt,
}

/// Logs a write in doubt; the caller reads the record again.
fn in_doubt(call: &str, why: String) -> Attempt {
    telemetry::port_failed(call, &PortError::Unavailable(why));
    Attempt::InDoubt
}
