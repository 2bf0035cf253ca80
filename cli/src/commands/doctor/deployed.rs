//! Checks of what is deployed and of what the account allows it: functions and their versions, concurrency, the
//! schedule group of feeds, and whether the caller may change anything.

use super::{failed, good, not_good};
use crate::{
    commands::feeds,
    deployment::Deployment,
    ports::{Fault, Ports},
    shapes::{Check, Verdict},
};

/// The version of this command.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The variable in which the template names the version of its functions.
const VARIABLE: &str = "VERSION";

/// Executions beside the batches of the queues: a call of the operators' function, and two of the sweeper, of which one
/// takes over from the other.
const OTHERS: u32 = 3;

/// Checks the function of each job type, the sweeper, and the operators' function.
pub(super) async fn functions<P: Ports>(ports: &P, stack: &Deployment, checks: &mut Vec<Check>) {
    let of_types = stack.types.iter().map(|job| stack.function(job));
    for name in of_types.chain([stack.sweeper(), stack.operator()]) {
        checks.push(function(ports, stack, &name).await);
    }
}

async fn function<P: Ports>(ports: &P, stack: &Deployment, name: &str) -> Check {
    let what = format!("function {name}");
    let facts = match ports.function(name).await {
        Err(fault) => return failed(what, fault.into()),
        Ok(None) => {
            let remedy = "deploy the stack again: its sweeper belongs to a template that has it";
            return not_good(Verdict::Bad, what, "there is none", remedy);
        }
        Ok(Some(facts)) => facts,
    };
    if facts.variables.get("JOBS_TABLE") != Some(&stack.jobs) {
        let found = "its JOBS_TABLE is another than the sweeper's";
        return not_good(Verdict::Bad, what, found, "deploy the whole stack again");
    }
    let changed = facts.last_modified.unwrap_or_else(|| "an unknown time".to_owned());
    match facts.state.as_deref() {
        None | Some("Active") => {
            version(what, facts.variables.get(VARIABLE).map(String::as_str), &changed)
        }
        Some(state) => {
            let remedy = "see the function's state in the console: Lambda says the reason there";
            not_good(Verdict::Doubtful, what, format!("{state}, changed {changed}"), remedy)
        }
    }
}

/// The check of a function's version.
fn version(what: String, deployed: Option<&str>, changed: &str) -> Check {
    match deployed {
        Some(VERSION) => good(what, format!("version {VERSION}, changed {changed}")),
        Some(other) => {
            let found = format!("version {other}, changed {changed}; this command is {VERSION}");
            let remedy = "deploy the stack in the version of this command, or use the command of \
                          its version: the one may not know what the other writes";
            not_good(Verdict::Doubtful, what, found, remedy)
        }
        None => {
            let found = format!("no version, changed {changed}");
            let remedy =
                "deploy the stack's present template, which names the version of each function";
            not_good(Verdict::Doubtful, what, found, remedy)
        }
    }
}

/// Checks whether the account may run as many batches at once as the queues have slots.
pub(super) async fn concurrency<P: Ports>(ports: &P, stack: &Deployment, slots: u32) -> Check {
    let what = "quota of concurrent executions";
    if stack.is_local() {
        return good(what, "a local stack has none");
    }
    let needed = slots.saturating_add(OTHERS);
    match ports.unreserved_executions().await {
        Err(fault) => failed(what, fault.into()),
        Ok(free) if free < needed => {
            let found =
                format!("{free} in this account and region, where the stack uses up to {needed}");
            let remedy = "ask for more in Service Quotas (AWS Lambda, Concurrent executions), or \
                          deploy the stack with less concurrency of its queues: calls beyond the \
                          quota are throttled";
            not_good(Verdict::Doubtful, what, found, remedy)
        }
        Ok(free) => good(what, format!("{free}, of which the stack uses up to {needed}")),
    }
}

/// Checks the parameter about feeds, and the schedule group that it names.
pub(super) async fn schedules<P: Ports>(ports: &P, stack: &Deployment) -> Check {
    let what = "schedules of feeds";
    match feeds::readable_group(ports, stack).await {
        Ok(group) => good(what, format!("group {group} is readable")),
        Err(failure) => failed(what, failure),
    }
}

/// Checks whether the caller may change anything: all changes go through the operators' function.
pub(super) async fn may_change<P: Ports>(ports: &P, stack: &Deployment) -> Check {
    let what = "permission to change";
    if stack.is_local() {
        return good(what, "a local stack asks for none");
    }
    match ports.may_invoke(&stack.operator()).await {
        Ok(()) => good(what, format!("{} may be called", stack.operator())),
        Err(Fault::Denied { .. }) => {
            let remedy = "to change things, let this identity have the stack's policy for \
                          operators: its output OperatorPolicyArn, with the parameter \
                          OperatorPolicies=on";
            let found =
                format!("{} may not be called: this identity may only look", stack.operator());
            not_good(Verdict::Doubtful, what, found, remedy)
        }
        Err(fault) => failed(what, fault.into()),
    }
}
