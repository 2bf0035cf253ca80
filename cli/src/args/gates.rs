//! Arguments of `evenkeel breaker`, `limiter` and `queues`.

use clap::{Args, Subcommand};

use super::{AutoBreaker, PauseQueues, ResumeQueues, SetBreaker, SetLimiter, SetQueues, Watch};

/// What to do with breakers.
#[derive(Clone, Debug, Subcommand)]
pub enum BreakerCommand {
    /// List the breakers of dependencies that are shared by a type's jobs or lately had trouble
    #[command(before_help = "Example: evenkeel breaker list --all")]
    List(ListBreakers),
    /// Show a dependency's breaker
    #[command(before_help = "Example: evenkeel breaker show rebrandly")]
    Show(ShowDependency),
    /// Refuse all calls for a time
    #[command(before_help = "Example: evenkeel breaker open rebrandly --for 30m --reason outage")]
    Open(SetBreaker),
    /// Allow all calls for a time, whatever they answer
    #[command(before_help = "Example: evenkeel breaker close rebrandly --for 10m --reason mended")]
    Close(SetBreaker),
    /// Let it decide for itself again: closed, until calls fail
    #[command(before_help = "Example: evenkeel breaker auto rebrandly --reason over")]
    Auto(AutoBreaker),
}

/// Which breakers to list.
#[derive(Clone, Debug, Args)]
pub struct ListBreakers {
    /// Closed ones of single hosts as well
    #[arg(long)]
    pub all: bool,
    /// Whether to list them again and again
    #[command(flatten)]
    pub watch: Watch,
}

/// What to do with limiters.
#[derive(Clone, Debug, Subcommand)]
pub enum LimiterCommand {
    /// Show the limiter of a dependency: its pace, and when its next slot is
    #[command(before_help = "Example: evenkeel limiter show rebrandly")]
    Show(ShowDependency),
    /// Slow it down, or stop the calls for a time
    #[command(before_help = "Example: evenkeel limiter set rebrandly --pace 50 --reason asked")]
    Set(SetLimiter),
}

/// Which dependency to show.
#[derive(Clone, Debug, Args)]
pub struct ShowDependency {
    /// The dependency, such as `rebrandly` or `page/www.example.com`
    pub dependency: String,
    /// Whether to show it again and again
    #[command(flatten)]
    pub watch: Watch,
}

/// What to do with queues.
#[derive(Clone, Debug, Subcommand)]
pub enum QueuesCommand {
    /// List the queues with their depth and concurrency
    #[command(before_help = "Example: evenkeel queues list")]
    List(Watch),
    /// Stop delivering a job type's messages for a time
    #[command(
        before_help = "Example: evenkeel queues pause url_shortening --for 1h --reason audit"
    )]
    Pause(PauseQueues),
    /// Deliver them again
    #[command(before_help = "Example: evenkeel queues resume url_shortening")]
    Resume(ResumeQueues),
    /// Fix how many batches of a type's queues run at once, for a time
    #[command(
        before_help = "Example: evenkeel queues set url_shortening --concurrency 8 --for 2h --reason flood"
    )]
    Set(SetQueues),
}
