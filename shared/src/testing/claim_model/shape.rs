//! Which worlds count as one.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::world::{Batch, Container, Message, Sweeper, World, times_of};
use crate::{
    base::time::{CLOCK_SKEW, Time},
    record::{Phase, Record},
};

impl World {
    /// What the world is like, without distances of times and how large fences are: which time comes before which, and
    /// before now by every clock.
    pub(super) fn shape(&self) -> u128 {
        // What has just passed may be ahead by another clock.
        let ages = [self.now.before(CLOCK_SKEW), self.now, self.now + CLOCK_SKEW];
        let age = |time: Time| ages.iter().filter(|limit| time > **limit).count();
        let mut times = self.times();
        times.sort_unstable();
        times.dedup();
        let time = |time: Time| (age(time), times.binary_search(&time).unwrap_or(usize::MAX));
        let base = self.record.as_ref().map_or(0, |record| record.fence);
        let fence = |fence: u64| fence.wrapping_sub(base);
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            self.add_to(&mut hasher, &time, &fence);
            hasher.finish()
        };
        u128::from(half(0)) << 64 | u128::from(half(1))
    }

    /// Adds all that tells worlds apart.
    fn add_to(
        &self,
        hasher: &mut DefaultHasher,
        time: &impl Fn(Time) -> (usize, usize),
        fence: &impl Fn(u64) -> u64,
    ) {
        self.left.hash(hasher);
        self.settled.map(fence).hash(hasher);
        for (owner, until) in &self.leases {
            (owner, time(*until)).hash(hasher);
        }
        for message in &self.messages {
            let Some(message) = message else {
                0_u8.hash(hasher);
                continue;
            };
            let Message { wakes, sent_at, visible_at, was_received, held_by, is_safe } = *message;
            (1_u8, wakes.map(fence), time(sent_at), time(visible_at)).hash(hasher);
            (was_received, held_by, is_safe).hash(hasher);
        }
        for container in &self.containers {
            container.name().hash(hasher);
            if let Some(Batch { owner, message, wakes, sent_at, is_first, until }) =
                container.batch()
            {
                (owner, message, wakes.map(fence), time(*sent_at)).hash(hasher);
                (is_first, time(*until)).hash(hasher);
            }
            match container {
                Container::Read(_, isolated) | Container::Decide(_, isolated, _) => {
                    isolated.hash(hasher);
                }
                Container::Settle(_, _, disposition) | Container::Answer(_, disposition) => {
                    disposition.visibility_extension().hash(hasher);
                }
                _ => {}
            }
        }
        match &self.sweeper {
            Sweeper::Look => 0_u8.hash(hasher),
            Sweeper::Write(guard, _, at) => {
                (1_u8, guard.state, fence(guard.fence), at.map(time)).hash(hasher);
            }
            Sweeper::Send(of, at) => (2_u8, fence(*of), time(*at)).hash(hasher),
        }
        self.record.is_some().hash(hasher);
        for record in self.records() {
            hash_record(record, hasher, time, fence);
        }
    }
}

fn hash_record(
    record: &Record,
    hasher: &mut DefaultHasher,
    time: &impl Fn(Time) -> (usize, usize),
    fence: &impl Fn(u64) -> u64,
) {
    let times = times_of(record).map(|at| at.map(time));
    (record.phase.name(), times, fence(record.fence)).hash(hasher);
    (&record.owner, &record.message_id).hash(hasher);
    (record.counters.attempts, record.counters.crashes).hash(hasher);
    let last = record.last_failure.as_ref().map(|last| last.class.as_str());
    let parking = record.parking.map(|parking| parking.gated);
    (last, parking).hash(hasher);
    if let Phase::Running { lease_expiry_indexed, .. } = record.phase {
        lease_expiry_indexed.hash(hasher);
    }
}
