//! Audit and prune: one page of a walk through each table. Expired items are removed. Inconsistent
//! records are reported, and repaired where that is safe.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::{random::Random as _, time::Time},
    message::{
        Purpose, Woken,
        wake::{self, OutgoingMessage},
    },
    ports::{
        Control as _, PortError, Store as _, Written,
        maintenance::{QueueMaintenance, ScannedItem, Table, TableMaintenance},
        notes::{FINDING_RETENTION, Finding, Limits, NoteKey, WATCHED_RETENTION},
    },
    record::{Phase, Record},
    telemetry,
};

use super::prune;
use crate::{
    plan::{
        audit::{self as plan, Oddity, Repair},
        rescue,
    },
    ports::{Ports, Sweep},
    records::together,
    step,
    tick::Tick,
};

/// Items of a page, by table: jobs, control, auxiliary.
pub const PAGE: [usize; 3] = [200, 100, 100];

/// Non-empty results that a tick asks job types to check.
const MOST_CHECKS: usize = 5;

const NAME: &str = "audit";

/// Audits and prunes the next page of each table.
pub async fn audit<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let mut trouble = None;
    for (place, table) in Table::ALL.into_iter().enumerate() {
        // A failure on one table does not keep the others from their walk.
        if let Err(error) = walk(sweep, tick, place, table).await {
            telemetry::port_failed(NAME, &error);
            trouble = Some(error);
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// Audits and prunes the next page of a table.
async fn walk<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    place: usize,
    table: Table,
) -> Result<(), PortError> {
    let from = tick.memory.cursors[place].clone();
    let page = sweep.store.page(table, from.as_deref(), PAGE[place]).await?;
    let is_last = page.next.is_none();
    // The cursor moves on even if this page fails: the next walk visits it again.
    tick.memory.cursors[place] = page.next;
    let (expired, rest): (Vec<ScannedItem>, Vec<ScannedItem>) =
        page.items.into_iter().partition(|found| prune::is_expired(found, tick.now));
    let pruned = prune::prune(&sweep.store, table, &expired, tick.now).await?;
    tick.count("prune", "removed", pruned);
    if table != Table::Jobs {
        return Ok(());
    }
    count(tick, &rest, is_last);
    let (must, mut may) = examine(sweep, tick, &rest).await;
    // Only the first ones are checked. Without a random start these would be nearly the same in
    // every walk.
    if !may.is_empty() {
        let first = sweep.random.bits() % may.len() as u64;
        may.rotate_left(usize::try_from(first).unwrap_or_default());
    }
    may.truncate(MOST_CHECKS);
    let asked = must.into_iter().chain(may).map(|record| (record, Duration::ZERO));
    let sent = check(&sweep.queue, &asked.collect::<Vec<_>>()).await;
    tick.count(NAME, "checks", sent);
    Ok(())
}

/// Counts the records of the walk by state. The last page completes the counts.
fn count(tick: &mut Tick, found: &[ScannedItem], last: bool) {
    for record in found.iter().filter_map(|found| found.record.as_ref()?.as_ref().ok()) {
        *tick.memory.walked.entry(record.phase.name().to_owned()).or_default() += 1;
    }
    if last {
        tick.memory.states = std::mem::take(&mut tick.memory.walked);
        tick.memory.walked_at = tick.now.as_millis();
        let [_, lately] = tick.memory.quarantined;
        tick.memory.quarantined = [lately, 0];
    }
}

/// Examines these items of the job table, and reports and repairs inconsistencies. Returns the
/// records whose results must be checked, and those whose results may be.
pub async fn examine<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    found: &[ScannedItem],
) -> (Vec<Record>, Vec<Record>) {
    let watched: Option<BTreeSet<String>> = (tick.view.knows_watched
        && tick.view.watched_next.iter().all(String::is_empty))
    .then(|| tick.view.notes.keys().cloned().collect());
    let (mut must, mut may, mut odd) = (Vec::new(), Vec::new(), Vec::new());
    for item in found {
        let Some(record) = &item.record else { continue };
        let key = item.key.first().cloned().unwrap_or_default();
        match plan::examine(item, &sweep.config, watched.as_ref(), tick.now) {
            Some(oddity) => {
                let record = record.as_ref().ok();
                if oddity.repair == Repair::Check {
                    must.extend(record.cloned());
                }
                // A record that another pass has taken has just changed, so the item is out of
                // date.
                if tick.touched.insert(key.clone()) {
                    odd.push((key, record, oddity));
                }
            }
            None => match record {
                Ok(record) if matches!(record.phase, Phase::Succeeded { .. }) => {
                    may.extend(is_calm(sweep, tick, record).then(|| record.clone()));
                }
                _ => {}
            },
        }
    }
    let (owner, now) = (tick.owner.clone(), tick.now);
    let reports =
        odd.iter().map(|(key, record, oddity)| report(sweep, &owner, key, *record, oddity, now));
    for (place, repaired) in together(reports.collect()).await {
        tick.count(NAME, odd[place].2.what, 1);
        tick.count(NAME, "repaired", usize::from(repaired));
    }
    (must, may)
}

