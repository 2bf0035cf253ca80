//! Balance: how many slots each queue may use, within a total that all of them share.
//!
//! The division is weighted max-min fairness by progressive filling (Bertsekas and Gallager, "Data
//! Networks", 2nd edition, 1992, chapter 6): all shares grow together, by weight, until each meets
//! its demand. A flood therefore gets what the others leave, and never what a small queue demands.
//!
//! A slot is one running batch of at most ten jobs; SQS calls their number `MaximumConcurrency`.
//! The shares are a target. Each tick makes at most one step towards it, from the values that are
//! set at that time, so that the values of a deployment are corrected step by step.

use std::{cmp::Ordering, collections::BTreeMap, time::Duration};

use evenkeel::{base::time::millis, dependency::limiter::HORIZON, policy::BATCH_SIZE};
use serde::{Deserialize, Serialize};

/// Slots that every queue keeps: the lowest `MaximumConcurrency` that SQS accepts.
pub const LEAST: u32 = 2;

/// Slots that one queue can have: the highest `MaximumConcurrency` that SQS accepts.
pub const MOST: u32 = 1_000;

/// Time in which a fresh backlog should be cleared, in milliseconds.
const TARGET_MS: u64 = 60_000;

/// Age of the oldest job above which its queue is late.
const LATE: Duration = Duration::from_secs(5 * 60);

/// Time in which a late backlog should be cleared, in milliseconds.
const LATE_TARGET_MS: u64 = 30_000;

/// Age of the oldest job above which its queue is very late.
const VERY_LATE: Duration = Duration::from_secs(15 * 60);

/// Time in which a very late backlog should be cleared, in milliseconds.
const VERY_LATE_TARGET_MS: u64 = 15_000;

/// Assumed slot time of a job before one was measured, in milliseconds.
const UNKNOWN_JOB_MS: u64 = 1_000;

/// The largest step is the queue's slots divided by this, and a smaller gap is ignored: measured
/// loads fluctuate, and show the effect of a step only after a while.
const PART: u32 = 4;

/// Consecutive ticks that must want the same step before it is made: one tick may have measured a
/// spike.
const PATIENCE: u32 = 2;

/// The load of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// The queue's name, which is unique.
    pub queue: String,
    /// The job type, whose queues share the calls of its dependency.
    pub kind: String,
    /// Slots that the queue was deployed with.
    pub deployed: u32,
    /// Its weight: a queue of weight 2 gets twice the slots of one of weight 1 while both want
    /// more. 0 counts as 1.
    pub weight: u32,
    /// Slots that the mapping allows now.
    pub current: u32,
    /// Messages that a function could receive now.
    pub backlog: u64,
    /// Messages that a function has received and not settled.
    pub in_flight: u64,
    /// Age of the oldest waiting job.
    pub oldest: Duration,
    /// Slot time of one job in milliseconds: busy time of batches divided by jobs, over the last
    /// minutes, without waits for the limiter. `None` if nothing ran; 0 counts as 1.
    pub job_ms: Option<u64>,
    /// Whether an open breaker blocks its jobs, so that more slots would have no effect.
    pub held: bool,
    /// Calls a second that the dependency of its jobs allows, if that is limited.
    pub per_second: Option<u32>,
    /// Slots of its type's queues that take no part now, since they are pinned or being changed.
    pub beside: u32,
}

/// A step: slots that move from one queue to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The queue that gives. `None`: the slots come from the unused part of the total.
    pub from: Option<String>,
    /// The queue that receives. `None`: the slots are removed, because more than the total was in
    /// use.
    pub to: Option<String>,
    /// How many slots, at least 1.
    pub slots: u32,
    /// A sentence with the numbers that led to it.
    pub why: String,
}

/// The step that the last ticks wanted, remembered from tick to tick. It holds for how long, but
/// not how many slots, which each tick computes anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// The queue that would give, as in [`Move`].
    pub from: Option<String>,
    /// The queue that would receive, as in [`Move`].
    pub to: Option<String>,
    /// Consecutive ticks that wanted the same receiver.
    pub ticks: u32,
}

