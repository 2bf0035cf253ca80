//! What operators ask for, as JSON.

use std::collections::BTreeMap;

use evenkeel::base::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{config::Config, fields::expect_one};

/// Jobs or messages that one request names by their keys.
pub const MOST_KEYS: usize = 100;

/// What one call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// The latest entries of the operations log.
    Latest,
    /// To stop the act with this id.
    Stop(String),
    /// To write down what became of an act that its caller does.
    Report(Reported),
    /// To do something.
    Do(Box<Request>),
}

/// How an act ended that its caller has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All is done.
    Done,
    /// It could not be done, or only a part of it.
    Failed,
    /// It was interrupted. What was done stays done.
    Stopped,
}

/// What became of an act that its caller does: the result that follows a [`Act::Note`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// The id of the note's entry.
    #[serde(rename = "report")]
    pub id: String,
    /// How it ended.
    pub state: Ended,
    /// Why it has failed.
    #[serde(default)]
    pub why: Option<String>,
    /// What was done, by outcome.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
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
        /// One job by its key, or all that a filter selects.
        on: On,
    },
    /// End jobs without a result.
    Cancel {
        /// One job by its key, or all that a filter selects.
        on: On,
    },
    /// Begin jobs anew, also those that have succeeded.
    Reset {
        /// One job by its key, or all that a filter selects.
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
        /// The dependency that the breaker guards, such as `rebrandly`.
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
    /// Give queues a fixed number of slots for a time, which balance leaves alone.
    Pin {
        /// Their keys in the parameter of mapping ids, such as `webhook-high`.
        queues: Vec<String>,
        /// `MaximumConcurrency` of each.
        slots: u32,
        /// When balance takes over again, in milliseconds since the epoch.
        until: u64,
    },
    /// Let event source mappings deliver again.
    Resume {
        /// Their keys in the parameter of mapping ids.
        queues: Vec<String>,
    },
    /// Write down what the caller is about to do itself. [`Reported`] follows when it is done.
    Note {
        /// The command, such as `submit`.
        what: String,
        /// What it is about, for those who read the log.
        #[serde(default)]
        about: String,
    },
}

/// What an act does to queues until its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// They deliver nothing.
    Pause,
    /// They keep a number of slots.
    Pin,
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
    /// The dependency that the jobs call, such as `rebrandly`.
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
            Self::Pin { .. } => "pin",
            Self::Resume { .. } => "resume",
            Self::Note { .. } => "note",
        }
    }

    /// What it does to queues until its time is over; `None` if it ends with its work.
    #[must_use]
    pub const fn hold(&self) -> Option<Hold> {
        match self {
            Self::Pause { .. } => Some(Hold::Pause),
            Self::Pin { .. } => Some(Hold::Pin),
            _ => None,
        }
    }

    /// When it ends what it does to queues; `None` if it ends with its work.
    pub(super) const fn held_until(&self) -> Option<Time> {
        match self {
            Self::Pause { until, .. } | Self::Pin { until, .. } => Some(Time::from_millis(*until)),
            _ => None,
        }
    }

    /// The queues that it holds, by the keys of their mappings.
    pub(super) const fn held(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Pause { queues, .. } | Self::Pin { queues, .. } => Some(queues),
            _ => None,
        }
    }

    /// Whether its caller does it, and reports when it is done.
    #[must_use]
    pub const fn is_note(&self) -> bool {
        matches!(self, Self::Note { .. })
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
        expect_one(call, &["act", "stop", "report"])?;
        if call.get("report").is_some() {
            let reported: Reported =
                serde_json::from_value(call.clone()).map_err(|error| format!("report: {error}"))?;
            return reported.check().map(|()| Self::Report(reported));
        }
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
}
