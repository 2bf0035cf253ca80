//! Redrive: empties the dead-letter queues. Each message is sent back, deleted, or kept as a record
//! for the operators.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    message::{OutgoingMessage, Purpose, ReceivedMessage, RejectedMessage},
    ports::{PortError, Store as _, Written, maintenance::QueueMaintenance as _},
    record::Record,
    telemetry,
};

use super::dead_letters::Log;
use crate::{
    config::JobType,
    pass::rescue::ENDS,
    plan::{
        dead_letter::entry,
        redrive::{self as plan, Action},
    },
    ports::{Ports, Sweep},
    records::read,
    step,
    tick::Tick,
};

/// Receives of one dead-letter queue in a tick, of ten messages each.
const MOST_RECEIVES: usize = 20;

/// Messages of one dead-letter queue that a tick takes at most.
pub(super) const MOST: u64 = 10 * MOST_RECEIVES as u64;

/// Visibility timeout of a received message. If it is not deleted by then, a later tick receives it
/// again.
const HIDDEN: Duration = Duration::from_secs(60);

/// How long ago a type may have done work that counts.
const WORKED_WITHIN: Duration = Duration::from_mins(5);

const NAME: &str = "redrive";

/// Empties the dead-letter queues.
pub async fn redrive<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick) -> Result<(), PortError> {
    let config = sweep.config.clone();
    let mut trouble = None;
    for job in &config.types {
        let depth = tick.view.depths.get(&job.dead).copied().unwrap_or_default();
        if depth.visible == 0 {
            continue;
        }
        // A failure on one queue does not keep the others from being emptied.
        if let Err(error) = of_type(sweep, tick, job).await {
            telemetry::port_failed(NAME, &error);
            trouble = Some(error);
        }
    }
    trouble.map_or(Ok(()), Err)
}

/// Empties the dead-letter queue of a job type, up to [`MOST_RECEIVES`].
async fn of_type<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    job: &JobType,
) -> Result<(), PortError> {
    let redriven_at = tick.memory.redriven_at.get(&job.kind).copied().unwrap_or_default();
    let redriven_at = Time::from_millis(redriven_at);
    let left = plan::allowance(is_at_work(tick, job), redriven_at, tick.now);
    let mut emptying = Emptying { job, left, log: Log::default() };
    for _ in 0..MOST_RECEIVES {
        let messages = sweep.queue.receive(&job.dead, HIDDEN).await?;
        if messages.is_empty() {
            break;
        }
        empty(sweep, tick, &mut emptying, messages).await?;
    }
    Ok(())
}

/// Whether jobs of the type have come to an end of their runs lately.
fn is_at_work(tick: &Tick, job: &JobType) -> bool {
    let from = tick.now.before(WORKED_WITHIN);
    let buckets = tick.view.stats.get(&job.kind).into_iter().flatten();
    let recent = buckets.filter(|(start, _)| *start >= from);
    recent.flat_map(|(_, bucket)| ENDS.map(|name| bucket.count(name))).sum::<u64>() > 0
}

/// Settles and deletes the messages of one receive.
async fn empty<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    emptying: &mut Emptying<'_>,
    messages: Vec<ReceivedMessage>,
) -> Result<(), PortError> {
    let job = emptying.job;
    let asked: Vec<_> = messages.iter().map(|message| plan::asked(job, message)).collect();
    let mut known: Vec<String> =
        asked.iter().filter_map(|asked| Some(asked.as_ref().ok()?.key.clone())).collect();
    known.sort();
    known.dedup();
    let records = read(&sweep.store, known).await?;
    let (mut done, mut entries) = (Vec::new(), Vec::new());
    for (message, asked) in messages.iter().zip(&asked) {
        let record = asked.as_ref().ok().and_then(|asked| records.get(&asked.key));
        let action = match asked {
            Ok(asked) => plan::action(message, asked, record),
            Err(rejection) => Action::Hold(rejection.clone()),
        };
        let action = plan::if_old(action, message, tick.now);
        let Some(action) = emptying.allowed(tick, message, action) else {
            tick.count(NAME, "waiting", 1);
            continue;
        };
        match settle(sweep, tick, job, message, &action, record).await {
            Ok(true) => {
                tick.count(NAME, action.name(), 1);
                done.push(message.receipt.clone().unwrap_or_default());
                let asked = asked.as_ref().ok();
                entries.push(entry(job, message, asked, &action, record, sweep.clock.now()));
            }
            // It is not deleted, so a later tick receives it again.
            Ok(false) => tick.count(NAME, "failed", 1),
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                tick.count(NAME, "failed", 1);
            }
        }
    }
    if done.is_empty() {
        return Ok(());
    }
    // Before the deletion, so that each message that is gone has an entry. One that is received again has two.
    let unlogged = emptying.log.write(&sweep.store, &job.kind, &entries, sweep.clock.now()).await;
    tick.count(NAME, "unlogged", unlogged);
    // A message whose deletion fails is received again. It is then dropped, or handled once more
    // without harm.
    sweep.queue.delete(&job.dead, &done).await
}

/// A dead-letter queue that is being emptied.
struct Emptying<'a> {
    job: &'a JobType,
    /// How many messages may still be sent back or held because of their function; `None` if all may.
    left: Option<usize>,
    log: Log,
}

impl Emptying<'_> {
    /// What is done with a message now; `None` if it has to wait until its function works.
    fn allowed(
        &mut self,
        tick: &mut Tick,
        message: &ReceivedMessage,
        action: Action,
    ) -> Option<Action> {
        let is_old = message.sent_at + plan::HELD_FROM_AGE <= tick.now;
        let Some(left) = &mut self.left else { return Some(action) };
        if is_old || !plan::depends_on_the_function(&action) {
            return Some(action);
        }
        *left = left.checked_sub(1)?;
        tick.memory.redriven_at.insert(self.job.kind.clone(), tick.now.as_millis());
        // It may be held only when the function is known to work.
        Some(Action::Redrive)
    }
}

/// Carries out the decision about a message; whether the message may then be deleted.
async fn settle<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    job: &JobType,
    message: &ReceivedMessage,
    action: &Action,
    record: Option<&Record>,
) -> Result<bool, PortError> {
    match action {
        Action::Drop(_) => Ok(true),
        Action::IndexLeaseExpiry => {
            // A record that another pass has taken is left for the next receive of this message.
            let Some(record) = record.filter(|record| tick.touched.insert(record.key.clone()))
            else {
                return Ok(false);
            };
            // If the record has changed, the next receive of this message decides anew.
            Ok(sweep.store.index_lease_expiry(record).await? == Written::Yes)
        }
        Action::Redrive => {
            let queue = plan::back_to(job, message);
            let message = OutgoingMessage {
                purpose: Purpose::Redrive,
                sent_at: Some(message.sent_at),
                trace: message.trace.clone(),
                ..OutgoingMessage::new(
                    message.body().to_owned(),
                    message.wakes.clone(),
                    message.group.clone(),
                )
            };
            Ok(step::send(&sweep.queue, queue, &[message]).await == 0)
        }
        Action::Hold(rejection) => {
            let body = RejectedMessage::new(
                &job.kind,
                plan::came_from(job, message),
                message.message_id(),
                message.body(),
                rejection,
                sweep.clock.now(),
            );
            let body = body.in_group(message.group.as_deref()).traced(message.trace.as_ref());
            telemetry::rejected(&body);
            sweep.store.reject(&body).await?;
            Ok(true)
        }
    }
}