/// Whether checking a result now delays no other work: the queue is short and the breaker is
/// closed.
fn is_calm<P: Ports>(sweep: &Sweep<P>, tick: &Tick, record: &Record) -> bool {
    let depth = tick.view.depths.get(&record.work.queue);
    let seen = tick.view.dependencies.get(&record.work.dependency);
    let closed = seen.is_none_or(|seen| {
        matches!(seen.breaker.at(tick.now).state, evenkeel::dependency::breaker::State::Closed)
    });
    closed && sweep.config.knows(&record.work.queue) && depth.is_some_and(|d| d.visible < 50)
}

/// Repairs what may be repaired and records the finding; whether it is repaired.
async fn report<P: Ports>(
    sweep: &Sweep<P>,
    owner: &str,
    key: &str,
    record: Option<&Record>,
    oddity: &Oddity,
    now: Time,
) -> bool {
    let store = &sweep.store;
    let repaired = match (oddity.repair, record) {
        (Repair::SendAgain, Some(record)) => {
            let step = rescue::send_again(record, &record.work.queue, now, owner, now);
            let taken = step::take(store, &sweep.queue, step.as_slice(), now).await;
            Ok(!taken.written.is_empty())
        }
        (Repair::Rewrite, Some(record)) => {
            store.replace(record, Some(&record.guard())).await.map(|w| w == Written::Yes)
        }
        (Repair::IndexLeaseExpiry, Some(record)) => {
            store.index_lease_expiry(record).await.map(|w| w == Written::Yes)
        }
        (Repair::RegisterDependency, Some(record)) => register_dependency(store, record, now).await,
        // A check is answered later by the job type, which records its own finding.
        _ => Ok(false),
    };
    let repaired = repaired.unwrap_or_else(|error| {
        telemetry::port_failed(NAME, &error);
        false
    });
    let finding = Finding {
        what: oddity.what.to_owned(),
        detail: oddity.detail.clone(),
        at: now.as_millis(),
        repaired,
    };
    telemetry::finding(key, record.and_then(|record| record.work.trace.as_ref()), &finding);
    let text = serde_json::to_string(&finding).unwrap_or_default();
    if let Err(error) =
        store.put_note(&Finding::note_key(key), &text, now + FINDING_RETENTION).await
    {
        telemetry::port_failed("put_note", &error);
    }
    repaired
}

/// Registers the dependency of a parked record as watched; whether it now is.
async fn register_dependency<S: TableMaintenance>(
    store: &S,
    record: &Record,
    now: Time,
) -> Result<bool, PortError> {
    let place = NoteKey::watched(&record.work.dependency);
    // Its functions, which know its limits, may have written the note since the tick began.
    if store.note(&place).await?.value.is_some() {
        return Ok(true);
    }
    let limits = Limits { noted_at: now.as_millis(), ..Limits::careful() };
    let text = serde_json::to_string(&limits).unwrap_or_default();
    store.put_note(&place, &text, now + WATCHED_RETENTION).await?;
    Ok(true)
}

/// Sends the job types requests to check these results, each after its delay. Returns how many were
/// sent.
pub async fn check<Q: QueueMaintenance>(queue: &Q, records: &[(Record, Duration)]) -> usize {
    let mut asked: BTreeMap<&str, Vec<OutgoingMessage>> = BTreeMap::new();
    for (record, delay) in records {
        let Some(body) = wake::body(record) else { continue };
        let woken = Woken { key: record.key.clone(), fence: record.fence };
        let message = OutgoingMessage {
            purpose: Purpose::Check,
            delay: *delay,
            trace: record.work.trace.clone(),
            ..OutgoingMessage::new(body, Some(woken), record.work.group.clone())
        };
        asked.entry(&record.work.queue).or_default().push(message);
    }
    let mut sent = 0;
    for (name, messages) in asked {
        sent += messages.len() - step::send(queue, name, &messages).await;
    }
    sent
}
