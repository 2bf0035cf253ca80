//! What the next tick would do about jobs, by the decisions of its passes, without a write. It needs no lead.
//!
//! Dead letters are only counted, because a receive already changes them. The passes that serve the tables and the
//! metrics have no preview.

use std::collections::BTreeMap;

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::PortError,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Pass,
    operate::waits,
    redrive,
    release::{self, MOST, TOGETHER},
    rescue::{self, MOST_AGED, MOST_LOST},
};
use crate::{
    config::JobType,
    operator::log::{self, Logged},
    plan::{
        release::TICK,
        rescue::{AGED, Caution},
    },
    ports::{Ports, Sweep},
    records::together,
    step::Step,
    tick::Tick,
};

/// Keys that are named of each action.
const SAMPLES: usize = 5;

/// Open acts of operators that are read.
const MOST_ACTS: usize = 100;

/// What a pass would do.
#[derive(Clone, Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names of the answer's fields")]
struct Action {
    /// The name of the pass, and of its count.
    pass: &'static str,
    action: &'static str,
    /// How many times.
    count: u64,
    /// Keys of some of the records.
    samples: Vec<String>,
}

/// The actions so far, by pass and name.
#[derive(Default)]
struct Found(BTreeMap<(&'static str, &'static str), (u64, Vec<String>)>);

impl Found {
    fn add(&mut self, pass: Pass, action: &'static str, count: u64, keys: &[String]) {
        if count == 0 {
            return;
        }
        let (sum, samples) = self.0.entry((pass.name(), action)).or_default();
        *sum += count;
        let room = SAMPLES.saturating_sub(samples.len());
        samples.extend(keys.iter().take(room).cloned());
    }

    fn add_steps(&mut self, pass: Pass, action: &'static str, steps: &[Step]) {
        let keys: Vec<String> =
            steps.iter().take(SAMPLES).map(|step| step.record.key.clone()).collect();
        self.add(pass, action, steps.len() as u64, &keys);
    }
}

/// Tells what a tick would do now. `tick` has surveyed, and is used for nothing else.
pub async fn preview<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    end: Time,
) -> Result<Value, PortError> {
    let mut found = Found::default();
    rescued(sweep, tick, &mut found).await?;
    let is_whole = released(sweep, tick, &mut found, end).await?;
    for job in &sweep.config.types {
        let depth = tick.view.depths.get(&job.dead).copied().unwrap_or_default();
        found.add(Pass::Redrive, "received", depth.visible.min(redrive::MOST), &[]);
    }
    operated(sweep, &mut found).await?;
    let actions: Vec<Action> = found
        .0
        .into_iter()
        .map(|((pass, action), (count, samples))| Action { pass, action, count, samples })
        .collect();
    let as_of = tick.now.as_millis();
    Ok(json!({ "dry_run": true, "as_of": as_of, "whole": is_whole, "actions": actions }))
}

/// Jobs that are stuck, lost or aged.
async fn rescued<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    found: &mut Found,
) -> Result<(), PortError> {
    let stuck = rescue::find_stuck(sweep, tick).await?;
    let (caution, _) = rescue::caution(&stuck, tick.memory.stuck_ticks);
    let keys: Vec<String> = stuck.records.iter().map(|record| record.key.clone()).collect();
    let (action, many) = match caution {
        Caution::Rescue(most) => ("crashed", keys.len().min(most)),
        Caution::Doubt => ("doubted", keys.len()),
    };
    found.add(Pass::Rescue, action, many as u64, &keys);
    tick.touched.extend(keys);
    for job in &sweep.config.types {
        for source in job.sources() {
            let queue = source.queue.as_str();
            if let Some(until) = rescue::lost_before(tick, job, queue) {
                let steps = rescue::again(sweep, tick, [queue, queue], until, MOST_LOST).await?;
                found.add_steps(Pass::Rescue, "sent_again", &steps);
            }
        }
        found.add_steps(Pass::Rescue, "aged", &aged(sweep, tick, job).await?);
    }
    Ok(())
}

async fn aged<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    job: &JobType,
) -> Result<Vec<Step>, PortError> {
    if !rescue::may_copy(tick, job) {
        return Ok(Vec::new());
    }
    let queues = [job.normal.queue.as_str(), job.high.queue.as_str()];
    rescue::again(sweep, tick, queues, tick.now.before(AGED), MOST_AGED).await
}

/// Parked jobs that may go; whether all dependencies were looked at.
async fn released<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    found: &mut Found,
    end: Time,
) -> Result<bool, PortError> {
    if !tick.view.knows_watched {
        return Ok(false);
    }
    let (fixed, others) = release::in_turn(sweep, tick);
    let (mut memory, mut left) = (tick.memory.clone(), MOST);
    for some in std::iter::once(fixed.as_slice()).chain(others.chunks(TOGETHER)) {
        if left == 0 || sweep.clock.now() >= end {
            return Ok(left == 0);
        }
        let examined = some.iter().map(|name| release::examine(sweep, tick, name, TICK));
        let mut seen = together(examined.collect()).await;
        seen.sort_by_key(|(place, _)| *place);
        for (_, seen) in seen {
            let steps = release::steps_of(sweep, tick, &mut memory, seen?, TICK, left).await?;
            left = left.saturating_sub(steps.len());
            found.add_steps(Pass::Release, "released", &steps);
        }
    }
    Ok(true)
}

/// Acts of operators that would be carried on.
async fn operated<P: Ports>(sweep: &Sweep<P>, found: &mut Found) -> Result<(), PortError> {
    let now = sweep.clock.now();
    for (id, _) in log::open(&sweep.store).await?.into_iter().take(MOST_ACTS) {
        let Some(logged) = Logged::read(&sweep.store, &id).await? else { continue };
        if !logged.entry.is_over() && !waits(&logged.entry, now) {
            found.add(Pass::Operate, "carried_on", 1, &[id]);
        }
    }
    Ok(())
}
