use proptest::prelude::*;

use super::*;
use crate::base::time::millis;

const NOW: Time = Time::from_millis(1_800_000_000_000);
const RATES: Rates = Rates::each_second(8, 18_000);

fn granted(reservation: Reservation) -> (Limiter, Vec<Grant>) {
    match reservation {
        Reservation::Granted(limiter, grants) => (limiter, grants),
        Reservation::Refused(wait) => panic!("refused for {wait:?}"),
    }
}

/// The times of slots in microseconds, in order.
fn times(grants: &[Grant]) -> Vec<u64> {
    let each = |grant: &Grant| {
        let Grant { first_us, interval_us, count } = *grant;
        (0..u64::from(count)).map(move |n| first_us + n * interval_us)
    };
    let mut times: Vec<u64> = grants.iter().flat_map(each).collect();
    times.sort_unstable();
    times
}

/// The same in milliseconds from [`NOW`].
fn offsets(grants: &[Grant]) -> Vec<u64> {
    times(grants).into_iter().map(|at| (at - micros(NOW)) / 1_000).collect()
}

/// Reserves every available slot at each `step` and returns the times of all calls, in
/// microseconds.
fn flood(rates: Rates, span: Duration, step: Duration) -> Vec<u64> {
    let (mut limiter, mut now, mut calls) = (Limiter::default(), NOW, Vec::new());
    while now < NOW + span {
        while let Reservation::Granted(next, grants) =
            limiter.reserve(rates, Request::first(10), 0, now)
        {
            limiter = next;
            calls.extend(times(&grants));
        }
        now = now + step;
    }
    calls.sort_unstable();
    calls
}

