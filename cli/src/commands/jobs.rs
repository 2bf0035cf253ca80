//! `evenkeel jobs list`, `show` and `wait`.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    record::{Phase, Record},
};

use super::{
    dependencies,
    find::{absent, find, unreadable},
    rejected,
    shown::{history, indented, journal, listing},
};
use crate::{
    args::{ListJobs, ListedState, OneJob, WaitForJob},
    deployment::Deployment,
    due::{self, EVER, Listed, Position, Wanted, partitions},
    exit::{Exit, Failure},
    moment::Moment,
    output::Answer,
    ports::{Kept, Ports},
    schema,
    shapes::{Happened, JobShown, Noted},
    table::Fields,
    text::{json_with, redact},
};

/// From when on a job that is due looks stuck: ten ticks have not found it.
const STUCK_AFTER: Duration = Duration::from_mins(10);

/// Dependencies besides the shared ones whose parked jobs are listed without naming one: four partitions each.
const MOST_DEPENDENCIES: usize = 50;

/// Time between two reads of a record that is waited for.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Lists jobs from the index `due`.
pub(crate) async fn list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListJobs,
    moment: Moment,
) -> Result<Answer, Failure> {
    let (listed, left_out) = read_list(ports, stack, wanted, moment.now).await?;
    listing(&listed, left_out, moment)
}

/// Reads the jobs of a list, and says how many hosts with parked jobs were not asked.
pub(crate) async fn read_list<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &ListJobs,
    now: Time,
) -> Result<(Listed, usize), Failure> {
    let states = states(wanted);
    let types = stack.chosen(wanted.kind.as_deref())?;
    let (mut dependencies, mut left_out, mut units) = (Vec::new(), 0, 0.0);
    if let Some(dependency) = &wanted.dependency {
        dependencies.push(dependency.clone());
    } else if states.contains(&ListedState::Parked) {
        let known = dependencies::known(ports, stack).await?;
        let (first, rest) = known.first(MOST_DEPENDENCIES);
        dependencies.extend_from_slice(first);
        (left_out, units) = (rest, known.units);
    }
    let until = if wanted.stuck { now.before(STUCK_AFTER) } else { EVER };
    let query = Wanted {
        partitions: partitions(&types, &states, &dependencies),
        from: wanted.since.map(|span| now.before(span)).unwrap_or_default(),
        until,
        behind: wanted.page.cursor.as_deref().map(Position::read).transpose()?,
        most: usize::from(wanted.page.limit),
        states: states.iter().map(|state| state.name()).collect(),
        kind: wanted.kind.clone(),
        class: wanted.class.clone(),
        fingerprint: wanted.fingerprint.clone(),
        group: wanted.group.clone(),
    };
    let mut listed = due::list(ports, &stack.jobs, &query).await?;
    listed.units += units;
    Ok((listed, left_out))
}

/// The states to list: those that are named, or all that have not ended.
fn states(wanted: &ListJobs) -> Vec<ListedState> {
    use ListedState::{Parked, Queued, Running, Waiting};
    match wanted.state.as_slice() {
        [] if wanted.dependency.is_some() => vec![Parked],
        [] => vec![Queued, Running, Waiting, Parked],
        named => named.to_vec(),
    }
}

/// Shows a record.
pub(crate) async fn show<P: Ports>(
    ports: &P,
    stack: &Deployment,
    job: &OneJob,
    moment: Moment,
) -> Result<Answer, Failure> {
    let found = find(ports, stack, job).await?;
    match found.item {
        Some(Kept::Job(record)) => shown(&record, found.units, moment),
        Some(Kept::Rejected(message)) => rejected::shown(&message, found.units, moment),
        Some(Kept::Unreadable(why)) => Err(unreadable(&found.key, &why)),
        None => Err(absent(job)),
    }
}

