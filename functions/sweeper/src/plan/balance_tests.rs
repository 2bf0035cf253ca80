use proptest::prelude::*;

use super::*;

/// More ticks than any load below needs; each slot to be moved needs two.
const TICKS: u32 = 2_000;

fn idle(queue: &str, current: u32) -> Load {
    Load {
        queue: queue.to_owned(),
        kind: queue.to_owned(),
        deployed: 0,
        weight: 1,
        current,
        backlog: 0,
        in_flight: 0,
        oldest: Duration::ZERO,
        job_ms: None,
        held: false,
        per_second: None,
        beside: 0,
    }
}

fn busy(queue: &str, current: u32, backlog: u64, job_ms: u64) -> Load {
    Load { backlog, job_ms: Some(job_ms), ..idle(queue, current) }
}

/// A load with a demand of 18 slots.
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

/// Repeats ticks under a constant load until one wants no step; returns the moves.
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
fn the_demand_is_the_slots_that_clear_the_backlog_in_time() {
    let minute = busy("a", 2, 600, 1_000);
    let aged = |seconds| Load { oldest: Duration::from_secs(seconds), ..minute.clone() };
    for (load, slots, why) in [
        (idle("a", 2), 2, "nothing to do"),
        (minute.clone(), 10, "ten minutes of work in one minute"),
        (Load { job_ms: None, ..minute.clone() }, 10, "without a measurement, one second a job"),
        (
            Load { in_flight: 1, ..minute.clone() },
            11,
            "messages in flight count, and the result is rounded up",
        ),
        (busy("a", 2, 600_000, 0), 10, "a job takes at least one millisecond"),
        (aged(300), 10, "five minutes are not yet late"),
        (aged(301), 20, "late: cleared in half a minute"),
        (aged(900), 20, "not yet very late"),
        (aged(901), 40, "very late: cleared in a quarter of a minute"),
        (Load { held: true, ..aged(901) }, 2, "held: slots would have no effect"),
        (busy("a", 2, u64::MAX, u64::MAX), 1_000, "at most as many as SQS allows"),
    ] {
        assert_eq!(demand(&load), slots, "{why}");
    }
}

#[test]
fn an_idle_system_is_shared_by_weight() {
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
    assert_eq!(shares(&[flood.clone(), small], 20), [15, 5], "the small queue gets its demand");
    let larger = busy("larger", 5, 700, 1_000);
    assert_eq!(shares(&[flood, larger], 20), [10, 10], "a larger queue gets its half");
}

#[test]
fn two_floods_share_by_weight() {
    let heavy = Load { weight: 2, ..busy("heavy", 2, 100_000, 100) };
    assert_eq!(shares(&[heavy, busy("light", 2, 100_000, 100)], 30), [20, 10]);
}

#[test]
fn an_old_backlog_gets_more_slots() {
    let young = busy("young", 15, 600, 1_000);
    let old = Load { queue: "old".to_owned(), ..young.clone() };
    assert_eq!(shares(&[young.clone(), old.clone()], 30), [15, 15]);
    let old = Load { oldest: Duration::from_secs(960), ..old };
    assert_eq!(shares(&[young, old], 30), [10, 20]);
}

#[test]
fn a_held_queue_loses_its_slots_until_it_is_released() {
    let held = Load { held: true, ..busy("held", 10, 10_000, 1_000) };
    let mut loads = [held, busy("other", 10, 10_000, 1_000)];
    follow(&mut loads, 20);
    assert_eq!(currents(&loads), [2, 18]);
    loads[0].held = false;
    follow(&mut loads, 20);
    assert_eq!(currents(&loads), [10, 10]);
}

#[test]
fn impossible_totals_are_met_as_nearly_as_sqs_allows() {
    let loads = [idle("a", 2), idle("b", 2), wants_18("c", 2)];
    assert_eq!(shares(&loads, 4), [2, 2, 2]);
    assert_eq!(shares(&loads, 5_000), [1_000, 1_000, 1_000]);
    assert_eq!(shares(&[], 20), [0_u32; 0]);
    assert_eq!(step(&loads, 4, None), (None, None));
    assert_eq!(step(&[], 20, None), (None, None));
}

#[test]
fn a_step_is_made_at_the_second_tick_that_wants_it() {
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
    assert_eq!(wish, Some(Wish { ticks: 2, ..first }), "the next tick may continue");
}

