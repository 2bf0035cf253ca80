//! What forms ask for: the values of a request, as a command of the command line. It then goes the same way as in a
//! terminal, through the operators' function and into its log.

use std::time::Duration;

use super::{
    params::Params,
    view::{ACT, ActForm, CONFIRM, Choice, Field},
};
use crate::{
    args::{
        ActOnJobs, AutoBreaker, BreakerCommand, Command, Confirmed, JobsCommand, ListedState,
        PauseQueues, Priority, QueuesCommand, RejectedCommand, ReleaseRejected, ResumeQueues,
        SetBreaker, Write,
    },
    exit::Failure,
    moment,
};

/// The values of the page that asks whether to act.
pub(super) const NAMES: [&str; 8] =
    ["do", "id", "type", "state", "fingerprint", "dependency", "priority", "for"];

/// The values of a form that is sent.
pub(super) const POSTED: [&str; 11] = [
    "do",
    "id",
    "type",
    "state",
    "fingerprint",
    "dependency",
    "priority",
    "for",
    "reason",
    "as_of",
    "token",
];

/// An act that a form asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The job with this key.
    RetryJob(String),
    CancelJob(String),
    /// All jobs of a cluster of errors.
    RetryCluster {
        kind: String,
        state: ListedState,
        fingerprint: String,
    },
    /// Refuse all calls of a dependency, or allow them, for a time.
    ForceBreaker {
        dependency: String,
        is_open: bool,
        span: Duration,
    },
    /// The breaker of this dependency decides for itself again.
    FreeBreaker(String),
    Pause {
        kind: String,
        priority: Priority,
        span: Duration,
    },
    Resume {
        kind: String,
        priority: Priority,
    },
    /// The rejected message with this key.
    Release(String),
}

/// A value that must be there.
fn needed(params: &Params, name: &str) -> Result<String, Failure> {
    params.some(name).ok_or_else(|| Failure::usage(format!("{name}: expected a value")))
}

fn needed_span(params: &Params) -> Result<Duration, Failure> {
    let missing = || Failure::usage("for: expected a span such as 30m");
    params.span("for")?.ok_or_else(missing)
}

fn priority(params: &Params) -> Result<Priority, Failure> {
    let named = params.text("priority");
    let known = PRIORITIES.into_iter().find(|known| priority_name(*known) == named);
    known.ok_or_else(|| Failure::usage("priority: expected both, normal or high"))
}

/// Which queues of a type a form can name.
pub(super) const PRIORITIES: [Priority; 3] = [Priority::Both, Priority::Normal, Priority::High];

/// The name of a priority in a form.
pub(super) const fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::Both => "both",
        Priority::Normal => "normal",
        Priority::High => "high",
    }
}

/// The field of a form that says for how long something is set.
pub(super) fn for_how_long() -> Field {
    let option = |value: &str| Choice {
        value: value.to_owned(),
        label: value.to_owned(),
        is_chosen: value == "30m",
    };
    Field {
        name: "for".to_owned(),
        label: "For".to_owned(),
        options: ["10m", "30m", "2h", "12h", "24h", "7d"].map(option).to_vec(),
        ..Field::default()
    }
}

impl Act {
    /// Reads the values of a form. The error names the value and what was expected.
    pub(super) fn read(params: &Params) -> Result<Self, Failure> {
        Ok(match params.text("do") {
            "retry" => Self::RetryJob(needed(params, "id")?),
            "cancel" => Self::CancelJob(needed(params, "id")?),
            "release" => Self::Release(needed(params, "id")?),
            "retry_cluster" => {
                let &[state] = params.states()?.as_slice() else {
                    return Err(Failure::usage("state: expected the state of the jobs"));
                };
                let (kind, fingerprint) = (needed(params, "type")?, needed(params, "fingerprint")?);
                Self::RetryCluster { kind, state, fingerprint }
            }
            force @ ("open" | "close") => Self::ForceBreaker {
                dependency: needed(params, "dependency")?,
                is_open: force == "open",
                span: needed_span(params)?,
            },
            "auto" => Self::FreeBreaker(needed(params, "dependency")?),
            "pause" => Self::Pause {
                kind: needed(params, "type")?,
                priority: priority(params)?,
                span: needed_span(params)?,
            },
            "resume" => Self::Resume { kind: needed(params, "type")?, priority: priority(params)? },
            other => {
                let known =
                    "retry, cancel, retry_cluster, open, close, auto, pause, resume or release";
                return Err(Failure::usage(format!("do: {other:?}, expected {known}")));
            }
        })
    }

