//! One simulated queue: its messages by visibility.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    fairness::Fairness,
    message::SimulatedMessage,
    settings::{Habits, QueueSettings},
};
use crate::{base::time::Time, ports::maintenance::Depth, testing::draw::Draw};

/// Longest time that a message may be hidden, counted from its receive.
const LONGEST_HIDDEN: Duration = Duration::from_hours(12);

/// Visible messages that a receive of a calm queue examines, dead letters among them.
const MOST_EXAMINED: usize = 100;

/// How often messages past the retention are looked for.
const EXPIRY_CHECK: Duration = Duration::from_mins(1);

/// The messages of a queue, sorted by whether they are visible.
#[derive(Debug)]
pub(super) struct SimulatedQueue {
    arn: String,
    pub(super) settings: QueueSettings,
    messages: BTreeMap<u64, SimulatedMessage>,
    /// Messages that were visible at the last look, by sequence.
    visible: BTreeSet<u64>,
    /// The others, by the time at which they become visible.
    hidden: BTreeSet<(Time, u64)>,
    fairness: Fairness,
    expired_until: Time,
    /// Number of receives so far.
    polls: u64,
}

/// The result of a receive.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) received: Vec<SimulatedMessage>,
    /// Messages that were received too often.
    pub(super) dead: Vec<SimulatedMessage>,
}

impl SimulatedQueue {
    pub(super) fn new(arn: &str, settings: QueueSettings, messages: Vec<SimulatedMessage>) -> Self {
        let mut queue = Self {
            arn: arn.to_owned(),
            settings,
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            fairness: Fairness::default(),
            expired_until: Time::default(),
            polls: 0,
        };
        for message in messages {
            queue.put(message);
        }
        queue
    }

