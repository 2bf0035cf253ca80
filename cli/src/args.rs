//! The command line: every command with its arguments. The help of each begins with an example.
#![allow(clippy::doc_markdown, reason = "help on a terminal has no backticks")]

mod cron;
mod dashboard;
mod feeds;
mod gates;
mod jobs;
mod lint;
mod live;
mod records;
mod report;
mod writes;

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use dashboard::ServeDashboard;
pub use feeds::{AddFeed, ChangeFeed, FeedsCommand};
pub use gates::{BreakerCommand, LimiterCommand, ListBreakers, QueuesCommand, ShowDependency};
pub use jobs::{JobsCommand, ListJobs, ListedState, OneJob, WaitForJob};
pub use lint::Lint;
pub use live::{TailJobs, Watch};
pub use records::{
    CarsCommand, ExportCars, ImportLinks, ListCars, ListDeadLetters, ListRejected, OneCar,
    OneRejected, RejectedCommand, Submit,
};
pub use report::Report;
pub use writes::{
    ActOnJobs, AuditCommand, AutoBreaker, Confirmed, ListOps, OneOp, OpsCommand, PauseQueues,
    Priority, Reasoned, ReleaseRejected, ResumeQueues, SetBreaker, SetLimiter, SetQueues, ShowOp,
    Write,
};

/// Look at an Evenkeel stack and its jobs, submit jobs, and change what has to be changed
#[derive(Clone, Debug, Parser)]
#[command(
    name = "evenkeel",
    version,
    before_help = "Example: evenkeel health && evenkeel jobs list --state dead"
)]
pub struct Cli {
    /// Options of every command
    #[command(flatten)]
    pub global: Global,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
pub struct Global {
    /// The stack's name [default: EVENKEEL_STACK, samconfig.toml, the local stack, or the only one of the account]
    #[arg(long, global = true, value_name = "NAME")]
    pub stack: Option<String>,
    /// Use the stack that `cargo xtask up` holds up
    #[arg(long, global = true, conflicts_with = "stack")]
    pub local: bool,
    /// AWS region [default: as the AWS CLI finds it]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration [default: AWS_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Form of the output; times in JSON are milliseconds since 1970 UTC
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value = "text")]
    pub output: Form,
    /// The same as `--output json`
    #[arg(long, global = true, conflicts_with = "output")]
    pub json: bool,
    /// Form of times in text
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value = "relative")]
    pub time: TimeForm,
    /// Whether text has colours; NO_COLOR is heard
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Never show long text through a pager; otherwise PAGER or less shows it, on a terminal
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Say on standard error which stack is asked, and what the reads cost
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

impl Global {
    /// The form of the output.
    #[must_use]
    pub const fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output }
    }
}

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Text for people
    Text,
    /// One JSON value
    Json,
    /// One JSON value a line: of a list, one entry a line
    Jsonl,
}

/// Form of times in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeForm {
    /// Such as `5 min ago`
    Relative,
    /// RFC 3339 in UTC
    Utc,
    /// In the time zone of this machine
    Local,
    /// Milliseconds since 1970 UTC
    Ms,
}

/// Whether text has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Whatever the output is
    Always,
    /// Plain text only
    Never,
}

