//! The model of the claim, with the shipped sweeper: scopes that are searched whole, and deeper ones that are not. What can
//! happen in them is what the simulation must have seen.

use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

use evenkeel::{
    base::time::{CLOCK_SKEW, Time},
    ports::maintenance::Depth,
    record::Record,
    testing::{
        Move,
        claim_model::{Change, Reached, Scope, Sweeping, explore},
    },
};
use sweeper::{
    plan::{
        release::{Way, let_go},
        rescue::{crash, lost_before, send_again},
    },
    step::Step,
};

const OWNER: &str = "sweeper";

/// What the shipped sweeper decides.
const SHIPPED: Sweeping = Sweeping { stuck, lost, parked };

fn change(step: Step) -> Change {
    Change { record: step.record, wakes_at: step.call.map(|call| call.at) }
}

fn stuck(record: &Record, now: Time) -> Option<Change> {
    crash(record, OWNER, false, now).map(change)
}

fn lost(record: &Record, depth: Depth, now: Time) -> Option<Change> {
    let until = lost_before(depth, &[], now)?;
    send_again(record, &record.work.queue, until, OWNER, now).map(change)
}

fn parked(record: &Record, now: Time) -> Option<Change> {
    let way = Way { is_closed: true, is_stopped: false, slots: vec![now] };
    let_go(std::slice::from_ref(record), &way, OWNER, now).pop().map(change)
}

/// Most worlds of all searches together.
const MOST_WORLDS: usize = 2_000_000;

/// The searches of all scopes, once for all who ask.
fn searched() -> &'static Result<Vec<(Scope, Reached)>, String> {
    static SEARCHED: OnceLock<Result<Vec<(Scope, Reached)>, String>> = OnceLock::new();
    SEARCHED.get_or_init(|| {
        let scopes = [Scope::whole(), Scope::deep(Duration::ZERO), Scope::deep(CLOCK_SKEW)];
        let search = |scope: Scope| explore(&scope, &SHIPPED).map(|reached| (scope, reached));
        scopes.concat().into_iter().map(search).collect()
    })
}

/// The changes of state that the model can reach.
pub(crate) fn moves() -> BTreeSet<Move> {
    let searched = searched().as_ref().unwrap_or_else(|why| panic!("{why}"));
    searched.iter().flat_map(|(_, reached)| reached.moves.clone()).collect()
}

#[test]
fn every_interleaving_of_the_scopes_that_are_searched_whole_keeps_the_rules() {
    let searched = searched().as_ref().unwrap_or_else(|why| panic!("{why}"));
    let whole: Vec<_> = searched.iter().filter(|(scope, _)| scope.receives.is_some()).collect();
    assert_eq!(whole.len(), Scope::whole().len());
    for (scope, Reached { worlds, is_whole, .. }) in whole {
        println!("{worlds} worlds of {scope:?}");
        assert!(is_whole, "{worlds} worlds are not all of {scope:?}");
    }
    for (scope, found) in searched.iter().filter(|(scope, _)| scope.receives.is_none()) {
        let worlds = found.worlds;
        assert!(found.is_whole || worlds >= scope.most, "{worlds} worlds of {scope:?}");
    }
    let worlds: usize = searched.iter().map(|(_, reached)| reached.worlds).sum();
    assert!(worlds > 10_000 && worlds <= MOST_WORLDS, "{worlds} worlds");
}

#[test]
fn whatever_can_happen_to_a_job_happens_in_some_interleaving() {
    let moves = moves();
    println!("{} changes of state:", moves.len());
    for change in &moves {
        println!("  {change}");
    }
    let happens = |from, by, to| moves.contains(&Move { from, by, to });
    for from in ["none", "waiting", "running", "succeeded", "dead"] {
        assert!(happens(from, "claim", "running"), "{from}: {moves:#?}");
    }
    for to in ["succeeded", "dead", "waiting", "parked"] {
        assert!(happens("running", "run", to), "{to}: {moves:#?}");
    }
    assert!(happens("parked", "sweeper", "waiting"), "{moves:#?}");
    assert!(happens("running", "sweeper", "waiting"), "{moves:#?}");
    assert!(happens("running", "index", "running"), "{moves:#?}");
}
