//! Decodes the messages of one event into jobs. All messages of one job become one ticket.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use super::{
    Worker,
    disposition::{Disposition, Dispositions},
    execute::guard,
    gather::Gathered,
};
use crate::{
    base::{
        random::Random,
        time::{Clock, LEASE_GRACE, Time},
    },
    dependency::{limiter::Limit, quota::Quota},
    job::Job,
    message::{Flaw, Message, Purpose, ReceivedMessage, Rejection, Woken, decode as decode_body},
    payload::{Payload, SensitiveValues},
    policy::{
        EARLIEST_RETURN, ISOLATED_FROM_RECEIVE, MAX_DEPENDENCY_BYTES, MAX_RESULT_BYTES,
        SHORTEST_DELAY,
    },
    ports::Ports,
    record::{Work, claim_decision::Claimant, lease::Lease},
    telemetry::{self, Tally},
};

/// The state of one event while it is handled.
pub(super) struct Batch<P> {
    pub(super) tickets: Vec<Ticket<P>>,
    pub(super) lease: Lease,
    pub(super) deadline: Time,
    pub(super) dispositions: Dispositions,
    /// Reads and writes of its claims.
    pub(super) gathered: Gathered,
    /// Tickets that have no slot, and cannot wait for one in the queue. They are claimed and parked.
    pub(super) to_park: Mutex<BTreeSet<usize>>,
    /// Messages that wait for their slots and are hidden already, by their places in the event.
    hidden: Mutex<BTreeSet<usize>>,
    /// Messages that ask to check the result of a job.
    pub(super) checks: Vec<Message<P>>,
    pub(super) messages: Vec<ReceivedMessage>,
    pub(super) rejected: Vec<(usize, Rejection)>,
    /// Number of messages with the key of another job of the batch and a different payload.
    contradicting: usize,
}

impl<P> Batch<P> {
    /// Sets the disposition of the messages of a ticket.
    pub(super) fn note(&self, ticket: usize, disposition: &Disposition) {
        if let Some(ticket) = self.tickets.get(ticket) {
            self.dispositions.note(&ticket.messages, disposition);
        }
    }

    /// Notes that the messages of these tickets are hidden.
    pub(super) fn hides<'a>(&self, tickets: impl IntoIterator<Item = &'a usize>) {
        let places = tickets.into_iter().filter_map(|ticket| self.tickets.get(*ticket));
        let places = places.flat_map(|ticket| ticket.messages.iter().copied());
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).extend(places);
    }

    /// Whether the message at this place of the event is hidden already.
    pub(super) fn is_hidden(&self, place: usize) -> bool {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner).contains(&place)
    }

    /// Notes that this ticket must park.
    pub(super) fn parks(&self, ticket: usize) {
        self.to_park.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket);
    }

    /// Whether this ticket must park, because it has no slot.
    pub(super) fn must_park(&self, ticket: usize) -> bool {
        self.to_park.lock().unwrap_or_else(PoisonError::into_inner).contains(&ticket)
    }

    /// Whether most of its jobs come from messages that came back so often and so late. Then an outage is the
    /// likelier reason than jobs that kill their process.
    fn is_after_outage(&self) -> bool {
        let suspects = self.tickets.iter().filter(|ticket| ticket.may_kill).count();
        suspects > 1 && 2 * suspects > self.tickets.len()
    }

    /// The counts of the batch's log line before any job has run.
    pub(super) fn tally(&self) -> Tally {
        Tally {
            messages: self.messages.len(),
            rejected: self.rejected.len(),
            contradicting: self.contradicting,
            ..Tally::default()
        }
    }
}

/// One job of the batch, with all its messages.
pub(super) struct Ticket<P> {
    pub(super) message: Message<P>,
    pub(super) work: Work,
    /// Indices into the batch's messages; the first message represents the others.
    pub(super) messages: Vec<usize>,
    message_ids: Vec<String>,
    sent_at: Time,
    pub(super) receives: u32,
    /// See [`Claimant::may_kill`].
    may_kill: bool,
    /// See [`Claimant::wakes`].
    pub(super) wakes: Option<u64>,
    /// See [`Claimant::stray`].
    stray: bool,
    /// See [`Claimant::redriven`].
    redriven: bool,
    /// What may stand in for the result, as JSON.
    pub(super) fallback: Option<String>,
    /// How its calls are limited.
    pub(super) limit: Option<Limit>,
    /// How much it may make.
    pub(super) quota: Option<Quota>,
}

