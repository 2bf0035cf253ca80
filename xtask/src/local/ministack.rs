//! MiniStack plays the parts of AWS that we use, in one process. Each function is a process of its
//! own.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::group::{Group, POLL_EVERY};
use super::rundir::RunDir;
use crate::aws::{Client, REGION};
use crate::environment;
use crate::venv::Venv;

/// The log of MiniStack, and of the functions that it runs.
pub(super) const LOG: &str = "ministack.log";

/// It needs less than two seconds, or more on a busy machine.
const UP_WITHIN: Duration = Duration::from_mins(1);

/// Starts MiniStack at a port of 127.0.0.1 and returns when it answers. The functions will look
/// for AWS at `functions_endpoint`.
pub(super) async fn start(
    venv: &Venv,
    run: &RunDir,
    client: &Client,
    port: u16,
    functions_endpoint: &str,
) -> Result<Group> {
    let script = run.script("guard.py", include_str!("guard.py"))?;
    let log = run.log_file(LOG)?;
    let mut command = Command::new(venv.program("python"));
    command
        .args([script.as_os_str(), "ministack.app".as_ref()])
        .env_clear()
        .envs(environment::kept())
        .env("GATEWAY_PORT", port.to_string())
        // By default it listens on every interface.
        .env("BIND_HOST", "127.0.0.1")
        // Queue addresses contain this host. `localhost` might be ::1, where MiniStack does not
        // listen.
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("MINISTACK_REGION", REGION)
        // MiniStack passes this on to the functions.
        .env("AWS_ENDPOINT_URL", functions_endpoint)
        // Its health check returns this name.
        .env("MINISTACK_EDITION", run.name())
        // Functions may do what the template's roles allow and nothing else. Our own client's key
        // is the account's.
        .env("AUTH", "true")
        // Otherwise it would run each function in a Docker container.
        .env("LAMBDA_EXECUTOR", "local")
        .env("PYTHONUNBUFFERED", "1")
        .env("TMPDIR", run.tmp())
        .current_dir(run.path())
        .stdout(log.try_clone().context("ministack.log cannot be shared")?)
        .stderr(log);
    let mut group = Group::start("MiniStack", &mut command)?;
    match timeout(UP_WITHIN, answers(&mut group, client, &run.name())).await {
        Ok(Ok(())) => Ok(group),
        Ok(Err(error)) => bail!("{error:#}\n{}", run.log_tail(LOG)),
        Err(_) => bail!("MiniStack does not answer after {UP_WITHIN:?}\n{}", run.log_tail(LOG)),
    }
}

/// Waits until MiniStack answers with our name. If another stack used the port, it would answer
/// with its own name, and we must not deploy to it.
async fn answers(group: &mut Group, client: &Client, name: &str) -> Result<()> {
    while client.health().await.ok().is_none_or(|health| health["edition"] != name) {
        group.expect_running()?;
        sleep(POLL_EVERY).await;
    }
    Ok(())
}
