//! Observe: publishes the present state as metrics and as notes for tools, with forecasts.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::{Clock as _, Time},
    dependency::{
        breaker::State,
        stats::{Bucket, TYPE_BUCKET, bucket_start},
    },
    ports::{
        PortError,
        maintenance::{MappingMaintenance as _, TableMaintenance},
        notes::NoteKey,
    },
    record::outcomes::{BUSY_MS, JOBS},
    telemetry,
};
use serde::Serialize;

use crate::{
    config::{JobType, name},
    entries::entries,
    memory::Saved,
    metrics,
    pass::{
        calls::{self, ByMinute},
        census, history,
        minutes::{self, Minutes},
    },
    plan::{
        forecast::{Forecast, forecast},
        observation::{DependencySeen, Observation, QueueSeen, TypeSeen},
        release::Dependency,
    },
    ports::{Ports, Sweep},
    records::read,
    tick::{Counts, Tick},
};

/// Dependencies whose calls and parked jobs a tick reads.
const MOST_DEPENDENCIES: usize = 50;

/// Age of the oldest observation that forecasts use.
const LOOK_BACK: Duration = Duration::from_mins(16);
/// How long observations are kept for tools.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// How long balance may be off, which has no end of its own: who turns it off in an incident has a day to turn it on
/// again.
const BALANCE_OFF_FOR: Duration = Duration::from_hours(24);

/// Kind of the note with the present state. Its only name is `now`.
pub const NOW: &str = "observe";
/// Kind of the notes with past observations. Each is named by its time in milliseconds since the
/// epoch, in 15 digits.
pub const HISTORY: &str = "history";

/// The content of the note `observe`, `now`.
#[derive(Debug, Serialize)]
struct Status<'a> {
    #[serde(flatten)]
    observation: &'a Observation,
    forecasts: &'a [Forecast],
    /// What the passes of this tick have done, by pass.
    done: &'a BTreeMap<&'static str, Counts>,
    /// Records by state, as the last complete walk through the table counted them.
    states: &'a BTreeMap<String, u64>,
    /// When that walk ended, in milliseconds since the epoch.
    states_at: u64,
}

/// Observes, and publishes metrics, notes and forecasts.
pub async fn observe<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
) -> Result<(), PortError> {
    if tick.view.depths.is_empty() {
        // The survey has failed. Zeros would look like empty queues.
        return Err(PortError::Unavailable("nothing was seen".into()));
    }
    let mut seen = Observation {
        at: tick.now.as_millis(),
        running: tick.view.running() as u64,
        stuck: tick.stuck as u64,
        need_person: quarantined(tick),
        ..Observation::default()
    };
    for job in &sweep.config.types {
        let of_job_type = job_type(sweep, tick, job).await?;
        seen.types.insert(job.kind.clone(), of_job_type.seen);
        seen.queues.extend(of_job_type.queues);
        seen.need_person += of_job_type.rejected;
        seen.paused_queues += of_job_type.paused;
        seen.overdue_pauses += of_job_type.overdue;
    }
    seen.overdue_pauses += u64::from(is_off_for_long(sweep.config.balance, tick));
    let mut of_dependencies = Vec::new();
    let before = Time::from_millis(tick.memory.observed_at);
    for (name, known) in watched_most(sweep, tick) {
        let from = minutes::calls_from(&sweep.config, &tick.memory, &name, tick.now);
        let (of_dependency, by_minute) =
            calls::observe(&sweep.store, &name, &known, from, tick.now).await?;
        let opened = known.breaker.down_since > before && before > Time::default();
        seen.dependencies.insert(name.clone(), DependencySeen { opened, ..of_dependency });
        of_dependencies.push((name, by_minute));
    }
    seen.others = census::others(sweep, tick, &seen).await;
    let from = format!("{:015}", tick.now.before(LOOK_BACK).as_millis());
    let before = sweep.store.notes(HISTORY, &from, 60).await?;
    let mut history: Vec<Observation> =
        before.iter().filter_map(|(_, text)| serde_json::from_str(text).ok()).collect();
    history.push(seen.clone());
    let forecasts = forecast(&history);
    let minutes = take(sweep, tick, saved, &mut seen, &of_dependencies).await;
    for line in metrics::lines(&sweep.config, &seen, &forecasts) {
        tick.tell(&sweep.config, line);
    }
    minutes::tell(sweep, tick, minutes).await;
    for forecast in &forecasts {
        let Forecast { what, about, in_s, evidence } = forecast;
        telemetry::forecast(what.name(), about, *in_s, evidence);
    }
    publish(sweep, tick, &seen, &forecasts).await
}

