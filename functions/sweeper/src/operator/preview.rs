//! What an act would do: how many jobs, some of them, and how long it takes at the pace of their limiter.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock as _, Time, millis},
    ports::{
        PortError,
        maintenance::{DueJob, TableMaintenance as _},
    },
    record::due::due_partitions,
};
use serde_json::{Value, json};

use super::{
    jobs::{PAGE, interval, is_wanted, last_due, whole_page},
    request::{Act, Filter, On, Request},
};
use crate::{
    plan::operate::{JobAct, Mark, Verdict, decide},
    ports::{Ports, Sweep},
    records::read,
};

/// Jobs that are counted. Beyond that there are "more".
const COUNTED: usize = 1_000;

/// Jobs that are named.
const SAMPLES: usize = 5;

/// What was found so far.
#[derive(Default)]
struct Found {
    keys: Vec<String>,
    more: bool,
}

impl Found {
    fn is_full(&self) -> bool {
        self.keys.len() >= COUNTED
    }
}

/// Tells what a request would do, and changes nothing.
pub async fn preview<P: Ports>(
    sweep: &Sweep<P>,
    request: &Request,
    end: Time,
) -> Result<Value, PortError> {
    let as_of = sweep.clock.now();
    let (found, pace) = match &request.act {
        Act::Retry { on } => (jobs(sweep, JobAct::Retry, on, as_of, end).await?, pace(sweep, on)),
        Act::Cancel { on } => (jobs(sweep, JobAct::Cancel, on, as_of, end).await?, Duration::ZERO),
        Act::Reset { on } => (jobs(sweep, JobAct::Reset, on, as_of, end).await?, pace(sweep, on)),
        Act::Release { messages, kind, flaw, .. } => {
            let found = match kind {
                Some(kind) => rejected(sweep, kind, flaw.as_deref(), as_of, end).await?,
                None => Found { keys: messages.clone(), more: false },
            };
            (found, Duration::ZERO)
        }
        act => (Found { keys: names(act), more: false }, Duration::ZERO),
    };
    let count = u32::try_from(found.keys.len()).unwrap_or(u32::MAX);
    let samples: Vec<&String> = found.keys.iter().take(SAMPLES).collect();
    Ok(json!({
        "dry_run": true,
        "as_of": as_of.as_millis(),
        "count": count,
        "more": found.more,
        "samples": samples,
        "takes_ms": millis(pace * count),
    }))
}

fn pace<P: Ports>(sweep: &Sweep<P>, on: &On) -> Duration {
    let named = on.jobs.first().and_then(|key| key.split('#').next());
    let kind = on.filter.as_ref().map(|filter| filter.kind.as_str()).or(named);
    interval(&sweep.config, kind.unwrap_or_default())
}

/// What an act that is not about jobs or messages changes.
fn names(act: &Act) -> Vec<String> {
    match act {
        Act::Breaker { dependency, .. } => vec![dependency.clone()],
        Act::Limiter { name, .. } => vec![name.clone()],
        Act::Pause { queues, .. } | Act::Pin { queues, .. } | Act::Resume { queues } => {
            queues.clone()
        }
        _ => Vec::new(),
    }
}

/// The jobs that an act would change, or would cancel once their runs have ended.
async fn jobs<P: Ports>(
    sweep: &Sweep<P>,
    act: JobAct,
    on: &On,
    as_of: Time,
    end: Time,
) -> Result<Found, PortError> {
    let mark = Mark { op: "", owner: "", note: "" };
    let changes = |record: &evenkeel::record::Record| {
        !matches!(decide(act, record, mark, as_of, as_of), Verdict::Leave(_))
    };
    let Some(filter) = &on.filter else {
        let records = read(&sweep.store, on.jobs.clone()).await?;
        let keys = records.into_values().filter(|record| changes(record));
        return Ok(Found { keys: keys.map(|record| record.key).collect(), more: false });
    };
    matching(sweep, filter, as_of, end, changes).await
}

async fn matching<P: Ports>(
    sweep: &Sweep<P>,
    filter: &Filter,
    as_of: Time,
    end: Time,
    changes: impl Fn(&evenkeel::record::Record) -> bool,
) -> Result<Found, PortError> {
    let mut found = Found::default();
    for partition in filter.partitions(&sweep.config).map_err(PortError::Broken)? {
        let mut from = Time::default();
        loop {
            if found.is_full() || sweep.clock.now() >= end {
                found.more = true;
                return Ok(found);
            }
            let span = [from, last_due(&partition, as_of)];
            let due = whole_page(&sweep.store, &partition, span).await?;
            let (due, next) = before_the_last(due);
            let keys = due.iter().map(|due| due.key.clone()).filter(|key| !key.starts_with("q#"));
            let records = read(&sweep.store, keys.collect()).await?;
            let wanted = records.into_values();
            let wanted =
                wanted.filter(|record| is_wanted(filter, as_of, record) && changes(record));
            found.keys.extend(wanted.map(|record| record.key));
            match next {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    Ok(found)
}

/// The entries of a page that the next one does not show again, and when that begins; `None` if there is no other.
fn before_the_last(mut page: Vec<DueJob>) -> (Vec<DueJob>, Option<Time>) {
    let [first, last] = [page.first(), page.last()].map(|due| due.map(|due| due.due_at));
    let (Some(first), Some(last)) = (first, last) else { return (page, None) };
    if page.len() < PAGE {
        return (page, None);
    }
    if first == last {
        return (page, Some(last + Duration::from_millis(1)));
    }
    page.retain(|due| due.due_at < last);
    (page, Some(last))
}

/// The rejected messages of a type that would be sent again.
async fn rejected<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    flaw: Option<&str>,
    as_of: Time,
    end: Time,
) -> Result<Found, PortError> {
    let mut found = Found::default();
    for shard in due_partitions(format!("dead#{kind}")) {
        if found.is_full() || sweep.clock.now() >= end {
            found.more = true;
            break;
        }
        let due = sweep.store.due(&shard, [Time::default(), as_of], COUNTED).await?;
        found.more |= due.len() == COUNTED;
        for key in due.into_iter().map(|due| due.key).filter(|key| key.starts_with("q#")) {
            if found.is_full() || sweep.clock.now() >= end {
                found.more = true;
                break;
            }
            let is_wanted = match flaw {
                None => true,
                Some(flaw) => {
                    let held = sweep.store.rejected(&key).await?;
                    held.is_some_and(|held| held.rejection.flaw.name() == flaw)
                }
            };
            found.keys.extend(is_wanted.then_some(key));
        }
    }
    Ok(found)
}
