//! Watch: after the passes of a tick, the sweeper stays awake while a shared dependency recovers, and looks at
//! it every three seconds. A tick a minute would add up to a minute to each outage.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    dependency::breaker::State,
    telemetry,
};

use crate::{
    lead::Leader,
    memory::Saved,
    pass::release,
    plan::release as plan,
    ports::{Ports, Sweep},
    tick::Tick,
};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(3);

/// For how long after the last change of its breaker a dependency is watched. Later, a tick a minute suffices:
/// an outage that old rarely ends within seconds, and the ramp of a recovery is over.
const WATCHED_FOR: Duration = Duration::from_mins(15);

/// Dependencies that are watched at the same time.
const MOST: usize = 50;

/// For how long a look plans releases: until the look after the next one.
const WINDOW: Duration = Duration::from_secs(6);

const NAME: &str = "watch";

/// Looks at recovering dependencies until there is none that a whole type shares, until another call asks for the
/// lead, or until `last` or `end` comes.
pub async fn watch<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    leader: &mut Leader,
    last: Time,
    end: impl Future<Output = ()>,
) {
    tokio::pin!(end);
    loop {
        let now = sweep.clock.now();
        let names = watched(sweep, tick, now);
        if !is_shared(sweep, names.first()) || now + EVERY * 2 >= last {
            return;
        }
        tokio::select! {
            biased;
            () = &mut end => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        let now = sweep.clock.now();
        match leader.renew(&sweep.store, now).await {
            Ok(true) if !leader.is_wanted(now) => {}
            Ok(_) => return,
            Err(error) => {
                telemetry::port_failed(NAME, &error);
                continue;
            }
        }
        tick.count(NAME, "looks", 1);
        let looked = release::again(sweep, tick, saved, &names, WINDOW);
        // On the heap: it is large, and all callers would hold it.
        let looked = Box::pin(tokio::time::timeout(last.since(now), looked));
        let ended = tokio::select! {
            biased;
            // A slow look must not cost the lead: another call would begin beside this one.
            () = leader.stay(&sweep.store, &sweep.clock) => return,
            ended = looked => ended,
        };
        if let Ok(Err(error)) = ended {
            telemetry::port_failed(NAME, &error);
            return;
        }
    }
}

fn is_shared<P: Ports>(sweep: &Sweep<P>, name: Option<&String>) -> bool {
    name.is_some_and(|name| {
        sweep.config.types.iter().any(|job| job.dependency.as_ref() == Some(name))
    })
}

/// The dependencies to look at: those with parked jobs whose breaker has changed lately and may let calls through
/// before the next tick, the shared ones first. A shared one whose breaker is not closed is among them in any
/// case: its jobs may be parked any moment.
fn watched<P: Ports>(sweep: &Sweep<P>, tick: &Tick, now: Time) -> Vec<String> {
    let mut names: Vec<(bool, String)> = Vec::new();
    for (name, known) in &tick.view.dependencies {
        let breaker = known.breaker.at(now);
        let is_shared = is_shared(sweep, Some(name));
        let has_parked = tick.view.parked.get(name).is_some_and(|parked| *parked > 0);
        let may_recover = match breaker.state {
            // Otherwise the next tick is in time.
            State::Open { retry_at, .. } => retry_at <= now + plan::TICK,
            State::HalfOpen { .. } => true,
            State::Closed | State::Forced { open: false, .. } => has_parked,
            State::Forced { open: true, .. } => false,
        };
        let is_recent = breaker.generation > 0 && breaker.since + WATCHED_FOR > now;
        if is_recent && may_recover && (has_parked || is_shared) {
            names.push((!is_shared, name.clone()));
        }
    }
    names.sort();
    names.truncate(MOST);
    names.into_iter().map(|(_, name)| name).collect()
}
