//! The dashboard of a local stack. It is the binary `evenkeel` of `cli`.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio::time::timeout;

use super::description::Description;
use super::group::Group;
use super::rundir::RunDir;
use super::sandbox::announced;
use crate::environment;
use crate::file;

/// The usual dashboard's log and arguments.
const USUAL: (&str, &[&str]) = ("dashboard.log", &[]);

/// Those of one that refuses every change.
const READ_ONLY: (&str, &[&str]) = ("dashboard-read-only.log", &["--read-only"]);

/// It asks the local AWS for the sweeper's configuration first.
const UP_WITHIN: Duration = Duration::from_secs(20);

/// A dashboard that serves until it is stopped or dropped.
#[derive(Debug)]
pub struct Dashboard {
    group: Group,
    url: String,
}

impl Dashboard {
    /// Starts the dashboard of the stack that is described; one that refuses every change if `is_read_only`. The
    /// description lies in the stack's own folder, where the command looks for it.
    pub(super) async fn start(
        binary: &Path,
        run: &RunDir,
        description: &Description,
        is_read_only: bool,
    ) -> Result<Self> {
        let (log, arguments) = if is_read_only { READ_ONLY } else { USUAL };
        let folder = run.path().join("target/local");
        file::create_folder(&folder)?;
        file::write(&folder.join("stack.json"), &serde_json::to_string_pretty(description)?)?;
        let mut command = Command::new(binary);
        command
            .args(["dashboard", "--local", "--json", "--port", "0", "--exit-with-stdin"])
            .args(arguments)
            .current_dir(run.path())
            .env_clear()
            .envs(environment::kept())
            .stdout(Stdio::piped())
            .stderr(run.log_file(log)?);
        let mut group = Group::start("the dashboard", &mut command)?;
        let stdout = group.take_stdout().context("the dashboard has no output")?;
        match timeout(UP_WITHIN, announced("the dashboard", stdout)).await {
            Ok(Ok(url)) => Ok(Self { group, url }),
            Ok(Err(error)) => bail!("{error:#}\n{}", run.log_tail(log)),
            Err(_) => bail!("the dashboard is not ready after {UP_WITHIN:?}"),
        }
    }

    /// Where it can be read.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.group.leader()
    }

    /// Ends it by its process id, and waits until it has ended.
    pub async fn stop(self) -> Result<()> {
        self.group.stop().await
    }
}
