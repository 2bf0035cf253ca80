//! The sandbox plays the third parties. It is the binary of `tests/sandbox`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{ChildStdout, Command};
use tokio::time::timeout;

use super::group::Group;
use super::rundir::RunDir;
use crate::environment;

/// The key that the sandbox takes for Rebrandly's.
pub const API_KEY: &str = "local-key";

const LOG: &str = "sandbox.log";

/// It starts at once.
const UP_WITHIN: Duration = Duration::from_secs(10);

/// Starts the sandbox's binary at a port, and returns the address that it announces.
pub(super) async fn start(binary: &Path, run: &RunDir, port: u16) -> Result<(Group, String)> {
    let mut command = Command::new(binary);
    command
        .args(["--port", &port.to_string(), "--api-key", API_KEY])
        .arg("--exit-with-stdin")
        .env_clear()
        .envs(environment::kept())
        .stdout(Stdio::piped())
        .stderr(run.log_file(LOG)?);
    let mut group = Group::start("the sandbox", &mut command)?;
    let stdout = group.take_stdout().context("the sandbox has no output")?;
    let url = match timeout(UP_WITHIN, announced("the sandbox", stdout)).await {
        Ok(Ok(url)) => url,
        Ok(Err(error)) => bail!("{error:#}\n{}", run.log_tail(LOG)),
        Err(_) => bail!("the sandbox is not ready after {UP_WITHIN:?}"),
    };
    Ok((group, url))
}

/// The first line that a server of ours prints is `{"url": "http://127.0.0.1:PORT"}`.
pub(super) async fn announced(name: &str, stdout: ChildStdout) -> Result<String> {
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .await
        .with_context(|| format!("{name} says nothing"))?;
    let said: Value = serde_json::from_str(&line)
        .with_context(|| format!("{name}: expected {{\"url\": …}}, found {line:?}"))?;
    said["url"].as_str().map(str::to_owned).with_context(|| format!("{name}: expected its url"))
}
