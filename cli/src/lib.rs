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
mod cursor;
pub mod dashboard;
mod deployment;
mod due;
mod exit;
pub mod explanation;
#[cfg(any(test, feature = "testing"))]
pub mod memory;
mod moment;
mod output;
mod pager;
pub mod ports;
mod report;
mod rows;
pub mod schema;
pub mod shapes;
mod stack;
mod stop;
mod table;
mod tail;
mod text;
mod watch;

use evenkeel::base::time::Clock;

pub use exit::{Exit, Failure};
pub use output::{Answer, Streams};
pub use pager::Pager;
#[cfg(any(test, feature = "testing"))]
pub use rows::count_rows;
pub use stack::{Surroundings, Target};
pub use stop::Stop;

use crate::{
    args::{Cli, Command, JobsCommand},
    commands::{checks, completions, doctor, lint, schemas},
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
    if let Err(failure) = checks::check(&cli.command) {
        return streams.failure(&failure, form);
    }
    if goes_on(&cli.command) {
        // On the heap: it holds every command.
        let ended = Box::pin(go_on(cli, surroundings, clock, stop, connect, streams));
        return match ended.await {
            Ok(exit) => exit,
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

/// Whether a command has no single answer.
fn goes_on(command: &Command) -> bool {
    matches!(command, Command::Dashboard(_) | Command::Jobs(JobsCommand::Tail(_)))
        || command.watch().is_some()
}

/// Finds the stack and does what goes on: until Ctrl-C, until its time is over, or until nobody reads it.
async fn go_on<P: Ports>(
    cli: &Cli,
    surroundings: &Surroundings,
    clock: &impl Clock,
    stop: &Stop,
    connect: impl AsyncFnOnce(Target) -> Result<P, Failure>,
    streams: &mut Streams<'_>,
) -> Result<Exit, Failure> {
    let target = stack::choose(&cli.global, surroundings)?;
    let ports = connect(target.clone()).await?;
    let deployment = stack::find(&ports, &target).await?;
    if cli.global.verbose {
        streams.note(&deployment.introduction());
    }
    let form = cli.global.form();
    let moment = Moment { now: clock.now(), form: cli.global.time };
    let context = commands::Context { form, moment, stop };
    match &cli.command {
        Command::Dashboard(given) => {
            let is_local = target.endpoint.is_some();
            let stack = dashboard::Stack { is_local, deployment: &deployment };
            let announce = |url: &str| streams.announce(url, form);
            dashboard::serve(&ports, stack, clock, given, announce).await.map(|()| Exit::Done)
        }
        Command::Jobs(JobsCommand::Tail(given)) => {
            tail::run(&ports, &deployment, given, &context, clock, streams).await
        }
        command => watch::run(command, &ports, &deployment, context, clock, streams).await,
    }
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
        Command::Lint(given) => return lint::run(given),
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
