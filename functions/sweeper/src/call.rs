//! One call of the function: a tick, or a command.

use std::time::Duration;

use evenkeel::{
    base::{
        random::Random,
        time::{Clock, Time},
    },
    policy::ANSWER_RESERVE,
    ports::PortError,
    telemetry,
};
use serde_json::{Value, json};

use crate::{
    command::{self, Command},
    lead::Leader,
    pass::{Pass, audit, balance, observe, redrive, release, rescue},
    ports::{Ports, Sweep},
    survey::{View, survey},
    tick::{Report, Tick},
};

/// How much longer than the call the leader's lease lasts, so that no request of this call is still
/// under way when another sweeper leads.
const LEAD_GRACE: Duration = Duration::from_secs(2);

/// Longest time of the survey.
const SURVEY_TIME: Duration = Duration::from_secs(8);

/// Time that the other passes leave to `observe`.
const OBSERVE_TIME: Duration = Duration::from_secs(5);

/// Answers a call: runs a command if the call names one, else a tick. The error is a sentence: the
/// command is unknown, or a table could not be read.
pub async fn answer<P: Ports>(
    sweep: &Sweep<P>,
    call: &Value,
    deadline: Time,
) -> Result<Value, String> {
    let answer = match Command::read(call, &sweep.config)? {
        Some(command) => command::run(sweep, &command, deadline).await,
        None => tick(sweep, deadline).await.map(|report| json!(report)),
    };
    answer.map_err(|error| error.to_string())
}

/// Runs one tick. Fails only if it cannot find out whether it leads.
pub async fn tick<P: Ports>(sweep: &Sweep<P>, deadline: Time) -> Result<Report, PortError> {
    let (now, owner) = (sweep.clock.now(), sweep.random.token());
    let lead = Leader::take(&sweep.store, &owner, deadline + LEAD_GRACE, now).await?;
    let Some((mut leader, memory)) = lead else {
        return Ok(Report { another_leads: true, ..Report::default() });
    };
    let end = deadline.before(ANSWER_RESERVE);
    let limit = SURVEY_TIME.min(end.since(sweep.clock.now()));
    let from = memory.watched_from.clone();
    let seen = survey(&sweep.store, &sweep.queue, &sweep.config, &from, now);
    let mut cut_short = Vec::new();
    let view = tokio::time::timeout(limit, seen).await.unwrap_or_else(|_| {
        cut_short.push("survey");
        View::default()
    });
    let mut tick = Tick::new(owner, now, view, memory);
    tick.memory.forget(now);
    tick.memory.watched_from.clone_from(&tick.view.watched_next);
    for pass in Pass::ALL {
        // The earlier passes may not use up the time of `observe`: alarms depend on its metrics.
        let kept = if pass == Pass::Observe { Duration::ZERO } else { OBSERVE_TIME };
        let limit = pass.time_box().min(end.before(kept).since(sweep.clock.now()));
        let ran = tokio::time::timeout(limit, run(sweep, pass, &mut tick, &mut leader)).await;
        match ran {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                telemetry::port_failed(pass.name(), &error);
                cut_short.push(pass.name());
            }
            Err(_) => cut_short.push(pass.name()),
        }
    }
    let left = leader.leave(&sweep.store, &tick.memory, sweep.clock.now()).await;
    if let Err(error) = left {
        telemetry::port_failed("swap_note", &error);
    }
    telemetry::swept(&tick.done, &cut_short, sweep.clock.now().since(now));
    Ok(Report { another_leads: false, done: tick.done, cut_short })
}

async fn run<P: Ports>(
    sweep: &Sweep<P>,
    pass: Pass,
    tick: &mut Tick,
    leader: &mut Leader,
) -> Result<(), PortError> {
    match pass {
        Pass::Rescue => rescue::rescue(sweep, tick).await,
        Pass::Release => release::release(sweep, tick, leader).await,
        Pass::Redrive => redrive::redrive(sweep, tick).await,
        Pass::Audit => audit::audit(sweep, tick).await,
        Pass::Balance => balance::balance(sweep, tick).await,
        Pass::Observe => observe::observe(sweep, tick).await,
    }
}
