//! Which worlds count as one: those that differ only in what decides nothing any more, in the names of tokens, or in the
//! order of things that are alike.
//!
//! - Times count from now on. What is over is over, however long; only how long a message is overdue goes on to count.
//! - When a message was sent decides whether it asks for more after the end of the job, and nothing else.
//! - Of a process, only what its next steps use counts: a run that has been taken over writes nothing, whatever it has
//!   found out, and an answer has no effect on a message that somebody else has received since.
//! - Tokens, fences and ids are compared with each other for equality only, so they are numbered anew.
//! - Containers with the same clock are alike, and so are the copies of the message once both are sent.
//!
//! Two worlds with one shape have the same next worlds, up to their shapes. So it is enough to go on from one of them.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use super::world::{Batch, COPIES, Container, Message, OVERDUE, SWEEPS, Sweeper, World, times_of};
use crate::{
    base::time::Time,
    failure::Class,
    record::{Phase, Record},
    worker::disposition::Disposition,
};

/// Stands for what is not there, or is like nothing else in the world.
const NONE: i64 = -1;

/// The number of the first token of a lease that no container holds.
const FIRST_LEFT: i64 = 10;

/// How much later than `run_after` a `due_at` may be and still count: twice as much is the farthest push.
const LONGEST_PUSHED: Duration = Duration::from_secs(3_600);

impl World {
    /// What the world is like. Worlds are told apart by 128 bits of it.
    pub(super) fn shape(&self) -> u128 {
        let containers: &[[usize; 2]] =
            if self.ahead[0] == self.ahead[1] { &[[0, 1], [1, 0]] } else { &[[0, 1]] };
        let places: &[[usize; 3]] =
            if self.left[COPIES] == 0 { &[[0, 1, 2], [1, 0, 2]] } else { &[[0, 1, 2]] };
        let orders = containers.iter().flat_map(|of| places.iter().map(move |by| (*of, *by)));
        let least = orders.map(|(containers, places)| Code::of(self, containers, places)).min();
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, &least).hash(&mut hasher);
            hasher.finish()
        };
        u128::from(half(0)) << 64 | u128::from(half(1))
    }

    /// Whether a run of this record has been taken over: then its end will not be written.
    pub(super) fn is_taken_over(&self, run: &Record) -> bool {
        self.record.as_ref().is_none_or(|current| {
            !matches!(current.phase, Phase::Running { .. }) || current.fence != run.fence
        })
    }
}

/// A world as numbers, with containers and messages in this order.
struct Code<'a> {
    world: &'a World,
    containers: [usize; 2],
    places: [usize; 3],
    /// The ids of messages that may still claim the job.
    ids: Vec<String>,
    /// Tokens of leases that a record has, and no container.
    left_over: Vec<&'a str>,
    numbers: Vec<i64>,
}

impl<'a> Code<'a> {
    fn of(world: &'a World, containers: [usize; 2], places: [usize; 3]) -> Vec<i64> {
        let id = |place: usize| world.messages[place].map(|message| message.id(place));
        let ids = places.into_iter().filter_map(id).collect();
        let (left_over, numbers) = (Vec::new(), Vec::with_capacity(96));
        let mut code = Self { world, containers, places, ids, left_over, numbers };
        let held: Vec<String> = code.early().map(Batch::message_id).collect();
        code.ids.extend(held);
        code.numbers.extend(world.left.map(i64::from));
        let fence = world.record.as_ref().map(|record| record.fence);
        code.flag(fence.is_some() && world.settled == fence);
        code.optional(world.record.as_deref());
        for place in places {
            code.message(world.messages[place].as_ref());
        }
        for container in containers {
            code.container(container);
        }
        code.sweeper();
        code.leases();
        code.numbers
    }

    /// The batches whose claims are not decided yet.
    fn early(&self) -> impl Iterator<Item = &'a Batch> + use<'a> {
        let world = self.world;
        self.containers.into_iter().filter_map(move |at| world.containers[at].early())
    }

    fn flag(&mut self, flag: bool) {
        self.numbers.push(i64::from(flag));
    }

    /// Milliseconds until then; zero if it is over.
    fn time(&mut self, time: Time) {
        self.numbers.push(span(time.since(self.world.now)));
    }

