//! Sends rejected messages again, to the queues that they came from, for instance after an update that can read them.

use std::collections::BTreeSet;

use evenkeel::{
    base::time::{Clock as _, Time},
    message::OutgoingMessage,
    ports::{PortError, maintenance::TableMaintenance as _},
    record::due::due_partitions,
};

use super::{
    entry::{Entry, Progress},
    jobs::{PAGE, advance},
    log::Logged,
    request::MOST_KEYS,
};
use crate::{
    ports::{Ports, Sweep},
    records::together,
    step,
};

/// Which messages, if they are not named by their keys.
pub(super) struct Filter<'a> {
    /// The job type of their queues.
    pub(super) kind: Option<&'a str>,
    /// Only those with this flaw.
    pub(super) flaw: Option<&'a str>,
    /// Only those that were rejected by this time, in milliseconds since the epoch.
    pub(super) as_of: u64,
}

/// What became of a message: the name of a count, and whether it has to be tried again.
type Outcome = (&'static str, bool);

/// Does as much as there is time for.
pub(super) async fn work<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    of: &Filter<'_>,
    end: Time,
) -> Result<Progress, PortError> {
    let keys: BTreeSet<String> = std::mem::take(&mut logged.entry.pending).into_iter().collect();
    release(sweep, &mut logged.entry, keys.into_iter().collect(), None).await;
    let shards = of.kind.into_iter().flat_map(|kind| due_partitions(format!("dead#{kind}")));
    let shards: Vec<String> = shards.collect();
    while let Some(shard) = shards.get(logged.entry.partition) {
        let now = sweep.clock.now();
        if now >= end || logged.entry.pending.len() > MOST_KEYS {
            return Ok(Progress::Later);
        }
        let span = [Time::from_millis(logged.entry.from), Time::from_millis(of.as_of)];
        let due = sweep.store.due(shard, span, PAGE).await?;
        let keys = due.iter().map(|due| due.key.clone()).filter(|key| key.starts_with("q#"));
        release(sweep, &mut logged.entry, keys.collect(), of.flaw).await;
        advance(&mut logged.entry, &due, due.len());
        if !logged.save(&sweep.store, sweep.clock.now()).await? {
            return Ok(Progress::Taken);
        }
    }
    Ok(if logged.entry.pending.is_empty() { Progress::Done } else { Progress::Later })
}

/// Releases messages, and counts what has become of them. Those that have to be tried again are pending.
async fn release<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    keys: Vec<String>,
    flaw: Option<&str>,
) {
    let each = keys.iter().map(|key| one(sweep, key, flaw));
    for (place, outcome) in together(each.collect()).await {
        match outcome {
            Ok(Some((what, again))) => {
                entry.count(what, 1);
                entry.pending.extend(again.then(|| keys[place].clone()));
            }
            Ok(None) => {}
            Err(error) => {
                entry.why = Some(error.to_string());
                entry.pending.push(keys[place].clone());
            }
        }
    }
}

/// Sends one message again and removes it; `None` if it has another flaw. One of which only the beginning was kept
/// stays.
async fn one<P: Ports>(
    sweep: &Sweep<P>,
    key: &str,
    flaw: Option<&str>,
) -> Result<Option<Outcome>, PortError> {
    let Some(held) = sweep.store.rejected(key).await? else {
        return Ok(Some(("absent", false)));
    };
    if flaw.is_some_and(|flaw| held.rejection.flaw.name() != flaw) {
        return Ok(None);
    }
    let Some(body) = held.body() else { return Ok(Some(("cut", false))) };
    // If its function rejects the body before it is removed here, the new rejection stays.
    if !sweep.store.mark_released(&held).await? {
        return Ok(Some(("changed", false)));
    }
    let message = OutgoingMessage {
        trace: held.trace.clone(),
        ..OutgoingMessage::new(body.to_owned(), None, held.group.clone())
    };
    if step::send(&sweep.queue, &held.queue, &[message]).await > 0 {
        return Ok(Some(("failed", true)));
    }
    // If that fails, it is sent once more, and its job is not done twice.
    sweep.store.remove_released(&held.key).await?;
    Ok(Some(("done", false)))
}
