//! A stand-in of AWS by itself, without a stack: for the conformance suite of the queues.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::group::{Group, POLL_EVERY};
use super::rundir::RunDir;
use super::{free_port, ministack};
use crate::aws::Client;
use crate::environment;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// Where moto prints.
const LOG: &str = "moto.log";

/// moto imports for a few seconds, and for longer on a busy machine.
const UP_WITHIN: Duration = Duration::from_mins(1);

/// A stand-in that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    group: Group,
    /// Dropped after the server that writes into it.
    _run: RunDir,
}

impl Emulator {
    /// Starts MiniStack at a free port.
    pub async fn ministack(workspace: &Workspace) -> Result<Self> {
        let venv = Venv::ready(workspace, Tools::Local).await?;
        let run = RunDir::create(workspace)?;
        let port = free_port(None)?;
        let endpoint = format!("http://127.0.0.1:{port}");
        let client = Client::new(&endpoint)?;
        let group = ministack::start(&venv, &run, &client, port, &endpoint).await?;
        Ok(Self { endpoint, group, _run: run })
    }

    /// Starts moto at a free port.
    pub async fn moto(workspace: &Workspace) -> Result<Self> {
        let venv = Venv::ready(workspace, Tools::Moto).await?;
        let run = RunDir::create(workspace)?;
        let port = free_port(None)?;
        let script = run.script("guard.py", include_str!("guard.py"))?;
        let log = run.log_file(LOG)?;
        let mut command = Command::new(venv.program("python"));
        command
            .args([script.as_os_str(), "moto.server".as_ref()])
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .env_clear()
            .envs(environment::kept())
            .env("PYTHONUNBUFFERED", "1")
            .env("TMPDIR", run.tmp())
            .current_dir(run.path())
            .stdout(log.try_clone().context("moto.log cannot be shared")?)
            .stderr(log);
        let mut group = Group::start("moto", &mut command)?;
        match timeout(UP_WITHIN, listens(&mut group, port)).await {
            Ok(Ok(())) => {
                Ok(Self { endpoint: format!("http://127.0.0.1:{port}"), group, _run: run })
            }
            Ok(Err(error)) => bail!("{error:#}\n{}", run.log_tail(LOG)),
            Err(_) => bail!("moto does not answer after {UP_WITHIN:?}\n{}", run.log_tail(LOG)),
        }
    }

    /// Its address, without a slash at the end.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Ends its processes and waits until they have ended.
    pub async fn stop(self) -> Result<()> {
        self.group.stop().await
    }
}

async fn listens(group: &mut Group, port: u16) -> Result<()> {
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        group.expect_running()?;
        sleep(POLL_EVERY).await;
    }
    Ok(())
}
