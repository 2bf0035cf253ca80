//! The commands: each reads through the ports and returns an answer. What they read, the dashboard shows as well.

pub(crate) mod breaker;
pub(crate) mod cars;
pub(crate) mod checks;
pub(crate) mod completions;
mod dead_letters;
pub(crate) mod dependencies;
pub(crate) mod doctor;
pub(crate) mod explain;
mod export;
mod feeds;
pub(crate) mod find;
pub(crate) mod health;
mod import_links;
pub(crate) mod jobs;
pub(crate) mod limiter;
pub(crate) mod lint;
mod noted;
pub(crate) mod observed;
mod operate;
pub(crate) mod operations;
mod pins;
pub(crate) mod queues;
pub(crate) mod rejected;
mod report;
pub(crate) mod schemas;
pub(crate) mod shown;
mod submit;

use evenkeel::base::time::Clock;

use crate::{
    args::{
        AuditCommand, BreakerCommand, CarsCommand, Command, FeedsCommand, Form, JobsCommand,
        LimiterCommand, OpsCommand, QueuesCommand, RejectedCommand,
    },
    deployment::Deployment,
    exit::{Exit, Failure},
    moment::Moment,
    output::Answer,
    ports::Ports,
    stop::Stop,
};

/// What a command knows besides its arguments and the stack.
pub(crate) struct Context<'a> {
    /// The form of the output, which decides whether progress is shown.
    pub(crate) form: Form,
    pub(crate) moment: Moment,
    pub(crate) stop: &'a Stop,
}

/// Runs a command that asks a stack.
pub(crate) async fn run<P: Ports>(
    command: &Command,
    ports: &P,
    stack: &Deployment,
    context: &Context<'_>,
    clock: &impl Clock,
) -> Result<Answer, Failure> {
    if command.writes() && !matches!(command, Command::Submit(_) | Command::Cars(_)) {
        return write(command, ports, stack, context.moment).await;
    }
    let moment = context.moment;
    match command {
        Command::Jobs(JobsCommand::List(wanted)) => jobs::list(ports, stack, wanted, moment).await,
        Command::Jobs(JobsCommand::Show(job)) => jobs::show(ports, stack, job, moment).await,
        Command::Jobs(JobsCommand::Explain(job)) => explain::run(ports, stack, job, moment).await,
        Command::Jobs(JobsCommand::Wait(job)) => jobs::wait(ports, stack, job, moment, clock).await,
        Command::Rejected(RejectedCommand::List(wanted)) => {
            rejected::list(ports, stack, wanted, moment).await
        }
        Command::Rejected(RejectedCommand::Show(message)) => {
            rejected::show(ports, stack, message, moment).await
        }
        Command::Dlq(wanted) => dead_letters::list(ports, stack, wanted, moment).await,
        Command::Breaker(BreakerCommand::List(wanted)) => {
            breaker::list(ports, stack, wanted, moment).await
        }
        Command::Breaker(BreakerCommand::Show(of)) => {
            breaker::show(ports, stack, &of.dependency, moment).await
        }
        Command::Limiter(LimiterCommand::Show(of)) => {
            limiter::show(ports, stack, &of.dependency, moment).await
        }
        Command::Queues(QueuesCommand::List(_)) => queues::list(ports, stack, moment).await,
        Command::Report(given) => report::run(ports, stack, given, context).await,
        Command::Health(_) => health::check(ports, stack, moment).await,
        Command::Cars(CarsCommand::List(wanted)) => cars::list(ports, stack, wanted, moment).await,
        Command::Cars(CarsCommand::Show(car)) => cars::show(ports, stack, car, moment).await,
        Command::Cars(CarsCommand::Export(given)) => export::run(ports, stack, given).await,
        Command::Cars(CarsCommand::ImportLinks(given)) => {
            import_links::run(ports, stack, given, context).await
        }
        Command::Feeds(FeedsCommand::List) => feeds::list(ports, stack).await,
        Command::Submit(given) => submit::run(ports, stack, given, context).await,
        Command::Ops(OpsCommand::Log(wanted)) => {
            operations::list(ports, stack, wanted, moment).await
        }
        Command::Ops(OpsCommand::Show(wanted)) => {
            operations::show(ports, stack, &wanted.op, moment).await
        }
        Command::Audit(AuditCommand::Findings(wanted)) => {
            operations::findings(ports, stack, wanted, moment).await
        }
        _ => Err(Failure::new(Exit::Failed, "no_stack_needed", "this command asks no stack")),
    }
}

/// Runs a command that changes something, or shows what it would do.
pub(crate) async fn write<P: Ports>(
    command: &Command,
    ports: &P,
    stack: &Deployment,
    moment: Moment,
) -> Result<Answer, Failure> {
    match command {
        Command::Jobs(JobsCommand::Retry(given)) => {
            operate::jobs(ports, stack, "retry", given, moment).await
        }
        Command::Jobs(JobsCommand::Cancel(given)) => {
            operate::jobs(ports, stack, "cancel", given, moment).await
        }
        Command::Jobs(JobsCommand::Reset(given)) => {
            operate::jobs(ports, stack, "reset", given, moment).await
        }
        Command::Rejected(RejectedCommand::Release(given)) => {
            operate::release(ports, stack, given, moment).await
        }
        Command::Breaker(BreakerCommand::Open(given)) => {
            operate::breaker(ports, stack, "open", given, moment).await
        }
        Command::Breaker(BreakerCommand::Close(given)) => {
            operate::breaker(ports, stack, "close", given, moment).await
        }
        Command::Breaker(BreakerCommand::Auto(given)) => {
            operate::automatic(ports, stack, given, moment).await
        }
        Command::Limiter(LimiterCommand::Set(given)) => {
            operate::limiter(ports, stack, given, moment).await
        }
        Command::Queues(QueuesCommand::Pause(given)) => {
            operate::pause(ports, stack, given, moment).await
        }
        Command::Queues(QueuesCommand::Resume(given)) => {
            operate::resume(ports, stack, given, moment).await
        }
        Command::Queues(QueuesCommand::Set(given)) => {
            operate::pin(ports, stack, given, moment).await
        }
        Command::Ops(OpsCommand::Stop(wanted)) => {
            operations::stop(ports, stack, wanted, moment).await
        }
        Command::Feeds(given) => feeds::change(ports, stack, given).await,
        Command::Sweep(given) if given.dry_run => operations::preview(ports, stack, moment).await,
        Command::Sweep(given) => operations::sweep(ports, stack, given.reason.as_deref()).await,
        Command::Audit(AuditCommand::Run(given)) => {
            operations::audit(ports, stack, given.reason.as_deref()).await
        }
        _ => Err(Failure::new(Exit::Failed, "no_change", "this command changes nothing")),
    }
}