    /// The values from which [`Act::read`] reads it.
    pub(super) fn values(&self) -> Vec<(&'static str, String)> {
        let span = |span: &Duration| ("for", format!("{}s", span.as_secs()));
        let of_queues = |what: &str, kind: &String, priority: Priority| {
            let priority = priority_name(priority).to_owned();
            vec![("do", what.to_owned()), ("type", kind.clone()), ("priority", priority)]
        };
        let named = |what: &str, name: &'static str, value: &String| {
            vec![("do", what.to_owned()), (name, value.clone())]
        };
        match self {
            Self::RetryJob(key) => named("retry", "id", key),
            Self::CancelJob(key) => named("cancel", "id", key),
            Self::Release(key) => named("release", "id", key),
            Self::RetryCluster { kind, state, fingerprint } => {
                let mut values = named("retry_cluster", "type", kind);
                values.push(("state", state.name().to_owned()));
                values.push(("fingerprint", fingerprint.clone()));
                values
            }
            Self::ForceBreaker { dependency, is_open, span: length } => {
                let what = if *is_open { "open" } else { "close" };
                [named(what, "dependency", dependency), vec![span(length)]].concat()
            }
            Self::FreeBreaker(dependency) => named("auto", "dependency", dependency),
            Self::Pause { kind, priority, span: length } => {
                [of_queues("pause", kind, *priority), vec![span(length)]].concat()
            }
            Self::Resume { kind, priority } => of_queues("resume", kind, *priority),
        }
    }

    /// Whether a page asks first: what may do harm, or changes more than one job.
    pub(super) const fn is_dangerous(&self) -> bool {
        matches!(
            self,
            Self::CancelJob(_)
                | Self::RetryCluster { .. }
                | Self::ForceBreaker { .. }
                | Self::Pause { .. }
        )
    }

    /// Whether the operators' function refuses it without a reason.
    const fn needs_reason(&self) -> bool {
        matches!(self, Self::FreeBreaker(_)) || self.is_dangerous()
    }

    /// What is done, as a sentence.
    pub(super) fn sentence(&self) -> String {
        let for_so_long = |span: &Duration| moment::span(*span);
        let queues = |kind: &String, priority: &Priority| match priority {
            Priority::Both => format!("both queues of {kind}"),
            other => format!("the queue of {} priority of {kind}", priority_name(*other)),
        };
        match self {
            Self::RetryJob(key) => format!("Run {key} now."),
            Self::CancelJob(key) => {
                format!("End {key} without a result. One that runs is cancelled at its end.")
            }
            Self::RetryCluster { kind, state, fingerprint } => format!(
                "Run all {} jobs of {kind} with the fingerprint {fingerprint} again, with all their attempts.",
                state.name()
            ),
            Self::ForceBreaker { dependency, is_open: true, span } => format!(
                "Refuse all calls of {dependency} for {}: its jobs are parked.",
                for_so_long(span)
            ),
            Self::ForceBreaker { dependency, is_open: false, span } => format!(
                "Allow all calls of {dependency} for {}, whatever they answer.",
                for_so_long(span)
            ),
            Self::FreeBreaker(dependency) => {
                format!("Close the breaker of {dependency} and let it decide for itself again.")
            }
            Self::Pause { kind, priority, span } => {
                let (queues, span) = (queues(kind, priority), for_so_long(span));
                format!("Deliver no message of {queues} for {span}.")
            }
            Self::Resume { kind, priority } => {
                format!("Deliver the messages of {} again.", queues(kind, priority))
            }
            Self::Release(key) => format!("Send the rejected message {key} again."),
        }
    }

    /// The command that does it. `as_of` is the time of the list that was shown, for an act on many jobs.
    pub(super) fn command(&self, write: Write, as_of: Option<u64>) -> Command {
        let confirmed = Confirmed { yes: !write.dry_run, as_of };
        match self {
            Self::RetryJob(key) => {
                let id = Some(key.clone());
                Command::Jobs(JobsCommand::Retry(on_jobs(id, None, confirmed, write)))
            }
            Self::CancelJob(key) => {
                let id = Some(key.clone());
                Command::Jobs(JobsCommand::Cancel(on_jobs(id, None, confirmed, write)))
            }
            Self::RetryCluster { kind, state, fingerprint } => {
                let jobs = ActOnJobs {
                    state: vec![*state],
                    fingerprint: Some(fingerprint.clone()),
                    ..on_jobs(None, Some(kind.clone()), confirmed, write)
                };
                Command::Jobs(JobsCommand::Retry(jobs))
            }
            Self::ForceBreaker { dependency, is_open, span } => {
                let given = SetBreaker { dependency: dependency.clone(), span: *span, write };
                Command::Breaker(if *is_open {
                    BreakerCommand::Open(given)
                } else {
                    BreakerCommand::Close(given)
                })
            }
            Self::FreeBreaker(dependency) => {
                let dependency = dependency.clone();
                Command::Breaker(BreakerCommand::Auto(AutoBreaker { dependency, write }))
            }
            Self::Pause { kind, priority, span } => {
                let (kind, priority, span) = (kind.clone(), *priority, *span);
                Command::Queues(QueuesCommand::Pause(PauseQueues { kind, priority, span, write }))
            }
            Self::Resume { kind, priority } => {
                let (kind, priority) = (kind.clone(), *priority);
                Command::Queues(QueuesCommand::Resume(ResumeQueues { kind, priority, write }))
            }
            Self::Release(key) => {
                let (keys, kind, flaw) = (vec![key.clone()], None, None);
                let given = ReleaseRejected { keys, kind, flaw, confirmed, write };
                Command::Rejected(RejectedCommand::Release(given))
            }
        }
    }

    /// The form that does it at once, or that leads to the page that asks first. What `fields` name is left to whoever
    /// fills it in.
    pub(super) fn form(&self, submit: &str, key: char, mut fields: Vec<Field>) -> ActForm {
        let is_dangerous = self.is_dangerous();
        let hidden =
            self.values().into_iter().filter(|(name, _)| !fields.iter().any(|f| f.name == *name));
        let hidden = hidden.map(|(name, value)| (name.to_owned(), value)).collect();
        if !is_dangerous {
            fields.push(self.reason());
        }
        ActForm {
            action: if is_dangerous { CONFIRM } else { ACT }.to_owned(),
            title: submit.to_owned(),
            hidden,
            fields,
            submit: submit.to_owned(),
            key: Some(key),
            is_dangerous,
            token: String::new(),
        }
    }

    /// The form that does it once it has been shown what it does, as of this time.
    pub(super) fn confirmed(&self, as_of: u64) -> ActForm {
        let values = self.values().into_iter();
        let mut hidden: Vec<_> = values.map(|(name, value)| (name.to_owned(), value)).collect();
        hidden.push(("as_of".to_owned(), as_of.to_string()));
        ActForm {
            action: ACT.to_owned(),
            title: "Do it".to_owned(),
            hidden,
            fields: vec![self.reason()],
            submit: "Do it".to_owned(),
            is_dangerous: self.is_dangerous(),
            ..ActForm::default()
        }
    }

    fn reason(&self) -> Field {
        let is_required = self.needs_reason();
        let label = if is_required { "Why" } else { "Why (optional)" };
        let (name, label) = ("reason".to_owned(), label.to_owned());
        Field { name, label, is_required, ..Field::default() }
    }
}