/// The most slots that a queue can use, and all queues of its job type together. With more jobs in progress than
/// the dependency's rate allows within a call and the limiter's horizon, some of them would only wait.
fn most(load: &Load) -> u32 {
    let Some(per_second) = load.per_second else { return MOST };
    // The jobs of a batch run side by side, so each takes about as long as the whole batch.
    let call_ms = load.job_ms.map_or(UNKNOWN_JOB_MS, |ms| ms.saturating_mul(BATCH_SIZE as u64));
    let span_ms = millis(HORIZON).saturating_add(call_ms);
    let jobs = u64::from(per_second).saturating_mul(span_ms) / 1_000;
    u32::try_from(jobs / BATCH_SIZE as u64).unwrap_or(MOST).clamp(LEAST, MOST)
}

/// The slots that a queue needs to finish all its messages within a minute, or sooner if they are
/// late.
#[must_use]
pub fn demand(load: &Load) -> u32 {
    if load.held {
        return LEAST;
    }
    let jobs = load.backlog.saturating_add(load.in_flight);
    let work_ms = jobs.saturating_mul(load.job_ms.unwrap_or(UNKNOWN_JOB_MS).max(1));
    let slots = work_ms.div_ceil(target_ms(load.oldest));
    u32::try_from(slots).unwrap_or(MOST).clamp(LEAST, most(load))
}

/// Time in which a backlog should be cleared, in milliseconds.
fn target_ms(oldest: Duration) -> u64 {
    if oldest > VERY_LATE {
        VERY_LATE_TARGET_MS
    } else if oldest > LATE {
        LATE_TARGET_MS
    } else {
        TARGET_MS
    }
}

/// A queue during the division of slots.
struct Hand<'a> {
    /// Its job type.
    kind: &'a str,
    /// At least 1.
    weight: u32,
    /// Most slots that it can get.
    limit: u32,
    /// Slots that it has got so far.
    slots: u32,
}

impl<'a> Hand<'a> {
    /// The hand of a queue before the division.
    fn of(load: &'a Load) -> Self {
        Self { kind: &load.kind, weight: load.weight.max(1), limit: demand(load), slots: LEAST }
    }
}

/// What the queues of a job type have together.
#[derive(Default)]
struct OfType {
    /// What its rate allows.
    allowed: u32,
    deployed: u32,
    queues: u32,
    /// See [`Load::beside`].
    beside: u32,
}

/// The most slots that the balanced queues of each job type can have: what its rate allows, less what its other queues
/// have. If it was deployed with more, the least that SQS accepts for all its queues but one comes on top: otherwise a
/// high queue that is mostly idle would take half of the slots of the other one.
fn most_of_types(loads: &[Load]) -> BTreeMap<&str, u32> {
    let mut types: BTreeMap<&str, OfType> = BTreeMap::new();
    // Without a limited rate, each queue is bounded by itself.
    for load in loads.iter().filter(|load| load.per_second.is_some()) {
        let of_type = types.entry(&load.kind).or_default();
        of_type.allowed = of_type.allowed.max(most(load));
        of_type.deployed = of_type.deployed.saturating_add(load.deployed.max(LEAST));
        of_type.queues += 1;
        of_type.beside = load.beside;
    }
    let most = |of_type: OfType| {
        let OfType { allowed, deployed, queues, beside } = of_type;
        let others = queues - 1 + u32::from(beside > 0);
        let with_least = allowed.saturating_add(LEAST * others);
        let deployed = deployed.saturating_add(beside);
        allowed.max(deployed.min(with_least)).saturating_sub(beside)
    };
    types.into_iter().map(|(kind, of_type)| (kind, most(of_type))).collect()
}

