//! The balance: how many slots each queue may use, within a total that all of them share.
//!
//! Weighted max-min fairness by progressive filling (Bertsekas and Gallager, "Data Networks", 2nd
//! edition, 1992, chapter 6): all are raised together, by weight, until each has what it wants. A
//! flood therefore gets what others leave, and never what a small queue wants for itself.
//!
//! A slot is one batch of at most ten jobs at work; SQS calls their number `MaximumConcurrency`.
//! The shares are a target. One step a tick leads towards it, always from what is set now, so that
//! a redeploy that set other numbers is worked back.

use std::{cmp::Ordering, time::Duration};

use serde::{Deserialize, Serialize};

/// Slots that every queue keeps: SQS knows no maximum of one.
pub const LEAST: u32 = 2;

/// Slots that one queue can have: SQS knows no higher maximum.
pub const MOST: u32 = 1_000;

/// Time within which a fresh backlog is to be gone, in milliseconds.
const TARGET_MS: u64 = 60_000;

/// Age of the oldest job from which its queue is late.
const LATE: Duration = Duration::from_secs(5 * 60);

/// Time within which a late backlog is to be gone, in milliseconds.
const LATE_TARGET_MS: u64 = 30_000;

/// Age of the oldest job from which its queue is very late.
const VERY_LATE: Duration = Duration::from_secs(15 * 60);

/// Time within which a very late backlog is to be gone, in milliseconds.
const VERY_LATE_TARGET_MS: u64 = 15_000;

/// What a job is believed to take of a slot before one was measured, in milliseconds.
const UNKNOWN_JOB_MS: u64 = 1_000;

/// A step is one part in so many of what the queue has, and a smaller gap is left alone: measured
/// loads waver, and a step takes a while to show in them.
const PART: u32 = 4;

/// Ticks in a row that must wish the same before it is done: one alone may have seen a moment.
const PATIENCE: u32 = 2;

/// What is known of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The queue's name, for the step and its reason; no two are the same.
    pub queue: String,
    /// A queue of weight 2 gets twice the slots of one of weight 1 while both want more. 0 counts
    /// as 1.
    pub weight: u32,
    /// Slots that the mapping allows now.
    pub current: u32,
    /// Messages that wait.
    pub backlog: u64,
    /// Messages at work now.
    pub in_flight: u64,
    /// Age of its oldest waiting job.
    pub oldest: Duration,
    /// Time of a slot that one job takes, in milliseconds: busy time of batches divided by jobs,
    /// over the last minutes. `None` if nothing ran; 0 counts as 1.
    pub job_ms: Option<u64>,
    /// Whether all that it could call is behind an open breaker: more slots would do nothing.
    pub held: bool,
}

/// A step: slots that change their queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The queue that gives. `None`: the slots come from what nobody uses of the total.
    pub from: Option<String>,
    /// The queue that receives. `None`: nobody does, because more than the total was in use.
    pub to: Option<String>,
    /// How many slots, at least 1.
    pub slots: u32,
    /// A sentence with the numbers that led to it.
    pub why: String,
}

/// A step that was wished for: the memory between two ticks. It says how long, never how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The queue that would give, as in [`Move`].
    pub from: Option<String>,
    /// The queue that would receive, as in [`Move`].
    pub to: Option<String>,
    /// Ticks in a row that wished for the same receiver.
    pub ticks: u32,
}

/// Slots with which all messages of the queue are done within a minute, or sooner if they are late.
#[must_use]
pub fn demand(load: &Load) -> u32 {
    if load.held {
        return LEAST;
    }
    let jobs = load.backlog.saturating_add(load.in_flight);
    let work_ms = jobs.saturating_mul(load.job_ms.unwrap_or(UNKNOWN_JOB_MS).max(1));
    let slots = work_ms.div_ceil(target_ms(load.oldest));
    u32::try_from(slots).unwrap_or(MOST).clamp(LEAST, MOST)
}

/// Time within which a backlog is to be gone, in milliseconds.
fn target_ms(oldest: Duration) -> u64 {
    if oldest > VERY_LATE {
        VERY_LATE_TARGET_MS
    } else if oldest > LATE {
        LATE_TARGET_MS
    } else {
        TARGET_MS
    }
}

/// A queue while slots are dealt.
struct Hand {
    /// Its weight, at least 1.
    weight: u32,
    /// Slots above which it is passed over.
    limit: u32,
    /// Slots that it has.
    slots: u32,
}

/// The slots that are due to each queue, in their order.
///
/// Their sum is the total, unless that is less than [`LEAST`] or more than [`MOST`] for each. Deals
/// slot by slot, so at most [`MOST`] rounds a queue.
#[must_use]
pub fn shares(loads: &[Load], total: u32) -> Vec<u32> {
    let hand = |load: &Load| Hand { weight: load.weight.max(1), limit: demand(load), slots: LEAST };
    let mut hands: Vec<Hand> = loads.iter().map(hand).collect();
    let spare = total.saturating_sub(sum(hands.iter().map(|hand| hand.slots)));
    let left = deal(&mut hands, spare);
    // Nobody wants what is left. It waits where the weights put it, so that an idle system rests.
    for hand in &mut hands {
        hand.limit = MOST;
    }
    deal(&mut hands, left);
    hands.into_iter().map(|hand| hand.slots).collect()
}

