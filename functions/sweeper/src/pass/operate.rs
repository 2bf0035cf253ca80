//! Operate: carries on what operators have begun and what is not done, and ends pauses and pins at their time. Balance
//! learns from it which slots are pinned, and observe which queues are paused until a time that is still to come.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
        log::{self, Logged, MOST_OPEN},
        request::Act,
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
    // Balance moves nothing unless every open act was read: one of them may be a pin.
    let (mut held, mut knows_all) = (Held::default(), open.len() < MOST_OPEN);
    for (id, text) in open {
        let now = sweep.clock.now();
        if now >= end {
            tick.count(NAME, "left", 1);
            knows_all = false;
            continue;
        }
        // A long act must not keep a pause from its end, nor other acts from their turn.
        let share = now + end.since(now) / left.max(1);
        left = left.saturating_sub(1);
        tick.memory.operated_last.clone_from(&id);
        // A failure of one does not keep the others from their turn.
        match carry_on(sweep, &id, &text, share, &mut held).await {
            Ok(what) => tick.count(NAME, what, 1),
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                tick.count(NAME, "failed", 1);
                // One that nobody can read stays so: balance does not wait for it.
                knows_all &= matches!(error, PortError::Unreadable(_));
            }
        }
    }
    let slots = |(queue, (_, slots)): (String, Pin)| (queue, slots);
    tick.pauses = knows_all.then_some(held.pauses);
    tick.pins = knows_all.then(|| held.pins.into_iter().map(slots).collect());
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

/// Whether nothing is to be done about an open act now: it holds queues, its caller does it, or another process is at
/// work on it.
pub(super) fn waits(entry: &Entry, now: Time) -> bool {
    let is_held = entry.act.hold().is_some() && Time::from_millis(entry.next_at) > now;
    let is_noted = entry.act.is_note() && entry.latest_end() > now;
    is_held || is_noted || Time::from_millis(entry.busy_until) > now
}

/// The slots that an act has pinned for a queue, and when it was asked for.
type Pin = (u64, u32);

/// What open acts hold until a time that is still to come, by the key of the mapping.
#[derive(Debug, Default)]
struct Held {
    pins: BTreeMap<String, Pin>,
    pauses: BTreeSet<String>,
}

impl Held {
    /// Notes what an act holds. Of several acts that pin the slots of a queue, the latest counts.
    fn note(&mut self, entry: &Entry, now: Time) {
        match &entry.act {
            Act::Pin { queues, slots, until } if Time::from_millis(*until) > now => {
                for queue in queues {
                    let pin = self.pins.entry(queue.clone()).or_default();
                    *pin = (*pin).max((entry.at, *slots));
                }
            }
            Act::Pause { queues, until } if Time::from_millis(*until) > now => {
                self.pauses.extend(queues.iter().cloned());
            }
            _ => {}
        }
    }
}

/// Carries on one act. Returns what was done, the name of a count.
async fn carry_on<P: Ports>(
    sweep: &Sweep<P>,
    id: &str,
    text: &str,
    end: Time,
    held: &mut Held,
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
    held.note(entry, now);
    if waits(entry, now) {
        return Ok("waiting");
    }
    if let Err(error) = work::carry_on(sweep, &mut logged, end).await {
        // What it holds is known all the same.
        telemetry::port_failed(NAME, &error);
        return Ok("failed");
    }
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
