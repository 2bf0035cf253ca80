//! Changes of a job's state, named by what tells them apart in a table: the states, and who makes the change.

use std::fmt;

use crate::record::{Phase, Record};

/// A change of a job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Move {
    /// [`Phase::name`] before; `none` if there was no record.
    pub from: &'static str,
    /// Who makes it; see [`Move::of`].
    pub by: &'static str,
    /// [`Phase::name`] after.
    pub to: &'static str,
}

impl Move {
    /// The change that a write makes. Who makes it follows from the two records:
    ///
    /// | `by` | what is written |
    /// |---|---|
    /// | `claim` | the beginning of a run, or that the job ends instead |
    /// | `run` | the end of a run, by the run |
    /// | `finder` | that a run never came back, by whoever has found its lease over |
    /// | `index` | the end of a lease on the index `due`, by a message that the job does not need |
    /// | `sweeper` | that the job waits for a message which is about to be sent |
    /// | `creator` | a job that another job creates |
    /// | `operator` | a job that has ended begins anew without a sender, or is cancelled |
    /// | `type` | the end of a job whose type no longer takes its payload |
    #[must_use]
    pub fn of(before: Option<&Record>, after: &Record) -> Self {
        let from = before.map_or("none", |before| before.phase.name());
        Self { from, by: by(before, after), to: after.phase.name() }
    }
}

fn by(before: Option<&Record>, after: &Record) -> &'static str {
    let Some(before) = before else {
        return if matches!(after.phase, Phase::Queued { .. }) { "creator" } else { "claim" };
    };
    let was_running = matches!(before.phase, Phase::Running { .. });
    let has_ended = before.phase.ended_at().is_some();
    match &after.phase {
        Phase::Queued { .. } => "creator",
        Phase::Cancelled { .. } => "operator",
        Phase::Waiting { .. } if has_ended => "operator",
        Phase::Waiting { .. } if after.fence > before.fence => "sweeper",
        _ if after.fence > before.fence => "claim",
        Phase::Running { .. } => "index",
        _ if !was_running => "type",
        _ if after.owner == before.owner => "run",
        _ => "finder",
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, by, to } = self;
        write!(f, "{from} → {to} by {by}")
    }
}
