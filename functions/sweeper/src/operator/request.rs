//! What operators ask for, as JSON, and what is wrong with it.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::forced::SLOWEST_SET_PACE,
    message::Flaw,
    record::due::{Parked, due_partitions},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{Config, JobType};

/// Jobs or messages that one request names by their keys.
pub const MOST_KEYS: usize = 100;

/// Longest reason, in bytes, so that an entry of the log stays small.
const REASON_BYTES: usize = 500;

/// Longest key of a job that is named, in bytes.
const KEY_BYTES: usize = 512;

/// What one call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The latest entries of the operations log.
    Latest,
    /// To stop the act with this id.
    Stop(String),
    /// To do something.
    Do(Box<Request>),
}

/// An act, who asks for it, and why.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What to do.
    pub act: Act,
    /// ARN of the caller, as the caller declares it.
    #[serde(default)]
    pub by: String,
    /// Why, for those who read the log later.
    #[serde(default)]
    pub reason: String,
    /// Whether only to tell what would be done.
    #[serde(default)]
    pub dry_run: bool,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Run jobs that wait now, and jobs that were given up or cancelled again with all their attempts.
    Retry {
        /// Which jobs.
        on: On,
    },
    /// End jobs without a result.
    Cancel {
        /// Which jobs.
        on: On,
    },
    /// Begin jobs anew, also those that have succeeded.
    Reset {
        /// Which jobs.
        on: On,
    },
    /// Send rejected messages again.
    Release {
        /// Keys of messages, `q#…`; empty if `type` names them.
        #[serde(default)]
        messages: Vec<String>,
        /// All messages of this job type's queues.
        #[serde(default, rename = "type")]
        kind: Option<String>,
        /// Of these only messages with this flaw.
        #[serde(default)]
        flaw: Option<String>,
        /// Only messages that were rejected by this time, in milliseconds since the epoch: when the list was shown.
        #[serde(default)]
        as_of: u64,
    },
    /// Open or close a breaker by hand, or let it decide for itself again.
    Breaker {
        /// Its dependency.
        dependency: String,
        /// What it does from now on.
        set: Setting,
        /// Until when, in milliseconds since the epoch; not with `auto`.
        #[serde(default)]
        until: Option<u64>,
    },
    /// Slow a limiter down, or stop its calls for a time.
    Limiter {
        /// The limiter's name.
        name: String,
        /// Its pace, in thousandths of the configured rate. It rises again with calls that succeed.
        #[serde(default)]
        pace: Option<u32>,
        /// Until when it gives no slot, in milliseconds since the epoch.
        #[serde(default)]
        stop_until: Option<u64>,
    },
    /// Pause event source mappings.
    Pause {
        /// Their keys in the parameter of mapping ids, such as `webhook-high`.
        queues: Vec<String>,
        /// When the sweeper resumes them, in milliseconds since the epoch.
        until: u64,
    },
    /// Let event source mappings deliver again.
    Resume {
        /// Their keys in the parameter of mapping ids.
        queues: Vec<String>,
    },
}

/// What a breaker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// It refuses all calls.
    Open,
    /// It allows all calls.
    Close,
    /// It decides for itself.
    Auto,
}

/// Which jobs: those that are named, or those that match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct On {
    /// Keys of jobs, at most [`MOST_KEYS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// What the jobs have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// With a filter: only what existed at this time, in milliseconds since the epoch. It is the `as_of` of the preview.
    #[serde(default)]
    pub as_of: u64,
}

/// What jobs have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// The job type.
    #[serde(rename = "type")]
    pub kind: String,
    /// States; empty for those that the act is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// The dependency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<String>,
    /// Class of the latest failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Fingerprint of the latest failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The message group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Only jobs that were created by this time, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_before: Option<u64>,
}

/// Longest time for which queues are paused, or a breaker or a limiter is set by hand.
const LONGEST_SETTING: Duration = Duration::from_hours(30 * 24);

