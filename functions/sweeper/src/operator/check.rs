//! What is wrong with a request: a sentence that names the field and what was expected.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::forced::SLOWEST_SET_PACE,
    message::Flaw,
    record::due::{Parked, due_partitions},
};

use super::{
    entry::LONGEST_SETTING,
    request::{Act, Filter, MOST_KEYS, On, Reported, Request, Setting},
};
use crate::{
    config::{Config, JobType},
    plan::balance::{LEAST, MOST},
};

/// Longest reason, in bytes, so that an entry of the log stays small.
const REASON_BYTES: usize = 500;

/// Counts of a reported result, and the longest name of one in bytes.
const MOST_COUNTS: usize = 100;
const COUNT_BYTES: usize = 60;

/// Longest key of a job that is named, in bytes.
const KEY_BYTES: usize = 512;

/// States by which jobs are found through the index `due`.
const FOUND: [&str; 5] = ["queued", "waiting", "parked", "dead", "quarantined"];

impl Request {
    /// Fails with what is wrong first.
    pub(super) fn check(&self, config: &Config, now: Time) -> Result<(), String> {
        if self.reason.len() > REASON_BYTES || self.by.len() > REASON_BYTES {
            return Err(format!("reason: expected at most {REASON_BYTES} bytes"));
        }
        let is_single =
            self.act.keys().len() == 1 || matches!(self.act, Act::Resume { .. } | Act::Note { .. });
        if self.reason.trim().is_empty() && !is_single && !self.dry_run {
            return Err("reason: missing; expected why, for those who read the log".to_owned());
        }
        match &self.act {
            Act::Retry { on } | Act::Cancel { on } | Act::Reset { on } => {
                on.check(config, self.dry_run, now)
            }
            Act::Release { messages, kind, flaw, as_of } => {
                check_release(messages, kind.as_deref(), flaw.as_deref(), config)?;
                if messages.is_empty() { check_as_of(*as_of, self.dry_run, now) } else { Ok(()) }
            }
            Act::Breaker { dependency, set, until } => {
                check_name("dependency", dependency)?;
                match (set, until) {
                    (Setting::Auto, None) => Ok(()),
                    (Setting::Open | Setting::Close, Some(end)) => check_end("until", *end, now),
                    (Setting::Auto, Some(_)) => Err("until: expected none with auto".to_owned()),
                    (_, None) => Err("until: missing; expected when it ends".to_owned()),
                }
            }
            Act::Limiter { name, pace, stop_until } => {
                check_name("name", name)?;
                if pace.is_some_and(|pace| !(SLOWEST_SET_PACE..=1_000).contains(&pace)) {
                    return Err(format!("pace: expected {SLOWEST_SET_PACE} to 1000 thousandths"));
                }
                if pace.is_none() && stop_until.is_none() {
                    return Err("pace: missing; expected pace, stop_until or both".to_owned());
                }
                stop_until.map_or(Ok(()), |end| check_end("stop_until", end, now))
            }
            Act::Pause { queues, until } => {
                check_queues(queues, config)?;
                check_end("until", *until, now)
            }
            Act::Pin { queues, slots, until } => {
                check_queues(queues, config)?;
                if !(LEAST..=MOST).contains(slots) {
                    return Err(format!("slots: {slots}, expected {LEAST} to {MOST}"));
                }
                check_end("until", *until, now)
            }
            Act::Resume { queues } => check_queues(queues, config),
            Act::Note { what, about } => {
                check_name("what", what)?;
                let is_good = about.len() <= REASON_BYTES;
                if is_good {
                    Ok(())
                } else {
                    Err(format!("about: expected at most {REASON_BYTES} bytes"))
                }
            }
        }
    }
}

impl Reported {
    /// Fails with what is wrong first.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.why.as_ref().is_some_and(|why| why.len() > REASON_BYTES) {
            return Err(format!("why: expected at most {REASON_BYTES} bytes"));
        }
        let is_long = |name: &String| name.len() > COUNT_BYTES;
        if self.counts.len() > MOST_COUNTS || self.counts.keys().any(is_long) {
            return Err(format!(
                "counts: expected at most {MOST_COUNTS}, with names of {COUNT_BYTES} bytes"
            ));
        }
        Ok(())
    }
}

/// How far ahead the clock of a caller may be.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// An act on what matches names the time of its preview. A time to come would hit what does not exist yet.
fn check_as_of(as_of: u64, dry_run: bool, now: Time) -> Result<(), String> {
    if dry_run || (1..=(now + CLOCK_SKEW).as_millis()).contains(&as_of) {
        return Ok(());
    }
    let found = if as_of == 0 { "missing".to_owned() } else { as_of.to_string() };
    Err(format!("as_of: {found}; expected the as_of of the preview, a call with dry_run"))
}

