//! A function process that dies between making a link and recording it.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use xtask::aws::sqs::Outgoing;

use crate::incident::job::Kind;
use crate::scene::Scene;
use crate::victim;

/// Time between two polls.
const POLL_EVERY: Duration = Duration::from_millis(20);

/// How long to wait for earlier jobs. They need less than a second.
const QUIET_WITHIN: Duration = Duration::from_secs(20);

/// The killed process and its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accident {
    /// The place of the job in the incident.
    pub(crate) job: usize,
    /// The process that was killed.
    pub(crate) pid: u32,
    /// In epoch milliseconds.
    pub(crate) at_ms: u64,
}

/// Sends a shortening job while no other job is queued, so that no other job shares its batch. Lets
/// the sandbox create the link and withhold the answer, and kills the process that waits for it.
/// Also returns when the message was sent.
pub(crate) async fn strike(
    scene: &Scene<'_>,
    job: usize,
    destination: &str,
    message: Outgoing,
) -> Result<(u64, Accident)> {
    quiet(scene).await?;
    victim::hold(&scene.sandbox, destination).await?;
    let sent_ms = scene.clock.now_ms();
    scene.send(Kind::Shortening, &[message]).await?;
    let pid = victim::kill(scene.stack, &scene.sandbox, destination).await?;
    let at_ms = scene.clock.now_ms();
    Ok((sent_ms, Accident { job, pid, at_ms }))
}

/// Waits until the queues of all types are empty.
async fn quiet(scene: &Scene<'_>) -> Result<()> {
    let give_up = Instant::now() + QUIET_WITHIN;
    while scene.queued().await? > 0 {
        ensure!(Instant::now() < give_up, "messages are still under way after {QUIET_WITHIN:?}");
        sleep(POLL_EVERY).await;
    }
    Ok(())
}
