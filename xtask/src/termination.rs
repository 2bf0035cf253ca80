//! Signals that ask this process to end.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

/// Does some work unless a signal asks for the end first. Then the work is dropped, which also ends the programs that it
/// runs, and the result is false. Fails if the work does, or if it cannot listen for signals.
pub async fn unless_requested(work: impl Future<Output = Result<bool>>) -> Result<bool> {
    tokio::select! {
        // It listens before the work begins.
        biased;
        asked = requested() => {
            println!("\nInterrupted.");
            asked.map(|()| false)
        }
        done = work => done,
    }
}

/// Returns when Ctrl-C, SIGTERM or SIGHUP asks for the end of the command. Fails if it cannot listen
/// for them.
pub async fn requested() -> Result<()> {
    let mut interrupted = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut hung_up = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
        _ = hung_up.recv() => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use tokio::time::Instant;

    use super::unless_requested;
    use crate::process;
    use crate::tool;

    /// The signal reaches the whole test process, in which nothing else listens.
    #[tokio::test]
    async fn a_signal_ends_the_work_and_what_its_programs_have_started() {
        let file = std::env::temp_dir().join(format!("xtask-ended-{}", std::process::id()));
        let name = file.display();
        let script = format!("sleep 60 & echo $! > {name}.new && mv {name}.new {name}; wait");
        let mut shell = tool::command("sh");
        shell.args(["-c", &script]);
        let ask = async {
            while !file.exists() {
                tokio::task::yield_now().await;
            }
            process::ask_to_end(std::process::id()).expect("this process is there");
            std::future::pending::<()>().await;
        };
        let work = async {
            tokio::select! {
                done = tool::shown(&mut shell) => done,
                () = ask => Ok(true),
            }
        };
        let done = tokio::time::timeout(Duration::from_secs(20), unless_requested(work)).await;
        assert!(!done.expect("it ends at the signal").expect("it has listened"));
        let started = fs::read_to_string(&file).expect("the shell has written it");
        let started: u32 = started.trim().parse().expect("an id");
        let dropped = Instant::now();
        while process::alive(started) {
            assert!(dropped.elapsed() < Duration::from_secs(20), "it goes on");
            std::thread::yield_now();
        }
        fs::remove_file(&file).expect("it was there");
    }
}
