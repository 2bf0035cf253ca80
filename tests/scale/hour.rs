//! A page that is left open: its process must not grow, and a service that goes away and comes back must cause no
//! storm of requests.
#![expect(clippy::print_stdout, reason = "who waits for an hour wants to see how far it is")]

use std::{fs, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    dashboard::{beside, tab},
    meter::Used,
    place::Place,
};

const MINUTE: Duration = Duration::from_mins(1);

/// Minutes for which the service is gone.
const GONE_FOR: u64 = 2;

/// Minutes before the service goes away, and after it has come back, at least. The first one reads the history of an
/// hour, so it counts for nothing.
const MINUTES_BESIDE: u64 = 3;

/// How much the process may grow after its first minute, in MiB. It holds dynoxide with its caches as well.
const MORE_MIB: u64 = 32;

/// A minute with an open page.
#[derive(Clone, Copy, Debug)]
struct Minute {
    used: Used,
    /// Memory of the process, in MiB, if the system tells.
    mib: Option<u64>,
}

/// Leaves a page open for `span`, and takes the service away in the midst of it.
pub(super) async fn leave_open(place: &Place, span: Duration) {
    let minutes = span.as_secs() / MINUTE.as_secs();
    let least = 2 * MINUTES_BESIDE + GONE_FOR;
    assert!(minutes >= least, "minutes: {minutes}, expected at least {least}");
    let goes_in = (minutes - GONE_FOR) / 2;
    let began = Instant::now();
    let (visits, seen) = beside(place, async |url: String| {
        tokio::join!(tab(&url, began + span), watch(place, began, minutes, goes_in))
    })
    .await;
    println!("the tab: {} requests, {} of them without a page", visits.requests, visits.failed);
    judge(&seen, usize::try_from(goes_in).unwrap());
}

/// Prints each minute as it is over. The service goes away after `goes_in` minutes.
async fn watch(place: &Place, began: Instant, minutes: u64, goes_in: u64) -> Vec<Minute> {
    let mut seen = Vec::new();
    for minute in 0..minutes {
        if minute == goes_in {
            println!("the service goes away");
            place.go_away();
        } else if minute == goes_in + GONE_FOR {
            println!("it comes back");
            place.come_back();
        }
        let before = place.meter.used();
        sleep_until(began + Duration::from_mins(minute + 1)).await;
        let seen_now = Minute { used: place.meter.used() - before, mib: memory_mib() };
        println!("minute {minute}: {seen_now:?}");
        seen.push(seen_now);
    }
    seen
}

/// Fails if a minute has half as many calls again as the busiest one before the service went away, or if the process
/// has grown.
fn judge(seen: &[Minute], goes_in: usize) {
    let most = |minutes: &[Minute]| minutes.iter().map(|minute| minute.used.calls).max();
    let (before, after) = seen.split_at(goes_in);
    let calm = most(&before[1..]).unwrap();
    let busiest = most(after).unwrap();
    assert!(2 * busiest <= 3 * calm, "{busiest} calls a minute after {calm} before");
    let memory: Vec<u64> = seen.iter().filter_map(|minute| minute.mib).collect();
    if let (Some(first), Some(last)) = (memory.first(), memory.last()) {
        println!("memory of the process: {first} MiB after a minute, {last} MiB at the end");
        assert!(last.saturating_sub(*first) <= MORE_MIB, "the process has grown");
    }
}

/// Memory of this process, in MiB. Only Linux tells it in a file.
fn memory_mib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1_024)
}

fn minutes(calls: &[u64], mib: &[u64]) -> Vec<Minute> {
    let minute = |(calls, mib): (&u64, &u64)| {
        let used = Used { calls: *calls, ..Used::default() };
        Minute { used, mib: Some(*mib) }
    };
    calls.iter().zip(mib).map(minute).collect()
}

#[test]
fn the_first_minute_counts_for_nothing() {
    judge(&minutes(&[900, 100, 110, 20, 150], &[80, 80, 90, 90, 100]), 3);
}

#[test]
#[should_panic(expected = "400 calls a minute after 110 before")]
fn a_storm_of_requests_is_a_failure() {
    judge(&minutes(&[900, 100, 110, 20, 400], &[80; 5]), 3);
}

#[test]
#[should_panic(expected = "the process has grown")]
fn growth_is_a_failure() {
    judge(&minutes(&[100; 5], &[80, 90, 100, 110, 120]), 3);
}
