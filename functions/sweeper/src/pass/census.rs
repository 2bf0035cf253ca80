//! Census: counts the parked jobs of the dependencies that are not observed one by one. There may be thousands, such as
//! the hosts of pages, so a tick counts some of them, and the next one goes on.

use evenkeel::{base::time::Time, ports::PortError, record::due::Parked, telemetry};

use crate::{
    entries::{Entries, entries_in, longest_parked},
    memory::Census,
    plan::observation::{Observation, Others},
    ports::{Ports, Sweep},
    records::together,
    tick::Tick,
};

/// Dependencies that a tick counts. With no more than these, each tick knows all.
const MOST: usize = 250;

/// What is known of all other dependencies together.
pub(super) async fn others<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    seen: &Observation,
) -> Others {
    let others = tick.view.dependencies.iter();
    let others = others.filter(|(name, _)| !seen.dependencies.contains_key(*name));
    let is_open = others.filter(|(_, known)| known.breaker.at(tick.now).state.refuses_calls());
    let open_breakers = is_open.count() as u64;
    count_some(sweep, tick, seen).await;
    let Census { parked, longest_since, ended_at, .. } = match &tick.memory.counted {
        // The first round is not over: what it has found so far is the least that there is.
        counted if counted.ended_at == 0 => &tick.memory.census,
        counted => counted,
    };
    let longest = (*longest_since > 0).then(|| tick.now.since(Time::from_millis(*longest_since)));
    Others {
        open_breakers,
        parked: *parked,
        longest_parked_s: longest.map(|span| span.as_secs()),
        counted_at: *ended_at,
    }
}

/// Counts the next dependencies of the round in progress. One that cannot be read is left out.
async fn count_some<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick, seen: &Observation) {
    let round = &tick.memory.census;
    let others = tick.view.notes.keys().filter(|name| !seen.dependencies.contains_key(*name));
    let next: Vec<&String> = others.filter(|name| **name > round.after).take(MOST).collect();
    let is_last = next.len() < MOST;
    let after = next.last().map(|name| (*name).clone());
    // The release has read the jobs of those whose breaker is closed, and found none for most of them.
    let is_empty = |name: &&String| tick.view.parked.get(*name) == Some(&0);
    let counts = next.into_iter().filter(|name| !is_empty(name)).map(|name| count(sweep, name));
    let counts = together(counts.collect()).await;
    let round = &mut tick.memory.census;
    for (_, found) in counts {
        match found {
            Ok((parked, since)) => {
                round.parked += parked;
                let since = since.map_or(0, Time::as_millis);
                let known = [round.longest_since, since].into_iter().filter(|since| *since > 0);
                round.longest_since = known.min().unwrap_or_default();
            }
            Err(error) => telemetry::port_failed("census", &error),
        }
    }
    round.after = after.unwrap_or_default();
    if is_last {
        tick.memory.counted = Census { ended_at: tick.now.as_millis(), ..round.clone() };
        tick.memory.census = Census::default();
    }
}

/// The number of a dependency's parked jobs, up to the cap of each shard, and since when the longest of the first ones
/// has been parked.
async fn count<P: Ports>(sweep: &Sweep<P>, name: &str) -> Result<(u64, Option<Time>), PortError> {
    let Parked { dated, plain } = Parked::of(name);
    let partitions = [dated.concat(), plain.concat()].concat();
    let Entries { count, first, .. } = entries_in(&sweep.store, &partitions).await?;
    Ok((count, longest_parked(&sweep.store, first).await?))
}