    pub(super) fn into_messages(self) -> Vec<SimulatedMessage> {
        self.messages.into_values().collect()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &SimulatedMessage> {
        self.messages.values()
    }

    /// Adds a message that was just sent.
    pub(super) fn add(&mut self, message: SimulatedMessage) {
        self.fairness.sent(message.tenant(), message.sent_at);
        self.put(message);
    }

    pub(super) fn put(&mut self, message: SimulatedMessage) {
        self.hidden.insert((message.visible_at, message.sequence));
        self.messages.insert(message.sequence, message);
    }

    fn take_out(&mut self, sequence: u64) -> Option<SimulatedMessage> {
        let message = self.messages.remove(&sequence)?;
        self.visible.remove(&sequence);
        self.hidden.remove(&(message.visible_at, sequence));
        Some(message)
    }

    /// Makes a message visible at `at` and not before.
    fn set_visible_at(&mut self, sequence: u64, at: Time) {
        if let Some(mut message) = self.take_out(sequence) {
            message.visible_at = at;
            self.put(message);
        }
    }

    /// Brings the queue to `now`: messages become visible, and old ones are deleted.
    fn advance(&mut self, now: Time) {
        let later = self.hidden.split_off(&(now + Duration::from_millis(1), 0));
        let shown = std::mem::replace(&mut self.hidden, later);
        for (at, sequence) in shown {
            self.visible.insert(sequence);
            self.fairness.end(sequence, at);
        }
        if self.expired_until + EXPIRY_CHECK <= now {
            self.expired_until = now;
            let retention = self.settings.retention;
            let old = self.messages.values().filter(|message| message.sent_at + retention <= now);
            let old: Vec<u64> = old.map(|message| message.sequence).collect();
            for sequence in old {
                self.take_out(sequence);
                self.fairness.end(sequence, now);
            }
        }
    }

    /// Receives up to `most` messages, and hides them for `hidden` or else the queue's time-out.
    pub(super) fn receive(
        &mut self,
        most: usize,
        hidden: Option<Duration>,
        now: Time,
        habits: &Habits,
        draw: Draw,
    ) -> Taken {
        self.advance(now);
        self.polls += 1;
        let hidden = hidden.unwrap_or(self.settings.visibility);
        let max_receives = self.settings.redrive.as_ref().map(|redrive| redrive.max_receives);
        let mut taken = Taken::default();
        for sequence in self.candidates(now, habits, draw) {
            if taken.received.len() == most {
                break;
            }
            let Some(mut message) = self.take_out(sequence) else { continue };
            if max_receives.is_some_and(|most| message.receives >= most) {
                message.source = Some(self.arn.clone());
                taken.dead.push(message);
                continue;
            }
            message.receives += 1;
            message.received_at = Some(now);
            message.first_received_at = message.first_received_at.or(Some(now));
            let receives = u64::from(message.receives);
            let twice = draw.unit("twice", sequence, "receive", receives) < habits.delivers_twice;
            message.visible_at = if twice { now } else { now + hidden };
            self.fairness.begin(sequence, message.tenant(), now);
            taken.received.push(message.clone());
            self.put(message);
        }
        taken
    }

    /// The visible messages in the order in which they are received.
    fn candidates(&mut self, now: Time, habits: &Habits, draw: Draw) -> Vec<u64> {
        if !habits.shuffles && !habits.is_fair {
            return self.visible.iter().copied().take(MOST_EXAMINED).collect();
        }
        let mut order: Vec<u64> = self.visible.iter().copied().collect();
        if habits.shuffles {
            // Fisher and Yates.
            for last in (1..order.len()).rev() {
                let last_place = u64::try_from(last).unwrap_or_default();
                let other = draw.below(last_place + 1, "order", self.polls, &self.arn, last_place);
                order.swap(last, usize::try_from(other).unwrap_or_default());
            }
        }
        if habits.is_fair {
            self.end_backlogs();
            let noisy = self.fairness.noisy(now);
            let messages = &self.messages;
            let rank = |sequence: &u64| {
                let message = messages.get(sequence)?;
                noisy.get(message.tenant()).copied()
            };
            // Quiet tenants first, then noisy ones by their messages in flight. A stable sort keeps the
            // order within each group.
            order.sort_by_cached_key(rank);
        }
        order
    }

    /// Tells which noisy tenants have no visible message left.
    fn end_backlogs(&mut self) {
        let visible = self.visible.iter().filter_map(|sequence| self.messages.get(sequence));
        let waiting: BTreeSet<&str> = visible.map(SimulatedMessage::tenant).collect();
        self.fairness.end_backlogs(&waiting);
    }

    /// Deletes the message of this handle, if it is its latest, and returns it. It comes once more as often as the
    /// habits say.
    pub(super) fn delete(
        &mut self,
        receipt: &str,
        now: Time,
        habits: &Habits,
        draw: Draw,
    ) -> Option<SimulatedMessage> {
        let sequence = SimulatedMessage::sequence_of(receipt)?;
        let message = self.messages.get(&sequence).filter(|known| known.receipt() == receipt)?;
        let message = message.clone();
        self.fairness.end(sequence, now);
        let receives = u64::from(message.receives);
        if draw.unit("again", sequence, "delete", receives) < habits.comes_again {
            self.set_visible_at(sequence, now);
        } else {
            self.take_out(sequence);
        }
        Some(message)
    }

    /// Hides a message until `span` from now, rounded up to whole seconds. The error has the code
    /// that SQS gives.
    pub(super) fn hide(&mut self, receipt: &str, span: Duration, now: Time) -> Result<(), String> {
        self.advance(now);
        let sequence = SimulatedMessage::sequence_of(receipt);
        let sequence = sequence.ok_or_else(|| format!("ReceiptHandleIsInvalid: {receipt}"))?;
        let message = self.messages.get(&sequence).filter(|message| message.receipt() == receipt);
        let unknown = || format!("InvalidParameterValue: {receipt} is of no message in flight");
        let received_at = message.and_then(|message| message.received_at).ok_or_else(unknown)?;
        if self.visible.contains(&sequence) {
            return Err(format!("MessageNotInflight: {receipt}"));
        }
        let span =
            Duration::from_secs(u64::try_from(span.as_millis().div_ceil(1_000)).unwrap_or(0));
        if now + span > received_at + LONGEST_HIDDEN {
            return Err(format!("InvalidParameterValue: hidden for over {LONGEST_HIDDEN:?}"));
        }
        self.set_visible_at(sequence, now + span);
        Ok(())
    }

    pub(super) fn show_all(&mut self, now: Time) {
        let all: Vec<u64> = self.messages.keys().copied().collect();
        for sequence in all {
            self.set_visible_at(sequence, now);
        }
    }

    pub(super) fn depth(&mut self, now: Time) -> Depth {
        self.advance(now);
        let mut depth = Depth::default();
        for message in self.messages.values() {
            if self.visible.contains(&message.sequence) {
                depth.visible += 1;
            } else if message.receives == 0 && message.delayed_until > now {
                depth.delayed += 1;
            } else {
                depth.in_flight += 1;
            }
        }
        depth
    }

    /// When the next message is visible, or was.
    pub(super) fn next_visible_at(&self) -> Option<Time> {
        let shown = self.visible.first().and_then(|sequence| self.messages.get(sequence));
        let shown = shown.map(|message| message.visible_at);
        shown.or_else(|| self.hidden.first().map(|(at, _)| *at))
    }
}