/// Waits until a job has ended, and shows its record.
pub(crate) async fn wait<P: Ports>(
    ports: &P,
    stack: &Deployment,
    wanted: &WaitForJob,
    moment: Moment,
    clock: &impl Clock,
) -> Result<Answer, Failure> {
    let give_up_at = moment.now + wanted.timeout;
    let mut units = 0.0;
    loop {
        let found = find(ports, stack, &wanted.job).await?;
        units += found.units;
        match found.item {
            Some(Kept::Job(record)) if record.phase.ended_at().is_some() => {
                let has_succeeded = matches!(record.phase, Phase::Succeeded { .. });
                let exit = if has_succeeded { Exit::Done } else { Exit::No };
                let moment = Moment { now: clock.now(), ..moment };
                return Ok(shown(&record, units, moment)?.exit(exit));
            }
            Some(Kept::Unreadable(why)) => return Err(unreadable(&found.key, &why)),
            _ => {}
        }
        if clock.now() >= give_up_at {
            let message = format!("{:?} has not ended within the time", wanted.job.id);
            let hint = format!("`evenkeel jobs explain {}` says what it waits for", wanted.job.id);
            return Err(Failure::new(Exit::Failed, "timeout", message).hint(hint));
        }
        tokio::time::sleep(READ_EVERY).await;
    }
}

/// What is shown of a record, without secrets.
pub(crate) fn shape(record: &Record, units: f64) -> JobShown {
    let sensitive = schema::sensitive(record.kind());
    let json = |text: &str| json_with(text, &sensitive);
    let (mut why, mut lease_until, mut run_after, mut result) = (None, None, None, None);
    match &record.phase {
        Phase::Running { lease_until: until, .. } => lease_until = Some(until.as_millis()),
        Phase::Waiting { run_after: after, why: reason, .. }
        | Phase::Parked { run_after: after, why: reason } => {
            (run_after, why) = (Some(after.as_millis()), Some(redact(reason)));
        }
        Phase::Succeeded { result: found, .. } => result = Some(json(found)),
        Phase::Dead { why: reason, .. }
        | Phase::Cancelled { why: reason, .. }
        | Phase::Quarantined { why: reason, .. } => why = Some(redact(reason)),
        Phase::Queued { .. } => {}
    }
    let provisional = record.provisional.as_deref().map(json);
    JobShown {
        key: redact(&record.key),
        kind: record.kind().to_owned(),
        state: record.phase.name().to_owned(),
        why,
        dependency: record.work.dependency.clone(),
        queue: record.work.queue.clone(),
        priority: record.priority().to_owned(),
        group: record.work.group.clone(),
        trace: record.work.trace.as_ref().map(|trace| trace.id().to_owned()),
        created_at: record.work.created_at.as_millis(),
        deadline: record.work.deadline.map(Time::as_millis),
        lease_until,
        run_after,
        parked_since: record.parking.map(|parking| parking.since.as_millis()),
        ended_at: record.phase.ended_at().map(Time::as_millis),
        expires_at: record.expires_at().map(Time::as_millis),
        counts: record.counters.into(),
        fence: record.fence,
        history: record.history.iter().map(Happened::from).collect(),
        journal: record.journal.iter().map(Noted::from).collect(),
        payload: json(&record.work.payload),
        provisional: provisional.is_some(),
        result: result.or(provisional),
        read_units: units,
    }
}

fn shown(record: &Record, units: f64, moment: Moment) -> Result<Answer, Failure> {
    let shape = shape(record, units);
    let mut fields = Fields::default();
    fields.add("key", &shape.key);
    fields.add("state", &shape.state);
    fields.add_some("why", shape.why.as_ref());
    fields.add("dependency", &shape.dependency);
    fields.add("queue", &shape.queue);
    fields.add_some("group", shape.group.as_ref());
    fields.add_some("trace", shape.trace.as_ref());
    let counts = shape.counts;
    fields.add(
        "counts",
        format!(
            "{} attempts, {} deferrals, {} crashes; {} claims of {} messages",
            counts.attempts, counts.defers, counts.crashes, counts.claims, counts.receives
        ),
    );
    for (name, ms) in [
        ("created", Some(shape.created_at)),
        ("deadline", shape.deadline),
        ("lease until", shape.lease_until),
        ("runs after", shape.run_after),
        ("parked since", shape.parked_since),
        ("ended", shape.ended_at),
        ("expires", shape.expires_at),
    ] {
        fields.add_some(name, ms.map(|ms| moment.show(Time::from_millis(ms))));
    }
    if !shape.history.is_empty() {
        fields.block("history", &history(&shape.history, moment));
    }
    if !shape.journal.is_empty() {
        fields.block("journal", &journal(&shape.journal, moment));
    }
    fields.block("payload", &indented(&shape.payload));
    if let Some(result) = &shape.result {
        let name = if shape.provisional { "provisional result" } else { "result" };
        fields.block(name, &indented(result));
    }
    Answer::one(&shape, fields.text())
}
