//! The command `evenkeel`: looks at a stack and its jobs, submits jobs, and asks the operators' function for changes.
//!
//! ```text
//!  args ─► stack: which one ─► deployment: what it has ─► commands ─► output: text, JSON, exit status
//!                                                            │
//!                                     ports ◄────────────────┴──► explanation: pure
//! ```
//!
//! The [`dashboard`] shows in a browser what the commands read.
//!
//! Commands read through the trait [`ports::Ports`], on AWS ([`aws`]) or in memory. Lists come from the sparse index
//! `due`, page by page; nothing scans or counts a table. What the tables hold is decoded by the engine.

pub mod args;
pub mod aws;
mod commands;
pub mod dashboard;
mod deployment;
mod due;
mod exit;
pub mod explanation;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod moment;
mod output;
pub mod ports;
mod report;
mod rows;
pub mod schema;
pub mod shapes;
mod stack;
mod stop;
mod table;
mod text;

use evenkeel::base::time::Clock;

pub use exit::{Exit, Failure};
pub use output::{Answer, Streams};
pub use stack::{Surroundings, Target};
pub use stop::Stop;

use crate::{
    args::{Cli, Command, ServeDashboard},
    commands::{completions, doctor, schemas},
    moment::Moment,
    ports::Ports,
};

/// Runs a command and writes what it has found. `connect` is called only if the command needs AWS.
///
/// Returns the exit status. Every failure has been written when this returns.
pub async fn run<P, C>(
    cli: &Cli,
    surroundings: &Surroundings,
    clock: &C,
    stop: &Stop,
    connect: impl AsyncFnOnce(Target) -> Result<P, Failure>,
    streams: &mut Streams<'_>,
) -> Exit
where
    P: Ports,
    C: Clock,
{
    let form = cli.global.form();
    if let Command::Dashboard(given) = &cli.command {
        return match serve(cli, given, surroundings, clock, connect, streams).await {
            Ok(()) => Exit::Done,
            Err(failure) => streams.failure(&failure, form),
        };
    }
    match answer(cli, surroundings, clock, stop, connect, streams).await {
        Ok(answer) => {
            if let Some(units) = answer.read_units().filter(|_| cli.global.verbose) {
                streams.note(&format!("{units} read units"));
            }
            streams.answer(&answer, form)
        }
        Err(failure) => streams.failure(&failure, form),
    }
}

/// Finds the stack and serves the dashboard until standard input ends, if that is asked for, or for ever.
async fn serve<P: Ports>(
    cli: &Cli,
    given: &ServeDashboard,
    surroundings: &Surroundings,
    clock: &impl Clock,
    connect: impl AsyncFnOnce(Target) -> Result<P, Failure>,
    streams: &mut Streams<'_>,
) -> Result<(), Failure> {
    let target = stack::choose(&cli.global, surroundings)?;
    let ports = connect(target.clone()).await?;
    let deployment = stack::find(&ports, &target).await?;
    let stack = dashboard::Stack { is_local: target.endpoint.is_some(), deployment: &deployment };
    let announce = |url: &str| streams.announce(url, cli.global.form());
    dashboard::serve(&ports, stack, clock, given, announce).await
}

async fn answer<P, C>(
    cli: &Cli,
    surroundings: &Surroundings,
    clock: &C,
    stop: &Stop,
    connect: impl AsyncFnOnce(Target) -> Result<P, Failure>,
    streams: &mut Streams<'_>,
) -> Result<Answer, Failure>
where
    P: Ports,
    C: Clock,
{
    match &cli.command {
        Command::Schema { kind } => return schemas::show(kind.as_deref()),
        Command::Completions { shell } => return completions::script(*shell),
        _ => {}
    }
    let target = stack::choose(&cli.global, surroundings)?;
    let ports = connect(target.clone()).await?;
    let moment = Moment { now: clock.now(), form: cli.global.time };
    if matches!(cli.command, Command::Doctor) {
        return doctor::check(&ports, &target, clock).await;
    }
    let deployment = stack::find(&ports, &target).await?;
    if cli.global.verbose || cli.command.writes() {
        streams.note(&deployment.introduction());
    }
    let context = commands::Context { form: cli.global.form(), moment, stop };
    commands::run(&cli.command, &ports, &deployment, &context, clock).await
}