#[test]
fn a_load_that_flaps_moves_no_slots() {
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
fn a_gap_below_a_quarter_is_ignored() {
    let loads = [wants_18("a", 16), idle("b", 4)];
    assert_eq!(shares(&loads, 20), [18, 2]);
    assert_eq!(step(&loads, 20, None), (None, None));
}

#[test]
fn after_a_deployment_slots_move_step_by_step_from_the_deployed_values() {
    let mut loads = [wants_18("a", 2), idle("b", 2)];
    let to = Some("a".to_owned());
    let stale = Wish { from: Some("b".to_owned()), to: to.clone(), ticks: 7 };
    let (made, _) = step(&loads, 20, Some(&stale));
    let made = made.map(|made| (made.from, made.to, made.slots));
    assert_eq!(
        made,
        Some((None, to, 1)),
        "the memory determines only how long the step was wanted"
    );

    let moves = follow(&mut loads, 20);
    assert!(moves.iter().all(|made| made.from.is_none()));
    let slots: Vec<u32> = moves.iter().map(|made| made.slots).collect();
    assert_eq!(slots, [1, 1, 1, 1, 1, 1, 2, 2, 3, 3]);
    assert_eq!(currents(&loads), [18, 2]);
}

#[test]
fn a_lower_total_is_reached_by_reductions_only() {
    let mut loads = [idle("a", 10), idle("b", 10)];
    let moves = follow(&mut loads, 12);
    assert!(moves.iter().all(|made| made.to.is_none()));
    assert!(moves[0].why.starts_with("8 over the total; backlog 0"), "{}", moves[0].why);
    assert_eq!(currents(&loads), [6, 6]);
}

#[test]
fn a_wish_round_trips_through_json() {
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
            kind: String::new(),
            deployed: current,
            weight,
            current,
            backlog,
            in_flight,
            oldest: Duration::from_secs(oldest),
            job_ms,
            held,
            per_second: None,
            beside: 0,
        });
    proptest::collection::vec(load, 0..6).prop_map(|mut loads| {
        for (number, load) in loads.iter_mut().enumerate() {
            load.queue = format!("queue-{number}");
        }
        loads
    })
}

/// The total, limited to what the queues can have together.
fn allowed(loads: &[Load], total: u32) -> u32 {
    let queues = u32::try_from(loads.len()).unwrap();
    total.clamp(LEAST * queues, MOST * queues)
}

#[test]
fn a_queue_gets_no_more_slots_than_its_rate_can_use() {
    let limited = |per_second, job_ms| Load {
        per_second: Some(per_second),
        job_ms,
        ..busy("limited", 4, 1_000_000, 500)
    };
    // 8 calls a second for 0.5 and 5 seconds are 44 jobs, or four batches of ten.
    assert_eq!(demand(&limited(8, Some(50))), 4);
    assert_eq!(demand(&limited(8, None)), 4, "from the first tick");
    assert_eq!(demand(&limited(8, Some(300))), 6, "calls of three seconds");
    assert_eq!(demand(&limited(1, Some(100))), LEAST);
    let loads = [limited(8, Some(50)), idle("other", 2)];
    assert_eq!(shares(&loads, 40)[0], 4, "and none of those that nobody demands");
}

#[test]
fn the_queues_of_a_type_together_get_no_more_than_its_rate_can_use() {
    let of_type = |queue: &str, deployed, per_second| Load {
        kind: "limited".to_owned(),
        deployed,
        per_second: Some(per_second),
        job_ms: Some(50),
        ..busy(queue, deployed, 1_000_000, 50)
    };
    let both = |normal, high, rate| [of_type("normal", normal, rate), of_type("high", high, rate)];
    // 80 calls a second for 5.5 seconds are 44 batches.
    assert_eq!(shares(&both(4, 2, 80), 1_000), [22, 22]);
    assert_eq!(shares(&both(4, 2, 8), 40), [3, 3], "never fewer than were deployed");
    let many = shares(&both(10, 4, 8), 40);
    assert_eq!(
        many.iter().sum::<u32>(),
        6,
        "what the rate allows, and the least for the other: {many:?}"
    );
    assert_eq!(shares(&both(2, 2, 8), 40), [2, 2], "what the rate allows");
    // The other queue is pinned, or being changed.
    let beside = |slots| shares(&[Load { beside: slots, ..of_type("normal", 4, 8) }], 40)[0];
    assert_eq!([0, 2, 3, 4, 20].map(beside), [4, 4, 3, 2, 2]);
    let unlimited = |queue: &str| Load { per_second: None, ..of_type(queue, 4, 8) };
    let all = shares(&[unlimited("normal"), unlimited("high")], 100);
    assert_eq!(all, [50, 50]);
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
    fn no_queue_has_more_for_its_weight_than_one_whose_demand_is_not_met(
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
                // The last slot is subtracted, since it cannot be divided.
                let given = (*share - 1, rich.weight.max(1));
                let order = compare(given, (*had, poor.weight.max(1)));
                prop_assert!(*share == LEAST || order != Ordering::Greater);
            }
        }
    }

    #[test]
    fn a_step_keeps_within_the_total_and_leaves_every_queue_its_share(
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
            (None, None) => return Err(TestCaseError::fail("no donor and no receiver")),
        }
        for ((had, has), share) in had.iter().zip(&has).zip(shares(&loads, total)) {
            prop_assert!(*has >= LEAST);
            prop_assert!(has >= had || *has >= share, "a donor keeps its share");
            prop_assert!(has <= had || *has <= share, "a receiver gets at most its share");
            prop_assert!(has.saturating_sub(*had) <= part(*had));
        }
    }

    #[test]
    fn a_constant_load_converges_to_its_shares(
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
