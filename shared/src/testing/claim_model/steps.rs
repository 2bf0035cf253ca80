//! The steps from one world to the next ones.

use std::{collections::BTreeSet, rc::Rc};

use super::{
    Scope, Step, Sweeping,
    inputs::{decide, ended},
    queue::received,
    world::{Batch, COPIES, CRASHES, Container, SWEEPER, World},
};
use crate::{
    base::time::{CLOCK_SKEW, Time},
    policy::SHORTEST_DELAY,
    record::{Guard, Phase, Record, claim_decision::ClaimDecision},
    testing::moves::Move,
    worker::{
        claim::{Claim, Next, is_leased, next},
        disposition::Disposition,
    },
};

/// The number of the queue, and of time, in a trace.
const QUEUE: usize = 3;
const TIME: usize = 4;

type Steps = Vec<(Step, World)>;

/// A search: what may happen, and which changes of state have happened.
pub(super) struct Search<'a> {
    pub(super) scope: &'a Scope,
    pub(super) sweeping: &'a Sweeping,
    pub(super) moves: BTreeSet<Move>,
}

impl Search<'_> {
    /// Every world one step ahead. The error is a step that breaks a rule, and the rule.
    pub(super) fn next(&mut self, world: &World) -> Result<Steps, (Step, String)> {
        let mut steps = Steps::new();
        for (container, state) in world.containers.iter().enumerate() {
            let step = (state.name(), container);
            let taken = self.container(world, container).map_err(|why| (step, why))?;
            steps.extend(taken.into_iter().map(|next| (step, next)));
            if !matches!(state, Container::Receive) && world.left[CRASHES] > 0 {
                let mut next = world.clone();
                next.left[CRASHES] -= 1;
                next.leave(container);
                next.containers[container] = Container::Receive;
                steps.push((("dies", container), next));
            }
        }
        let swept = self.sweeper(world).map_err(|why| (("sweeps", SWEEPER), why))?;
        steps.extend(swept.into_iter().map(|next| (("sweeps", SWEEPER), next)));
        if world.left[COPIES] > 0 {
            let mut next = world.clone();
            next.left[COPIES] -= 1;
            next.messages[1] = Some(world.sent(None, world.now));
            steps.push((("sends a copy", QUEUE), next));
        }
        if let Some(now) = world.next_time() {
            steps.push((("passes", TIME), World { now, ..world.clone() }));
        }
        Ok(steps)
    }

    /// What a container may do next; several worlds if it may end in several ways.
    fn container(&mut self, world: &World, container: usize) -> Result<Vec<World>, String> {
        let now = world.clock(container);
        match &world.containers[container] {
            Container::Receive => Ok(received(world, container)),
            Container::Begin(batch) => self.begins(world, container, batch),
            Container::Read(batch, isolated) => {
                let seen = world.record.clone();
                let next = Container::Decide(batch.clone(), *isolated, seen);
                Ok(vec![world.with(container, next)])
            }
            Container::Decide(batch, isolated, seen) => {
                self.decides(world, container, batch, *isolated, seen.as_ref())
            }
            Container::Run(batch, record) => {
                let ends = self.scope.ends.iter();
                Ok(ends
                    .map(|end| {
                        let (record, disposition) = ended(record, *end, now);
                        let next = Container::Settle(batch.clone(), record.into(), disposition);
                        world.with(container, next)
                    })
                    .collect())
            }
            Container::Settle(batch, record, disposition) => {
                self.settles(world, container, batch, record, disposition)
            }
            Container::Answer(batch, disposition) => {
                let mut next = world.clone();
                next.leases.remove(&batch.owner);
                next.containers[container] = Container::Receive;
                next.answer(container, batch.message, disposition)?;
                Ok(vec![next])
            }
        }
    }

    /// The insert of a new record and of the lease, in one call.
    fn begins(
        &mut self,
        world: &World,
        container: usize,
        batch: &Batch,
    ) -> Result<Vec<World>, String> {
        let mut next = world.clone();
        next.leases.insert(Rc::clone(&batch.owner), batch.until);
        let decided = decide(None, batch, world.clock(container));
        // One that was received before is not inserted without a read.
        let is_new = batch.wakes.is_none() && batch.is_first;
        let reads = Container::Read(batch.clone(), false);
        match decided {
            ClaimDecision::Take { record, isolated: false } if is_new && world.record.is_none() => {
                let record = self.write(&mut next, record, batch.asked_at())?;
                Ok(next.answered(container, Container::Run(batch.clone(), record), reads))
            }
            _ => Ok(vec![next.with(container, reads)]),
        }
    }

    /// The claim decision, and what it writes.
    fn decides(
        &mut self,
        world: &World,
        container: usize,
        batch: &Batch,
        isolated: bool,
        seen: Option<&Rc<Record>>,
    ) -> Result<Vec<World>, String> {
        let now = world.clock(container);
        let decided = decide(seen.map(|seen| &**seen), batch, now);
        let then = |claim: Claim| match claim {
            Claim::Run(record) => Container::Run(batch.clone(), Rc::from(record)),
            Claim::Isolated => Container::Read(batch.clone(), true),
            Claim::Waits(disposition)
            | Claim::NothingToRun(disposition)
            | Claim::InDoubt(disposition) => Container::Answer(batch.clone(), disposition),
        };
        let (record, then) = match (decided, seen) {
            (ClaimDecision::IndexLeaseExpiry(_), Some(seen)) => {
                let acknowledged = Container::Answer(batch.clone(), Disposition::Ack);
                (seen.with_lease_expiry_indexed(), acknowledged)
            }
            (decided, _) => match next(decided, isolated, now) {
                Next::Return(claim) => return Ok(vec![world.with(container, then(claim))]),
                Next::Write(..) if !is_leased(batch.until, now) => {
                    let late = Container::Answer(batch.clone(), Disposition::Retry(SHORTEST_DELAY));
                    return Ok(vec![world.with(container, late)]);
                }
                Next::Write(record, claim) => (*record, then(claim)),
            },
        };
        let current = world.record.as_deref();
        if current.map(Record::guard) != seen.map(|seen| seen.guard()) {
            let is_own = current.is_some_and(|current| current.is_write_of(&record));
            let again = match &world.record {
                Some(current) => {
                    Container::Decide(batch.clone(), isolated, Some(Rc::clone(current)))
                }
                None => Container::Read(batch.clone(), isolated),
            };
            return Ok(vec![world.with(container, if is_own { then } else { again })]);
        }
        let mut next = world.clone();
        self.write(&mut next, record, batch.asked_at())?;
        Ok(next.answered(container, then, Container::Read(batch.clone(), isolated)))
    }

    /// The end of a run: written, if the record is as the run's claim has left it.
    fn settles(
        &mut self,
        world: &World,
        container: usize,
        batch: &Batch,
        record: &Rc<Record>,
        disposition: &Disposition,
    ) -> Result<Vec<World>, String> {
        let guard = Guard { state: "running", fence: record.fence };
        let current = world.record.as_deref();
        let mut next = world.clone();
        next.leases.remove(&batch.owner);
        if current.map(Record::guard) != Some(guard) {
            let is_own = current.is_some_and(|current| current.is_write_of(record));
            // Another run has taken over.
            let taken_over = Disposition::Retry(SHORTEST_DELAY);
            let disposition = if is_own { disposition.clone() } else { taken_over };
            return Ok(vec![next.with(container, Container::Answer(batch.clone(), disposition))]);
        }
        if world.settled == Some(record.fence) {
            return Err("two ends of runs have one fence".into());
        }
        self.write(&mut next, Record::clone(record), None)?;
        next.settled = Some(record.fence);
        let then = Container::Answer(batch.clone(), disposition.clone());
        let again = Container::Settle(batch.clone(), Rc::clone(record), disposition.clone());
        Ok(next.answered(container, then, again))
    }

    /// Writes a record, and checks what must hold of every change. `asked_at` is when the sender's message was sent
    /// that its writer has received.
    pub(super) fn write(
        &mut self,
        world: &mut World,
        record: Record,
        asked_at: Option<Time>,
    ) -> Result<Rc<Record>, String> {
        let before = world.record.as_deref();
        let fence = before.map_or(0, |before| before.fence);
        if record.fence < fence || record.fence > fence + 1 {
            return Err(format!("the fence falls or leaps from {fence} to {}", record.fence));
        }
        let change = Move::of(before, &record);
        if let Some(ended_at) = before.and_then(|before| before.phase.ended_at()) {
            let asks_anew = asked_at.is_some_and(|asked_at| asked_at > ended_at);
            if change.by != "claim" || !asks_anew {
                return Err(format!("a job that has ended begins anew: {change}"));
            }
        }
        if let Some(Phase::Running { lease_until, .. }) = before.map(|before| &before.phase)
            && ["claim", "sweeper", "finder"].contains(&change.by)
            && *lease_until > world.now + CLOCK_SKEW
        {
            return Err(format!("a job is taken before its lease is over: {change}"));
        }
        self.moves.insert(change);
        let record = Rc::new(record);
        world.record = Some(Rc::clone(&record));
        if world.is_safe() {
            world.messages.iter_mut().flatten().for_each(|message| message.is_safe = true);
        }
        Ok(record)
    }
}
