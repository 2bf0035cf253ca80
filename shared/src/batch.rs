//! A whole SQS event: decode, fold, claim, run, settle, answer.
//!
//! ```text
//! deliveries ─ decode ─┬─ tickets ─ claim ─┬─ run together ─ settle ─┬─ release ─ hide ─ answer
//!                      │   (folded)        ├─ run alone ─── settle ──┤
//!                      └─ quarantine       └─ nothing to do ─────────┘
//! ```
//!
//! Records are written before messages are acknowledged, always: a message is acknowledged only
//! with a fate that a confirmed write stands behind. A run that is out of time answers for what it has
//! done, and gives back the rest.

use std::{collections::HashMap, fmt, sync::Mutex, time::Duration};

use crate::{
    check::Looks,
    fate::{Board, Fate},
    gates::{Gates, Rules},
    job::Job,
    message::{self, Message, Rejection},
    policy::{ANSWER_RESERVE, LEASE_GRACE, LONGEST_HIDE, Policy, SHORTEST_DELAY},
    ports::{Control, Hide, PortError, Purpose, Queue, Store, Woken},
    random::Random,
    record::{Lease, Work},
    telemetry::{self, Tally},
    time::{Clock, Time},
    verdict::Claimant,
};

/// One received message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// SQS's id of the message: what a partial answer names.
    pub message_id: Option<String>,
    /// The handle of this receive.
    pub receipt: Option<String>,
    /// The body.
    pub body: Option<String>,
    /// ARN of the queue.
    pub queue: String,
    /// ApproximateReceiveCount, from 1.
    pub receives: u32,
    /// SentTimestamp.
    pub sent_at: Time,
    /// The record that it wakes, if we sent it ourselves.
    pub wakes: Option<Woken>,
    /// Its message group, if its sender gave one.
    pub group: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
}

/// The event as a whole must fail: SQS brings every message of it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchError(pub String);

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BatchError {}

