//! One call of the function: a tick, or a command.

use std::{future::pending, time::Duration};

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
    memory::Saved,
    metrics,
    pass::{Pass, audit, balance, history, observe, operate, redrive, release, rescue, watch},
    ports::{Ports, Sweep},
    survey::survey,
    tick::{Report, Tick},
};

/// Longest time of the survey.
const SURVEY_TIME: Duration = Duration::from_secs(8);

/// Minutes longer ago than this are not told after a survey that took too long.
const MOST_UNTOLD: Duration = Duration::from_mins(10);

/// Longest time of all passes together.
const LONGEST_PASSES: Duration = Duration::from_secs(48);

/// Time that the other passes leave to `observe`.
const OBSERVE_TIME: Duration = Duration::from_secs(5);

/// Answers a call: runs a command if the call names one, and a tick if it is an empty object. The error is a sentence:
/// the call is neither, the command is unknown, or a table could not be read.
pub async fn answer<P: Ports>(
    sweep: &Sweep<P>,
    call: &Value,
    deadline: Time,
) -> Result<Value, String> {
    let answer = match Command::read(call)? {
        Some(command) => command::run(sweep, &command, deadline).await,
        None => tick(sweep, deadline, pending()).await.map(|report| json!(report)),
    };
    answer.map_err(|error| error.to_string())
}

/// Runs one tick, and stays awake as long as [`watch`] has something to do: until another call asks for the
/// lead, the time is up, or `end` comes. Fails only if it cannot find out whether it leads.
pub async fn tick<P: Ports>(
    sweep: &Sweep<P>,
    deadline: Time,
    end: impl Future<Output = ()>,
) -> Result<Report, PortError> {
    let owner = sweep.random.token();
    let Some(mut leader) = Leader::take(&sweep.store, &owner, &sweep.clock).await? else {
        return Ok(Report { another_leads: true, ..Report::default() });
    };
    let (began, until) = (sweep.clock.now(), deadline.before(ANSWER_RESERVE));
    let mut cut_short = Vec::new();
    let (mut tick, mut saved) = begin(sweep, owner, until, &mut cut_short).await?;
    leader.renew(&sweep.store, sweep.clock.now()).await?;
    let lost = {
        // On the heap: it holds every pass.
        let passes = Box::pin(passes(sweep, &mut tick, &mut saved, until, &mut cut_short));
        tokio::select! {
            biased;
            () = leader.stay(&sweep.store, &sweep.clock) => true,
            () = passes => false,
        }
    };
    let line = metrics::of_tick(&tick.done, lost || !cut_short.is_empty(), tick.now);
    tick.tell(&sweep.config, line);
    if lost {
        cut_short.push("lead");
    } else {
        // `observe` has noted what was told. If it was cut short, what the other passes remember is still to be noted.
        if cut_short.contains(&Pass::Observe.name())
            && let Err(error) = saved.write(&sweep.store, &tick.memory, sweep.clock.now()).await
        {
            telemetry::port_failed("swap_note", &error);
        }
        watch::watch(sweep, &mut tick, &mut saved, &mut leader, until, end).await;
    }
    let now = sweep.clock.now();
    // Otherwise the memory is another call's.
    if leader.leads()
        && let Err(error) = saved.write(&sweep.store, &tick.memory, now).await
    {
        telemetry::port_failed("swap_note", &error);
    }
    if let Err(error) = leader.leave(&sweep.store, now).await {
        telemetry::port_failed("swap_note", &error);
    }
    telemetry::swept(&tick.done, &cut_short, now.since(began));
    Ok(Report { another_leads: false, done: tick.done, cut_short, told: tick.told })
}

/// Reads what the passes need.
async fn begin<P: Ports>(
    sweep: &Sweep<P>,
    owner: String,
    last: Time,
    cut_short: &mut Vec<&'static str>,
) -> Result<(Tick, Saved), PortError> {
    let now = sweep.clock.now();
    let (saved, mut memory) = Saved::read(&sweep.store, &owner).await?;
    let limit = SURVEY_TIME.min(last.since(now));
    let from = memory.watched_begin.clone();
    let counts_from = memory.counts_from(&sweep.config).unwrap_or(now);
    let seen = survey(&sweep.store, &sweep.queue, &sweep.config, &from, counts_from, now);
    let seen = tokio::time::timeout(limit, seen).await;
    if seen.is_err() {
        cut_short.push("survey");
        // Perhaps too many minutes were to be told: the next tick must not read as much.
        memory.skip_counts_before(now.before(MOST_UNTOLD));
    }
    let mut tick = Tick::new(owner, now, seen.unwrap_or_default(), memory);
    tick.memory.forget(now);
    tick.memory.watched_begin.clone_from(&tick.view.watched_next);
    Ok((tick, saved))
}

/// Runs every pass.
async fn passes<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    last: Time,
    cut_short: &mut Vec<&'static str>,
) {
    // The next tick comes a minute after this one.
    let end = last.min(tick.now + LONGEST_PASSES);
    for pass in Pass::ALL {
        // The earlier passes may not use up the time of `observe`: alarms depend on its metrics.
        let is_last = matches!(pass, Pass::Observe | Pass::History);
        let kept = if is_last { Duration::ZERO } else { OBSERVE_TIME };
        let limit = pass.time_box().min(end.before(kept).since(sweep.clock.now()));
        match tokio::time::timeout(limit, run(sweep, pass, tick, saved)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                telemetry::port_failed(pass.name(), &error);
                cut_short.push(pass.name());
            }
            Err(_) => cut_short.push(pass.name()),
        }
    }
}

async fn run<P: Ports>(
    sweep: &Sweep<P>,
    pass: Pass,
    tick: &mut Tick,
    saved: &mut Saved,
) -> Result<(), PortError> {
    match pass {
        Pass::Rescue => rescue::rescue(sweep, tick).await,
        Pass::Release => release::release(sweep, tick, saved).await,
        Pass::Redrive => redrive::redrive(sweep, tick).await,
        Pass::Operate => operate::operate(sweep, tick).await,
        Pass::Audit => audit::audit(sweep, tick).await,
        Pass::Balance => balance::balance(sweep, tick).await,
        Pass::Observe => observe::observe(sweep, tick, saved).await,
        Pass::History => history::history(sweep, tick).await,
    }
}