/// Deals up to `spare` slots, each to whoever has least for its weight; the first of equals.
/// Answers with what is left when everybody is at its limit.
fn deal(hands: &mut [Hand], spare: u32) -> u32 {
    for dealt in 0..spare {
        let open = hands.iter_mut().filter(|hand| hand.slots < hand.limit);
        let poorest =
            open.min_by(|one, other| compare((one.slots, one.weight), (other.slots, other.weight)));
        let Some(poorest) = poorest else { return spare - dealt };
        poorest.slots += 1;
    }
    0
}

/// The step to take now, and what to remember until the next tick. `wish` is what the last tick
/// said to remember.
///
/// At most one step a tick, and none before two ticks in a row wish for the same receiver: the
/// queue that lacks the largest part of its share. What nobody uses is given first; then gives the
/// queue that has most slots above its share. While more than the total is in use, slots are only
/// taken.
#[must_use]
pub fn step(loads: &[Load], total: u32, wish: Option<&Wish>) -> (Option<Move>, Option<Wish>) {
    let Some(next) = next(loads, &shares(loads, total)) else { return (None, None) };
    let before = wish.filter(|wish| wish.to == next.to).map_or(0, |wish| wish.ticks);
    let ticks = before.saturating_add(1);
    let wish = Wish { from: next.from.clone(), to: next.to.clone(), ticks };
    ((ticks >= PATIENCE).then_some(next), Some(wish))
}

/// The step that leads from what is set now towards the shares; `None` if that is near enough.
fn next(loads: &[Load], shares: &[u32]) -> Option<Move> {
    let allowed = sum(shares.iter().copied());
    let used = sum(loads.iter().map(|load| load.current));
    if used > allowed {
        return reduction(loads, shares, used - allowed);
    }
    let (receiver, share) = most_lacking(loads, shares)?;
    let unused = allowed - used;
    let (from, available) = if unused > 0 {
        (None, unused)
    } else {
        let (donor, surplus) = most_above(loads, shares)?;
        (Some(donor.queue.clone()), surplus)
    };
    let gap = share - receiver.current;
    let slots = gap.min(available).min(part(receiver.current));
    let why = reason(receiver, share);
    Some(Move { from, to: Some(receiver.queue.clone()), slots, why })
}

/// The step that takes from a queue what is `excess` over the total.
fn reduction(loads: &[Load], shares: &[u32], excess: u32) -> Option<Move> {
    let (donor, surplus) = most_above(loads, shares)?;
    let slots = excess.min(surplus).min(part(donor.current));
    let why = format!("{excess} over the total; {}", reason(donor, donor.current - surplus));
    Some(Move { from: Some(donor.queue.clone()), to: None, slots, why })
}

/// The queue that has the smallest part of its share, and that share, among those that lack enough.
fn most_lacking<'a>(loads: &'a [Load], shares: &[u32]) -> Option<(&'a Load, u32)> {
    loads
        .iter()
        .zip(shares.iter().copied())
        .filter(|(load, share)| share.saturating_sub(load.current) >= part(load.current))
        .min_by(|(one, due), (other, others)| {
            compare((one.current, *due), (other.current, *others))
        })
}

/// The queue that has most above its share, and how many slots that is. A share is never below
/// [`LEAST`], so neither is what the queue keeps.
fn most_above<'a>(loads: &'a [Load], shares: &[u32]) -> Option<(&'a Load, u32)> {
    loads
        .iter()
        .zip(shares.iter().copied())
        .map(|(load, share)| (load, load.current.saturating_sub(share)))
        .filter(|(_, surplus)| *surplus > 0)
        .max_by_key(|(_, surplus)| *surplus)
}

/// The largest step for a queue that has `current` slots, and the smallest gap that counts.
fn part(current: u32) -> u32 {
    (current / PART).max(1)
}

/// Why a queue is to have `share` slots.
fn reason(load: &Load, share: u32) -> String {
    let cost = load.job_ms.map_or_else(|| "no job timed".to_owned(), |ms| format!("{ms} ms a job"));
    let held = if load.held { ", held by a breaker" } else { "" };
    format!(
        "backlog {}, {} at work, oldest {} s, {cost}{held}: wants {}, is due {share}, has {}",
        load.backlog,
        load.in_flight,
        load.oldest.as_secs(),
        demand(load),
        load.current,
    )
}

/// Compares two fractions, given as numerator and denominator, without rounding.
fn compare(one: (u32, u32), other: (u32, u32)) -> Ordering {
    let product = |left: u32, right: u32| u64::from(left) * u64::from(right);
    product(one.0, other.1).cmp(&product(other.0, one.1))
}

/// All slots together; numbers that no mapping can have do not overflow it.
fn sum(slots: impl Iterator<Item = u32>) -> u32 {
    slots.fold(0, u32::saturating_add)
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