/// What a function is made of: the job and the ports that the engine uses for it.
pub struct Worker<J, S, Q, C, R> {
    /// The job type.
    pub job: J,
    /// The job table.
    pub store: S,
    /// The queue.
    pub queue: Q,
    /// The clock.
    pub clock: C,
    /// The dice.
    pub random: R,
    /// What stands between the jobs and their dependencies.
    pub(crate) gates: Gates<S, C, R>,
    /// What its looks at results came to.
    pub(crate) looks: Mutex<Looks>,
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Control + Clone,
    C: Clock + Clone,
    R: Random + Clone,
{
    /// A function that has handled nothing yet.
    pub fn new(job: J, store: S, queue: Q, clock: C, random: R) -> Self {
        let (policy, rates) = (&J::POLICY, job.rates());
        let rules = Rules { kind: J::TYPE, policy, breaker: policy.breaker, rates };
        let gates = Gates::new(rules, store.clone(), clock.clone(), random.clone());
        Self { job, store, queue, clock, random, gates, looks: Mutex::default() }
    }

    /// The same with another cap on how long a breaker stays open, at least its first wait.
    #[must_use]
    pub fn with_longest_wait(mut self, longest_wait: Duration) -> Self {
        let breaker = &mut self.gates.rules.breaker;
        breaker.longest_wait = longest_wait.max(breaker.open_wait);
        self
    }
}

/// One job of the batch, with every message that asks for it.
pub(crate) struct Ticket<P> {
    pub(crate) message: Message<P>,
    pub(crate) work: Work,
    /// Indices into the batch's deliveries; the first one speaks for them.
    pub(crate) deliveries: Vec<usize>,
    message_ids: Vec<String>,
    sent_at: Time,
    pub(crate) receives: u32,
    /// See [`Claimant::wakes`].
    pub(crate) wakes: Option<u64>,
    /// See [`Claimant::stray`].
    stray: bool,
    /// What may stand in for the result.
    pub(crate) fallback: Option<String>,
}

impl<P> Ticket<P> {
    /// This ticket as a claimant at `now`.
    pub(crate) fn claimant<'a>(
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

/// What is known about an event while it is worked on.
pub(crate) struct Batch<P> {
    pub(crate) tickets: Vec<Ticket<P>>,
    pub(crate) lease: Lease,
    pub(crate) deadline: Time,
    pub(crate) board: Board,
    /// Jobs whose results are to be looked at.
    pub(crate) checks: Vec<Message<P>>,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) rejected: Vec<(usize, Rejection)>,
    /// How many messages ask for a job of this batch with another payload.
    contradicting: usize,
}

impl<P> Batch<P> {
    /// Notes what happens to the messages of a ticket.
    pub(crate) fn note(&self, ticket: usize, fate: &Fate) {
        if let Some(ticket) = self.tickets.get(ticket) {
            self.board.note(&ticket.deliveries, fate);
        }
    }
}

impl<J, S, Q, C, R> Worker<J, S, Q, C, R>
where
    J: Job,
    S: Store + Control,
    Q: Queue,
    C: Clock,
    R: Random,
{
    /// Works on one event and answers with the ids of the messages that must come again.
    ///
    /// `deadline` is when Lambda ends the run. Fails as a whole only if the store is broken for
    /// good, or if a message that must come again has no id to say so.
    pub async fn handle(
        &self,
        deliveries: Vec<Delivery>,
        deadline: Time,
    ) -> Result<Vec<String>, BatchError> {
        const {
            let _ = J::POLICY.checked();
        }
        let started = self.clock.now();
        let batch = self.read(deliveries, deadline);
        let mut tally = Tally { messages: batch.deliveries.len(), ..Tally::default() };
        tally.rejected = batch.rejected.len();
        tally.contradicting = batch.contradicting;
        let time = deadline.before(ANSWER_RESERVE).since(started);
        // Not even begun without time: an insert that nobody waits for would count as a crash.
        // What comes again says nothing of how far the queue has got.
        let fresh =
            |delivery: &&Delivery| delivery.receives <= 1 && delivery.purpose == Purpose::Work;
        for delivery in batch.deliveries.iter().filter(fresh) {
            self.gates.received(&delivery.queue, delivery.sent_at);
        }
        let in_time = !time.is_zero() && {
            let rejected = self.quarantine_rejected(&batch);
            let work =
                async { tokio::join!(rejected, self.work(&batch, &mut tally), self.check(&batch)) };
            tokio::time::timeout(time, work).await.is_ok()
        };
        if !in_time {
            telemetry::out_of_time(J::TYPE);
        }
        let fates = batch.board.fates();
        // A batch in which nothing ran has its oldest message to tell.
        let hide =
            async { tokio::join!(self.hide(&batch.deliveries, &fates), self.gates.report()) };
        let left = deadline.before(ANSWER_RESERVE / 3).since(self.clock.now());
        if tokio::time::timeout(left, hide).await.is_err() {
            // They come again all the same, when the queue's own visibility time-out is over.
            telemetry::port_failed("hide", &PortError::Unavailable("out of time".into()));
        }
        let took = self.clock.now().since(started);
        if !batch.tickets.is_empty() {
            self.gates.worked(batch.tickets.len(), took);
        }
        telemetry::batch(J::TYPE, &tally, took);
        answer(&batch.deliveries, &fates)
    }

    /// Decodes and folds; pure but for the token.
    fn read(&self, deliveries: Vec<Delivery>, deadline: Time) -> Batch<J::Payload> {
        let mut tickets: Vec<Ticket<J::Payload>> = Vec::with_capacity(deliveries.len());
        let mut by_key = HashMap::new();
        let (mut rejected, mut checks, mut contradicting) = (Vec::new(), Vec::new(), 0);
        let mut fates = Vec::with_capacity(deliveries.len());
        for (index, delivery) in deliveries.iter().enumerate() {
            fates.push(Fate::store_gone(delivery.receives));
            let body = delivery.body.as_deref().unwrap_or_default();
            let message = match message::decode::<J::Payload>(J::TYPE, body) {
                Ok(message) => message,
                Err(rejection) if delivery.purpose == Purpose::Check => {
                    // The audit asked about a result; that its type reads messages otherwise by now
                    // is no reason to hold one.
                    telemetry::not_checked(J::TYPE, &rejection);
                    fates[index] = Fate::Acknowledge;
                    continue;
                }
                Err(rejection) => {
                    rejected.push((index, rejection));
                    continue;
                }
            };
            if delivery.purpose == Purpose::Check {
                // However the look ends, its message has done its work.
                fates[index] = Fate::Acknowledge;
                checks.push(known_as::<J>(message, delivery).0);
                continue;
            }
            let (message, stray) = known_as::<J>(message, delivery);
            let Some(&known) = by_key.get(&message.key) else {
                by_key.insert(message.key.clone(), tickets.len());
                tickets.push(Ticket { stray, ..ticket::<J>(message, index, delivery) });
                continue;
            };
            let ticket: &mut Ticket<J::Payload> = &mut tickets[known];
            if ticket.message.canonical == message.canonical {
                fold(ticket, index, delivery);
            } else {
                // The record will tell at the next receive which payload came first.
                contradicting += 1;
                fates[index] = Fate::ComeBack(SHORTEST_DELAY);
            }
        }
        let lease = Lease {
            owner: self.random.token(),
            until: deadline + LEASE_GRACE,
            jobs: tickets.iter().map(|ticket| ticket.message.key.clone()).collect(),
        };
        let board = Board::new(fates);
        Batch { tickets, lease, deadline, board, checks, deliveries, rejected, contradicting }
    }

    /// Hides the messages that come again, in one call a queue, before they are reported.
    async fn hide(&self, deliveries: &[Delivery], fates: &[Fate]) {
        let mut hidden: HashMap<&str, Vec<Hide>> = HashMap::new();
        for (delivery, fate) in deliveries.iter().zip(fates) {
            if let (Some(span), Some(receipt)) = (fate.hidden(), &delivery.receipt) {
                let span = span.min(LONGEST_HIDE);
                let hide = Hide { receipt: receipt.clone(), span };
                hidden.entry(&delivery.queue).or_default().push(hide);
            }
        }
        for (queue, messages) in hidden {
            if let Err(error) = self.queue.hide(queue, &messages).await {
                // They come again all the same, when the queue's own visibility time-out is over.
                telemetry::port_failed("hide", &error);
            }
        }
    }
}

fn ticket<J: Job>(
    message: Message<J::Payload>,
    index: usize,
    delivery: &Delivery,
) -> Ticket<J::Payload> {
    let work = Work {
        payload: message.canonical.clone(),
        queue: delivery.queue.clone(),
        dependency: J::dependency(&message.payload).into_owned(),
        retention: J::POLICY.retention(),
        created_at: message.created_at.unwrap_or(delivery.sent_at),
        deadline: message.deadline,
        group: delivery.group.clone(),
    };
    Ticket {
        fallback: J::fallback(&message.payload),
        message,
        work,
        deliveries: vec![index],
        message_ids: vec![delivery.message_id.clone().unwrap_or_default()],
        sent_at: delivery.sent_at,
        receives: delivery.receives,
        wakes: delivery.wakes.as_ref().map(|woken| woken.fence),
        stray: false,
    }
}

/// The message under the key of the record that it wakes, if we sent it ourselves: what its body leads
/// to may be another one once the type reads payloads otherwise. Answers also whether it is.
fn known_as<J: Job>(
    message: Message<J::Payload>,
    delivery: &Delivery,
) -> (Message<J::Payload>, bool) {
    let ours = |woken: &&Woken| woken.key.split_once('#').is_some_and(|(kind, _)| kind == J::TYPE);
    match delivery.wakes.as_ref().filter(ours) {
        Some(woken) if woken.key != message.key => {
            (Message { key: woken.key.clone(), ..message }, true)
        }
        _ => (message, false),
    }
}

fn fold<P>(ticket: &mut Ticket<P>, index: usize, delivery: &Delivery) {
    ticket.deliveries.push(index);
    ticket.message_ids.push(delivery.message_id.clone().unwrap_or_default());
    ticket.sent_at = ticket.sent_at.max(delivery.sent_at);
    ticket.receives = ticket.receives.max(delivery.receives);
    // What a sender asks for is not less because we woke the job as well.
    let fence = delivery.wakes.as_ref().map(|woken| woken.fence);
    ticket.wakes = ticket.wakes.and_then(|wakes| Some(wakes.max(fence?)));
}

/// The ids of the messages that must come again.
fn answer(deliveries: &[Delivery], fates: &[Fate]) -> Result<Vec<String>, BatchError> {
    let mut failed = Vec::new();
    for (delivery, fate) in deliveries.iter().zip(fates) {
        match (fate, delivery.message_id.as_deref()) {
            (Fate::Acknowledge, _) => {}
            (Fate::Broken(why, _), _) => {
                return Err(BatchError(format!("the store is broken: {why}")));
            }
            // An empty id in the answer would fail the whole batch in a less honest way.
            (Fate::ComeBack(_), None | Some("")) => {
                return Err(BatchError("a message without messageId must come again".into()));
            }
            (Fate::ComeBack(_), Some(id)) => failed.push(id.to_owned()),
        }
    }
    Ok(failed)
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