/// The largest number of calls in any window of this length.
fn most_within(calls: &[u64], window: Duration) -> usize {
    let window = millis(window) * 1_000;
    let (mut first, mut most) = (0, 0);
    for (last, call) in calls.iter().enumerate() {
        while calls[first] + window <= *call {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    most
}

#[test]
fn slots_are_spaced_and_end_at_the_horizon() {
    let (limiter, grants) = granted(Limiter::default().reserve(RATES, Request::first(9), 0, NOW));
    let expected: Vec<u64> = (0..9).map(|n| n * 125).collect();
    assert_eq!(offsets(&grants), expected);
    let (limiter, grants) = granted(limiter.reserve(RATES, Request::first(99), 0, NOW));
    let last = *offsets(&grants).last().unwrap();
    assert!((4_750..=5_000).contains(&last), "up to five seconds ahead: {last}");
    let refused = limiter.reserve(RATES, Request::first(10), 0, NOW);
    assert_eq!(refused, Reservation::Refused(Duration::from_millis(5_125)), "no slot is used");
    let high = Request { horizon: HIGH_HORIZON, ..Request::first(10) };
    let (_, grants) = granted(limiter.reserve(RATES, high, 0, NOW));
    let first = offsets(&grants)[0];
    assert!(
        (5_125..=5_250).contains(&first),
        "{first}: those after the horizon are for high priority"
    );
    let later = NOW + Duration::from_millis(125);
    assert_eq!(times(&granted(limiter.reserve(RATES, Request::first(10), 0, later)).1).len(), 1);
}

#[test]
fn one_slot_in_four_is_kept_for_further_calls_and_goes_to_others_when_it_is_near() {
    let (limiter, _) = granted(Limiter::default().reserve(RATES, Request::first(9), 0, NOW));
    let (limiter, grants) = granted(limiter.reserve(RATES, Request::first(9), 0, NOW));
    let expected = [1_250, 1_375, 1_500, 1_750, 1_875, 2_000, 2_250, 2_375, 2_500];
    assert_eq!(offsets(&grants), expected);
    assert_eq!(offsets(&limiter.kept), [1_125, 1_625, 2_125]);
    let (further, grants) = granted(limiter.reserve(RATES, Request::further(1), 0, NOW));
    assert_eq!(offsets(&grants), [1_125], "a further call need not wait behind the others");
    assert_eq!(offsets(&further.kept), [1_625, 2_125]);
    // At 700 ms, the first two are less than a second away.
    let later = NOW + Duration::from_millis(700);
    let (_, grants) = granted(limiter.reserve(RATES, Request::first(3), 0, later));
    assert_eq!(offsets(&grants), [1_125, 1_625, 2_750]);
}

#[test]
fn a_further_call_takes_the_next_slot_if_that_comes_before_a_kept_one() {
    let kept = vec![Grant { first_us: micros(NOW) + 900_000, interval_us: 500_000, count: 1 }];
    let limiter = Limiter { kept, next_us: micros(NOW), ..Limiter::default() };
    let (limiter, grants) = granted(limiter.reserve(RATES, Request::further(1), 0, NOW));
    assert_eq!((offsets(&grants), offsets(&limiter.kept)), (vec![0], vec![900]));
}

#[test]
fn kept_slots_that_nobody_used_leave_the_hour_its_calls() {
    let (limiter, grants) = granted(Limiter::default().reserve(RATES, Request::first(38), 0, NOW));
    let kept = offsets(&limiter.kept).len();
    assert!(kept >= 6, "{limiter:?}");
    let later = NOW + Duration::from_secs(60);
    let (after, _) = granted(limiter.reserve(RATES, Request::first(1), 0, later));
    assert_eq!(after.kept, []);
    let (slots, hourly) = (times(&grants).len() as u64, 200_000);
    let spent = limiter.next_hourly_us - micros(NOW);
    assert_eq!(spent, (slots + kept as u64) * hourly, "while they are kept, they count");
    let slowed = limiter.slowed(RATES, Duration::ZERO, NOW);
    assert_eq!((slowed.kept, slowed.next_hourly_us - micros(NOW)), (vec![], slots * hourly));
}

#[test]
fn promises_follow_each_other_up_to_a_minute_ahead() {
    let (limiter, _) = granted(Limiter::default().reserve(RATES, Request::first(99), 0, NOW));
    let at = |time: &Time| time.since(NOW).as_millis();
    let (limiter, first) = limiter.promise(RATES, 3, false, NOW);
    assert_eq!(first.iter().map(at).collect::<Vec<_>>(), [5_125, 5_250, 5_375]);
    let (limiter, others) = limiter.promise(RATES, 1_000, false, NOW);
    assert_eq!(at(&others[0]), 5_500);
    assert_eq!((at(others.last().unwrap()), others.len()), (60_000, 437));
    assert_eq!(limiter.promise(RATES, 1, false, NOW), (limiter.clone(), vec![]), "none is left");
    let (high, soon) = limiter.promise(RATES, 2, true, NOW);
    assert_eq!(soon.iter().map(at).collect::<Vec<_>>(), [5_125, 5_250], "of high priority");
    assert_eq!(high.promised_us, limiter.promised_us);
    let (_, next) = high.promise(RATES, 1, true, NOW);
    assert_eq!(next.iter().map(at).collect::<Vec<_>>(), [5_375]);
    let (_, later) = limiter.promise(RATES, 1, false, NOW + Duration::from_millis(130));
    assert_eq!(later.len(), 1);
}

#[test]
fn a_flood_runs_at_the_per_second_rate_then_at_the_hourly_rate() {
    let calls = flood(RATES, Duration::from_secs(7_200), Duration::from_millis(500));
    assert!(calls.is_sorted());
    assert!(most_within(&calls, Duration::from_secs(1)) <= 8, "never more than Rebrandly's ten");
    let most = most_within(&calls, Duration::from_hours(1));
    assert!((18_000..=19_801).contains(&most), "{most} in an hour: under Rebrandly's 20,000");
    let first_minute = calls.iter().filter(|at| **at < micros(NOW) + 60_000_000).count();
    assert!((470..=500).contains(&first_minute), "{first_minute} in the first minute: 8/s");
    let last_minute = 7_140_000_000..7_200_000_000;
    let last_minute = calls.iter().filter(|at| last_minute.contains(&(**at - micros(NOW)))).count();
    assert!((290..=312).contains(&last_minute), "{last_minute} in the last minute: 5/s");
}

#[test]
fn a_429_stops_the_fleet_and_lowers_the_pace_once() {
    let asked = Duration::from_secs(30);
    let slowed = Limiter::default().slowed(RATES, asked, NOW);
    assert_eq!(slowed.pace, 700);
    let again = slowed.slowed(RATES, Duration::ZERO, NOW + Duration::from_millis(999));
    assert_eq!(again.pace, 700, "both answer calls at the same pace");
    assert_eq!(slowed.slowed(RATES, Duration::ZERO, NOW + Duration::from_secs(1)).pace, 490);
    let one = Request::first(1);
    let refused = slowed.reserve(RATES, one, 0, NOW + Duration::from_secs(24));
    assert_eq!(refused, Reservation::Refused(Duration::from_secs(6)));
    let (_, grants) = granted(slowed.reserve(RATES, one, 0, NOW + Duration::from_secs(30)));
    assert_eq!(grants[0].interval_us, 178_571, "seven tenths of eight a second");
    let mut limiter = slowed;
    for second in 1..100 {
        limiter = limiter.slowed(RATES, Duration::ZERO, NOW + Duration::from_secs(second));
    }
    assert_eq!(limiter.pace, SLOWEST_PACE, "the pace never reaches zero");
}

#[test]
fn a_stop_is_told_from_slots_that_are_reserved_ahead() {
    let asked = Duration::from_secs(30);
    for rates in [RATES, Rates::each_minute(120, 2), Rates::each_minute(1, 1)] {
        let mut busy = Limiter::default();
        for high in [false, true] {
            let horizon = if high { HIGH_HORIZON } else { HORIZON }.max(rates.interval());
            let request = Request { horizon, ..Request::first(200) };
            if let Reservation::Granted(next, _) = busy.reserve(rates, request, 0, NOW) {
                busy = next;
            }
        }
        assert_eq!(busy.stopped_until(rates, NOW), None, "{rates:?}: {busy:?}");
    }
    let slowed = Limiter::default().slowed(RATES, asked, NOW);
    assert_eq!(slowed.stopped_until(RATES, NOW), Some(NOW + asked));
    assert_eq!(slowed.stopped_until(RATES, NOW + asked), None);
    let host = Rates::each_minute(120, 2);
    let slowed = Limiter::default().slowed(host, asked, NOW);
    assert_eq!(slowed.stopped_until(host, NOW), Some(NOW + asked), "the burst comes after it");
}

#[test]
fn successful_calls_restore_the_pace_gradually() {
    let mut limiter = Limiter::default().slowed(RATES, Duration::ZERO, NOW);
    let mut now = NOW;
    let mut seconds = 0;
    while limiter.pace < FULL_PACE {
        now = now + Duration::from_secs(1);
        seconds += 1;
        (limiter, _) = granted(limiter.reserve(RATES, Request::first(1), 6, now));
    }
    assert!((5..20).contains(&seconds), "{seconds} s at six calls a second");
}

#[test]
fn a_block_yields_its_slots_in_order_and_discards_expired_ones() {
    let mut block = Block::default();
    assert_eq!(block.take(NOW), None);
    let (limiter, grants) = granted(Limiter::default().reserve(RATES, Request::first(4), 0, NOW));
    let (_, others) = granted(limiter.reserve(RATES, Request::first(2), 0, NOW));
    block.add(others);
    block.add(grants);
    assert_eq!(block.left(NOW), 6);
    assert_eq!(block.take(NOW), Some(NOW));
    assert_eq!(block.take(NOW), Some(NOW + Duration::from_millis(125)));
    // At 700 ms, the slots at 250 and 375 ms are older than SLOT_LIFE; the one at 500 ms is not.
    let later = NOW + Duration::from_millis(700);
    assert_eq!(block.take(later), Some(NOW + Duration::from_millis(500)));
    assert_eq!((block.left(later), block.left(later + Duration::from_secs(9))), (1, 0));
}

#[test]
fn a_rested_host_may_be_called_as_often_at_once_as_its_burst_says() {
    let rates = Rates::each_minute(120, 2);
    let granted = |limiter: &Limiter, now| match limiter.reserve(rates, Request::further(4), 0, now)
    {
        Reservation::Granted(next, grants) => (next, times(&grants)),
        Reservation::Refused(wait) => panic!("{wait:?}"),
    };
    let (limiter, slots) = granted(&Limiter::default(), NOW);
    let offsets: Vec<u64> = slots.iter().map(|slot| (slot - micros(NOW)) / 1_000).collect();
    assert_eq!(offsets, [0, 0, 500, 1_000]);
    let slowed = limiter.slowed(rates, Duration::from_secs(3), NOW);
    let (_, slots) = granted(&slowed, NOW);
    assert!(slots[0] >= micros(NOW + Duration::from_secs(3)), "no burst within a stop");
}

#[test]
fn a_busy_container_requests_the_slots_of_a_tenth_of_a_second() {
    let fast = Rates::each_second(1_000, 3_600_000);
    assert_eq!((block_size(fast, 10, false), block_size(fast, 10, true)), (10, 100));
    assert_eq!(block_size(RATES, 3, true), 3, "at a low rate only what it needs");
}

#[test]
fn a_block_that_nobody_uses_leaves_the_hour_its_calls() {
    let now = NOW;
    for per_hour in [10_000, 1_000_000, u32::MAX] {
        let rates = Rates::each_second(1_000_000, per_hour);
        let want = block_size(rates, 1, true);
        let Reservation::Granted(limiter, _) =
            Limiter::default().reserve(rates, Request::first(want), 0, now)
        else {
            panic!("the first is granted")
        };
        // What may run ahead of the hourly rate is hardly less than before.
        let spent = limiter.next_hourly_us - micros(now);
        assert!(spent <= millis(AHEAD) * 1_000 / 50, "{per_hour}: {spent} us of the allowance");
    }
}

/// Numbers of any size, and near the present, in microseconds.
fn numbers() -> impl Strategy<Value = u64> {
    let now = micros(NOW);
    prop_oneof![any::<u64>(), now - 9_000_000..now + 9_000_000, Just(1 << 63), Just(u64::MAX)]
}

proptest! {
    #[test]
    fn no_numbers_of_an_item_overflow(
        (next_us, next_hourly_us) in (numbers(), numbers()),
        (promised_us, promised_high_us) in (numbers(), numbers()),
        kept in proptest::collection::vec((numbers(), numbers(), any::<u32>()), 0..20),
        since_kept in prop_oneof![0..9_u32, Just(u32::MAX)],
        pace in any::<u32>(),
        want in 0..50_u32,
        further in any::<bool>(),
    ) {
        let range = |(first_us, interval_us, count): (u64, u64, _)| {
            Grant { first_us, interval_us: interval_us.max(1), count }
        };
        let kept = kept.into_iter().map(range).collect();
        let slowed_at = Time::from_millis(next_us);
        let stored = Limiter {
            next_us,
            next_hourly_us,
            pace,
            slowed_at,
            kept,
            since_kept,
            promised_us,
            promised_high_us,
        };
        let request = Request { want, further, horizon: HORIZON };
        match stored.reserve(RATES, request, since_kept, NOW) {
            Reservation::Granted(_, grants) => {
                let slots: u32 = grants.iter().map(|grant| grant.count).sum();
                prop_assert!((1..=want).contains(&slots));
            }
            Reservation::Refused(wait) => prop_assert!(want == 0 || !wait.is_zero()),
        }
        let (_, promised) = stored.promise(RATES, want, further, NOW);
        prop_assert!(promised.iter().all(|at| at.since(NOW) <= PROMISE_HORIZON));
        prop_assert!(stored.slowed(RATES, Duration::MAX, NOW).next_us >= stored.next_us);
    }

    #[test]
    fn a_burst_is_followed_by_the_even_rate(
        per_minute in 1..600_u32,
        burst in 1..6_u32,
        steps in proptest::collection::vec((1..6_u32, 0..30_000_u64), 1..60),
    ) {
        let rates = Rates::each_minute(per_minute, burst);
        let (mut limiter, mut now, mut calls) = (Limiter::default(), NOW, Vec::new());
        for (want, ms) in steps {
            now = now + Duration::from_millis(ms);
            let request = Request { want, further: true, horizon: HORIZON };
            if let Reservation::Granted(next, grants) = limiter.reserve(rates, request, 0, now) {
                calls.extend(times(&grants));
                limiter = next;
            }
        }
        calls.sort_unstable();
        let even = Duration::from_mins(1) / per_minute;
        for length in [1, 2, 7] {
            let span = (even * length).saturating_sub(Duration::from_millis(1));
            let most = most_within(&calls, span);
            prop_assert!(most <= (burst + length) as usize, "{most} in {length} intervals");
        }
        let most = most_within(&calls, Duration::from_mins(1));
        prop_assert!(most <= (per_minute + burst) as usize, "{most} in a minute");
    }

    #[test]
    fn no_window_exceeds_its_rate(
        per_second in 1..200_u32,
        per_hour in 1..50_000_u32,
        steps in proptest::collection::vec((1..40_u32, any::<bool>(), 0..3_000_u64), 1..60),
    ) {
        let rates = Rates::each_second(per_second, per_hour);
        let (mut limiter, mut now, mut calls) = (Limiter::default(), NOW, Vec::new());
        for (want, further, ms) in steps {
            now = now + Duration::from_millis(ms);
            let request = Request { want, further, horizon: HORIZON };
            if let Reservation::Granted(next, grants) = limiter.reserve(rates, request, 0, now) {
                let slots = times(&grants);
                prop_assert!(!slots.is_empty() && slots.len() <= want as usize);
                let last = *slots.last().unwrap();
                prop_assert!(slots[0] >= micros(now) && last <= micros(now + HORIZON));
                calls.extend(slots);
                limiter = next;
            }
        }
        calls.sort_unstable();
        prop_assert!(most_within(&calls, Duration::from_secs(1)) <= per_second as usize + 1);
        let hourly = per_hour as usize + per_hour as usize / 10 + 2;
        prop_assert!(most_within(&calls, Duration::from_hours(1)) <= hourly);
    }
}