impl<P> Ticket<P> {
    /// This ticket as a claimant at `now`.
    pub(super) fn claimant<'a, J: Job>(&'a self, batch: &'a Batch<P>, now: Time) -> Claimant<'a> {
        let policy = &J::POLICY;
        Claimant {
            owner: &batch.lease.owner,
            message_ids: &self.message_ids,
            sent_at: self.sent_at,
            may_kill: self.may_kill && !batch.is_after_outage(),
            excuses_crashes: false,
            wakes: self.wakes,
            stray: self.stray,
            redriven: self.redriven,
            dedup_window: policy.dedup_window,
            fallback: self.fallback.as_deref(),
            stands_in: J::STANDS_IN,
            give_up_after: policy.give_up_after,
            now,
            lease_until: batch.lease.until,
        }
    }
}

/// Decodes the messages of an event and combines those of one job in a ticket. Pure except for log
/// lines and the batch's random token.
pub(super) fn decode<J: Job, P: Ports>(
    worker: &Worker<J, P>,
    messages: Vec<ReceivedMessage>,
    deadline: Time,
) -> Batch<J::Payload> {
    let mut tickets: Vec<Ticket<J::Payload>> = Vec::with_capacity(messages.len());
    let mut by_key = BTreeMap::new();
    let (mut rejected, mut checks, mut contradicting) = (Vec::new(), Vec::new(), 0);
    let mut dispositions = Vec::with_capacity(messages.len());
    let now = worker.clock.now();
    for (index, received) in messages.iter().enumerate() {
        dispositions.push(Disposition::store_gone(received.receives));
        let body = received.body.as_deref().unwrap_or_default();
        let mut decoded = match decode_one(&worker.job, body) {
            Ok(decoded) => decoded,
            Err(rejection) if received.purpose == Purpose::Check => {
                // The audit asked about a result, and the job type has changed how it reads
                // messages since. That is no reason to keep the message as rejected.
                telemetry::not_checked(J::TYPE, &rejection);
                dispositions[index] = Disposition::Ack;
                continue;
            }
            Err(rejection) => {
                rejected.push((index, rejection));
                continue;
            }
        };
        let stray = decoded.address::<J>(received);
        if received.purpose == Purpose::Check {
            // The message is acknowledged however the check ends: the audit asks again later.
            dispositions[index] = Disposition::Ack;
            checks.push(decoded.message);
            continue;
        }
        let Some(&known) = by_key.get(&decoded.message.key) else {
            by_key.insert(decoded.message.key.clone(), tickets.len());
            let ticket = ticket::<J>(decoded, index, received, now);
            tickets.push(Ticket { stray, ..ticket });
            continue;
        };
        let ticket: &mut Ticket<J::Payload> = &mut tickets[known];
        if ticket.message.canonical == decoded.message.canonical {
            fold(ticket, index, received, now);
        } else {
            // At the next receive, the record shows which payload came first.
            contradicting += 1;
            dispositions[index] = Disposition::Retry(SHORTEST_DELAY);
        }
    }
    let lease = Lease {
        owner: worker.random.token(),
        until: deadline + LEASE_GRACE,
        jobs: tickets.iter().map(|ticket| ticket.message.key.clone()).collect(),
    };
    let dispositions = Dispositions::new(dispositions);
    let (to_park, hidden) = (Mutex::default(), Mutex::default());
    Batch {
        tickets,
        lease,
        deadline,
        dispositions,
        gathered: Gathered::default(),
        to_park,
        hidden,
        checks,
        messages,
        rejected,
        contradicting,
    }
}

/// A message with what its job type makes of it.
struct Decoded<P> {
    message: Message<P>,
    dependency: String,
    fallback: Option<String>,
    limit: Option<Limit>,
    quota: Option<Quota>,
}

impl<P: Payload> Decoded<P> {
    /// Addresses the record that the message belongs to. For a wake-up message, its attribute names the
    /// record: the key derived from the body may be another one, if the job type has changed how it
    /// reads payloads. Returns whether the body alone would lead to another record.
    fn address<J: Job>(&mut self, received: &ReceivedMessage) -> bool {
        let ours =
            |woken: &&Woken| woken.key.split_once('#').is_some_and(|(kind, _)| kind == J::TYPE);
        match received.wakes.as_ref().filter(ours) {
            Some(woken) if woken.key != self.message.key => {
                self.message.key.clone_from(&woken.key);
                true
            }
            _ => false,
        }
    }
}

