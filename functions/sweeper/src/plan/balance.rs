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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// More ticks than any load below needs: two for each slot that is out of place.
    const TICKS: u32 = 2_000;

    fn idle(queue: &str, current: u32) -> Load {
        Load {
            queue: queue.to_owned(),
            weight: 1,
            current,
            backlog: 0,
            in_flight: 0,
            oldest: Duration::ZERO,
            job_ms: None,
            held: false,
        }
    }

    fn busy(queue: &str, current: u32, backlog: u64, job_ms: u64) -> Load {
        Load { backlog, job_ms: Some(job_ms), ..idle(queue, current) }
    }

    /// Wants 18 slots.
    fn wants_18(queue: &str, current: u32) -> Load {
        busy(queue, current, 10_800, 100)
    }

    fn apply(loads: &mut [Load], made: &Move) {
        for load in loads {
            if made.from.as_ref() == Some(&load.queue) {
                load.current -= made.slots;
            }
            if made.to.as_ref() == Some(&load.queue) {
                load.current += made.slots;
            }
        }
    }

    /// Repeats ticks under a constant load until one wishes for nothing.
    fn follow(loads: &mut [Load], total: u32) -> Vec<Move> {
        let mut moves = Vec::new();
        let mut memory: Option<Wish> = None;
        for _ in 0..TICKS {
            let (made, wish) = step(loads, total, memory.as_ref());
            if wish.is_none() {
                return moves;
            }
            if let Some(made) = made {
                apply(loads, &made);
                moves.push(made);
            }
            memory = wish;
        }
        panic!("still moving after {TICKS} ticks: {loads:?}");
    }

    fn currents(loads: &[Load]) -> Vec<u32> {
        loads.iter().map(|load| load.current).collect()
    }

    #[test]
    fn a_demand_is_what_clears_the_backlog_in_time() {
        let minute = busy("a", 2, 600, 1_000);
        let aged = |seconds| Load { oldest: Duration::from_secs(seconds), ..minute.clone() };
        for (load, slots, why) in [
            (idle("a", 2), 2, "nothing to do"),
            (minute.clone(), 10, "ten minutes of work in one"),
            (Load { job_ms: None, ..minute.clone() }, 10, "a second a job unless measured"),
            (Load { in_flight: 1, ..minute.clone() }, 11, "what is at work counts, and rounds up"),
            (busy("a", 2, 600_000, 0), 10, "no job takes less than a millisecond"),
            (aged(300), 10, "five minutes are not late"),
            (aged(301), 20, "late: in half a minute"),
            (aged(900), 20, "not very late yet"),
            (aged(901), 40, "very late: in a quarter of a minute"),
            (Load { held: true, ..aged(901) }, 2, "held: slots would do nothing"),
            (busy("a", 2, u64::MAX, u64::MAX), 1_000, "no more than SQS allows"),
        ] {
            assert_eq!(demand(&load), slots, "{why}");
        }
    }

    #[test]
    fn an_idle_system_rests_at_its_weights() {
        let loads = [Load { weight: 3, ..idle("a", 15) }, idle("b", 5)];
        assert_eq!(shares(&loads, 20), [15, 5]);
        assert_eq!(step(&loads, 20, None), (None, None));
        let weightless = [Load { weight: 0, ..idle("a", 10) }, idle("b", 10)];
        assert_eq!(shares(&weightless, 20), [10, 10]);
    }

    #[test]
    fn a_flood_of_cheap_jobs_does_not_starve_a_small_queue() {
        let flood = busy("flood", 15, 100_000, 100);
        let small = busy("small", 5, 300, 1_000);
        assert_eq!((demand(&flood), demand(&small)), (167, 5));
        assert_eq!(shares(&[flood.clone(), small], 20), [15, 5], "the small one has what it wants");
        let larger = busy("larger", 5, 700, 1_000);
        assert_eq!(shares(&[flood, larger], 20), [10, 10], "or its half");
    }

    #[test]
    fn two_floods_share_by_weight() {
        let heavy = Load { weight: 2, ..busy("heavy", 2, 100_000, 100) };
        assert_eq!(shares(&[heavy, busy("light", 2, 100_000, 100)], 30), [20, 10]);
    }

    #[test]
    fn an_old_backlog_gets_more() {
        let young = busy("young", 15, 600, 1_000);
        let old = Load { queue: "old".to_owned(), ..young.clone() };
        assert_eq!(shares(&[young.clone(), old.clone()], 30), [15, 15]);
        let old = Load { oldest: Duration::from_secs(960), ..old };
        assert_eq!(shares(&[young, old], 30), [10, 20]);
    }

    #[test]
    fn a_held_queue_gives_its_slots_away_and_gets_them_back() {
        let held = Load { held: true, ..busy("held", 10, 10_000, 1_000) };
        let mut loads = [held, busy("other", 10, 10_000, 1_000)];
        follow(&mut loads, 20);
        assert_eq!(currents(&loads), [2, 18]);
        loads[0].held = false;
        follow(&mut loads, 20);
        assert_eq!(currents(&loads), [10, 10]);
    }

    #[test]
    fn totals_that_cannot_be_met_are_met_as_nearly_as_sqs_allows() {
        let loads = [idle("a", 2), idle("b", 2), wants_18("c", 2)];
        assert_eq!(shares(&loads, 4), [2, 2, 2]);
        assert_eq!(shares(&loads, 5_000), [1_000, 1_000, 1_000]);
        assert_eq!(shares(&[], 20), [0_u32; 0]);
        assert_eq!(step(&loads, 4, None), (None, None));
        assert_eq!(step(&[], 20, None), (None, None));
    }

    #[test]
    fn one_tick_alone_moves_nothing_and_two_do() {
        let loads = [wants_18("a", 10), idle("b", 10)];
        let (made, wish) = step(&loads, 20, None);
        let pair = (Some("b".to_owned()), Some("a".to_owned()));
        let first = Wish { from: pair.0.clone(), to: pair.1.clone(), ticks: 1 };
        assert_eq!((made, wish), (None, Some(first.clone())));
        let (made, wish) = step(&loads, 20, Some(&first));
        let why = "backlog 10800, 0 at work, oldest 0 s, 100 ms a job: \
                   wants 18, is due 18, has 10";
        let moved = Move { from: pair.0, to: pair.1, slots: 2, why: why.to_owned() };
        assert_eq!(made, Some(moved));
        assert_eq!(wish, Some(Wish { ticks: 2, ..first }), "and the next tick may go on");
    }

    #[test]
    fn a_load_that_flaps_moves_nothing() {
        let calm = [idle("a", 10), idle("b", 10)];
        let left = [wants_18("a", 10), idle("b", 10)];
        let right = [idle("a", 10), wants_18("b", 10)];
        for phases in [[&left, &right], [&left, &calm]] {
            let mut memory: Option<Wish> = None;
            for tick in 0..10 {
                let (made, wish) = step(phases[tick % 2], 20, memory.as_ref());
                assert_eq!(made, None);
                memory = wish;
            }
        }
    }

    #[test]
    fn a_gap_below_a_quarter_is_left_alone() {
        let loads = [wants_18("a", 16), idle("b", 4)];
        assert_eq!(shares(&loads, 20), [18, 2]);
        assert_eq!(step(&loads, 20, None), (None, None));
    }

    #[test]
    fn a_redeploy_is_worked_back_step_by_step_from_what_is() {
        let mut loads = [wants_18("a", 2), idle("b", 2)];
        let to = Some("a".to_owned());
        let stale = Wish { from: Some("b".to_owned()), to: to.clone(), ticks: 7 };
        let (made, _) = step(&loads, 20, Some(&stale));
        let made = made.map(|made| (made.from, made.to, made.slots));
        assert_eq!(made, Some((None, to, 1)), "memory says how long, not from where or how many");

        let moves = follow(&mut loads, 20);
        assert!(moves.iter().all(|made| made.from.is_none()));
        let slots: Vec<u32> = moves.iter().map(|made| made.slots).collect();
        assert_eq!(slots, [1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
        assert_eq!(currents(&loads), [18, 2]);
    }

    #[test]
    fn a_lower_total_is_reached_by_reductions_alone() {
        let mut loads = [idle("a", 10), idle("b", 10)];
        let moves = follow(&mut loads, 12);
        assert!(moves.iter().all(|made| made.to.is_none()));
        assert!(moves[0].why.starts_with("8 over the total; backlog 0"), "{}", moves[0].why);
        assert_eq!(currents(&loads), [6, 6]);
    }

    #[test]
    fn a_wish_survives_its_writing() {
        let wish = Wish { from: None, to: Some("a".to_owned()), ticks: 1 };
        let text = serde_json::to_string(&wish).unwrap();
        assert_eq!(serde_json::from_str::<Wish>(&text).unwrap(), wish);
    }

    fn any_loads() -> impl Strategy<Value = Vec<Load>> {
        let load = (
            0..5_u32,
            LEAST..60,
            0..2_000_u64,
            0..200_u64,
            0..1_200_u64,
            proptest::option::of(0..3_000_u64),
            proptest::bool::weighted(0.2),
        )
            .prop_map(|(weight, current, backlog, in_flight, oldest, job_ms, held)| Load {
                queue: String::new(),
                weight,
                current,
                backlog,
                in_flight,
                oldest: Duration::from_secs(oldest),
                job_ms,
                held,
            });
        proptest::collection::vec(load, 0..6).prop_map(|mut loads| {
            for (number, load) in loads.iter_mut().enumerate() {
                load.queue = format!("queue-{number}");
            }
            loads
        })
    }

    /// What can be shared out of a total.
    fn allowed(loads: &[Load], total: u32) -> u32 {
        let queues = u32::try_from(loads.len()).unwrap();
        total.clamp(LEAST * queues, MOST * queues)
    }

    proptest! {
        #[test]
        fn shares_add_up_to_the_total(loads in any_loads(), total in 0..300_u32) {
            let shares = shares(&loads, total);
            prop_assert_eq!(shares.len(), loads.len());
            prop_assert!(shares.iter().all(|share| (LEAST..=MOST).contains(share)));
            prop_assert_eq!(shares.iter().sum::<u32>(), allowed(&loads, total));
        }

        #[test]
        fn nobody_has_more_for_its_weight_than_one_who_lacks(
            loads in any_loads(),
            total in 0..300_u32,
        ) {
            let shares = shares(&loads, total);
            for (poor, had) in loads.iter().zip(&shares) {
                if *had >= demand(poor) {
                    continue;
                }
                for (rich, share) in loads.iter().zip(&shares) {
                    prop_assert!(*share <= demand(rich), "{rich:?} has {share}");
                    // But for the last slot, which cannot be divided.
                    let given = (*share - 1, rich.weight.max(1));
                    let order = compare(given, (*had, poor.weight.max(1)));
                    prop_assert!(*share == LEAST || order != Ordering::Greater);
                }
            }
        }

        #[test]
        fn a_step_keeps_the_sum_and_leaves_everybody_enough(
            loads in any_loads(),
            total in 0..300_u32,
        ) {
            let (none, wish) = step(&loads, total, None);
            prop_assert_eq!(none, None);
            let Some(made) = step(&loads, total, wish.as_ref()).0 else { return Ok(()) };
            let mut after = loads.clone();
            apply(&mut after, &made);
            let (had, has) = (currents(&loads), currents(&after));
            let (used, uses) = (had.iter().sum::<u32>(), has.iter().sum::<u32>());
            let allowed = allowed(&loads, total);
            prop_assert!(made.slots >= 1);
            match (&made.from, &made.to) {
                (Some(_), Some(_)) => prop_assert_eq!(uses, used),
                (None, Some(_)) => prop_assert!(used < uses && uses <= allowed),
                (Some(_), None) => prop_assert!(allowed <= uses && uses < used),
                (None, None) => return Err(TestCaseError::fail("nobody gives or receives")),
            }
            for ((had, has), share) in had.iter().zip(&has).zip(shares(&loads, total)) {
                prop_assert!(*has >= LEAST);
                prop_assert!(has >= had || *has >= share, "a donor is left its share");
                prop_assert!(has <= had || *has <= share, "a receiver gets no more than its share");
                prop_assert!(has.saturating_sub(*had) <= part(*had));
            }
        }

        #[test]
        fn a_constant_load_comes_to_rest_near_its_shares(
            mut loads in any_loads(),
            total in 0..300_u32,
        ) {
            follow(&mut loads, total);
            let has = currents(&loads);
            prop_assert!(has.iter().sum::<u32>() <= allowed(&loads, total));
            for (has, share) in has.iter().zip(shares(&loads, total)) {
                prop_assert!(share.saturating_sub(*has) < part(*has), "{loads:?}");
            }
            prop_assert_eq!(step(&loads, total, None), (None, None));
        }
    }
}