/// States by which jobs are found through the index `due`.
const FOUND: [&str; 5] = ["queued", "waiting", "parked", "dead", "quarantined"];

impl Act {
    /// The name of the act in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Cancel { .. } => "cancel",
            Self::Reset { .. } => "reset",
            Self::Release { .. } => "release",
            Self::Breaker { .. } => "breaker",
            Self::Limiter { .. } => "limiter",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
        }
    }

    /// Whether it pauses queues, which only `resume` ends before its time.
    #[must_use]
    pub const fn is_pause(&self) -> bool {
        matches!(self, Self::Pause { .. })
    }

    /// The jobs that it is about, if it is about jobs.
    #[must_use]
    pub const fn on(&self) -> Option<&On> {
        match self {
            Self::Retry { on } | Self::Cancel { on } | Self::Reset { on } => Some(on),
            _ => None,
        }
    }

    /// The keys of the jobs or messages that it names.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match self {
            Self::Release { messages, .. } => messages,
            _ => self.on().map(|on| on.jobs.as_slice()).unwrap_or_default(),
        }
    }

    /// The states in which it looks for jobs unless its filter names some.
    const fn usual_states(&self) -> &'static [&'static str] {
        match self {
            Self::Retry { .. } => &["dead"],
            Self::Cancel { .. } => &["queued", "waiting", "parked"],
            _ => &["dead", "quarantined"],
        }
    }
}

impl Call {
    /// Reads a call. The error is a sentence that names the field and what was expected.
    pub fn read(call: &Value, config: &Config, now: Time) -> Result<Self, String> {
        if call.get("act").is_none() {
            return match call.get("stop").map(Value::as_str) {
                Some(Some(id)) => Ok(Self::Stop(id.to_owned())),
                Some(None) => Err("stop: expected the id of an entry of the log".to_owned()),
                None => Ok(Self::Latest),
            };
        }
        let mut request: Request =
            serde_json::from_value(call.clone()).map_err(|error| format!("request: {error}"))?;
        request.complete();
        request.check(config, now)?;
        Ok(Self::Do(Box::new(request)))
    }
}

impl Request {
    /// Writes out the states that a filter leaves to the act.
    fn complete(&mut self) {
        let usual = self.act.usual_states();
        if let Act::Retry { on } | Act::Cancel { on } | Act::Reset { on } = &mut self.act
            && let Some(filter) = on.filter.as_mut().filter(|filter| filter.states.is_empty())
        {
            filter.states = usual.iter().map(|state| (*state).to_owned()).collect();
        }
    }

    fn check(&self, config: &Config, now: Time) -> Result<(), String> {
        if self.reason.len() > REASON_BYTES || self.by.len() > REASON_BYTES {
            return Err(format!("reason: expected at most {REASON_BYTES} bytes"));
        }
        let is_single = self.act.keys().len() == 1 || matches!(self.act, Act::Resume { .. });
        if self.reason.trim().is_empty() && !is_single && !self.dry_run {
            return Err("reason: missing; expected why, for those who read the log".to_owned());
        }
        match &self.act {
            Act::Retry { on } | Act::Cancel { on } | Act::Reset { on } => {
                on.check(config, self.dry_run)
            }
            Act::Release { messages, kind, flaw, as_of } => {
                check_release(messages, kind.as_deref(), flaw.as_deref(), config)?;
                let is_shown = !messages.is_empty() || *as_of > 0 || self.dry_run;
                if is_shown { Ok(()) } else { Err(AS_OF.to_owned()) }
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
            Act::Resume { queues } => check_queues(queues, config),
        }
    }
}

const AS_OF: &str = "as_of: missing; expected the as_of of the preview, a call with dry_run";

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
    fn check(&self, config: &Config, dry_run: bool) -> Result<(), String> {
        check_keys("jobs", &self.jobs)?;
        match (&self.filter, self.jobs.as_slice()) {
            (Some(filter), []) if self.as_of > 0 || dry_run => filter.partitions(config).map(drop),
            (Some(_), []) => Err(AS_OF.to_owned()),
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
