//! The simulation: the whole queue under random faults, many seeds, with an oracle that sees every write and every
//! message. `cargo xtask simulate` runs it; docs/simulation.md says how to repeat a failure.
//!
//! ```text
//! seed ─► Plan ─┬─ load ─────► SimulatedSqs ─► functions ─► tables
//!               ├─ weather ──► habits, outages, third parties  │
//!               └─ strikes ──► port calls that fail            ▼
//!                              shrink ◄── violation ◄─────── oracle
//! ```

mod coverage;
mod features;
mod feeds;
mod gathered;
mod load;
mod mutants;
mod oracle;
mod plan;
mod report;
mod seeds;
mod sent;
mod shrink;
mod strikes;
mod weather;
mod world;

use std::num::NonZeroUsize;

use evenkeel::base::mutants::Mutant;

use plan::Plan;
use seeds::{Selection, run_all};

/// The seeds that every run of the tests has.
const SEEDS: u64 = 24;

/// What `cargo xtask simulate` asks for, or else a few seeds.
#[expect(clippy::disallowed_methods, reason = "cargo xtask simulate asks for seeds this way")]
fn selection() -> Selection {
    let asked = |name: &str| std::env::var(name).ok();
    let number =
        |name: &str, default: u64| asked(name).map_or(default, |text| text.parse().unwrap());
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let set = asked("SIMULATE_SET").unwrap_or_default();
    Selection {
        first: number("SIMULATE_SEED", 0),
        count: number("SIMULATE_SEEDS", SEEDS),
        set: set.split_whitespace().map(str::to_owned).collect(),
        threads: cores,
        gathered: asked("SIMULATE_GATHERED").map(Into::into),
    }
}

#[test]
fn no_seed_breaks_a_rule() {
    match run_all(&selection()) {
        Ok(text) => println!("{text}"),
        Err(text) => panic!("{text}"),
    }
}

/// Some faults that every run of the tests puts into the code, and the seeds within which each must be found.
const SOME_MUTANTS: [Mutant; 3] =
    [Mutant::UnindexedLeaseAcknowledged, Mutant::WakeUpRaisesNoFence, Mutant::ClaimUncounted];
const FEW_SEEDS: u64 = 100;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "cargo xtask simulate --mutants asks for all this way"
)]
fn every_mutant_is_caught() {
    let asked = std::env::var("SIMULATE_MUTANTS").ok().map(|most| most.parse().unwrap());
    let threads = selection().threads;
    let caught = match asked {
        Some(most) => mutants::catch(&Mutant::ALL, most, threads),
        None => mutants::catch(&SOME_MUTANTS, FEW_SEEDS, threads),
    };
    match caught {
        Ok(text) => println!("{text}"),
        Err(text) => panic!("{text}"),
    }
}

#[test]
fn a_seed_takes_the_same_course_each_time() {
    for seed in 1..=6 {
        let plan = Plan::of(seed);
        let one = world::run(&plan);
        let other = std::thread::spawn(move || world::run(&plan)).join().unwrap();
        assert_eq!(one, other, "seed {seed}");
    }
}

/// What takes part only in the planted bug's test: processes that are frozen past their leases.
fn planted(seed: u64) -> Plan {
    let mut plan = Plan { features: features::Features::default(), ..Plan::of(seed) };
    for setting in ["planted=1", "frozen=1", "killed=0.2", "priorities=0.5"] {
        plan.set(setting).unwrap();
    }
    plan
}

#[test]
fn a_planted_bug_is_found_and_shrunk() {
    let falls = "the fence never falls";
    let found = (0..60).find_map(|seed| {
        let plan = planted(seed);
        let course = world::run(&plan);
        let is_found = course.violation.as_ref().is_some_and(|broken| broken.rule == falls);
        is_found.then_some((plan, course))
    });
    let (plan, course) = found.expect("a settle that ignores the fence breaks a rule");
    let shrunk = shrink::shrink(&plan, &course).unwrap();
    let report = report::of_failure(&shrunk);
    assert!(report.contains(falls), "{report}");
    assert!(report.lines().count() <= 40, "{report}");
    let strikes = shrunk.plan.strikes.as_ref().map_or(usize::MAX, Vec::len);
    assert!(strikes <= 2, "one frozen process is enough: {report}");
    let sent = [&plan, &shrunk.plan].map(|plan| load::load(plan).len());
    assert!(sent[1] * 2 <= sent[0], "{report}");
    assert_eq!(world::run(&shrunk.plan), shrunk.course, "what is shrunk repeats");
}
