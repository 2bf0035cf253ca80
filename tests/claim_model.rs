//! The model of the claim, with the shipped sweeper, in its full scope. What can happen in it is what the simulation
//! must have seen.

use std::{collections::BTreeSet, sync::OnceLock, time::Duration};

use evenkeel::{
    base::time::{CLOCK_SKEW, Time},
    ports::maintenance::Depth,
    record::Record,
    testing::{
        Move,
        claim_model::{Change, Reached, Scope, Sweeping, explore_all},
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

/// The search, once for all who ask.
fn reached() -> &'static Result<Reached, String> {
    static REACHED: OnceLock<Result<Reached, String>> = OnceLock::new();
    REACHED.get_or_init(|| {
        let scopes = [Duration::ZERO, CLOCK_SKEW].map(Scope::all);
        explore_all(&scopes.concat(), &SHIPPED)
    })
}

/// The changes of state that the model can reach.
pub(crate) fn moves() -> BTreeSet<Move> {
    reached().as_ref().map(|reached| reached.moves.clone()).unwrap_or_default()
}

#[test]
fn interleavings_of_containers_and_sweeper_keep_the_rules() {
    let Reached { worlds, moves } = reached().clone().unwrap_or_else(|why| panic!("{why}"));
    println!("{worlds} worlds, {} changes of state:", moves.len());
    for change in &moves {
        println!("  {change}");
    }
    assert!(worlds > 10_000, "the search visited only {worlds} worlds");
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