/// Every command, with its arguments.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List, show, explain, retry, cancel and reset jobs
    #[command(subcommand, before_help = "Example: evenkeel jobs explain listing-4711")]
    Jobs(JobsCommand),
    /// Messages that were rejected because they are no valid jobs
    #[command(subcommand, before_help = "Example: evenkeel rejected list --type url_shortening")]
    Rejected(RejectedCommand),
    /// List the dead letters of the last 30 days and what became of each, a thousand of each type at most
    #[command(before_help = "Example: evenkeel dlq --type url_shortening --limit 20")]
    Dlq(ListDeadLetters),
    /// Breakers, which stop the calls to a dependency that fails
    #[command(subcommand, before_help = "Example: evenkeel breaker list")]
    Breaker(BreakerCommand),
    /// Limiters, which space the calls to a dependency
    #[command(subcommand, before_help = "Example: evenkeel limiter show rebrandly")]
    Limiter(LimiterCommand),
    /// Queues and how their functions receive from them
    #[command(subcommand, before_help = "Example: evenkeel queues list")]
    Queues(QueuesCommand),
    /// Say whether the stack is well; status 3 if it is not
    #[command(before_help = "Example: evenkeel health || evenkeel doctor")]
    Health(Watch),
    /// Report a period against the plan's targets: types, error patterns, hosts, forecasts
    #[command(before_help = "Example: evenkeel report --since 7d --markdown > week.md")]
    Report(Report),
    /// Cars as feeds, links and pages have left them
    #[command(
        subcommand,
        before_help = "Example: evenkeel cars show example-motors 1M8GDM9AXKP042788"
    )]
    Cars(CarsCommand),
    /// Feeds that run on a schedule
    #[command(subcommand, before_help = "Example: evenkeel feeds list")]
    Feeds(FeedsCommand),
    /// Serve pages about the stack on this machine
    #[command(before_help = "Example: evenkeel dashboard --port 0")]
    Dashboard(ServeDashboard),
    /// Send jobs from a file, or one from the command line
    #[command(before_help = "Example: evenkeel submit url_shortening jobs.csv --dry-run")]
    Submit(Submit),
    /// What operators have done, and what goes on
    #[command(subcommand, before_help = "Example: evenkeel ops log")]
    Ops(OpsCommand),
    /// Run a tick of the sweeper now, or say what it would do
    ///
    /// With --dry-run, the sweeper reads and decides as in a tick and writes nothing: how many jobs it would resume, send
    /// again and release, and five of each. Dead letters are counted only, because to receive one already changes it.
    /// Audit, balance and metrics are left out. The next tick may find something else.
    #[command(before_help = "Example: evenkeel sweep --dry-run")]
    Sweep(Write),
    /// Look for records and results that are wrong
    #[command(subcommand, before_help = "Example: evenkeel audit findings")]
    Audit(AuditCommand),
    /// Print the JSON Schema of a job type's messages, or list the types
    #[command(before_help = "Example: evenkeel schema url_shortening")]
    Schema {
        /// The job type; left out, the types are listed
        #[arg(value_name = "TYPE")]
        kind: Option<String>,
    },
    /// Check a function.toml, a template or messages against the safety rules; status 3 if it finds something
    #[command(before_help = "Example: evenkeel lint functions/url-shortening/function.toml")]
    Lint(Lint),
    /// Check credentials, permissions, configuration, clock and versions
    #[command(before_help = "Example: evenkeel doctor --verbose")]
    Doctor,
    /// Print a script that completes commands in a shell
    #[command(before_help = "Example: evenkeel completions bash > ~/.bash_completion.d/evenkeel")]
    Completions {
        /// The shell to write it for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it changes something. Then it says first whom it asks.
    #[must_use]
    pub const fn writes(&self) -> bool {
        use {AuditCommand::Run, OpsCommand::Stop};
        match self {
            Self::Submit(_) | Self::Sweep(_) | Self::Audit(Run(_)) | Self::Ops(Stop(_)) => true,
            Self::Jobs(jobs) => matches!(
                jobs,
                JobsCommand::Retry(_) | JobsCommand::Cancel(_) | JobsCommand::Reset(_)
            ),
            Self::Rejected(rejected) => matches!(rejected, RejectedCommand::Release(_)),
            Self::Breaker(breaker) => {
                !matches!(breaker, BreakerCommand::List(_) | BreakerCommand::Show(_))
            }
            Self::Limiter(limiter) => matches!(limiter, LimiterCommand::Set(_)),
            Self::Queues(queues) => !matches!(queues, QueuesCommand::List(_)),
            Self::Cars(cars) => matches!(cars, CarsCommand::ImportLinks(_)),
            Self::Feeds(feeds) => !matches!(feeds, FeedsCommand::List),
            _ => false,
        }
    }
}

/// How much of a list is shown.
#[derive(Clone, Debug, Args)]
pub struct Page {
    /// Most entries to show
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Go on where a list ended: the cursor that it has printed
    #[arg(long = "after", alias = "cursor", value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// Reads a span of time such as `90s`, `15m`, `2h` or `7d`. The error says what was expected.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    let expected = || format!("{text:?}: expected a number and a unit, such as 90s, 15m, 2h or 7d");
    let unit = text.chars().last().ok_or_else(expected)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(expected()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| expected())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Every command below this one, itself included.
    fn all(command: &clap::Command) -> Vec<clap::Command> {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help");
        std::iter::once(command.clone()).chain(below.flat_map(all)).collect()
    }

    #[test]
    fn the_help_of_every_command_begins_with_an_example_that_parses() {
        let commands = all(&Cli::command());
        assert!(commands.len() > 20, "{}", commands.len());
        for command in commands {
            let before = command.get_before_help().map(ToString::to_string).unwrap_or_default();
            let example = before.strip_prefix("Example: evenkeel ");
            let example = example.unwrap_or_else(|| panic!("{}: {before:?}", command.get_name()));
            let words = example.split_whitespace().take_while(|word| !"&|>".contains(&word[..1]));
            let parsed = Cli::try_parse_from(std::iter::once("evenkeel").chain(words));
            assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn a_span_has_a_number_and_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("2h"), Ok(Duration::from_hours(2)));
        assert_eq!(span("7d"), Ok(Duration::from_hours(7 * 24)));
        for bad in ["", "5", "h", "1.5h", "-3s", "5w", "99999999999999999999s", "3车"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_short_for_output_json_and_not_both_may_be_given() {
        let parse = |words: &[&str]| Cli::try_parse_from(["evenkeel"].iter().chain(words));
        assert_eq!(parse(&["health", "--json"]).unwrap().global.form(), Form::Json);
        assert_eq!(parse(&["health"]).unwrap().global.form(), Form::Text);
        assert!(parse(&["health", "--json", "--output", "text"]).is_err());
        assert!(parse(&["health", "--local", "--stack", "a"]).is_err());
        assert!(parse(&["jobs", "list", "--limit", "0"]).is_err());
    }
}
