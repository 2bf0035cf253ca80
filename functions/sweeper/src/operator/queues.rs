//! Pauses the event source mappings of queues, lets them deliver again, and pins their slots. A pause or a pin stays in
//! the list of what is open until the sweeper has ended it.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::{PortError, maintenance::MappingMaintenance as _},
};

use super::{
    entry::{Entry, Progress, State},
    log::{self, Logged, MOST_RACES},
    request::{Act, Hold},
};
use crate::ports::{Ports, Sweep};

/// The count that says that a pause has begun.
pub(super) const PAUSED: &str = "paused";

/// The count that says that slots are pinned.
const PINNED: &str = "pinned";

/// How long to wait before looking again whether another process is still at work on the same queues. With
/// [`MOST_RACES`] it stays within the time of a call.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why an act goes on later.
const OTHERS_AT_WORK: &str =
    "another operation is at work on these queues; the next tick carries this one on";

/// Pauses queues, and ends the pause at its time.
pub(super) async fn pause<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    queues: &[String],
    until: Time,
) -> Result<Progress, PortError> {
    let count = queues.len() as u64;
    if until <= sweep.clock.now() {
        set(sweep, queues, true).await?;
        logged.entry.count("resumed", count);
        return Ok(Progress::Done);
    }
    if !logged.entry.counts.contains_key(PAUSED) {
        if !end_others(sweep, &logged.entry.id, Hold::Pause, queues).await? {
            return Ok(later(logged));
        }
        set(sweep, queues, false).await?;
        logged.entry.why = None;
        logged.entry.count(PAUSED, count);
        logged.entry.next_at = until.as_millis();
    }
    Ok(Progress::Later)
}

/// Lets queues deliver again, and ends their pauses.
pub(super) async fn resume<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    queues: &[String],
) -> Result<Progress, PortError> {
    if !end_others(sweep, &logged.entry.id, Hold::Pause, queues).await? {
        return Ok(later(logged));
    }
    set(sweep, queues, true).await?;
    logged.entry.count("done", queues.len() as u64);
    Ok(Progress::Done)
}

/// Gives queues a number of slots. At the end of the pin balance moves them again, from the number that is set then.
pub(super) async fn pin<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    queues: &[String],
    slots: u32,
    until: Time,
) -> Result<Progress, PortError> {
    let count = queues.len() as u64;
    if until <= sweep.clock.now() {
        logged.entry.count("released", count);
        return Ok(Progress::Done);
    }
    if !logged.entry.counts.contains_key(PINNED) {
        if !end_others(sweep, &logged.entry.id, Hold::Pin, queues).await? {
            return Ok(later(logged));
        }
        for queue in queues {
            sweep.mappings.set_concurrency(queue, slots).await?;
        }
        logged.entry.why = None;
        logged.entry.count(PINNED, count);
        logged.entry.next_at = until.as_millis();
    }
    Ok(Progress::Later)
}

async fn set<P: Ports>(
    sweep: &Sweep<P>,
    queues: &[String],
    enabled: bool,
) -> Result<(), PortError> {
    for queue in queues {
        sweep.mappings.set_enabled(queue, enabled).await?;
    }
    Ok(())
}

/// Leaves the act to the next tick, because others are at work on its queues.
fn later(logged: &mut Logged) -> Progress {
    logged.entry.why = Some(OTHERS_AT_WORK.to_owned());
    Progress::Later
}

/// Takes these queues out of all other acts that do the same to them, so that none of those ends at its own time what
/// this one does. `false` if another process is still at work on one of these acts: a change of a mapping cannot be
/// made conditional, so what that process does now could undo what this one would do.
async fn end_others<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    hold: Hold,
    queues: &[String],
) -> Result<bool, PortError> {
    for (other, _) in log::open(&sweep.store).await? {
        if other != id && !end_other(sweep, id, &other, hold, queues).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a process works on an act that changes the same of these queues.
fn is_at_work(entry: &Entry, hold: Hold, queues: &[String], now: Time) -> bool {
    let concerns = |changed: &[String]| changed.iter().any(|queue| queues.contains(queue));
    let concerns = match (&entry.act, hold) {
        (Act::Pause { queues, .. } | Act::Resume { queues }, Hold::Pause)
        | (Act::Pin { queues, .. }, Hold::Pin) => concerns(queues),
        _ => false,
    };
    concerns && !entry.is_over() && Time::from_millis(entry.busy_until) > now
}

/// The same for one other act, for as long as it is worked on for a moment.
async fn end_other<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    other: &str,
    hold: Hold,
    queues: &[String],
) -> Result<bool, PortError> {
    for _ in 0..MOST_RACES {
        let now = sweep.clock.now();
        let Some(mut logged) = Logged::read(&sweep.store, other).await? else { return Ok(true) };
        if is_at_work(&logged.entry, hold, queues, now) {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            continue;
        }
        if logged.entry.act.hold() != Some(hold) {
            return Ok(true);
        }
        let Some(left) = logged.entry.act.held() else { return Ok(true) };
        let before = left.len();
        left.retain(|queue| !queues.contains(queue));
        let is_over = left.is_empty();
        if left.len() == before {
            return Ok(true);
        }
        logged.entry.why = Some(format!("operation {id} has taken over"));
        if is_over {
            logged.entry.end(State::Done, now);
        }
        if logged.save(&sweep.store, now).await? {
            if is_over {
                log::close(&sweep.store, other).await?;
            }
            return Ok(true);
        }
    }
    Ok(false)
}
