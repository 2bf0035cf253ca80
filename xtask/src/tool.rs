//! Runs other programs to their end: cargo, pip, linters.

use std::path::Path;
use std::process::{Output, Stdio};

use anyhow::{Context as _, Result, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::environment;

/// Lines of a failed program's output that its error quotes.
const QUOTED_LINES: usize = 20;

/// A command without input. Dropping the future that waits for it kills the program.
#[must_use]
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.kill_on_drop(true).stdin(Stdio::null());
    command
}

/// Cargo, without the variables that an outer `cargo run` or `cargo test` has set for this program.
/// Some build scripts, such as ring's, watch them and would run again whenever they differ, and then
/// everything above them would be compiled again.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = command("cargo");
    for name in environment::set_by_cargo() {
        cargo.env_remove(name);
    }
    cargo
}

/// Runs a program and returns what it printed. Fails, quoting the end of its output, when the
/// program cannot be started or does not succeed. `what` completes the sentence "could not …".
pub async fn output(command: &mut Command, what: &str) -> Result<String> {
    let program = name(command);
    let done = command
        .output()
        .await
        .with_context(|| format!("could not {what}: `{program}` could not be started"))?;
    printed(done, &program, what)
}

/// Like [`output`], for a program that reads `input` from its standard input.
pub async fn answer(command: &mut Command, input: &str, what: &str) -> Result<String> {
    let program = name(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .with_context(|| format!("could not {what}: `{program}` could not be started"))?;
    let stdin = child.stdin.take();
    let write = async move {
        if let Some(mut stdin) = stdin {
            // If the program ends before it has read everything, its exit status says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    // At the same time: otherwise both sides could block on a full pipe.
    let ((), done) = tokio::join!(write, child.wait_with_output());
    let done = done.with_context(|| format!("could not {what}: no answer from `{program}`"))?;
    printed(done, &program, what)
}

/// The output of a program that has ended.
fn printed(done: Output, program: &str, what: &str) -> Result<String> {
    if !done.status.success() {
        let mut said = done.stdout;
        said.extend_from_slice(&done.stderr);
        let said = String::from_utf8_lossy(&said);
        bail!("could not {what}: {program} ended with {}\n{}", done.status, tail(&said));
    }
    String::from_utf8(done.stdout).with_context(|| format!("{program} printed what is not UTF-8"))
}

/// Runs a program whose output goes straight to the terminal, and says whether it succeeded.
pub async fn shown(command: &mut Command) -> Result<bool> {
    let program = name(command);
    let status =
        command.status().await.with_context(|| format!("`{program}` could not be started"))?;
    Ok(status.success())
}

/// The program without its directory, which differs between machines.
fn name(command: &Command) -> String {
    let path = Path::new(command.as_std().get_program());
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The last lines of a text, for an error message.
#[must_use]
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(QUOTED_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::{answer, command, output, tail};

    #[test]
    fn a_tail_is_the_last_lines() {
        let text = ["line"; 30].join("\n");
        assert_eq!(tail(&text).lines().count(), 20);
        assert_eq!(tail("one"), "one");
    }

    #[tokio::test]
    async fn an_answer_may_be_longer_than_a_pipe_holds() {
        let question = "x".repeat(1 << 20);
        let said = answer(&mut command("cat"), &question, "repeat it").await;
        assert_eq!(said.expect("cat repeats it"), question);
        let early = answer(&mut command("true"), &question, "end early").await;
        assert_eq!(early.expect("it has read nothing and succeeded"), "");
    }

    #[tokio::test]
    async fn a_failure_quotes_what_the_program_said() {
        let failed = output(command("sh").args(["-c", "echo because >&2; exit 3"]), "try").await;
        let said = failed.expect_err("exit status 3").to_string();
        assert!(said.starts_with("could not try: sh ended with exit status: 3"), "{said}");
        assert!(said.ends_with("because"), "{said}");
    }
}
