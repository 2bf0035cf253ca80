//! A world of the model: the tables, the queue, the processes and the time.

use std::{collections::BTreeMap, rc::Rc, time::Duration};

use super::Scope;
use crate::{
    base::time::{CLOCK_SKEW, Time},
    dependency::limiter::PROMISE_HORIZON,
    record::{Guard, Phase, Record},
    testing::BEGINNING,
    worker::disposition::Disposition,
};

/// The number of the sweeper among the processes.
pub(super) const SWEEPER: usize = 2;

/// Places in [`World::left`].
pub(super) const COPIES: usize = 0;
pub(super) const CRASHES: usize = 1;
pub(super) const LOST_ANSWERS: usize = 2;
pub(super) const SWEEPS: usize = 3;
pub(super) const RECEIVES: usize = 4;

/// The place of the sweeper's message in the queue.
pub(super) const WAKE_UP: usize = 2;

/// How long the sweeper lets a message be overdue before it counts as lost.
const GRACE: Duration = Duration::from_secs(30);

/// How long a message is overdue at most until it counts as lost.
pub(super) const OVERDUE: Duration =
    Duration::from_secs(GRACE.as_secs() + PROMISE_HORIZON.as_secs());

/// A message in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The fence in a message of the sweeper; `None` in the sender's.
    pub(super) wakes: Option<u64>,
    pub(super) sent_at: Time,
    pub(super) visible_at: Time,
    /// Whether it was received before.
    pub(super) was_received: bool,
    /// The container that received it last and has not answered for it.
    pub(super) held_by: Option<usize>,
    /// Whether at any time since its last receive the table alone brought the job to its end.
    pub(super) is_safe: bool,
}

impl Message {
    /// The id of the message at this place in the queue.
    pub(super) fn id(&self, place: usize) -> String {
        id(self.wakes, place)
    }
}

fn id(wakes: Option<u64>, place: usize) -> String {
    match wakes {
        Some(fence) => format!("wake-up-{fence}"),
        None => format!("message-{place}"),
    }
}

/// A batch of one message.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) owner: Rc<str>,
    /// The place of the message in the queue, and the message.
    pub(super) message: usize,
    pub(super) wakes: Option<u64>,
    pub(super) sent_at: Time,
    /// Whether it was received for the first time.
    pub(super) is_first: bool,
    /// The end of the batch's lease.
    pub(super) until: Time,
}

impl Batch {
    /// The id of the message.
    pub(super) fn message_id(&self) -> String {
        id(self.wakes, self.message)
    }

    /// When the sender's message was sent; `None` if the sweeper sent it.
    pub(super) fn asked_at(&self) -> Option<Time> {
        self.wakes.is_none().then_some(self.sent_at)
    }
}

/// What a container does next.
#[derive(Clone, Debug)]
pub(super) enum Container {
    Receive,
    /// To insert a new record, and the lease.
    Begin(Batch),
    /// To read the record; `bool`: whether the job may run isolated now.
    Read(Batch, bool),
    /// To decide from the record that it has read, and to write what follows.
    Decide(Batch, bool, Option<Rc<Record>>),
    /// To run the job.
    Run(Batch, Rc<Record>),
    /// To write the end of the run.
    Settle(Batch, Rc<Record>, Disposition),
    /// To remove the lease and to answer for the message.
    Answer(Batch, Disposition),
}

/// What the sweeper does next.
#[derive(Clone, Debug)]
pub(super) enum Sweeper {
    Look,
    /// To write this record, if the one in the table matches.
    Write(Guard, Rc<Record>, Option<Time>),
    /// To send the message with this fence.
    Send(u64, Time),
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) now: Time,
    pub(super) record: Option<Rc<Record>>,
    /// The ends of the leases in the table, by owner.
    pub(super) leases: BTreeMap<Rc<str>, Time>,
    /// The copies of the sender's message, then one of the sweeper's.
    pub(super) messages: [Option<Message>; 3],
    pub(super) containers: [Container; 2],
    pub(super) sweeper: Sweeper,
    /// How often more these may happen: copies are sent, processes die, answers are lost, the sweeper writes, messages
    /// are received. `u32::MAX` receives are without a limit.
    pub(super) left: [u32; 5],
    pub(super) ahead: [Duration; 3],
    /// The fence of the latest end of a run.
    pub(super) settled: Option<u64>,
}

impl World {
    pub(super) fn start(scope: &Scope) -> Self {
        let copies = u32::try_from(scope.copies.saturating_sub(1)).unwrap_or_default();
        let receives = scope.receives.unwrap_or(u32::MAX);
        let mut world = Self {
            now: BEGINNING,
            record: None,
            leases: BTreeMap::new(),
            messages: [None; 3],
            containers: [Container::Receive, Container::Receive],
            sweeper: Sweeper::Look,
            left: [copies, scope.crashes, scope.lost_answers, scope.sweeps, receives],
            ahead: scope.ahead,
            settled: None,
        };
        world.messages[0] = Some(world.sent(None, world.now));
        world
    }

    /// A message that is sent now.
    pub(super) fn sent(&self, wakes: Option<u64>, visible_at: Time) -> Message {
        let (sent_at, was_received) = (self.now, false);
        Message { wakes, sent_at, visible_at, was_received, held_by: None, is_safe: false }
    }

    /// The time by the clock of this process.
    pub(super) fn clock(&self, process: usize) -> Time {
        self.now + self.ahead[process]
    }