    /// A fence in a message: it matters only if it is that of a record that somebody decides about.
    fn fence_of(&self, fence: u64) -> i64 {
        let seen = self.world.containers.iter().filter_map(|container| match container {
            Container::Decide(_, _, seen) => seen.as_deref(),
            _ => None,
        });
        let mut known = self.world.record.as_deref().into_iter().chain(seen);
        if known.any(|record| record.fence == fence) { self.behind(fence) } else { NONE }
    }

    /// How far a fence is behind that of the record in the table.
    fn behind(&self, fence: u64) -> i64 {
        let current = self.world.record.as_ref().map_or(0, |record| record.fence);
        let distance = |from: u64, to: u64| i64::try_from(to.abs_diff(from)).unwrap_or(i64::MAX);
        if fence > current { -1 - distance(current, fence) } else { distance(fence, current) }
    }

    /// A token: of a container's batch, of a lease that is left over, or like no other.
    fn owner(&mut self, owner: &'a str) {
        let held = self.containers.into_iter().position(|at| {
            self.world.containers[at].batch().is_some_and(|batch| *batch.owner == *owner)
        });
        let number = match held {
            Some(place) => index(place),
            None if self.world.leases.contains_key(owner) => {
                let known = self.left_over.iter().position(|left| *left == owner);
                let place = known.unwrap_or(self.left_over.len());
                if known.is_none() {
                    self.left_over.push(owner);
                }
                FIRST_LEFT + index(place)
            }
            None => NONE,
        };
        self.numbers.push(number);
    }

    fn id(&mut self, id: &str) {
        self.numbers.push(self.ids.iter().position(|known| known == id).map_or(NONE, index));
    }

    fn optional(&mut self, record: Option<&'a Record>) {
        self.flag(record.is_some());
        if let Some(record) = record {
            self.record(record);
        }
    }

    fn record(&mut self, record: &'a Record) {
        let behind = self.behind(record.fence);
        self.numbers.extend([phase(&record.phase), behind]);
        self.owner(&record.owner);
        if let Some(at) = record.phase.ended_at() {
            self.ended(at);
            return;
        }
        self.id(&record.message_id);
        let last = record.last_failure.as_ref();
        let may_crash = last.is_some_and(|last| last.class == Class::Crash.name());
        let counters = &record.counters;
        self.numbers.extend([counters.attempts, counters.crashes].map(i64::from));
        self.flag(may_crash);
        let [first, due_at] = times_of(record);
        if let Some(at) = first {
            self.time(at);
        }
        if let (Some(run_after), Some(due_at)) = (first, due_at)
            && self.world.left[SWEEPS] > 0
        {
            self.time(due_at);
            let overdue = self.world.now.since(due_at).min(OVERDUE);
            let pushed = due_at.since(run_after).min(LONGEST_PUSHED);
            self.numbers.extend([span(overdue), span(pushed)]);
        }
        match record.phase {
            Phase::Running { lease_expiry_indexed, .. } => self.flag(lease_expiry_indexed),
            Phase::Parked { .. } => self.flag(record.parking.is_some_and(|parking| parking.gated)),
            _ => {}
        }
    }

    /// A job that ended at this time: which messages were sent later.
    fn ended(&mut self, at: Time) {
        let in_queue = self.places.map(|place| {
            let message = self.world.messages[place].as_ref();
            message.filter(|message| message.wakes.is_none()).map(|message| message.sent_at)
        });
        let held: Vec<Option<Time>> = self.early().map(Batch::asked_at).collect();
        let asked = in_queue.into_iter().chain(held);
        self.numbers.extend(asked.map(|sent| sent.map_or(NONE, |sent| i64::from(sent > at))));
        if self.world.left[COPIES] > 0 {
            self.time(at);
            self.flag(at < self.world.now);
        }
    }

    fn message(&mut self, message: Option<&Message>) {
        self.flag(message.is_some());
        let Some(message) = message else { return };
        let Message { wakes, visible_at, was_received, held_by, is_safe, .. } = *message;
        let wakes_fence = wakes.map_or(NONE, |fence| self.fence_of(fence));
        self.numbers.push(wakes_fence);
        self.flag(wakes.is_some());
        self.time(visible_at);
        self.flag(was_received);
        let holder = |by: usize| self.containers.into_iter().position(|at| at == by);
        let holder = held_by.and_then(holder).map_or(NONE, index);
        self.numbers.push(holder);
        self.flag(held_by.is_some() && is_safe);
    }