fn check_name(field: &str, name: &str) -> Result<(), String> {
    let is_good = !name.trim().is_empty() && name.len() <= KEY_BYTES;
    if is_good { Ok(()) } else { Err(format!("{field}: expected 1 to {KEY_BYTES} bytes")) }
}

fn check_end(field: &str, end: u64, now: Time) -> Result<(), String> {
    let is_good = (now.as_millis() + 1..=(now + LONGEST_SETTING).as_millis()).contains(&end);
    let days = LONGEST_SETTING.as_secs() / 86_400;
    if is_good {
        Ok(())
    } else {
        Err(format!("{field}: {end}, expected milliseconds since 1970 within {days} days from now"))
    }
}

fn check_keys(field: &str, keys: &[String]) -> Result<(), String> {
    if keys.len() > MOST_KEYS {
        return Err(format!("{field}: {} keys, expected at most {MOST_KEYS}", keys.len()));
    }
    keys.iter().try_for_each(|key| check_name(field, key))
}

fn check_queues(queues: &[String], config: &Config) -> Result<(), String> {
    let known: Vec<&str> = config
        .types
        .iter()
        .flat_map(JobType::sources)
        .map(|source| source.mapping.as_str())
        .collect();
    match queues.iter().find(|name| !known.contains(&name.as_str())) {
        Some(other) => Err(format!("queues: {other:?}, expected some of {}", known.join(", "))),
        None if queues.is_empty() => Err("queues: expected at least one".to_owned()),
        None => Ok(()),
    }
}

fn check_type<'a>(kind: &str, config: &'a Config) -> Result<&'a JobType, String> {
    config.job_type(kind).ok_or_else(|| {
        let known: Vec<&str> = config.types.iter().map(|job| job.kind.as_str()).collect();
        format!("type: {kind:?}, expected one of {}", known.join(", "))
    })
}

fn check_release(
    messages: &[String],
    kind: Option<&str>,
    flaw: Option<&str>,
    config: &Config,
) -> Result<(), String> {
    check_keys("messages", messages)?;
    if let Some(flaw) = flaw.filter(|flaw| Flaw::of(flaw).is_none()) {
        let known = Flaw::ALL.map(Flaw::name).join(", ");
        return Err(format!("flaw: {flaw:?}, expected one of {known}"));
    }
    match (messages, kind) {
        ([], None) => Err("messages: missing; expected keys or a type".to_owned()),
        ([], Some(kind)) => check_type(kind, config).map(drop),
        (_, Some(_)) => Err("type: expected either messages or a type".to_owned()),
        (_, None) => Ok(()),
    }
}

impl On {
    fn check(&self, config: &Config, dry_run: bool, now: Time) -> Result<(), String> {
        check_keys("jobs", &self.jobs)?;
        match (&self.filter, self.jobs.as_slice()) {
            (Some(filter), []) => {
                check_as_of(self.as_of, dry_run, now)?;
                filter.partitions(config).map(drop)
            }
            (None, [_, ..]) => Ok(()),
            _ => Err("on: expected either jobs or a filter".to_owned()),
        }
    }
}

impl Filter {
    /// The partitions of the index `due` that hold all jobs that may match. The error names what is wrong or missing.
    pub fn partitions(&self, config: &Config) -> Result<Vec<String>, String> {
        let job = check_type(&self.kind, config)?;
        if let Some(other) = self.states.iter().find(|state| !FOUND.contains(&state.as_str())) {
            return Err(format!("states: {other:?}, expected some of {}", FOUND.join(", ")));
        }
        let has = |name: &str| self.states.iter().any(|state| state == name);
        let mut names = Vec::new();
        for state in ["queued", "waiting"].into_iter().filter(|state| has(state)) {
            names.extend(job.sources().map(|source| format!("{state}#{}", source.queue)));
        }
        if has("dead") || has("quarantined") {
            names.push(format!("dead#{}", self.kind));
        }
        let mut partitions: Vec<String> = names.into_iter().flat_map(due_partitions).collect();
        if has("parked") {
            let dependency = self.dependency.as_ref().or(job.dependency.as_ref());
            let dependency = dependency.ok_or_else(|| {
                let kind = &self.kind;
                format!("dependency: missing; parked jobs of {kind} are found by their dependency")
            })?;
            let Parked { dated, plain } = Parked::of(dependency);
            partitions.extend([dated, plain].into_iter().flatten().flatten());
        }
        Ok(partitions)
    }
}
