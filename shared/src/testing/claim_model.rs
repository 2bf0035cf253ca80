//! A model check of the claim: the interleavings, at small scope, of two containers and a sweeper that share one job
//! and the copies of its message, with crashes, lost answers and clocks that differ.
//!
//! ```text
//! container   receive ─ begin ─ read ─ decide and write ─ run ─ settle ─ answer      each a step of its own;
//! sweeper     read and decide ─ write ─ send                                          any of them may be the last
//! time        passes up to the next time at which anybody would decide otherwise
//! ```
//!
//! What is decided is decided by the shipped functions: `claim_decision::claim`, `worker::claim::next`,
//! `Record::settled`, `retry::decide`, `worker::settle::disposition`, and what [`Sweeping`] says of the sweeper. The
//! model has only the tables, the queue and the order of the steps. A container that takes no step is frozen, however
//! long; so runs outlive their leases here.
//!
//! Worlds count as one if their times are in the same order, and their fences have the same distances: decisions compare
//! times with each other and with the clocks. The search goes on from the first of such worlds that it finds, with the distances
//! that this one has. They are still too many to visit all: it ends after a number of worlds.

mod inputs;
mod queue;
mod shape;
mod steps;
mod sweep;
mod world;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

use super::moves::Move;
use crate::{base::time::Time, failure::Class, ports::maintenance::Depth, record::Record};
use steps::Search;
use world::World;

/// What may happen in a search.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Copies of the sender's message, at most 2. The second one is sent at any time.
    pub copies: usize,
    /// Processes that die, the sweeper's among them.
    pub crashes: u32,
    /// Writes of containers whose answers are lost.
    pub lost_answers: u32,
    /// Records that the sweeper writes.
    pub sweeps: u32,
    /// How far the clocks of the two containers and of the sweeper are ahead of the right time.
    pub ahead: [Duration; 3],
    /// How runs may end: with a failure of this class, or with success.
    pub ends: Vec<Option<Class>>,
    /// Worlds after which the search ends.
    pub most: usize,
}

impl Scope {
    /// Two copies, two crashes, one lost answer: the scopes that are searched one after the other. `ahead` is by how
    /// much the second container's clock is ahead.
    ///
    /// Each has other ends of runs: together they would be too many worlds, and how a run ends does not depend on how
    /// others end.
    #[must_use]
    pub fn all(ahead: Duration) -> Vec<Self> {
        let ends = [
            vec![None],
            vec![Some(Class::Transient)],
            vec![Some(Class::Permanent)],
            vec![Some(Class::Systemic), None],
        ];
        let scope = |ends| Self {
            copies: 2,
            crashes: 2,
            lost_answers: 1,
            sweeps: 2,
            ahead: [Duration::ZERO, ahead, Duration::ZERO],
            ends,
            most: 100_000,
        };
        ends.into_iter().map(scope).collect()
    }
}

/// A change that the sweeper makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The record that it writes, if the one that it has read is unchanged.
    pub record: Record,
    /// When the message that it then sends is visible; `None` if it sends none.
    pub wakes_at: Option<Time>,
}

/// What the sweeper decides about a job, given its record and the time by its clock. `None` if it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Sweeping {
    /// About a job whose lease may be over.
    pub stuck: fn(&Record, Time) -> Option<Change>,
    /// About a job whose message may be lost, in a queue of this depth.
    pub lost: fn(&Record, Depth, Time) -> Option<Change>,
    /// About a job that may be parked, while its breaker is closed.
    pub parked: fn(&Record, Time) -> Option<Change>,
}

/// What a search has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Worlds that were visited.
    pub worlds: usize,
    /// Changes of state that can happen.
    pub moves: BTreeSet<Move>,
}

/// A step: what is done, and by which container. The sweeper, the queue and time have the numbers from 2.
type Step = (&'static str, usize);

/// Visits the worlds that can be reached, those after fewer steps first, up to the scope's number. Fails with the rule that is broken, and the steps that lead there.
pub fn explore(scope: &Scope, sweeping: &Sweeping) -> Result<Reached, String> {
    let start = World::start(scope);
    let mut came_from: HashMap<u128, (u128, Step)> = HashMap::new();
    let first = start.shape();
    came_from.insert(first, (first, ("start", 0)));
    let mut ahead = VecDeque::from([(first, start)]);
    let mut search = Search { scope, sweeping, moves: BTreeSet::new() };
    while let Some((place, world)) = ahead.pop_front() {
        let broken = |step: Step, why: &str| {
            let mut steps = vec![step];
            let mut at = place;
            while at != first {
                let Some((before, step)) = came_from.get(&at) else { break };
                steps.push(*step);
                at = *before;
            }
            let steps: Vec<String> =
                steps.into_iter().rev().map(|(what, by)| format!("{by} {what}")).collect();
            format!("{why}, in {scope:?}, after:\n{}\nin {world:#?}", steps.join("\n"))
        };
        world.is_found().map_err(|why| broken(("look", 0), &why))?;
        let next = search.next(&world).map_err(|(step, why)| broken(step, &why))?;
        for (step, next) in next {
            let shape = next.shape();
            if came_from.contains_key(&shape) {
                continue;
            }
            came_from.insert(shape, (place, step));
            if came_from.len() >= scope.most {
                return Ok(Reached { worlds: came_from.len(), moves: search.moves });
            }
            ahead.push_back((shape, next));
        }
    }
    Ok(Reached { worlds: came_from.len(), moves: search.moves })
}

/// Searches all these scopes, and returns all that can be reached in any of them.
pub fn explore_all(scopes: &[Scope], sweeping: &Sweeping) -> Result<Reached, String> {
    let mut all = Reached::default();
    for scope in scopes {
        let Reached { worlds, moves } = explore(scope, sweeping)?;
        all.worlds += worlds;
        all.moves.extend(moves);
    }
    Ok(all)
}

#[cfg(test)]
#[path = "claim_model_tests.rs"]
mod tests;