    fn container(&mut self, at: usize) {
        let world = self.world;
        let container = &world.containers[at];
        let Some(batch) = container.batch() else {
            self.numbers.push(0);
            return;
        };
        // Where the message is that it answers for.
        let holds = |place: &usize| {
            world.messages[*place].is_some_and(|message| message.held_by == Some(at))
        };
        let held =
            self.places.into_iter().position(|place| place == batch.message && holds(&place));
        self.numbers.push(held.map_or(NONE, index));
        if container.early().is_some() {
            let wakes = batch.wakes.map_or(NONE, |fence| self.fence_of(fence));
            self.numbers.push(wakes);
            self.flag(batch.wakes.is_some());
            self.id(&batch.message_id());
            self.time(batch.until);
        }
        match container {
            Container::Receive => {}
            Container::Begin(batch) => self.numbers.extend([1, i64::from(batch.is_first)]),
            Container::Read(_, isolated) => self.numbers.extend([2, i64::from(*isolated)]),
            Container::Decide(_, isolated, seen) => {
                self.numbers.extend([3, i64::from(*isolated)]);
                self.optional(seen.as_deref());
            }
            Container::Run(_, record) => {
                self.numbers.push(4);
                self.optional((!world.is_taken_over(record)).then_some(&**record));
            }
            Container::Settle(_, record, disposition) => {
                self.numbers.push(5);
                let is_over = world.is_taken_over(record);
                self.optional((!is_over).then_some(&**record));
                let current = world.record.as_deref();
                let is_own = current.is_some_and(|current| current.is_write_of(record));
                self.flag(is_over && is_own);
                let counts = held.is_some() && (is_own || !is_over);
                self.numbers.push(if counts { hidden(disposition) } else { NONE });
            }
            Container::Answer(_, disposition) => {
                let counts = held.is_some();
                self.numbers.extend([6, if counts { hidden(disposition) } else { NONE }]);
            }
        }
    }

    fn sweeper(&mut self) {
        let world = self.world;
        let current = world.record.as_ref().map(|record| record.guard());
        match &world.sweeper {
            Sweeper::Look => self.numbers.push(0),
            Sweeper::Write(guard, ..) if current.as_ref() != Some(guard) => self.numbers.push(1),
            Sweeper::Write(_, record, wakes_at) => {
                self.numbers.push(2);
                self.record(record);
                self.flag(wakes_at.is_some());
                if let Some(at) = wakes_at {
                    self.time(*at);
                }
            }
            Sweeper::Send(fence, at) => {
                let fence = self.fence_of(*fence);
                self.numbers.extend([3, fence]);
                self.time(*at);
            }
        }
    }

    /// The leases, sorted. Those whose tokens nothing else has are alike.
    fn leases(&mut self) {
        let mut leases = Vec::new();
        for (owner, until) in &self.world.leases {
            let held = self.containers.into_iter().position(|at| {
                self.world.containers[at].batch().is_some_and(|batch| batch.owner == *owner)
            });
            let left = self.left_over.iter().position(|left| **left == **owner);
            let left = left.map(|place| FIRST_LEFT + index(place));
            let until = span(until.since(self.world.now));
            leases.push((held.map(index).or(left).unwrap_or(NONE), until));
        }
        leases.sort_unstable();
        self.numbers.extend(leases.into_iter().flat_map(|(owner, until)| [owner, until]));
    }
}

fn index(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// A duration in milliseconds.
fn span(of: Duration) -> i64 {
    i64::try_from(of.as_millis()).unwrap_or(i64::MAX)
}

/// How long a message is hidden; `NONE` if it is deleted.
fn hidden(disposition: &Disposition) -> i64 {
    disposition.visibility_extension().map_or(NONE, span)
}

const fn phase(phase: &Phase) -> i64 {
    match phase {
        Phase::Queued { .. } => 0,
        Phase::Running { .. } => 1,
        Phase::Waiting { .. } => 2,
        Phase::Parked { .. } => 3,
        Phase::Succeeded { .. } => 4,
        Phase::Dead { .. } => 5,
        Phase::Cancelled { .. } => 6,
        Phase::Quarantined { .. } => 7,
    }
}
