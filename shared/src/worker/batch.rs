//! Decodes the messages of one event into jobs. All messages of one job become one ticket.

use std::collections::BTreeMap;

use super::{
    Worker,
    disposition::{Disposition, Dispositions},
    execute::guard,
};
use crate::{
    base::{
        random::Random,
        time::{LEASE_GRACE, Time},
    },
    job::Job,
    message::{Flaw, Message, Purpose, ReceivedMessage, Rejection, Woken, decode as decode_body},
    policy::{ISOLATED_FROM_RECEIVE, MAX_DEPENDENCY_BYTES, Policy, SHORTEST_DELAY},
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

    /// Whether most of its jobs come from messages that were received so often that each would run alone.
    fn is_after_outage(&self) -> bool {
        let often = self.tickets.iter().filter(|t| t.receives >= ISOLATED_FROM_RECEIVE).count();
        often > 1 && 2 * often > self.tickets.len()
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
    /// See [`Claimant::wakes`].
    pub(super) wakes: Option<u64>,
    /// See [`Claimant::stray`].
    stray: bool,
    /// What may stand in for the result, as JSON.
    pub(super) fallback: Option<String>,
}

impl<P> Ticket<P> {
    /// This ticket as a claimant at `now`.
    pub(super) fn claimant<'a>(
        &'a self,
        batch: &'a Batch<P>,
        policy: &Policy,
        now: Time,
    ) -> Claimant<'a> {
        Claimant {
            owner: &batch.lease.owner,
            message_ids: &self.message_ids,
            sent_at: self.sent_at,
            receives: self.receives,
            after_outage: batch.is_after_outage(),
            wakes: self.wakes,
            stray: self.stray,
            dedup_window: policy.dedup_window,
            fallback: self.fallback.as_deref(),
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
    for (index, received) in messages.iter().enumerate() {
        dispositions.push(Disposition::store_gone(received.receives));
        let body = received.body.as_deref().unwrap_or_default();
        let Decoded { message, dependency, fallback } = match decode_one::<J>(body) {
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
        let Addressed { message, stray } = addressed::<J>(message, received);
        if received.purpose == Purpose::Check {
            // The message is acknowledged however the check ends: the audit asks again later.
            dispositions[index] = Disposition::Ack;
            checks.push(message);
            continue;
        }
        let Some(&known) = by_key.get(&message.key) else {
            by_key.insert(message.key.clone(), tickets.len());
            let ticket = ticket::<J>(message, dependency, fallback, index, received);
            tickets.push(Ticket { stray, ..ticket });
            continue;
        };
        let ticket: &mut Ticket<J::Payload> = &mut tickets[known];
        if ticket.message.canonical == message.canonical {
            fold(ticket, index, received);
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
    Batch { tickets, lease, deadline, dispositions, checks, messages, rejected, contradicting }
}

/// A message with what its job type makes of it.
struct Decoded<P> {
    message: Message<P>,
    dependency: String,
    fallback: Option<String>,
}

/// Reads one message. If code of the job type panics at it, it is rejected like any other body that cannot be
/// read: the other messages of the event are not affected.
fn decode_one<J: Job>(body: &str) -> Result<Decoded<J::Payload>, Rejection> {
    let decoded = guard(|| {
        let message = decode_body::<J::Payload>(J::TYPE, body)?;
        let dependency = J::dependency(&message.payload).into_owned();
        let fallback = J::fallback(&message.payload);
        Ok(Decoded { message, dependency, fallback })
    });
    let decoded = decoded.map_err(|panic| {
        let reason = format!("payload: its job type cannot read it: {}", panic.message());
        Rejection::new(Flaw::Invalid, reason)
    })??;
    let length = decoded.dependency.len();
    if length > MAX_DEPENDENCY_BYTES {
        let reason = format!(
            "payload: the name of its dependency has {length} bytes, expected at most \
             {MAX_DEPENDENCY_BYTES}"
        );
        return Err(Rejection::new(Flaw::Invalid, reason));
    }
    Ok(decoded)
}

fn ticket<J: Job>(
    message: Message<J::Payload>,
    dependency: String,
    fallback: Option<String>,
    index: usize,
    received: &ReceivedMessage,
) -> Ticket<J::Payload> {
    let work = Work {
        payload: message.canonical.clone(),
        queue: received.queue.clone(),
        dependency,
        retention: J::POLICY.retention(),
        created_at: message.created_at.unwrap_or(received.sent_at),
        deadline: message.deadline,
        group: received.group.clone(),
    };
    Ticket {
        fallback,
        message,
        work,
        messages: vec![index],
        message_ids: vec![received.message_id.clone().unwrap_or_default()],
        sent_at: received.sent_at,
        receives: received.receives,
        wakes: received.wakes.as_ref().map(|woken| woken.fence),
        stray: false,
    }
}

/// A message with the key of the record that it belongs to.
struct Addressed<P> {
    message: Message<P>,
    /// Whether the body alone would lead to another record.
    stray: bool,
}

/// Determines the record that a message belongs to. For a wake-up message, its attribute names the
/// record: the key derived from the body may be another one, if the job type has changed how it
/// reads payloads.
fn addressed<J: Job>(
    message: Message<J::Payload>,
    received: &ReceivedMessage,
) -> Addressed<J::Payload> {
    let ours = |woken: &&Woken| woken.key.split_once('#').is_some_and(|(kind, _)| kind == J::TYPE);
    match received.wakes.as_ref().filter(ours) {
        Some(woken) if woken.key != message.key => {
            Addressed { message: Message { key: woken.key.clone(), ..message }, stray: true }
        }
        _ => Addressed { message, stray: false },
    }
}

fn fold<P>(ticket: &mut Ticket<P>, index: usize, received: &ReceivedMessage) {
    ticket.messages.push(index);
    ticket.message_ids.push(received.message_id.clone().unwrap_or_default());
    ticket.sent_at = ticket.sent_at.max(received.sent_at);
    ticket.receives = ticket.receives.max(received.receives);
    // A sender's message asks for more than a wake-up message. If a ticket has one of each, it
    // counts as a sender's, without a fence.
    let fence = received.wakes.as_ref().map(|woken| woken.fence);
    ticket.wakes = ticket.wakes.and_then(|wakes| Some(wakes.max(fence?)));
}
