//! Breakers and limiters, set by hand.

use evenkeel::{
    base::time::{Clock as _, Time},
    dependency::breaker::State,
    ports::{
        Control as _, PortError, Swapped,
        notes::{Limits, NoteKey},
    },
};

use super::{
    entry::{Entry, Progress},
    log::MOST_RACES,
    request::Setting,
};
use crate::ports::{Ports, Sweep};

/// Sets a breaker. An act that comes late, because the table was gone, does not undo a later one.
pub(super) async fn breaker<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    dependency: &str,
    set: Setting,
    until: Option<u64>,
) -> Result<Progress, PortError> {
    // The id tells the own write, if its answer was lost.
    let why = format!("{} (operation {})", entry.reason, entry.id);
    for _ in 0..MOST_RACES {
        let now = sweep.clock.now();
        let seen = sweep.store.breaker(dependency).await?;
        let is_later = seen.value.since > Time::from_millis(entry.at);
        if seen.value.why == why {
            entry.count("done", 1);
            return Ok(Progress::Done);
        }
        if is_later && matches!(seen.value.state, State::Forced { .. }) {
            entry.count("superseded", 1);
            return Ok(Progress::Done);
        }
        let until = Time::from_millis(until.unwrap_or(u64::MAX >> 16));
        if until <= now {
            entry.count("too_late", 1);
            return Ok(Progress::Done);
        }
        let next = match set {
            Setting::Open => seen.value.forced(true, until, &why, now),
            Setting::Close => seen.value.forced(false, until, &why, now),
            Setting::Auto => seen.value.automatic(&why, now),
        };
        match sweep.store.swap_breaker(dependency, &next, seen.revision).await {
            Ok(Swapped::Yes) => {
                entry.count("done", 1);
                return Ok(Progress::Done);
            }
            // Read again: it may be the own write.
            Ok(Swapped::No(_)) | Err(PortError::Unavailable(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(PortError::Unavailable(format!("the breaker of {dependency} could not be written")))
}

/// Sets the pace of a limiter, or stops its calls. Repeated, it has the same effect.
pub(super) async fn limiter<P: Ports>(
    sweep: &Sweep<P>,
    entry: &mut Entry,
    name: &str,
    pace: Option<u32>,
    stop_until: Option<u64>,
) -> Result<Progress, PortError> {
    let note = sweep.store.note(&NoteKey::watched(name)).await?.value;
    let limits = note.and_then(|text| serde_json::from_str::<Limits>(&text).ok());
    // A host's dependency may have a limiter of another name.
    let limiter = limits.and_then(|limits| limits.limiter).unwrap_or_else(|| name.to_owned());
    for _ in 0..MOST_RACES {
        let now = sweep.clock.now();
        let seen = sweep.store.limiter(&limiter).await?;
        let mut next = seen.value.clone();
        if let Some(pace) = pace {
            next = next.paced(pace, now);
        }
        if let Some(until) = stop_until {
            next = next.stopped(Time::from_millis(until));
        }
        match sweep.store.swap_limiter(&limiter, &next, seen.revision).await {
            Ok(Swapped::Yes) => {
                entry.count("done", 1);
                return Ok(Progress::Done);
            }
            Ok(Swapped::No(_)) | Err(PortError::Unavailable(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Err(PortError::Unavailable(format!("the limiter {limiter} could not be written")))
}