fn on_jobs(
    id: Option<String>,
    kind: Option<String>,
    confirmed: Confirmed,
    write: Write,
) -> ActOnJobs {
    ActOnJobs {
        id,
        kind,
        state: Vec::new(),
        class: None,
        fingerprint: None,
        group: None,
        dependency: None,
        older: None,
        all: false,
        confirmed,
        write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::cells;

    fn all() -> [Act; 9] {
        let span = Duration::from_mins(30);
        let text = || "a#g:</script>&=é".to_owned();
        let force = |is_open: bool| Act::ForceBreaker { dependency: text(), is_open, span };
        [
            Act::RetryJob(text()),
            Act::CancelJob(text()),
            Act::RetryCluster { kind: text(), state: ListedState::Dead, fingerprint: text() },
            force(true),
            force(false),
            Act::FreeBreaker(text()),
            Act::Pause { kind: text(), priority: Priority::High, span },
            Act::Resume { kind: text(), priority: Priority::Both },
            Act::Release(text()),
        ]
    }

    #[test]
    fn an_act_is_read_from_its_own_values() {
        for act in all() {
            let values = act.values();
            let values: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let path = cells::path(CONFIRM, &values);
            let query = path.split_once('?').unwrap().1;
            let params = Params::read(Some(query), &NAMES).unwrap();
            assert_eq!(Act::read(&params), Ok(act));
        }
    }

    #[test]
    fn what_may_do_harm_is_asked_first_and_needs_a_reason() {
        for act in all() {
            let form = act.form("Do", 'X', Vec::new());
            assert_eq!(form.is_post(), !act.is_dangerous(), "{act:?}");
            let confirmed = act.confirmed(7);
            assert!(confirmed.is_post());
            assert!(!act.is_dangerous() || confirmed.fields[0].is_required, "{act:?}");
            assert!(confirmed.hidden.contains(&("as_of".to_owned(), "7".to_owned())));
        }
    }

    #[test]
    fn a_value_that_is_missing_or_wrong_is_named() {
        for (query, part) in [
            ("do=reset&id=1", "do: \"reset\""),
            ("do=retry", "id: expected"),
            ("do=open&dependency=d", "for: expected"),
            ("do=pause&type=a&for=5m", "priority: expected"),
            ("do=retry_cluster&type=a&fingerprint=f", "state: expected"),
            ("do=retry_cluster&type=a&state=dead", "fingerprint: expected"),
        ] {
            let params = Params::read(Some(query), &NAMES).unwrap();
            let failure = Act::read(&params).unwrap_err();
            assert!(failure.message.starts_with(part), "{query}: {}", failure.message);
        }
    }
}