/// Takes the minutes that this tick tells, and notes that before it tells them: another tick then does not tell them
/// again, whatever becomes of this one. If it cannot be noted, the next tick tells them.
async fn take<P: Ports>(
    sweep: &Sweep<P>,
    tick: &mut Tick,
    saved: &mut Saved,
    seen: &mut Observation,
    of_dependencies: &[(String, ByMinute)],
) -> Minutes {
    // If the pass is cut short before the note is written, the memory stays as it was.
    let mut next = tick.memory.clone();
    next.observed_at = tick.now.as_millis();
    history::note_openings(&sweep.config, &mut next, seen, tick.now);
    let minutes = minutes::take(&sweep.config, &tick.view, &mut next, of_dependencies, tick.now);
    minutes::keep(&sweep.store, &tick.view, &mut next).await;
    match saved.write(&sweep.store, &next, sweep.clock.now()).await {
        Ok(true) => {
            tick.memory = next;
            return minutes;
        }
        // Another call leads, and tells them.
        Ok(false) => {}
        Err(error) => telemetry::port_failed("swap_note", &error),
    }
    seen.dependencies.values_mut().for_each(|seen| seen.opened = false);
    Minutes::default()
}

/// Publishes the notes for tools: the present state, and the observation among the past ones.
async fn publish<P: Ports>(
    sweep: &Sweep<P>,
    tick: &Tick,
    seen: &Observation,
    forecasts: &[Forecast],
) -> Result<(), PortError> {
    let now = serde_json::to_string(&Status {
        observation: seen,
        forecasts,
        done: &tick.done,
        states: &tick.memory.states,
        states_at: tick.memory.walked_at,
    });
    let place = NoteKey::new(HISTORY, format!("{:015}", tick.now.as_millis()));
    let past = serde_json::to_string(seen).unwrap_or_default();
    let (noted, kept) = tokio::join!(
        write(&sweep.store, NoteKey::new(NOW, "now"), now.unwrap_or_default(), tick.now),
        write(&sweep.store, place, past, tick.now),
    );
    noted.and(kept)
}

/// The dependencies to observe: those that a job type is configured with, then those whose breaker is not
/// closed, longest first, then those with the most parked jobs.
fn watched_most<P: Ports>(sweep: &Sweep<P>, tick: &Tick) -> Vec<(String, Dependency)> {
    let is_fixed =
        |name: &String| sweep.config.types.iter().any(|job| job.dependency.as_ref() == Some(name));
    let mut all: Vec<(String, Dependency)> = tick.view.dependencies.clone().into_iter().collect();
    all.sort_by_key(|(name, known)| {
        let is_closed = known.breaker.at(tick.now).state == State::Closed;
        let parked = tick.view.parked.get(name).copied().unwrap_or_default();
        (!is_fixed(name), is_closed, known.breaker.down_since, std::cmp::Reverse(parked))
    });
    all.truncate(MOST_DEPENDENCIES);
    all
}

/// Quarantined jobs, as far as the walks through the table and the counts since know.
fn quarantined(tick: &Tick) -> u64 {
    let walked = tick.memory.states.get("quarantined").copied().unwrap_or_default();
    walked + tick.memory.quarantined.iter().sum::<u64>()
}

async fn write<S: TableMaintenance>(
    store: &S,
    place: NoteKey,
    text: String,
    now: Time,
) -> Result<(), PortError> {
    store.put_note(&place, &text, now + KEPT_FOR).await
}

/// Takes note of whether balance is on; whether it has been off for too long.
fn is_off_for_long(is_on: bool, tick: &mut Tick) -> bool {
    let since = &mut tick.memory.balance_off_since;
    if is_on {
        *since = 0;
    } else if *since == 0 {
        *since = tick.now.as_millis();
    }
    !is_on && tick.now.since(Time::from_millis(*since)) > BALANCE_OFF_FOR
}