/// The share of each queue, in the order of `loads`.
///
/// The sum of the shares is `total`, unless that is less than [`LEAST`] or more than [`MOST`] a
/// queue. Slots are given out one by one, so this takes at most [`MOST`] rounds a queue.
#[must_use]
pub fn shares(loads: &[Load], total: u32) -> Vec<u32> {
    let most_of_types = most_of_types(loads);
    let mut hands: Vec<Hand<'_>> = loads.iter().map(Hand::of).collect();
    let spare = total.saturating_sub(sum(hands.iter().map(|hand| hand.slots)));
    let left = deal(&mut hands, &most_of_types, spare);
    // No queue demands the rest. It is divided by weight, so that the shares of an idle system are
    // stable.
    for (hand, load) in hands.iter_mut().zip(loads) {
        hand.limit = most(load);
    }
    deal(&mut hands, &most_of_types, left);
    hands.into_iter().map(|hand| hand.slots).collect()
}

/// Gives out up to `spare` slots, each to the queue with the fewest slots for its weight, the first
/// of equals. Returns how many are left once every queue is at its limit, or its type is.
fn deal(hands: &mut [Hand<'_>], most_of_types: &BTreeMap<&str, u32>, spare: u32) -> u32 {
    for dealt in 0..spare {
        let mut used: BTreeMap<&str, u32> = BTreeMap::new();
        for hand in &*hands {
            *used.entry(hand.kind).or_default() += hand.slots;
        }
        let is_full = |kind| most_of_types.get(kind).is_some_and(|most| used[kind] >= *most);
        let open = hands.iter_mut().filter(|hand| hand.slots < hand.limit && !is_full(hand.kind));
        let poorest =
            open.min_by(|one, other| compare((one.slots, one.weight), (other.slots, other.weight)));
        let Some(poorest) = poorest else { return spare - dealt };
        poorest.slots += 1;
    }
    0
}

/// The step to make now, and the wish to remember until the next tick. `wish` is that of the
/// previous tick.
///
/// A step is made only once two consecutive ticks want the same receiver: the queue that lacks the
/// largest part of its share. Unused slots are given first, then those of the queue with the most
/// slots above its share. While more than the total is in use, slots are only removed.
#[must_use]
pub fn step(loads: &[Load], total: u32, wish: Option<&Wish>) -> (Option<Move>, Option<Wish>) {
    let Some(next) = next(loads, &shares(loads, total)) else { return (None, None) };
    let before = wish.filter(|wish| wish.to == next.to).map_or(0, |wish| wish.ticks);
    let ticks = before.saturating_add(1);
    let wish = Wish { from: next.from.clone(), to: next.to.clone(), ticks };
    ((ticks >= PATIENCE).then_some(next), Some(wish))
}

/// The step from the present slots towards the shares; `None` if they are near enough.
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

/// The step that removes slots from a queue because `excess` slots over the total are in use.
fn reduction(loads: &[Load], shares: &[u32], excess: u32) -> Option<Move> {
    let (donor, surplus) = most_above(loads, shares)?;
    let slots = excess.min(surplus).min(part(donor.current));
    let why = format!("{excess} over the total; {}", reason(donor, donor.current - surplus));
    Some(Move { from: Some(donor.queue.clone()), to: None, slots, why })
}

/// The queue with the smallest part of its share, and that share, among those whose gap is large
/// enough.
fn most_lacking<'a>(loads: &'a [Load], shares: &[u32]) -> Option<(&'a Load, u32)> {
    loads
        .iter()
        .zip(shares.iter().copied())
        .filter(|(load, share)| share.saturating_sub(load.current) >= part(load.current))
        .min_by(|(one, due), (other, others)| {
            compare((one.current, *due), (other.current, *others))
        })
}

/// The queue with the most slots above its share, and how many these are. A share is never below
/// [`LEAST`], so the queue keeps at least that.
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

/// A sentence that explains a queue's share.
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

/// Compares two fractions, given as numerator and denominator, exactly.
fn compare(one: (u32, u32), other: (u32, u32)) -> Ordering {
    let product = |left: u32, right: u32| u64::from(left) * u64::from(right);
    product(one.0, other.1).cmp(&product(other.0, one.1))
}

/// The saturating sum of slots.
fn sum(slots: impl Iterator<Item = u32>) -> u32 {
    slots.fold(0, u32::saturating_add)
}

#[cfg(test)]
#[path = "balance_tests.rs"]
mod tests;
