//! Operate: carries on what operators have begun and what is not done, and ends pauses at their time.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::PortError,
    telemetry,
};
use serde::Deserialize;

use super::Pass;
use crate::{
    operator::{
        entry::Entry,
        log::{self, Logged},
        work,
    },
    ports::{Ports, Sweep},
    tick::Tick,
};

/// Time that an act leaves to the last writes of the pass.
const RESERVE: Duration = Duration::from_secs(3);

/// After this time, a name without an entry is one of a call that died before it did anything.
const ABANDONED_AFTER: Duration = Duration::from_mins(10);

const NAME: &str = "operate";

/// The note that names an open act.
#[derive(Deserialize)]
struct Open {
    /// When it was asked for, in milliseconds since the epoch.
    at: u64,
}

/// Carries on every open act.
pub async fn operate<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let end = sweep.clock.now() + Pass::Operate.time_box();
    let end = end.before(RESERVE);
    let open = in_turn(log::open(&sweep.store).await?, &tick.memory.operated_last);
    let mut left = u32::try_from(open.len()).unwrap_or(u32::MAX);
    for (id, text) in open {
        let now = sweep.clock.now();
        if now >= end {
            tick.count(NAME, "left", 1);
            continue;
        }
        // A long act must not keep a pause from its end, nor other acts from their turn.
        let share = now + end.since(now) / left.max(1);
        left = left.saturating_sub(1);
        tick.memory.operated_last.clone_from(&id);
        // A failure of one does not keep the others from their turn.
        match carry_on(sweep, &id, &text, share).await {
            Ok(what) => tick.count(NAME, what, 1),
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                tick.count(NAME, "failed", 1);
            }
        }
    }
    Ok(())
}

/// Open acts in the order of their turns, beginning after the one that had its turn last: a tick that has no time for
/// all of them leaves none behind for ever.
fn in_turn(open: Vec<(String, String)>, last: &str) -> Vec<(String, String)> {
    let (before, mut after): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|(id, _)| id.as_str() <= last);
    after.extend(before);
    after
}

/// Whether nothing is to be done about an open act now: it pauses queues, its caller does it, or another process is at
/// work on it.
pub(super) fn waits(entry: &Entry, now: Time) -> bool {
    let is_paused = entry.act.is_pause() && Time::from_millis(entry.next_at) > now;
    let is_noted = entry.act.is_note() && entry.latest_end() > now;
    is_paused || is_noted || Time::from_millis(entry.busy_until) > now
}

/// Carries on one act. Returns what was done, the name of a count.
async fn carry_on<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    text: &str,
    end: Time,
) -> Result<&'static str, PortError> {
    let now = sweep.clock.now();
    let Some(mut logged) = Logged::read(&sweep.store, id).await? else {
        let at = serde_json::from_str::<Open>(text).map_or(0, |open| open.at);
        if Time::from_millis(at) + ABANDONED_AFTER > now {
            return Ok("waiting");
        }
        log::close(&sweep.store, id).await?;
        return Ok("closed");
    };
    let entry = &logged.entry;
    if entry.is_over() {
        log::close(&sweep.store, id).await?;
        return Ok("closed");
    }
    if waits(entry, now) {
        return Ok("waiting");
    }
    work::carry_on(sweep, &mut logged, end).await?;
    Ok("carried_on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turns_go_round() {
        let open = || ["a", "b", "c"].map(|id| (id.to_owned(), String::new())).to_vec();
        let order = |last: &str| -> String {
            in_turn(open(), last).into_iter().map(|(id, _)| id).collect()
        };
        assert_eq!(["", "a", "bb", "c"].map(order), ["abc", "bca", "cab", "abc"]);
    }
}