/// What was seen of a job type and its queues.
struct JobTypeSeen {
    seen: TypeSeen,
    queues: BTreeMap<String, QueueSeen>,
    /// Rejected messages, up to the cap of each shard.
    rejected: u64,
    /// Queues whose mapping is paused.
    paused: u64,
    /// Queues among these that no open act will resume.
    overdue: u64,
}

/// Observes a job type and its queues.
async fn job_type<P: Ports>(
    sweep: &Sweep<P>,
    tick: &Tick,
    job: &JobType,
) -> Result<JobTypeSeen, PortError> {
    let (view, now) = (&tick.view, tick.now);
    let mut queues = BTreeMap::new();
    let mut states: BTreeMap<String, u64> = BTreeMap::new();
    let (mut more, mut first) = (false, Vec::new());
    let (mut paused, mut overdue) = (0, 0);
    for source in job.sources() {
        let receives = view.first_receives(&job.kind, &source.queue);
        let mapping = sweep.mappings.concurrency(&source.mapping).await;
        if mapping == Ok(None) {
            paused += 1;
            // If it is not known what operators have paused, the pause may be one of theirs.
            let of_operators = tick.pauses.as_ref();
            overdue += u64::from(of_operators.is_some_and(|own| !own.contains(&source.mapping)));
        }
        let concurrency = mapping.ok().flatten().map(|mapping| mapping.slots);
        let Some(depth) = view.depths.get(&source.queue) else { continue };
        let oldest = receives.into_iter().max().map(|(_, sent_at)| now.since(sent_at).as_secs());
        let seen = QueueSeen {
            visible: depth.visible,
            in_flight: depth.in_flight,
            delayed: depth.delayed,
            dead_letter: false,
            concurrency,
            oldest_s: oldest,
        };
        queues.insert(source.name().to_owned(), seen);
        for state in ["queued", "waiting"] {
            let entries = entries(&sweep.store, &[format!("{state}#{}", source.queue)]).await?;
            *states.entry(state.to_owned()).or_default() += entries.count;
            more |= entries.more;
            first.extend(entries.first);
        }
    }
    let dead = entries(&sweep.store, &[format!("dead#{}", job.kind)]).await?;
    states.insert("dead".to_owned(), dead.count);
    more |= dead.more;
    if let Some(depth) = view.depths.get(&job.dead) {
        let (visible, in_flight, delayed) = (depth.visible, depth.in_flight, depth.delayed);
        let seen =
            QueueSeen { visible, in_flight, delayed, dead_letter: true, ..QueueSeen::default() };
        queues.insert(name(&job.dead).to_owned(), seen);
    }
    let records = read(&sweep.store, first).await?;
    let unfinished = records.values().filter(|record| record.phase.ended_at().is_none());
    let oldest = unfinished.map(|record| now.since(record.work.created_at).as_secs()).max();
    let received =
        queues.values().filter(|queue| queue.visible > 0).filter_map(|q| q.oldest_s).max();
    let seen = type_seen(view.stats.get(&job.kind), states, more, oldest.max(received), now);
    Ok(JobTypeSeen { seen, queues, rejected: dead.rejected, paused, overdue })
}

/// The observation of a job type: the last complete minute of its statistics, and what its records
/// say.
fn type_seen(
    subject: Option<&Vec<(Time, Bucket)>>,
    states: BTreeMap<String, u64>,
    more: bool,
    oldest_s: Option<u64>,
    now: Time,
) -> TypeSeen {
    let minute = bucket_start(now.before(TYPE_BUCKET), TYPE_BUCKET);
    let mut sum = Bucket::default();
    for (_, bucket) in subject.into_iter().flatten().filter(|(start, _)| *start == minute) {
        sum.add(bucket);
    }
    let took = sum.histogram('t');
    let seconds = |q: f64| took.quantile(q).map(|span| span.as_secs_f64());
    TypeSeen {
        succeeded: sum.count("succeeded"),
        retried: sum.count("retried"),
        deferred: sum.count("deferred"),
        parked: sum.count("parked"),
        dead: sum.count("dead"),
        crashed: sum.count("crashed"),
        quarantined: sum.count("quarantined"),
        jobs: sum.count(JOBS),
        busy_ms: sum.count(BUSY_MS),
        p50_s: seconds(0.5),
        p95_s: seconds(0.95),
        oldest_s,
        states,
        more,
    }
}