/// How the calls for a payload are limited.
pub(super) fn limit<J: Job>(job: &J, payload: &J::Payload) -> Option<Limit> {
    let rates = job.rates(payload)?;
    Some(Limit { name: J::limiter(payload).into_owned(), rates })
}

/// Reads one message. If code of the job type panics at it, it is rejected like any other body that cannot be
/// read: the other messages of the event are not affected.
fn decode_one<J: Job>(job: &J, body: &str) -> Result<Decoded<J::Payload>, Rejection> {
    let decoded = guard(|| {
        let message = decode_body::<J::Payload>(J::TYPE, body)?;
        let dependency = J::dependency(&message.payload).into_owned();
        let fallback = J::fallback(&message.payload);
        let (limit, quota) = (limit(job, &message.payload), job.quota(&message.payload));
        Ok(Decoded { message, dependency, fallback, limit, quota })
    });
    let decoded = decoded.map_err(|panic| {
        let reason = format!("payload: its job type cannot read it: {}", panic.message());
        let sensitive = SensitiveValues::in_json::<J::Payload>(body);
        Rejection::new(Flaw::Invalid, sensitive.hide(&reason))
    })??;
    let invalid = |what: &str, length: usize, expected: &str| {
        let reason = format!("payload: {what} has {length} bytes, expected {expected}");
        Rejection::new(Flaw::Invalid, reason)
    };
    let length = decoded.dependency.len();
    if !(1..=MAX_DEPENDENCY_BYTES).contains(&length) {
        let expected = format!("1 to {MAX_DEPENDENCY_BYTES}");
        return Err(invalid("the name of its dependency", length, &expected));
    }
    let length = decoded.fallback.as_ref().map_or(0, String::len);
    if length > MAX_RESULT_BYTES {
        let expected = format!("at most {MAX_RESULT_BYTES}");
        return Err(invalid("its fallback", length, &expected));
    }
    Ok(decoded)
}

fn ticket<J: Job>(
    decoded: Decoded<J::Payload>,
    index: usize,
    received: &ReceivedMessage,
    now: Time,
) -> Ticket<J::Payload> {
    let Decoded { message, dependency, fallback, limit, quota } = decoded;
    let work = Work {
        payload: message.canonical.clone(),
        queue: received.queue.clone(),
        dependency,
        retention: J::POLICY.retention(),
        created_at: message.created_at.unwrap_or(received.sent_at),
        first_created_at: None,
        deadline: message.deadline,
        group: received.group.clone(),
        trace: received.trace.clone(),
    };
    Ticket {
        fallback,
        limit,
        quota,
        message,
        work,
        messages: vec![index],
        message_ids: vec![received.message_id.clone().unwrap_or_default()],
        sent_at: received.sent_at,
        receives: received.receives,
        may_kill: may_kill(received, now),
        wakes: received.wakes.as_ref().map(|woken| woken.fence),
        stray: false,
        redriven: received.purpose == Purpose::Redrive,
    }
}

/// Whether a message came back so often and so late that each of its receives may have ended with the process.
fn may_kill(received: &ReceivedMessage, now: Time) -> bool {
    let returns = received.receives.saturating_sub(1);
    received.receives >= ISOLATED_FROM_RECEIVE
        && now.since(received.first_received_at) >= EARLIEST_RETURN.saturating_mul(returns)
}

fn fold<P>(ticket: &mut Ticket<P>, index: usize, received: &ReceivedMessage, now: Time) {
    ticket.messages.push(index);
    ticket.message_ids.push(received.message_id.clone().unwrap_or_default());
    ticket.sent_at = ticket.sent_at.max(received.sent_at);
    ticket.receives = ticket.receives.max(received.receives);
    ticket.may_kill |= may_kill(received, now);
    ticket.redriven |= received.purpose == Purpose::Redrive;
    // A sender's message asks for more than a wake-up message. If a ticket has one of each, it
    // counts as a sender's, without a fence.
    let fence = received.wakes.as_ref().map(|woken| woken.fence);
    ticket.wakes = ticket.wakes.and_then(|wakes| Some(wakes.max(fence?)));
}
