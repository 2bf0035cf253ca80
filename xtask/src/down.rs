//! `cargo xtask down`: ends the stack of `cargo xtask up`.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::sleep;

use crate::local::{Description, Hold, Holder};
use crate::process;
use crate::workspace::Workspace;

/// Time between two polls of the process.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Polls until the process must have ended: fifteen seconds.
const MOST_POLLS: u32 = 300;

/// Asks the process of `cargo xtask up` to end, whether it holds a stack up or still builds one, and
/// waits until it has ended. No such process is no error.
pub async fn run(workspace: &Workspace) -> Result<()> {
    let Some(holder) = Holder::find(workspace)? else {
        // Removes what a killed process may have left behind.
        drop(Hold::take(workspace)?);
        println!("No stack is up.");
        return Ok(());
    };
    let stack = Description::read(workspace)?;
    process::ask_to_end(holder.pid)?;
    for _ in 0..MOST_POLLS {
        if !holder.runs() {
            match stack {
                Some(stack) => println!("The stack at {} is down.", stack.endpoint),
                None => println!("`cargo xtask up` was still starting a stack; it has ended."),
            }
            return Ok(());
        }
        sleep(POLL_EVERY).await;
    }
    bail!("process {} was asked to end and still runs", holder.pid)
}
