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
//! Worlds that differ only in what decides nothing any more count as one: `shape.rs` says which. Time passes to the next
//! time at which anybody would decide otherwise, and never in between.
//!
//! A scope is searched whole if it ends before its number of worlds. [`Scope::whole`] has those that do: all
//! trouble at once and two receives, or less trouble and three receives. With all trouble and any number of receives there
//! are too many worlds, so [`Scope::deep`] visits those that take the fewest steps.

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
use crate::{
    base::time::{CLOCK_SKEW, Time},
    failure::Class,
    ports::maintenance::Depth,
    record::Record,
};
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
    /// How many messages are received; `None` if any number may be.
    pub receives: Option<u32>,
    /// Worlds after which the search ends.
    pub most: usize,
}

/// No clock is ahead of another.
const RIGHT: [Duration; 3] = [Duration::ZERO; 3];

/// Most worlds of a scope that is searched whole. The largest one has about half as many.
const MOST_OF_WHOLE: usize = 600_000;

impl Scope {
    /// Scopes that are searched whole.
    ///
    /// The second container's clock is ahead, or the sweeper's is, or it is behind both containers'. The two containers
    /// are alike, so it is the same if the first one's is ahead.
    #[must_use]
    pub fn whole() -> Vec<Self> {
        let scope = |copies, [crashes, lost_answers, sweeps]: [u32; 3], receives, end| Self {
            copies,
            crashes,
            lost_answers,
            sweeps,
            ahead: RIGHT,
            ends: vec![end],
            receives: Some(receives),
            most: MOST_OF_WHOLE,
        };
        let either = |class, of: Self| Self { ends: vec![Some(class), None], ..of };
        let mut scopes = vec![
            scope(2, [2, 1, 2], 2, None),
            scope(2, [1, 1, 0], 3, None),
            scope(2, [2, 0, 0], 3, None),
            scope(1, [2, 0, 1], 3, None),
            scope(1, [1, 0, 1], 3, Some(Class::Permanent)),
            scope(1, [0, 0, 0], 2, Some(Class::Systemic)),
            either(Class::Systemic, scope(1, [1, 0, 1], 2, None)),
            either(Class::Transient, scope(2, [0, 0, 1], 2, None)),
        ];
        let [no, by] = [Duration::ZERO, CLOCK_SKEW];
        for ahead in [[no, by, no], [no, no, by], [by, by, no]] {
            let skewed = [scope(1, [1, 0, 1], 2, None), scope(2, [0, 0, 1], 2, None)];
            scopes.extend(skewed.map(|of| Self { ahead, ..of }));
        }
        scopes
    }

    /// Two copies, two crashes, one lost answer, and any number of receives: the scopes that are searched one after the
    /// other, each up to a number of worlds. `ahead` is by how much the second container's clock is ahead.
    ///
    /// Each has other ends of runs: together they would be too many worlds, and how a run ends does not depend on how
    /// others end.
    #[must_use]
    pub fn deep(ahead: Duration) -> Vec<Self> {
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
            receives: None,
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
    /// Whether these are all worlds that can be reached.
    pub is_whole: bool,
    /// Changes of state that can happen.
    pub moves: BTreeSet<Move>,
}

/// A step: what is done, and by which container. The sweeper, the queue and time have the numbers from 2.
type Step = (&'static str, usize);

/// Visits the worlds that can be reached, those after fewer steps first, up to the scope's number. Fails with the rule
/// that is broken, and the steps that lead there.
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
                let (worlds, moves) = (came_from.len(), search.moves);
                return Ok(Reached { worlds, is_whole: false, moves });
            }
            ahead.push_back((shape, next));
        }
    }
    Ok(Reached { worlds: came_from.len(), is_whole: true, moves: search.moves })
}

#[cfg(test)]
#[path = "claim_model_tests.rs"]
mod tests;
