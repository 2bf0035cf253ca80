//! Arguments of what goes on until Ctrl-C: `--watch`, and `evenkeel jobs tail`.

use std::time::Duration;

use clap::Args;

use super::{
    BreakerCommand, Command, JobsCommand, LimiterCommand, OpsCommand, QueuesCommand, span,
};

/// Whether to show an answer again and again.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Watch {
    /// Show it again every so many seconds until Ctrl-C [default: 2]
    #[arg(long = "watch", value_name = "SECONDS", num_args = 0..=1, default_missing_value = "2")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub seconds: Option<u16>,
}

impl Watch {
    /// The time between two answers; `None` if one is enough.
    #[must_use]
    pub fn every(self) -> Option<Duration> {
        self.seconds.map(|seconds| Duration::from_secs(seconds.into()))
    }
}

impl Command {
    /// The time between two answers, if the command shows its answer again and again.
    #[must_use]
    pub fn watch(&self) -> Option<Duration> {
        let watch = match self {
            Self::Jobs(JobsCommand::List(given)) => given.watch,
            Self::Breaker(BreakerCommand::List(given)) => given.watch,
            Self::Breaker(BreakerCommand::Show(given))
            | Self::Limiter(LimiterCommand::Show(given)) => given.watch,
            Self::Queues(QueuesCommand::List(watch)) | Self::Health(watch) => *watch,
            Self::Ops(OpsCommand::Show(given)) => given.watch,
            _ => return None,
        };
        watch.every()
    }
}

/// Whose changes to write.
#[derive(Clone, Debug, Args)]
pub struct TailJobs {
    /// The job type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: String,
    /// End after so long, such as `10m` [default: with Ctrl-C]
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    pub span: Option<Duration>,
    /// Time between two looks, such as `5s`; from 1s to 5m
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = pause)]
    pub every: Duration,
}

/// Reads the time between two looks.
fn pause(text: &str) -> Result<Duration, String> {
    let pause = span(text)?;
    if (Duration::from_secs(1)..=Duration::from_mins(5)).contains(&pause) {
        return Ok(pause);
    }
    Err(format!("{text:?}: expected 1s to 5m"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Cli;

    fn watched(words: &[&str]) -> Option<u64> {
        let cli = Cli::parse_from(["evenkeel"].iter().chain(words));
        cli.command.watch().map(|every| every.as_secs())
    }

    #[test]
    fn every_view_can_be_watched() {
        for words in [
            &["queues", "list"][..],
            &["breaker", "list"],
            &["breaker", "show", "d"],
            &["limiter", "show", "d"],
            &["health"],
            &["jobs", "list"],
            &["ops", "show", "1"],
        ] {
            assert_eq!(watched(words), None, "{words:?}");
            assert_eq!(watched(&[words, &["--watch"]].concat()), Some(2), "{words:?}");
            assert_eq!(watched(&[words, &["--watch", "5"]].concat()), Some(5), "{words:?}");
        }
        assert!(Cli::try_parse_from(["evenkeel", "health", "--watch", "0"]).is_err());
        assert!(Cli::try_parse_from(["evenkeel", "doctor", "--watch"]).is_err());
    }

    #[test]
    fn a_pause_is_from_a_second_to_five_minutes() {
        assert_eq!(pause("5m"), Ok(Duration::from_mins(5)));
        assert!(pause("0s").is_err() && pause("6m").is_err() && pause("2").is_err());
    }
}
