//! Settles runs: writes several ends in one call, and resolves one by one those that the call
//! leaves in doubt. Also renews and removes the batch's lease.

use std::{collections::BTreeSet, slice, time::Duration};

use futures_util::future::join_all;

use super::{Worker, batch::Batch, disposition::Disposition, run::Ended};
use crate::{
    base::{
        mutants::{Mutant, is_on},
        time::Clock,
    },
    failure::{Class, Failure},
    job::Job,
    policy::{ANSWER_RESERVE, SHORTEST_DELAY},
    ports::{PortError, Ports, Store, Written},
    record::{
        Guard, Phase, Record,
        decision::{Cause, Decision},
        item::TableItem,
        outcomes::End,
    },
    telemetry,
};

/// First pause between two attempts to settle; it doubles with each attempt.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// Failed attempts to register a parked job's dependency after which its end is written anyway. Otherwise its
/// lease would expire, and it would count as crashed. The audit finds such a job.
const MOST_UNREGISTERED: u32 = 2;

/// The result of settling several runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    /// Whether each end is in the table, or another run has taken over the job.
    pub(super) confirmed: bool,
    /// Whether the batch's lease was removed in the same call.
    pub(super) lease_closed: bool,
}

/// Writes the ends of several runs in one call, and removes the batch's lease with them if
/// `closing`. An end that is refused or in doubt is resolved on its own.
///
/// If the call removes the lease but leaves an end unconfirmed, the lease is written again while
/// that end is resolved. In between, the messages of the jobs protect them: they are not
/// acknowledged yet.
pub(super) async fn settle<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ended: Vec<Ended>,
    closing: bool,
) -> Settled {
    let records: Vec<Record> = ended.iter().map(|ended| ended.record.clone()).collect();
    let items = ended.iter().filter_map(|ended| ended.item.as_deref());
    let (items, again) = of_distinct_places(items);
    let lease = closing.then_some(&batch.lease);
    // Each write of counts costs a unit, so they go with the last group of a batch.
    let counts = worker.gates.counts(closing);
    let settled = async {
        worker.gates.register_parked(&records).await?;
        worker.store.settle(&records, &items, lease, counts.as_ref()).await
    };
    let mut written = match settled.await {
        Ok(written) => written,
        Err(error) => {
            telemetry::port_failed("settle", &error);
            let entries = records.len() + items.len() + usize::from(counts.is_some());
            vec![Written::Unknown(error.to_string()); entries]
        }
    };
    if let Some(counts) = &counts {
        worker.gates.counted(counts, written.pop().as_ref());
    }
    let of_items = written.split_off(records.len().min(written.len()));
    let left = items.iter().zip(of_items).filter(|(item, written)| is_left(item, written));
    let left = join_all(left.map(|(item, _)| put_item(worker, batch, item)));
    let left = async {
        left.await;
        // In the order of their runs, and after the first item of their place.
        for item in again {
            put_item(worker, batch, item).await;
        }
    };
    let at_once = written.iter().all(|written| *written == Written::Yes);
    let each = ended.iter().zip(written).map(async |(ended, written)| match written {
        written if written == Written::Yes || is_on(Mutant::AcknowledgedBeforeRecord) => {
            confirm(batch, ended);
            true
        }
        _ => settle_one(worker, batch, ended).await,
    });
    let renewed = async {
        if closing && !at_once {
            renew_lease(worker, batch).await;
        }
    };
    let (confirmed, (), ()) = tokio::join!(join_all(each), renewed, left);
    let confirmed = confirmed.into_iter().all(|confirmed| confirmed);
    Settled { confirmed, lease_closed: closing && at_once }
}

/// The first item of each place, which one call can write, and the others.
fn of_distinct_places<'a>(
    items: impl Iterator<Item = &'a TableItem>,
) -> (Vec<&'a TableItem>, Vec<&'a TableItem>) {
    let mut places = BTreeSet::new();
    items.partition(|item| places.insert(item.place()))
}

/// Whether an item of a job type has to be written by a call of its own: it is in doubt, or it may replace another one.
/// Any other condition that does not hold is an answer.
fn is_left(item: &TableItem, written: &Written) -> bool {
    match written {
        Written::Yes => false,
        Written::No(_) => item.may_follow(),
        Written::Unknown(_) => true,
    }
}

