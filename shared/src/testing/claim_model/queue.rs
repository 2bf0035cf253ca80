//! The queue: what a container receives, and what becomes of it.

use std::time::Duration;

use super::world::{Batch, Container, LOST_ANSWERS, RECEIVES, World};
use crate::{base::time::LEASE_GRACE, policy::LONGEST_WAIT, worker::disposition::Disposition};

/// The time-out of the function, and the queue's visibility time-out, six times as long.
const TIMEOUT: Duration = Duration::from_secs(2);
const VISIBILITY: Duration = Duration::from_secs(6 * TIMEOUT.as_secs());

impl World {
    pub(super) fn with(&self, container: usize, next: Container) -> Self {
        let mut world = self.clone();
        world.containers[container] = next;
        world
    }

    /// A write has taken effect: its answer comes, or is lost.
    pub(super) fn answered(self, container: usize, then: Container, again: Container) -> Vec<Self> {
        let mut worlds = Vec::new();
        if self.left[LOST_ANSWERS] > 0 {
            let mut lost = self.with(container, again);
            lost.left[LOST_ANSWERS] -= 1;
            worlds.push(lost);
        }
        worlds.push(self.with(container, then));
        worlds
    }

    /// Nobody answers any more for what the container has received.
    pub(super) fn leave(&mut self, container: usize) {
        for message in self.messages.iter_mut().flatten() {
            if message.held_by == Some(container) {
                message.held_by = None;
            }
        }
    }

    /// Deletes or hides a message. Without effect if somebody else has received it since.
    pub(super) fn answer(
        &mut self,
        container: usize,
        place: usize,
        disposition: &Disposition,
    ) -> Result<(), String> {
        let now = self.now;
        let Some(message) = self.messages[place].as_mut() else { return Ok(()) };
        if message.held_by != Some(container) {
            return Ok(());
        }
        message.held_by = None;
        if let Some(span) = disposition.visibility_extension() {
            message.visible_at = now + span.min(LONGEST_WAIT);
            return Ok(());
        }
        if !message.is_safe {
            return Err("a message is deleted before the table says why it may".into());
        }
        self.messages[place] = None;
        Ok(())
    }
}

/// The container receives one of the visible messages.
pub(super) fn received(world: &World, container: usize) -> Vec<World> {
    let left = world.left[RECEIVES];
    let visible = |place: &usize| {
        world.messages[*place].is_some_and(|message| message.visible_at <= world.now)
    };
    let receive = |place: usize| {
        let owner = world.token(container);
        let until = world.clock(container) + TIMEOUT + LEASE_GRACE;
        let mut next = world.clone();
        next.left[RECEIVES] = if left == u32::MAX { left } else { left.checked_sub(1)? };
        let message = next.messages[place].as_mut()?;
        let (wakes, sent_at, is_first) = (message.wakes, message.sent_at, !message.was_received);
        message.visible_at = world.now + VISIBILITY;
        message.was_received = true;
        message.held_by = Some(container);
        message.is_safe = world.is_safe();
        let batch = Batch { owner, message: place, wakes, sent_at, is_first, until };
        next.containers[container] = Container::Begin(batch);
        Some(next)
    };
    (0..world.messages.len()).filter(visible).filter_map(receive).collect()
}
