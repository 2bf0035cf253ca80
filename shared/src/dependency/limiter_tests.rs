use proptest::prelude::*;

use super::*;

const NOW: Time = Time::from_millis(1_800_000_000_000);
const RATES: Rates = Rates { per_second: 8, per_hour: 18_000 };

fn granted(reservation: Reservation) -> (Limiter, Grant) {
    match reservation {
        Reservation::Granted(limiter, grant) => (limiter, grant),
        Reservation::Refused(wait) => panic!("refused for {wait:?}"),
    }
}

/// Reserves every available slot at each `step` and returns the times of all calls, in
/// microseconds.
fn flood(rates: Rates, span: Duration, step: Duration) -> Vec<u64> {
    let (mut limiter, mut now, mut calls) = (Limiter::default(), NOW, Vec::new());
    while now < NOW + span {
        while let Reservation::Granted(next, grant) = limiter.reserve(rates, 10, 0, now) {
            limiter = next;
            let slots = (0..u64::from(grant.count)).map(|n| grant.first_us + n * grant.interval_us);
            calls.extend(slots);
        }
        now = now + step;
    }
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
    let (limiter, grant) = granted(Limiter::default().reserve(RATES, 10, 0, NOW));
    assert_eq!((grant.first_us, grant.interval_us, grant.count), (micros(NOW), 125_000, 10));
    let (limiter, grant) = granted(limiter.reserve(RATES, 10, 0, NOW));
    assert_eq!(
        (grant.first_us, grant.count),
        (micros(NOW) + 1_250_000, 7),
        "up to two seconds ahead"
    );
    let refused = limiter.reserve(RATES, 10, 0, NOW);
    assert_eq!(refused, Reservation::Refused(Duration::from_millis(2_125)), "and no slot is used");
    let later = NOW + Duration::from_millis(125);
    assert_eq!(granted(limiter.reserve(RATES, 10, 0, later)).1.count, 1);
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
    let last_minute = calls.iter().filter(|at| **at >= micros(NOW) + 7_140_000_000).count();
    assert!((290..=312).contains(&last_minute), "{last_minute} in the last minute: 5/s");
}

#[test]
fn a_429_stops_the_fleet_and_lowers_the_pace_once() {
    let asked = Duration::from_secs(30);
    let slowed = Limiter::default().slowed(asked, NOW);
    assert_eq!(slowed.pace, 700);
    let again = slowed.slowed(Duration::ZERO, NOW + Duration::from_millis(999));
    assert_eq!(again.pace, 700, "both answer calls at the same pace");
    assert_eq!(slowed.slowed(Duration::ZERO, NOW + Duration::from_secs(1)).pace, 490);
    let refused = slowed.reserve(RATES, 1, 0, NOW + Duration::from_secs(27));
    assert_eq!(refused, Reservation::Refused(Duration::from_secs(3)));
    let (_, grant) = granted(slowed.reserve(RATES, 1, 0, NOW + Duration::from_secs(30)));
    assert_eq!(grant.interval_us, 178_571, "seven tenths of eight a second");
    let mut limiter = slowed;
    for second in 1..100 {
        limiter = limiter.slowed(Duration::ZERO, NOW + Duration::from_secs(second));
    }
    assert_eq!(limiter.pace, SLOWEST_PACE, "the pace never reaches zero");
}

#[test]
fn successful_calls_restore_the_pace_gradually() {
    let mut limiter = Limiter::default().slowed(Duration::ZERO, NOW);
    let mut now = NOW;
    let mut seconds = 0;
    while limiter.pace < FULL_PACE {
        now = now + Duration::from_secs(1);
        seconds += 1;
        (limiter, _) = granted(limiter.reserve(RATES, 1, 6, now));
    }
    assert!((5..20).contains(&seconds), "{seconds} s at six calls a second");
}

#[test]
fn a_block_yields_its_slots_in_order_and_discards_expired_ones() {
    let mut block = Block::default();
    assert_eq!(block.take(NOW), None);
    let (limiter, grant) = granted(Limiter::default().reserve(RATES, 4, 0, NOW));
    block.add(grant);
    block.add(granted(limiter.reserve(RATES, 2, 0, NOW)).1);
    assert_eq!(block.left(NOW), 6);
    assert_eq!(block.take(NOW), Some(NOW));
    assert_eq!(block.take(NOW), Some(NOW + Duration::from_millis(125)));
    // At 700 ms, the slots at 250 and 375 ms are older than SLOT_LIFE; the one at 500 ms is not.
    let later = NOW + Duration::from_millis(700);
    assert_eq!(block.take(later), Some(NOW + Duration::from_millis(500)));
    assert_eq!((block.left(later), block.left(later + Duration::from_secs(9))), (1, 0));
}

#[test]
fn a_busy_container_requests_the_slots_of_a_tenth_of_a_second() {
    let fast = Rates { per_second: 1_000, per_hour: 3_600_000 };
    assert_eq!((block_size(fast, 10, false), block_size(fast, 10, true)), (10, 100));
    assert_eq!(block_size(RATES, 3, true), 3, "at a low rate only what it needs");
}

#[test]
fn a_block_that_nobody_uses_leaves_the_hour_its_calls() {
    let now = NOW;
    for per_hour in [10_000, 1_000_000, u32::MAX] {
        let rates = Rates { per_second: 1_000_000, per_hour };
        let want = block_size(rates, 1, true);
        let Reservation::Granted(limiter, _) = Limiter::default().reserve(rates, want, 0, now)
        else {
            panic!("the first is granted")
        };
        // What may run ahead of the hourly rate is hardly less than before.
        let spent = limiter.next_hourly_us - micros(now);
        assert!(spent <= millis(AHEAD) * 1_000 / 50, "{per_hour}: {spent} us of the allowance");
    }
}

proptest! {
    #[test]
    fn no_window_exceeds_its_rate(
        per_second in 1..200_u32,
        per_hour in 1..50_000_u32,
        steps in proptest::collection::vec((1..40_u32, 0..3_000_u64), 1..60),
    ) {
        let rates = Rates { per_second, per_hour };
        let (mut limiter, mut now, mut calls) = (Limiter::default(), NOW, Vec::new());
        for (want, ms) in steps {
            now = now + Duration::from_millis(ms);
            if let Reservation::Granted(next, grant) = limiter.reserve(rates, want, 0, now) {
                prop_assert!(grant.count >= 1 && grant.count <= want);
                let last = grant.first_us + u64::from(grant.count - 1) * grant.interval_us;
                prop_assert!(grant.first_us >= micros(now) && last <= micros(now + HORIZON));
                for n in 0..u64::from(grant.count) {
                    calls.push(grant.first_us + n * grant.interval_us);
                }
                limiter = next;
            }
        }
        prop_assert!(calls.is_sorted());
        prop_assert!(most_within(&calls, Duration::from_secs(1)) <= per_second as usize + 1);
        let hourly = per_hour as usize + per_hour as usize / 10 + 2;
        prop_assert!(most_within(&calls, Duration::from_hours(1)) <= hourly);
    }
}
