//! Works on an open act, in a call of the operator or in a tick of the sweeper. Whoever works on it notes until when,
//! so that another does not begin beside it. Correctness does not depend on that: the records are fenced.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock as _, Time},
    ports::PortError,
};

use super::{
    entry::{Entry, Progress, State},
    gates, jobs,
    log::{self, Logged},
    queues, rejected,
    request::Act,
};
use crate::{
    plan::operate::JobAct,
    ports::{Ports, Sweep},
};

/// How much longer than planned a call may work before another takes over.
const GRACE: Duration = Duration::from_secs(15);

/// Does as much of an act as there is time for until `end`, and writes down how far it is.
pub async fn carry_on<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    end: Time,
) -> Result<(), PortError> {
    let now = sweep.clock.now();
    // What is held is let go in any case, however late.
    if logged.entry.latest_end() <= now && logged.entry.act.hold().is_none() {
        give_up(&mut logged.entry, now);
        return finish(sweep, logged, now).await;
    }
    logged.entry.state = State::Running;
    logged.entry.busy_until = (end + GRACE).as_millis();
    if !logged.save(&sweep.store, now).await? {
        return Ok(());
    }
    let worked = act(sweep, logged, end).await;
    let now = sweep.clock.now();
    logged.entry.busy_until = 0;
    match &worked {
        Ok(Progress::Taken) => {
            logged.yield_to(&sweep.store, now).await;
            return Ok(());
        }
        Ok(Progress::Done) => {
            logged.entry.why = None;
            logged.entry.end(State::Done, now);
        }
        Ok(Progress::Later) => {}
        Err(error) => logged.entry.why = Some(error.to_string()),
    }
    if logged.entry.latest_end() <= now && !logged.entry.is_over() {
        give_up(&mut logged.entry, now);
    }
    finish(sweep, logged, now).await?;
    worked.map(drop)
}

/// Ends an act that was open for too long. What has held it up becomes a part of the reason.
fn give_up(entry: &mut Entry, now: Time) {
    let left = entry.why.take();
    entry.why = Some(if entry.act.is_note() {
        "its caller has not said within a day what became of it".to_owned()
    } else if entry.act.hold().is_some() {
        let left = left.unwrap_or_else(|| "its queues could not be changed".to_owned());
        format!("not ended within seven days of its time: {left}")
    } else {
        let left = left.unwrap_or_else(|| "jobs are left".to_owned());
        format!("not done within seven days: {left}")
    });
    entry.end(State::Failed, now);
}

/// Writes the entry, and takes it off the list of what is open if it is over.
async fn finish<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    now: Time,
) -> Result<(), PortError> {
    if !logged.save(&sweep.store, now).await? {
        logged.yield_to(&sweep.store, now).await;
        return Ok(());
    }
    if logged.entry.is_over() {
        log::close(&sweep.store, &logged.entry.id).await?;
    }
    Ok(())
}

async fn act<P: Ports>(
    sweep: &Sweep<P>,
    logged: &mut Logged,
    end: Time,
) -> Result<Progress, PortError> {
    match logged.entry.act.clone() {
        Act::Retry { on } => jobs::work(sweep, logged, JobAct::Retry, &on, end).await,
        Act::Cancel { on } => jobs::work(sweep, logged, JobAct::Cancel, &on, end).await,
        Act::Reset { on } => jobs::work(sweep, logged, JobAct::Reset, &on, end).await,
        Act::Release { kind, flaw, as_of, .. } => {
            let of = rejected::Filter { kind: kind.as_deref(), flaw: flaw.as_deref(), as_of };
            rejected::work(sweep, logged, &of, end).await
        }
        Act::Breaker { dependency, set, until } => {
            gates::breaker(sweep, &mut logged.entry, &dependency, set, until).await
        }
        Act::Limiter { name, pace, stop_until } => {
            gates::limiter(sweep, &mut logged.entry, &name, pace, stop_until).await
        }
        Act::Pause { queues, until } => {
            queues::pause(sweep, logged, &queues, Time::from_millis(until)).await
        }
        Act::Pin { queues, slots, until } => {
            queues::pin(sweep, logged, &queues, slots, Time::from_millis(until)).await
        }
        Act::Resume { queues } => queues::resume(sweep, logged, &queues).await,
        // Its caller does it.
        Act::Note { .. } => Ok(Progress::Later),
    }
}
