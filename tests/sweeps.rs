//! Runs the sweeper and the real engine on simulated services, in virtual time. The scenarios have
//! jobs that are stuck, lost, parked, dead or expired.

mod balanced_rates;
mod capacity;
mod cleanup;
mod counts;
mod dead_letters;
mod drain;
mod faults;
mod history;
mod leaders;
mod long_bodies;
mod metrics;
mod operations;
mod operations_faults;
mod pauses;
mod pins;
mod preview;
mod properties;
mod recovery;
mod skipped;
mod told;

use crate::bench::{Bench, run::MINUTE};

/// Lets minutes pass, each beginning with a tick, until nothing is left to do.
///
/// # Panics
/// If that takes more than `most` minutes.
async fn settle_by_minutes(bench: &Bench, most: usize) {
    for _ in 0..most {
        bench.tick().await;
        bench.work(MINUTE).await;
        if bench.is_quiet() {
            return;
        }
    }
    panic!("not done after {most} minutes: {:?}", bench.store.records());
}
