//! A function process that dies between making a link and recording it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use sandbox::{Fault, FaultKind, HeldCall, Method, Scope, Service, Target};
use tokio::time::{Instant, sleep};

use super::job::Kind;
use super::scene::Scene;
use crate::aws::sqs::Outgoing;
use crate::process;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long to wait for the jobs before to be done. They need less than a second.
const QUIET_WITHIN: Duration = Duration::from_secs(20);

/// How long to wait for the job to come to its call.
const CALLED_WITHIN: Duration = Duration::from_secs(10);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accident {
    /// The place of the job in the incident.
    pub(super) job: usize,
    /// The process that was killed.
    pub(super) pid: u32,
    /// When, in epoch milliseconds.
    pub(super) at_ms: u64,
}

/// Sends a shortening job when no other is under way, so that nobody shares its batch; has the
/// sandbox make the link and keep the answer back; and kills the process that waits for it. Returns
/// when the message was sent, as well.
pub(super) async fn strike(
    scene: &Scene<'_>,
    job: usize,
    destination: &str,
    message: Outgoing,
) -> Result<(u64, Accident)> {
    quiet(scene).await?;
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
    scene.sandbox.add_fault(&fault).await.context("the call cannot be held")?;
    let sent_ms = scene.clock.now_ms();
    scene.send(Kind::Shortening, &[message]).await?;
    let held = held(scene, destination).await?;
    let pid = process::pid_of_local_port(held.client_port);
    let pid = pid.with_context(|| format!("nobody holds port {}", held.client_port))?;
    // Whatever else the port belongs to, it is not ours to kill.
    ensure!(
        scene.stack.function_processes().contains(&pid),
        "process {pid} holds port {}, expected one that runs a function",
        held.client_port
    );
    process::kill(pid)?;
    let at_ms = scene.clock.now_ms();
    scene.sandbox.release_held().await.context("the call cannot be released")?;
    Ok((sent_ms, Accident { job, pid, at_ms }))
}

/// Waits until no job of any type is under way: feeds and their like may make others.
async fn quiet(scene: &Scene<'_>) -> Result<()> {
    let give_up = Instant::now() + QUIET_WITHIN;
    while scene.queued().await? > 0 {
        ensure!(Instant::now() < give_up, "messages are still under way after {QUIET_WITHIN:?}");
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn held(scene: &Scene<'_>, destination: &str) -> Result<HeldCall> {
    let give_up = Instant::now() + CALLED_WITHIN;
    while Instant::now() < give_up {
        let held = scene.sandbox.held().await.context("the sandbox's held calls")?;
        let ours = |call: &HeldCall| call.destination.as_deref() == Some(destination);
        if let Some(call) = held.into_iter().find(ours) {
            ensure!(call.link_id.is_some(), "the call is held, but has made no link");
            return Ok(call);
        }
        sleep(LOOK_EVERY).await;
    }
    bail!("the job has not called the service {CALLED_WITHIN:?} after it was sent")
}
