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

use crate::{
    config::JobType,
    pass::rescue::ENDS,
    plan::redrive::{self as plan, Action},
    ports::{Ports, Sweep},
    records::read,
    step,
    tick::Tick,
};

/// Receives of one dead-letter queue in a tick, of ten messages each.
const MOST_RECEIVES: usize = 20;

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
    let mut left = plan::allowance(is_at_work(tick, job), redriven_at, tick.now);
    for _ in 0..MOST_RECEIVES {
        let messages = sweep.queue.receive(&job.dead, HIDDEN).await?;
        if messages.is_empty() {
            break;
        }
        empty(sweep, tick, job, messages, &mut left).await?;
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
    job: &JobType,
    messages: Vec<ReceivedMessage>,
    left: &mut Option<usize>,
) -> Result<(), PortError> {
    let asked: Vec<_> = messages.iter().map(|message| plan::asked(job, message)).collect();
    let mut known: Vec<String> =
        asked.iter().filter_map(|asked| Some(asked.as_ref().ok()?.key.clone())).collect();
    known.sort();
    known.dedup();
    let records = read(&sweep.store, known).await?;
    let mut done = Vec::new();
    for (message, asked) in messages.iter().zip(asked) {
        let (mut action, record) = match &asked {
            Ok(asked) => {
                let record = records.get(&asked.key);
                (plan::action(message, asked, record), record)
            }
            Err(rejection) => (Action::Hold(rejection.clone()), None),
        };
        action = plan::if_old(action, message, tick.now);
        let is_old = message.sent_at + plan::HELD_FROM_AGE <= tick.now;
        if plan::depends_on_the_function(&action)
            && !is_old
            && let Some(left) = left
        {
            if *left == 0 {
                tick.count(NAME, "waiting", 1);
                continue;
            }
            *left -= 1;
            tick.memory.redriven_at.insert(job.kind.clone(), tick.now.as_millis());
            // It may be held only when the function is known to work.
            if matches!(action, Action::Hold(_)) {
                action = Action::Redrive;
            }
        }
        match settle(sweep, tick, job, message, &action, record).await {
            Ok(true) => done.push(message.receipt.clone().unwrap_or_default()),
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
    // A message whose deletion fails is received again. It is then dropped, or handled once more
    // without harm.
    sweep.queue.delete(&job.dead, &done).await
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
        Action::Drop(why) => {
            tick.count(NAME, why, 1);
            Ok(true)
        }
        Action::IndexLeaseExpiry => {
            // A record that another pass has taken is left for the next receive of this message.
            let Some(record) = record.filter(|record| tick.touched.insert(record.key.clone()))
            else {
                return Ok(false);
            };
            // If the record has changed, the next receive of this message decides anew.
            let indexed = sweep.store.index_lease_expiry(record).await? == Written::Yes;
            tick.count(NAME, "lease_expiry_indexed", usize::from(indexed));
            Ok(indexed)
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
            let sent = step::send(&sweep.queue, queue, &[message]).await == 0;
            tick.count(NAME, "sent_back", usize::from(sent));
            Ok(sent)
        }
        Action::Hold(rejection) => {
            let queue = message.source.as_deref().unwrap_or(&job.normal.queue);
            let now = sweep.clock.now();
            let body = RejectedMessage::new(
                &job.kind,
                queue,
                message.message_id(),
                message.body(),
                rejection,
                now,
            );
            let body = body.in_group(message.group.as_deref()).traced(message.trace.as_ref());
            telemetry::rejected(&body);
            sweep.store.reject(&body).await?;
            tick.count(NAME, "held", 1);
            Ok(true)
        }
    }
}
