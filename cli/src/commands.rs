//! The commands: each reads through the ports and returns an answer.

mod breaker;
mod cars;
pub(crate) mod completions;
mod dependencies;
pub(crate) mod doctor;
mod explain;
mod find;
mod health;
mod jobs;
mod limiter;
mod observed;
mod queues;
mod rejected;
pub(crate) mod schemas;
mod shown;
mod submit;

use evenkeel::base::time::Clock;

use crate::{
    args::{
        BreakerCommand, CarsCommand, Command, Form, JobsCommand, LimiterCommand, QueuesCommand,
        RejectedCommand,
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
        Command::Breaker(BreakerCommand::List(wanted)) => {
            breaker::list(ports, stack, wanted, moment).await
        }
        Command::Breaker(BreakerCommand::Show(of)) => {
            breaker::show(ports, stack, &of.dependency, moment).await
        }
        Command::Limiter(LimiterCommand::Show(of)) => {
            limiter::show(ports, stack, &of.dependency, moment).await
        }
        Command::Queues(QueuesCommand::List) => queues::list(ports, stack).await,
        Command::Health => health::check(ports, stack, moment).await,
        Command::Cars(CarsCommand::List(wanted)) => cars::list(ports, stack, wanted, moment).await,
        Command::Cars(CarsCommand::Show(car)) => cars::show(ports, stack, car, moment).await,
        Command::Submit(given) => submit::run(ports, stack, given, context).await,
        Command::Schema { .. } | Command::Doctor | Command::Completions { .. } => {
            Err(Failure::new(Exit::Failed, "no_stack_needed", "this command asks no stack"))
        }
    }
}
