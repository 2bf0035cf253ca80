//! Arguments of what changes something, and of the operations log.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{OneJob, Page, Watch, span};

/// What every command that changes something takes.
#[derive(Clone, Debug, Default, Args)]
pub struct Write {
    /// Why, for those who read the operations log later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Why something is done.
#[derive(Clone, Debug, Default, Args)]
pub struct Reasoned {
    /// Why, for those who read the operations log later
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub reason: Option<String>,
}

impl Write {
    /// Whether it changes something and says no reason.
    #[must_use]
    pub const fn lacks_reason(&self) -> bool {
        self.reason.is_none() && !self.dry_run
    }
}

/// Longest reason, in bytes: that of the operators' function.
const REASON_BYTES: usize = 500;

/// Reads a reason. The error says what was expected.
fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.len() > REASON_BYTES {
        return Err(format!("expected why, in 1 to {REASON_BYTES} bytes"));
    }
    Ok(text.to_owned())
}

/// Which jobs to change.
#[derive(Clone, Debug, Args)]
pub struct ActOnJobs {
    /// The sender's id, or the record's key TYPE#g:ID or TYPE#d:HASH
    #[arg(conflicts_with_all = ["all", "state", "class", "fingerprint", "group", "dependency", "older"])]
    pub id: Option<String>,
    /// The job's type; needed to change all jobs that match
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Jobs of this state; may be given more than once [default: those that the act is about]
    #[arg(long, value_enum, value_name = "STATE")]
    pub state: Vec<super::ListedState>,
    /// Jobs whose latest failure has this class, such as `systemic`
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Jobs whose latest failure has this fingerprint
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<String>,
    /// Jobs of this message group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Jobs of this dependency, such as `rebrandly` or `page/www.example.com`
    #[arg(long, value_name = "NAME")]
    pub dependency: Option<String>,
    /// Jobs that were created at least so long ago, such as `2h`
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub older: Option<Duration>,
    /// All jobs of the type in the states that the act is about, without any other filter
    #[arg(long)]
    pub all: bool,
    /// How many jobs are changed
    #[command(flatten)]
    pub confirmed: Confirmed,
    /// The reason, and whether to change anything
    #[command(flatten)]
    pub write: Write,
}

impl ActOnJobs {
    /// The job, if one is named.
    #[must_use]
    pub fn one(&self) -> Option<OneJob> {
        self.id.clone().map(|id| OneJob { id, kind: self.kind.clone() })
    }

    /// Whether anything but the type restricts the jobs.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        let given = [&self.class, &self.fingerprint, &self.group, &self.dependency];
        given.iter().any(|filter| filter.is_some())
            || self.older.is_some()
            || !self.state.is_empty()
    }
}

/// That what was shown is wanted.
#[derive(Clone, Debug, Default, Args)]
pub struct Confirmed {
    /// Change them; without it they are only shown
    #[arg(long, short)]
    pub yes: bool,
    /// Change only what existed then: the time that was shown, in milliseconds [default: now]
    #[arg(long, value_name = "MS")]
    pub as_of: Option<u64>,
}

/// Which rejected messages to send again.
#[derive(Clone, Debug, Args)]
pub struct ReleaseRejected {
    /// Keys of messages: q# and 64 hexadecimal digits
    #[arg(required_unless_present = "kind", conflicts_with_all = ["kind", "flaw"])]
    pub keys: Vec<String>,
    /// All of this type's queues
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Of these only those with this flaw, such as `newer_version`
    #[arg(long, value_name = "FLAW", requires = "kind")]
    pub flaw: Option<String>,
    /// How many messages are sent
    #[command(flatten)]
    pub confirmed: Confirmed,
    /// The reason, and whether to send anything
    #[command(flatten)]
    pub write: Write,
}

/// How to set a breaker by hand.
#[derive(Clone, Debug, Args)]
pub struct SetBreaker {
    /// The dependency, such as `rebrandly` or `page/www.example.com`
    pub dependency: String,
    /// For how long, such as `30m`; at most 30 days. Then it decides for itself again
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub span: Duration,
    /// The reason, and whether to set anything
    #[command(flatten)]
    pub write: Write,
}

