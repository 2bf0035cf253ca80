//! Arguments of `evenkeel jobs`.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{ActOnJobs, Page, TailJobs, Watch, span};

/// What to do with jobs.
#[derive(Clone, Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs that wait, are parked, look stuck, or ended without success
    #[command(before_help = "Example: evenkeel jobs list --state dead --type url_shortening")]
    List(ListJobs),
    /// Show a job's record
    #[command(before_help = "Example: evenkeel jobs show url_shortening#g:listing-4711")]
    Show(OneJob),
    /// Say what a job waits for, when it will run, and what would help
    #[command(before_help = "Example: evenkeel jobs explain listing-4711")]
    Explain(OneJob),
    /// Wait until a job has ended; status 3 if it ended without success
    #[command(before_help = "Example: evenkeel jobs wait listing-4711 --timeout 5m")]
    Wait(WaitForJob),
    /// Write changes of a type's jobs as they happen
    #[command(before_help = "Example: evenkeel jobs tail --type url_shortening --for 10m")]
    Tail(TailJobs),
    /// Run jobs that wait now, and jobs that were given up or cancelled again with all their attempts
    #[command(
        before_help = "Example: evenkeel jobs retry --type url_shortening --class systemic --reason mended"
    )]
    Retry(ActOnJobs),
    /// End jobs without a result; one that runs is cancelled at its end, unless it succeeds
    #[command(before_help = "Example: evenkeel jobs cancel listing-4711 --reason withdrawn")]
    Cancel(ActOnJobs),
    /// Begin jobs anew, also those that have succeeded
    #[command(before_help = "Example: evenkeel jobs reset listing-4711")]
    Reset(ActOnJobs),
}

/// States that the index `due` tells apart. A job that succeeded is on no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListedState {
    /// Recorded before its message was sent
    Queued,
    /// Claimed by a run whose end is overdue or looked after
    Running,
    /// To be tried again
    Waiting,
    /// Without a message, until something outside is over
    Parked,
    /// Given up without a result
    Dead,
    /// Crashed three times
    Quarantined,
}

impl ListedState {
    /// The state's name in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Dead => "dead",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Which jobs to list.
#[derive(Clone, Debug, Args)]
pub struct ListJobs {
    /// Only jobs of this state; may be given more than once [default: all but dead and quarantined]
    #[arg(long, value_enum, value_name = "STATE", conflicts_with = "stuck")]
    pub state: Vec<ListedState>,
    /// Only jobs of this type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only parked jobs of this dependency, such as `rebrandly` or `page/www.example.com`
    #[arg(long, value_name = "NAME")]
    pub dependency: Option<String>,
    /// Only jobs whose latest failure has this class, such as `systemic`
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Only jobs whose latest failure has this fingerprint
    #[arg(long, value_name = "HEX")]
    pub fingerprint: Option<String>,
    /// Only jobs of this message group
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Only jobs that have been due for ten minutes, and have not ended
    #[arg(long)]
    pub stuck: bool,
    /// Only jobs that are due, or have ended, since so long ago, such as `2h`
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Option<Duration>,
    /// How much to show
    #[command(flatten)]
    pub page: Page,
    /// Whether to list them again and again
    #[command(flatten)]
    pub watch: Watch,
}

/// Which job to look for.
#[derive(Clone, Debug, Args)]
pub struct OneJob {
    /// The sender's id, or the record's key TYPE#g:ID or TYPE#d:HASH
    pub id: String,
    /// The job's type, if the id alone is not enough
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
}

/// A job, and how long to wait for its end.
#[derive(Clone, Debug, Args)]
pub struct WaitForJob {
    /// The job to wait for
    #[command(flatten)]
    pub job: OneJob,
    /// How long to wait at most, such as `90s`
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    pub timeout: Duration,
}
