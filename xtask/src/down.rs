//! `cargo xtask down`: ends the stack of `cargo xtask up`.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::local::Description;
use crate::process;
use crate::workspace::Workspace;

/// Time between two looks at the process.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Looks after which the process counts as stuck: fifteen seconds.
const MOST_LOOKS: u32 = 300;

/// Asks the process that holds the stack up to end, and waits until it is gone. No stack to end is
/// no error.
pub async fn run(workspace: &Workspace) -> Result<()> {
    let Some(stack) = Description::read(workspace)? else {
        println!("No stack is up.");
        return Ok(());
    };
    process::ask_to_end(stack.pid)?;
    for _ in 0..MOST_LOOKS {
        if !stack.is_up() {
            println!("The stack at {} is down.", stack.endpoint);
            return Ok(());
        }
        sleep(LOOK_EVERY).await;
    }
    bail!("process {} was asked to end and still runs", stack.pid)
}