    /// Whether the table alone brings the job to its end: it has ended, or is on the index `due`.
    pub(super) fn is_safe(&self) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.phase.ended_at().is_some() || record.due_entry().is_some())
    }

    /// A token that nothing in the world has.
    pub(super) fn token(&self, container: usize) -> Rc<str> {
        let mut number = 0;
        loop {
            let token = format!("{container}-{number}");
            let has = |record: &Record| record.owner == token;
            let is_used = self.leases.contains_key(token.as_str())
                || self.records().any(has)
                || self
                    .containers
                    .iter()
                    .any(|container| container.batch().is_some_and(|batch| *batch.owner == *token));
            if !is_used {
                return token.into();
            }
            number += 1;
        }
    }

    /// The record in the table, and all that processes hold.
    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        let sweeper = match &self.sweeper {
            Sweeper::Write(_, record, _) => Some(&**record),
            _ => None,
        };
        let held = self.containers.iter().filter_map(|container| match container {
            Container::Decide(_, _, seen) => seen.as_deref(),
            Container::Run(_, record) | Container::Settle(_, record, _) => Some(&**record),
            _ => None,
        });
        self.record.as_deref().into_iter().chain(held).chain(sweeper)
    }

    /// An open job has a message, an entry on the index `due`, or a lease, by which it is found.
    pub(super) fn is_found(&self) -> Result<(), String> {
        let is_open = match &self.record {
            Some(record) => record.phase.ended_at().is_none(),
            None => true,
        };
        let is_found =
            self.is_safe() || !self.leases.is_empty() || self.messages.iter().any(Option::is_some);
        if is_open && !is_found { Err("the job is lost".into()) } else { Ok(()) }
    }

    /// All times that may still decide something.
    fn times(&self) -> Vec<Time> {
        let mut times: Vec<Time> = self.leases.values().copied().collect();
        times.extend(self.messages.iter().flatten().map(|message| message.visible_at));
        // The claim is decided by the end of its lease, and by whether that is near by any clock.
        let early = self.containers.iter().filter_map(Container::early);
        times.extend(early.flat_map(|batch| [batch.until, batch.until.before(CLOCK_SKEW)]));
        let held = self.containers.iter().filter_map(|container| match container {
            Container::Decide(_, _, seen) => seen.as_deref(),
            Container::Settle(_, record, _) if !self.is_taken_over(record) => Some(&**record),
            _ => None,
        });
        let current = self.record.as_deref();
        for record in current.into_iter().chain(held) {
            times.extend(self.deciding_times_of(record));
        }
        match &self.sweeper {
            Sweeper::Write(guard, record, wakes_at)
                if current.map(Record::guard).as_ref() == Some(guard) =>
            {
                times.extend(self.deciding_times_of(record));
                times.extend(*wakes_at);
            }
            Sweeper::Send(_, at) => times.push(*at),
            _ => {}
        }
        times
    }

    /// The times in a record that may still decide something. Only messages that are sent later depend on when the job
    /// ended, and only the sweeper on when it is due.
    fn deciding_times_of(&self, record: &Record) -> impl Iterator<Item = Time> + use<> {
        let [first, due_at] = times_of(record);
        let has_ended = record.phase.ended_at().is_some();
        let first = first.filter(|_| !has_ended || self.left[COPIES] > 0);
        let due_at = due_at.filter(|_| self.left[SWEEPS] > 0);
        first.into_iter().chain(due_at)
    }

    /// The next time at which anybody would decide otherwise than now.
    pub(super) fn next_time(&self) -> Option<Time> {
        let mut times = self.times();
        match self.record.as_ref().map(|record| &record.phase) {
            // The sweeper lets a message be late, and one that may be hidden be later.
            Some(Phase::Queued { due_at } | Phase::Waiting { due_at, .. })
                if self.left[SWEEPS] > 0 =>
            {
                times.extend([*due_at + GRACE, *due_at + OVERDUE]);
            }
            // Only what is sent after the end asks for more.
            Some(phase) if self.left[COPIES] > 0 => {
                times.extend(phase.ended_at().map(|at| at + Duration::from_secs(1)));
            }
            _ => {}
        }
        let times = times.into_iter().flat_map(|time| self.ahead.map(|ahead| time.before(ahead)));
        times.filter(|time| *time > self.now).min()
    }
}

impl Container {
    pub(super) const fn batch(&self) -> Option<&Batch> {
        match self {
            Self::Receive => None,
            Self::Begin(batch)
            | Self::Read(batch, _)
            | Self::Decide(batch, _, _)
            | Self::Run(batch, _)
            | Self::Settle(batch, _, _)
            | Self::Answer(batch, _) => Some(batch),
        }
    }

    /// The batch whose claim is not decided yet.
    pub(super) const fn early(&self) -> Option<&Batch> {
        match self {
            Self::Begin(batch) | Self::Read(batch, _) | Self::Decide(batch, _, _) => Some(batch),
            _ => None,
        }
    }

    /// What it does next, as a word of a trace.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Begin(_) => "begin",
            Self::Read(..) => "read",
            Self::Decide(_, _, None) => "decide about no record",
            Self::Decide(_, _, Some(_)) => "decide",
            Self::Run(..) => "run",
            Self::Settle(..) => "settle",
            Self::Answer(..) => "answer",
        }
    }
}

/// The times in a record that decide anything.
pub(super) fn times_of(record: &Record) -> [Option<Time>; 2] {
    match record.phase {
        Phase::Queued { due_at } => [Some(due_at), None],
        Phase::Running { lease_until, .. } => [Some(lease_until), None],
        Phase::Waiting { run_after, due_at, .. } => [Some(run_after), Some(due_at)],
        Phase::Parked { run_after, .. } => [Some(run_after), None],
        _ => [record.phase.ended_at(), None],
    }
}
