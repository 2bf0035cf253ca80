//! A function process that is killed while it waits for an answer.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sandbox::{Fault, FaultKind, HeldCall, Method, Scope, Service, Target};
use tokio::time::{Instant, sleep};
use xtask::local::Stack;
use xtask::process;

/// Time between two polls.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How long to wait until the job calls the service.
const CALLED_WITHIN: Duration = Duration::from_secs(10);

/// Makes the sandbox create the link to this destination and withhold the answer.
pub(crate) async fn hold(sandbox: &sandbox::Client, destination: &str) -> Result<()> {
    let fault = Fault {
        kind: FaultKind::Hold,
        on: Target {
            service: Some(Service::Rebrandly),
            method: Some(Method::Post),
            destination: Some(destination.to_owned()),
            ..Target::default()
        },
        scope: Scope::calls(1),
        after_work: true,
    };
    sandbox.add_fault(&fault).await.map(drop).context("the call cannot be held")
}

/// Kills the process that waits for the withheld answer, and returns its id.
pub(crate) async fn kill(
    stack: &Stack,
    sandbox: &sandbox::Client,
    destination: &str,
) -> Result<u32> {
    let held = held(sandbox, destination).await?;
    let pid = process::pid_of_local_port(held.client_port);
    let pid = pid.with_context(|| format!("no process holds port {}", held.client_port))?;
    // Only a function's process may be killed.
    ensure!(
        stack.function_processes().contains(&pid),
        "process {pid} holds port {}, expected one that runs a function",
        held.client_port
    );
    process::kill(pid)?;
    sandbox.release_held().await.context("the call cannot be released")?;
    Ok(pid)
}

async fn held(sandbox: &sandbox::Client, destination: &str) -> Result<HeldCall> {
    let give_up = Instant::now() + CALLED_WITHIN;
    while Instant::now() < give_up {
        let held = sandbox.held().await.context("the sandbox's held calls")?;
        let ours = |call: &HeldCall| call.destination.as_deref() == Some(destination);
        if let Some(call) = held.into_iter().find(ours) {
            ensure!(call.link_id.is_some(), "the call is held, but has made no link");
            return Ok(call);
        }
        sleep(POLL_EVERY).await;
    }
    bail!("the job has not called the service {CALLED_WITHIN:?} after it was sent")
}
