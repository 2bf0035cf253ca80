//! Redrive: empties the dead-letter queues. Each message is sent back, deleted, or kept as a record
//! for the operators.

use std::time::Duration;

use evenkeel::{
    base::time::Clock,
    message::{Letter, OutgoingMessage, Purpose, Quarantined},
    ports::{PortError, Store as _, Written, maintenance::QueueMaintenance as _},
    record::Record,
    telemetry,
};

use crate::{
    config::JobType,
    plan::redrive::{self as plan, Fate},
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
    for _ in 0..MOST_RECEIVES {
        let letters = sweep.queue.receive(&job.dead, HIDDEN).await?;
        if letters.is_empty() {
            break;
        }
        empty(sweep, tick, job, letters).await?;
    }
    Ok(())
}

/// Settles and deletes the messages of one receive.
async fn empty<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    job: &JobType,
    letters: Vec<Letter>,
) -> Result<(), PortError> {
    let asked: Vec<_> = letters.iter().map(|letter| plan::asked(job, letter)).collect();
    let mut known: Vec<String> =
        asked.iter().filter_map(|asked| Some(asked.as_ref().ok()?.key.clone())).collect();
    known.sort();
    known.dedup();
    let records = read(&sweep.store, known).await?;
    let mut done = Vec::new();
    for (letter, asked) in letters.iter().zip(asked) {
        let (fate, record) = match &asked {
            Ok(asked) => {
                let record = records.get(&asked.key);
                (plan::fate(letter, asked, record), record)
            }
            Err(rejection) => (Fate::Hold(rejection.clone()), None),
        };
        match settle(sweep, tick, job, letter, &fate, record).await {
            Ok(true) => done.push(letter.receipt.clone()),
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
    letter: &Letter,
    fate: &Fate,
    record: Option<&Record>,
) -> Result<bool, PortError> {
    match fate {
        Fate::Drop(why) => {
            tick.count(NAME, why, 1);
            Ok(true)
        }
        Fate::Arm => {
            // A record that another pass has taken is left for the next receive of this message.
            let Some(record) = record.filter(|record| tick.touched.insert(record.key.clone()))
            else {
                return Ok(false);
            };
            // If the record has changed, the next receive of this message decides anew.
            let armed = sweep.store.arm(record).await? == Written::Yes;
            tick.count(NAME, "armed", usize::from(armed));
            Ok(armed)
        }
        Fate::Redrive => {
            let queue = plan::back_to(job, letter);
            let message = OutgoingMessage {
                purpose: Purpose::Redrive,
                sent_at: Some(letter.sent_at),
                ..OutgoingMessage::new(
                    letter.body.clone(),
                    letter.wakes.clone(),
                    letter.group.clone(),
                )
            };
            let sent = step::send(&sweep.queue, queue, &[message]).await == 0;
            tick.count(NAME, "sent_back", usize::from(sent));
            Ok(sent)
        }
        Fate::Hold(rejection) => {
            let queue = letter.source.as_deref().unwrap_or(&job.normal.queue);
            let now = sweep.clock.now();
            let body = Quarantined::new(
                &job.kind,
                queue,
                &letter.message_id,
                &letter.body,
                rejection,
                now,
            );
            telemetry::quarantined(&body);
            sweep.store.quarantine(&body).await?;
            tick.count(NAME, "held", 1);
            Ok(true)
        }
    }
}