/// Which breaker decides for itself again.
#[derive(Clone, Debug, Args)]
pub struct AutoBreaker {
    /// The dependency, such as `rebrandly` or `page/www.example.com`
    pub dependency: String,
    /// The reason, and whether to set anything
    #[command(flatten)]
    pub write: Write,
}

/// How to set a limiter by hand.
#[derive(Clone, Debug, Args)]
pub struct SetLimiter {
    /// The dependency, such as `rebrandly` or `page/www.example.com`
    pub dependency: String,
    /// Its pace in per cent of the configured rate; it rises again with calls that succeed
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(10..=100))]
    #[arg(required_unless_present = "stop")]
    pub pace: Option<u32>,
    /// Give no slot for so long, such as `10m`
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub stop: Option<Duration>,
    /// The reason, and whether to set anything
    #[command(flatten)]
    pub write: Write,
}

/// Which queues of a job type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// Those of both priorities
    Both,
    /// The one of ordinary priority
    Normal,
    /// The one of high priority
    High,
}

/// Which queues to pause.
#[derive(Clone, Debug, Args)]
pub struct PauseQueues {
    /// The job type
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// Which of its queues
    #[arg(long, value_enum, value_name = "PRIORITY", default_value = "both")]
    pub priority: Priority,
    /// For how long, such as `30m`; at most 30 days. Then the sweeper resumes them
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub span: Duration,
    /// The reason, and whether to pause anything
    #[command(flatten)]
    pub write: Write,
}

/// How many batches of queues run at once.
#[derive(Clone, Debug, Args)]
pub struct SetQueues {
    /// The job type
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// Which of its queues
    #[arg(long, value_enum, value_name = "PRIORITY", default_value = "both")]
    pub priority: Priority,
    /// Batches of each of these queues that may be at work at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub concurrency: u32,
    /// For how long, such as `2h`; at most 30 days. Then the sweeper balances them again
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub span: Duration,
    /// The reason, and whether to set anything
    #[command(flatten)]
    pub write: Write,
}

/// Which queues to resume.
#[derive(Clone, Debug, Args)]
pub struct ResumeQueues {
    /// The job type
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// Which of its queues
    #[arg(long, value_enum, value_name = "PRIORITY", default_value = "both")]
    pub priority: Priority,
    /// The reason, and whether to resume anything
    #[command(flatten)]
    pub write: Write,
}

/// What to do with the operations log.
#[derive(Clone, Debug, Subcommand)]
pub enum OpsCommand {
    /// List what operators have done, the latest first
    #[command(before_help = "Example: evenkeel ops log --limit 20")]
    Log(ListOps),
    /// Show an operation and how far it is
    #[command(before_help = "Example: evenkeel ops show 998199999999999-1f3a5c")]
    Show(ShowOp),
    /// Stop an operation that goes on; what is done stays done
    #[command(before_help = "Example: evenkeel ops stop 998199999999999-1f3a5c")]
    Stop(OneOp),
}

/// How many operations or findings to list.
#[derive(Clone, Debug, Args)]
pub struct ListOps {
    /// How much to show
    #[command(flatten)]
    pub page: Page,
}

/// Which operation to show.
#[derive(Clone, Debug, Args)]
pub struct ShowOp {
    /// The operation to show
    #[command(flatten)]
    pub op: OneOp,
    /// Whether to show it again and again
    #[command(flatten)]
    pub watch: Watch,
}

/// Names an operation of the log.
#[derive(Clone, Debug, Args)]
pub struct OneOp {
    /// Its id, as `ops log` shows it
    pub id: String,
}

/// What to do about results and records that may be wrong.
#[derive(Clone, Debug, Subcommand)]
pub enum AuditCommand {
    /// Walk through all records now and have every result checked
    #[command(before_help = "Example: evenkeel audit run")]
    Run(Reasoned),
    /// List what the audit has found within 30 days
    #[command(before_help = "Example: evenkeel audit findings")]
    Findings(ListOps),
}
