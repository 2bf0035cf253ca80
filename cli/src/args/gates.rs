//! Arguments of `evenkeel breaker`, `limiter` and `queues`.

use clap::{Args, Subcommand};

/// What to do with breakers.
#[derive(Clone, Debug, Subcommand)]
pub enum BreakerCommand {
    /// List the breakers of dependencies that are shared by a type's jobs or lately had trouble
    #[command(before_help = "Example: evenkeel breaker list --all")]
    List(ListBreakers),
    /// Show a dependency's breaker
    #[command(before_help = "Example: evenkeel breaker show rebrandly")]
    Show(ShowDependency),
}

/// Which breakers to list.
#[derive(Clone, Debug, Args)]
pub struct ListBreakers {
    /// Closed ones of single hosts as well
    #[arg(long)]
    pub all: bool,
}

/// What to do with limiters.
#[derive(Clone, Debug, Subcommand)]
pub enum LimiterCommand {
    /// Show the limiter of a dependency: its pace, and when its next slot is
    #[command(before_help = "Example: evenkeel limiter show rebrandly")]
    Show(ShowDependency),
}

/// Which dependency to show.
#[derive(Clone, Debug, Args)]
pub struct ShowDependency {
    /// The dependency, such as `rebrandly` or `page/www.example.com`
    pub dependency: String,
}

/// What to do with queues.
#[derive(Clone, Debug, Subcommand)]
pub enum QueuesCommand {
    /// List the queues with their depth and concurrency
    #[command(before_help = "Example: evenkeel queues list")]
    List,
}
