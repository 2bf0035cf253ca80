//! A server and its descendants, as a process group that ends when this process does.
//!
//! [`Group::stop`] kills the group, and so does dropping it, for example after an error or a panic.
//! If this process is killed, it cannot do so. Therefore each server reads a pipe from this process
//! and ends when the pipe closes.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::sleep;

use crate::process;

/// Time between two polls of a process.
pub(super) const POLL_EVERY: Duration = Duration::from_millis(20);

/// Polls until a killed group must have ended: five seconds.
const MOST_POLLS: u32 = 250;

#[derive(Debug)]
pub(super) struct Group {
    name: &'static str,
    child: Child,
    leader: u32,
}

impl Group {
    /// Starts a server as the leader of a group. It must end when its standard input does.
    pub(super) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let leader = child.id().with_context(|| format!("{name} has no process id"))?;
        Ok(Self { name, child, leader })
    }

    /// The process id of the server, which is also the group's.
    pub(super) fn leader(&self) -> u32 {
        self.leader
    }

    pub(super) fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails if the server has ended by itself.
    pub(super) fn expect_running(&mut self) -> Result<()> {
        match self.child.try_wait().with_context(|| self.name)? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself with {status}", self.name),
        }
    }

    /// Kills the group and waits until all its processes have ended. The servers store nothing, so
    /// they need no time to shut down.
    pub(super) async fn stop(mut self) -> Result<()> {
        process::kill_group(self.leader)?;
        self.child.wait().await.with_context(|| format!("{} cannot be waited for", self.name))?;
        for _ in 0..MOST_POLLS {
            if !process::group_alive(self.leader) {
                return Ok(());
            }
            sleep(POLL_EVERY).await;
        }
        bail!("{}: processes of group {} are still there", self.name, self.leader)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // After the leader was waited for, its id may be reused.
        if self.child.id().is_some() {
            let _ = process::kill_group(self.leader);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::process::Command;
    use tokio::time::sleep;

    use super::Group;
    use crate::process;

    /// A server that starts a process of its own and waits for the end of its input.
    fn server() -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & cat"]).stdout(std::process::Stdio::null());
        command
    }

    async fn grown(group: &Group) -> Vec<u32> {
        for _ in 0..100 {
            let children = process::children(group.leader());
            if children.len() == 2 {
                return children;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the server has not started both of its processes");
    }

    #[tokio::test]
    async fn stopping_leaves_nothing() {
        let group = Group::start("server", &mut server()).expect("sh");
        let (leader, _) = (group.leader(), grown(&group).await);
        group.stop().await.expect("it ends");
        assert!(!process::group_alive(leader));
    }

    #[tokio::test]
    async fn dropping_leaves_nothing() {
        let group = Group::start("server", &mut server()).expect("sh");
        let (leader, _) = (group.leader(), grown(&group).await);
        drop(group);
        for _ in 0..100 {
            if !process::group_alive(leader) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("the group outlived its handle");
    }
}
