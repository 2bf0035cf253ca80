//! The steps of the sweeper.

use super::{
    Change, Sweeping,
    steps::Search,
    world::{CRASHES, SWEEPER, SWEEPS, Sweeper, WAKE_UP, World},
};
use crate::{
    ports::maintenance::Depth,
    record::{Phase, Record},
};

impl Search<'_> {
    /// What the sweeper may do next.
    pub(super) fn sweeper(&mut self, world: &World) -> Result<Vec<World>, String> {
        let mut worlds = Vec::new();
        let mut next = world.clone();
        next.sweeper = Sweeper::Look;
        match &world.sweeper {
            Sweeper::Look => {
                worlds.extend(self.looks(world).into_iter().filter_map(|change| {
                    let guard = world.record.as_ref()?.guard();
                    let sweeper = Sweeper::Write(guard, change.record.into(), change.wakes_at);
                    let mut next = World { sweeper, ..world.clone() };
                    next.left[SWEEPS] -= 1;
                    Some(next)
                }));
                worlds.extend(without_leases(world));
                return Ok(worlds);
            }
            Sweeper::Write(guard, record, wakes_at) => {
                if world.record.as_ref().map(|current| current.guard()).as_ref() == Some(guard) {
                    self.write(&mut next, Record::clone(record), None)?;
                    if let Some(at) = wakes_at {
                        next.sweeper = Sweeper::Send(record.fence, *at);
                    }
                }
            }
            Sweeper::Send(fence, at) => {
                // Without a place it counts as refused by the queue.
                if next.messages[WAKE_UP].is_none() {
                    next.messages[WAKE_UP] = Some(world.sent(Some(*fence), (*at).max(world.now)));
                }
            }
        }
        worlds.push(next);
        if world.left[CRASHES] > 0 {
            let mut dead = World { sweeper: Sweeper::Look, ..world.clone() };
            dead.left[CRASHES] -= 1;
            worlds.push(dead);
        }
        Ok(worlds)
    }

    /// The changes that the sweeper decides on.
    fn looks(&self, world: &World) -> Vec<Change> {
        let Some(record) = world.record.as_deref().filter(|_| world.left[SWEEPS] > 0) else {
            return Vec::new();
        };
        let now = world.clock(SWEEPER);
        let Sweeping { stuck, lost, parked } = self.sweeping;
        // Stuck jobs are found by the lease of their batch, or by their entry on the index.
        let is_listed = world.leases.values().any(|until| *until <= now)
            || record.due_entry().is_some_and(|entry| entry.due_at <= now);
        let mut depth = Depth::default();
        for message in world.messages.iter().flatten() {
            let is_visible = message.visible_at <= world.now;
            depth.visible += u64::from(is_visible);
            depth.in_flight += u64::from(!is_visible && message.was_received);
            depth.delayed += u64::from(!is_visible && !message.was_received);
        }
        let stuck = stuck(record, now).filter(|_| is_listed);
        [stuck, lost(record, depth, now), parked(record, now)].into_iter().flatten().collect()
    }
}

/// The leases that are over and whose owner does not run the job are removed, if there are any.
fn without_leases(world: &World) -> Option<World> {
    let now = world.clock(SWEEPER);
    let runs = |owner: &str| {
        let record = world.record.as_deref();
        record.is_some_and(|record| {
            record.owner == owner && matches!(record.phase, Phase::Running { .. })
        })
    };
    let mut next = world.clone();
    next.leases.retain(|owner, until| *until > now || runs(owner));
    (next.leases.len() < world.leases.len()).then_some(next)
}