/// Writes an item of a job type alone, with retries while there is time. The end of its run is written in any case.
async fn put_item<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    item: &TableItem,
) {
    let mut pause = SETTLE_PAUSE;
    loop {
        let why = match worker.store.put_item(item).await {
            Ok(Written::Yes | Written::No(_)) => return,
            Ok(Written::Unknown(why)) | Err(PortError::Unavailable(why)) => why,
            Err(error) => return telemetry::item_not_written(J::TYPE, item, &error.to_string()),
        };
        if worker.clock.now() + pause + ANSWER_RESERVE >= batch.deadline {
            return telemetry::item_not_written(J::TYPE, item, &why);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Writes the end of one run, with retries while there is time: the work is done, and only its
/// record is missing. Returns whether the end is in the table or another run has taken over the
/// job.
async fn settle_one<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ended: &Ended,
) -> bool {
    let Ended { ticket, record, .. } = ended;
    let guard = Guard { state: "running", fence: record.fence };
    let (mut pause, mut unregistered) = (SETTLE_PAUSE, 0);
    loop {
        let written = async {
            if unregistered < MOST_UNREGISTERED
                && let Err(error) = worker.gates.register_parked(slice::from_ref(record)).await
            {
                telemetry::port_failed("put_note", &error);
                unregistered += 1;
                return Ok(Written::Unknown("its dependency is not registered".into()));
            }
            worker.store.replace(record, Some(&guard)).await
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
                worker.gates.not_ended(&ended.counted);
                // The lease expired and another run took over. This run's effects are idempotent,
                // and its end must not change the record.
                telemetry::zombie(record);
                batch.note(*ticket, &Disposition::Retry(SHORTEST_DELAY));
                return true;
            }
            Err(PortError::Invalid(why)) => return bury(worker, batch, ended, &guard, &why).await,
            Err(error @ (PortError::Broken(_) | PortError::Unreadable(_))) => {
                worker.gates.not_ended(&ended.counted);
                let receives = batch.tickets[*ticket].receives;
                batch.note(*ticket, &Disposition::after_error(&error, receives));
                return false;
            }
            Ok(Written::Unknown(_)) | Err(PortError::Unavailable(_)) => {}
        }
        if worker.clock.now() + pause + ANSWER_RESERVE >= batch.deadline {
            telemetry::unsettled(record);
            worker.gates.not_ended(&ended.counted);
            batch.note(*ticket, &after_the_lease(worker, batch));
            return false;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Ends a job whose record the table refuses as the run has left it, and would refuse each time: dead, with the reason.
/// Returns whether that is in the table.
async fn bury<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ended: &Ended,
    guard: &Guard,
    why: &str,
) -> bool {
    let Ended { ticket, record, .. } = ended;
    worker.gates.not_ended(&ended.counted);
    let now = worker.clock.now();
    let dead = record.unwritable(&Failure::new(Class::Permanent, "unwritable", why), now);
    if worker.store.replace(&dead, Some(guard)).await == Ok(Written::Yes) {
        let end = End::of(Decision::Bury(Cause::Permanent), record.work.created_at, now);
        worker.gates.ended(&End { attempts: dead.counters.attempts, ..end });
        telemetry::found(&dead);
        batch.note(*ticket, &Disposition::Ack);
        return true;
    }
    telemetry::unsettled(record);
    batch.note(*ticket, &after_the_lease(worker, batch));
    false
}

/// Sets the disposition of a run's messages once its end is in the table.
fn confirm<P>(batch: &Batch<P>, ended: &Ended) {
    let disposition = disposition(&ended.record, ended.decision, ended.broken.as_deref());
    batch.note(ended.ticket, &disposition);
    if let Some(failure) = &ended.failure {
        telemetry::job(&ended.record, ended.decision, failure);
    }
}

/// The disposition of a run's messages once its end is in the table. `broken`: why the whole event must fail.
pub(crate) fn disposition(
    record: &Record,
    decision: Decision,
    broken: Option<&str>,
) -> Disposition {
    // A parked job is on the index `due`: the sweeper sends a new message when it releases the job.
    let parked = matches!(record.phase, Phase::Parked { .. });
    match (broken, decision) {
        (Some(why), Decision::Retry { after, .. }) => Disposition::FailBatch(why.to_owned(), after),
        (_, Decision::Retry { after, .. }) => Disposition::Retry(after),
        (_, Decision::Continue) if !parked => Disposition::Retry(SHORTEST_DELAY),
        _ => Disposition::Ack,
    }
}

/// The disposition of a message whose job is claimed and not settled: SQS delivers it again when
/// the lease has expired.
pub(super) fn after_the_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) -> Disposition {
    Disposition::Retry(batch.lease.until.since(worker.clock.now()))
}

/// Writes the batch's lease again. If that fails, no job is lost, because the message of a claimed
/// job is delivered again; it only takes longer to notice that a process died.
pub(super) async fn renew_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) {
    if let Err(error) = worker.store.lease(&batch.lease).await {
        telemetry::port_failed("lease", &error);
    }
}

/// Removes the batch's lease, unless it went with the last group of ends. If an end is not confirmed, the
/// lease stays, so that the sweeper finds the jobs.
pub(super) async fn close_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    settled: Settled,
) {
    if settled.confirmed
        && !settled.lease_closed
        && let Err(error) = worker.store.release(&batch.lease).await
    {
        telemetry::port_failed("release", &error);
    }
}
