//! A function process that dies between making a link and recording it.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use xtask::aws::sqs::Outgoing;

use crate::incident::job::Kind;
use crate::scene::Scene;
use crate::victim;

/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long to wait for the jobs before to be done. They need less than a second.
const QUIET_WITHIN: Duration = Duration::from_secs(20);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accident {
    /// The place of the job in the incident.
    pub(crate) job: usize,
    /// The process that was killed.
    pub(crate) pid: u32,
    /// When, in epoch milliseconds.
    pub(crate) at_ms: u64,
}

/// Sends a shortening job when no other is under way, so that nobody shares its batch; has the
/// sandbox make the link and keep the answer back; and kills the process that waits for it. Returns
/// when the message was sent, as well.
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

/// Waits until no job of any type is under way: feeds and their like may make others.
async fn quiet(scene: &Scene<'_>) -> Result<()> {
    let give_up = Instant::now() + QUIET_WITHIN;
    while scene.queued().await? > 0 {
        ensure!(Instant::now() < give_up, "messages are still under way after {QUIET_WITHIN:?}");
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}
