//! Pauses the event source mappings of queues, and lets them deliver again. A pause stays in the list of what is open
//! until the sweeper has ended it.

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::{PortError, maintenance::MappingMaintenance as _},
};

use super::{
    entry::{Progress, State},
    log::{self, Logged, MOST_RACES},
    request::Act,
};
use crate::ports::{Ports, Sweep};

/// The count that says that a pause has begun.
pub(super) const PAUSED: &str = "paused";

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
        end_others(sweep, &logged.entry.id, queues).await?;
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
    end_others(sweep, &logged.entry.id, queues).await?;
    set(sweep, queues, true).await?;
    logged.entry.count("done", queues.len() as u64);
    Ok(Progress::Done)
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

/// Takes these queues out of all other pauses, so that none of them resumes a queue at its own time.
async fn end_others<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    queues: &[String],
) -> Result<(), PortError> {
    for (other, _) in log::open(&sweep.store).await? {
        if other != id {
            end_other(sweep, id, &other, queues).await?;
        }
    }
    Ok(())
}

async fn end_other<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    other: &str,
    queues: &[String],
) -> Result<(), PortError> {
    for _ in 0..MOST_RACES {
        let now = sweep.clock.now();
        let Some(mut logged) = Logged::read(&sweep.store, other).await? else { return Ok(()) };
        let Act::Pause { queues: paused, .. } = &mut logged.entry.act else { return Ok(()) };
        let before = paused.len();
        paused.retain(|queue| !queues.contains(queue));
        let is_over = paused.is_empty();
        if paused.len() == before {
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
