//! Writing down how runs ended: several ends in one call, each resolved alone if the call leaves it in
//! doubt; and the lease of the batch.

use std::{slice, time::Duration};

use futures_util::future::join_all;

use super::{Worker, batch::Batch, disposition::Disposition, run::Ended};
use crate::{
    base::time::Clock,
    job::Job,
    policy::{ANSWER_RESERVE, SHORTEST_DELAY},
    ports::{PortError, Ports, Store, Written},
    record::{Guard, Phase, Record, decision::Decision},
    telemetry,
};

/// First pause between two tries to settle; it doubles.
const SETTLE_PAUSE: Duration = Duration::from_millis(50);

/// What became of the ends of several runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    /// Whether each end is in the table, or another run's business by now.
    pub(super) confirmed: bool,
    /// Whether the batch's lease was removed with them.
    pub(super) lease_closed: bool,
}

/// Writes the ends of several runs in one call, and closes the batch's lease with them if `closing`; an
/// entry that is refused or in doubt is resolved alone.
///
/// A lease that closed although not every end was taken is written again beside the ends. In between,
/// the jobs' own messages stand for them: they are not acknowledged yet.
pub(super) async fn settle<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ended: Vec<Ended>,
    closing: bool,
) -> Settled {
    let records: Vec<Record> = ended.iter().map(|ended| ended.record.clone()).collect();
    let lease = closing.then_some(&batch.lease);
    let settled = async {
        worker.gates.note_parked(&records).await?;
        worker.store.settle(&records, lease).await
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
        _ => settle_one(worker, batch, ended).await,
    });
    let renewed = async {
        if closing && !at_once {
            renew_lease(worker, batch).await;
        }
    };
    let (confirmed, ()) = tokio::join!(join_all(each), renewed);
    let confirmed = confirmed.into_iter().all(|confirmed| confirmed);
    Settled { confirmed, lease_closed: closing && at_once }
}

/// Writes the end of one run, again and again while there is time: the work is done, and only the note
/// of it is missing. Answers whether it is confirmed, or another run's business now.
async fn settle_one<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
    ended: &Ended,
) -> bool {
    let Ended { ticket, record, .. } = ended;
    let guard = Guard { state: "running", fence: record.fence };
    let mut pause = SETTLE_PAUSE;
    loop {
        let written = async {
            worker.gates.note_parked(slice::from_ref(record)).await?;
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
                // The lease ran out and another run took over: what this one did is harmless when
                // repeated, and what it says changes nothing.
                telemetry::zombie(record);
                batch.note(*ticket, &Disposition::Retry(SHORTEST_DELAY));
                return true;
            }
            Err(error @ (PortError::Broken(_) | PortError::Unreadable(_))) => {
                let receives = batch.tickets[*ticket].receives;
                batch.note(*ticket, &Disposition::after_error(&error, receives));
                return false;
            }
            Ok(Written::Unknown(_)) | Err(PortError::Unavailable(_)) => {}
        }
        if worker.clock.now() + pause + ANSWER_RESERVE >= batch.deadline {
            telemetry::unsettled(record);
            batch.note(*ticket, &after_the_lease(worker, batch));
            return false;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// The end of a run is in the table: its messages follow it.
fn confirm<P>(batch: &Batch<P>, ended: &Ended) {
    // A parked job has a look of its own: whoever finds it sends a new message.
    let parked = matches!(ended.record.phase, Phase::Parked { .. });
    let disposition = match (&ended.broken, ended.decision) {
        (Some(why), Decision::Retry { after, .. }) => Disposition::FailBatch(why.clone(), after),
        (_, Decision::Retry { after, .. }) => Disposition::Retry(after),
        (_, Decision::Continue) if !parked => Disposition::Retry(SHORTEST_DELAY),
        _ => Disposition::Ack,
    };
    batch.note(ended.ticket, &disposition);
    if let Some(failure) = &ended.failure {
        telemetry::job(&ended.record, ended.decision, failure);
    }
}

/// The disposition of a message whose job is claimed and whose end nobody has written: it finds the lease over
/// when it comes back.
pub(super) fn after_the_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) -> Disposition {
    Disposition::Retry(batch.lease.until.since(worker.clock.now()))
}

/// Writes the batch's lease again. A claimed job's own message still stands for it, so a batch without
/// a lease loses nothing; it only takes longer until a dead process is noticed.
pub(super) async fn renew_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) {
    if let Err(error) = worker.store.lease(&batch.lease).await {
        telemetry::port_failed("lease", &error);
    }
}

/// Removes the batch's lease by itself.
pub(super) async fn close_lease<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    batch: &Batch<J::Payload>,
) {
    if let Err(error) = worker.store.release(&batch.lease).await {
        telemetry::port_failed("release", &error);
    }
}
