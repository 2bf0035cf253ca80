//! Pauses the event source mappings of queues, lets them deliver again, and pins their slots. A pause or a pin stays in
//! the list of what is open until the sweeper has ended it.

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::{PortError, maintenance::MappingMaintenance as _},
};

use super::{
    entry::{Progress, State},
    log::{self, Logged, MOST_RACES},
    request::Hold,
};
use crate::ports::{Ports, Sweep};

/// The count that says that a pause has begun.
pub(super) const PAUSED: &str = "paused";

/// The count that says that slots are pinned.
const PINNED: &str = "pinned";

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
        end_others(sweep, &logged.entry.id, Hold::Pause, queues).await?;
        set(sweep, queues, false).await?;
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
    end_others(sweep, &logged.entry.id, Hold::Pause, queues).await?;
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
        end_others(sweep, &logged.entry.id, Hold::Pin, queues).await?;
        for queue in queues {
            sweep.mappings.set_concurrency(queue, slots).await?;
        }
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

/// Takes these queues out of all other acts that do the same to them, so that none of those ends at its own time what
/// this one does.
async fn end_others<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    hold: Hold,
    queues: &[String],
) -> Result<(), PortError> {
    for (other, _) in log::open(&sweep.store).await? {
        if other != id {
            end_other(sweep, id, &other, hold, queues).await?;
        }
    }
    Ok(())
}

async fn end_other<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    other: &str,
    hold: Hold,
    queues: &[String],
) -> Result<(), PortError> {
    for _ in 0..MOST_RACES {
        let now = sweep.clock.now();
        let Some(mut logged) = Logged::read(&sweep.store, other).await? else { return Ok(()) };
        if logged.entry.act.hold() != Some(hold) {
            return Ok(());
        }
        let Some(left) = logged.entry.act.held() else { return Ok(()) };
        let before = left.len();
        left.retain(|queue| !queues.contains(queue));
        let is_over = left.is_empty();
        if left.len() == before {
            return Ok(());
        }
        logged.entry.why = Some(format!("operation {id} has taken over"));
        if is_over {
            logged.entry.end(State::Done, now);
        }
        if logged.save(&sweep.store, now).await? {
            return if is_over { log::close(&sweep.store, other).await } else { Ok(()) };
        }
    }
    Err(PortError::Unavailable(format!("operation {other} is being changed; try again")))
}
