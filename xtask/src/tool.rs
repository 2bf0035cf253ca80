//! Runs other programs to their end: cargo, pip, linters.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::process::{Child, Command};

use crate::environment;
use crate::process;

/// Lines of a failed program's output that its error quotes.
const QUOTED_LINES: usize = 20;

/// A command without input. Dropping the future that waits for it, here, kills the program and what it has started.
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

/// A running program. Dropping it also kills what it has started, such as compilers or a browser, which would otherwise
/// outlive it.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        command.spawn().map(Self)
    }

    /// Waits for its end, and returns what it has written to pipes.
    async fn output(mut self) -> io::Result<Output> {
        let (stdout, stderr) = (self.0.stdout.take(), self.0.stderr.take());
        // At the same time: a program whose pipe is full does not end.
        let (status, stdout, stderr) =
            tokio::try_join!(self.0.wait(), written(stdout), written(stderr))?;
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After its end it has no id.
        if let Some(pid) = self.0.id() {
            process::kill_tree(pid);
        }
    }
}

/// All that comes through a pipe.
async fn written(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut written = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut written).await?;
    }
    Ok(written)
}

/// Runs a program to its end, whatever that is, and returns what it printed. Fails if it cannot be started.
pub(crate) async fn ended(command: &mut Command) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(command)?.output().await
}

/// Runs a program whose output goes straight to the terminal to its end. Fails if it cannot be started.
pub(crate) async fn status(command: &mut Command) -> io::Result<ExitStatus> {
    Running::start(command)?.0.wait().await
}

/// Runs a program and returns what it printed. Fails, quoting the end of its output, when the
/// program cannot be started or does not succeed. `what` completes the sentence "could not …".
pub async fn output(command: &mut Command, what: &str) -> Result<String> {
    let program = name(command);
    let done = ended(command)
        .await
        .with_context(|| format!("could not {what}: `{program}` could not be started"))?;
    printed(done, &program, what)
}

/// Like [`output`], for a program that reads `input` from its standard input.
pub async fn answer(command: &mut Command, input: &str, what: &str) -> Result<String> {
    let program = name(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = Running::start(command)
        .with_context(|| format!("could not {what}: `{program}` could not be started"))?;
    let stdin = running.0.stdin.take();
    let write = async move {
        if let Some(mut stdin) = stdin {
            // If the program ends before it has read everything, its exit status says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    // At the same time: otherwise both sides could block on a full pipe.
    let ((), done) = tokio::join!(write, running.output());
    let done = done.with_context(|| format!("could not {what}: no answer from `{program}`"))?;
    printed(done, &program, what)
}

/// Runs a program and tells each line that it prints as soon as it is there. Fails if it cannot be started or does not
/// succeed.
pub(crate) async fn lines(command: &mut Command, mut told: impl FnMut(String)) -> Result<()> {
    let program = name(command);
    command.stdout(Stdio::piped());
    let started = Running::start(command);
    let mut running = started.with_context(|| format!("`{program}` could not be started"))?;
    let stdout = running.0.stdout.take().with_context(|| format!("{program} has no output"))?;
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.with_context(|| program.clone())? {
        told(line);
    }
    let status = running.0.wait().await.with_context(|| program.clone())?;
    ensure!(status.success(), "{program} ended with {status}");
    Ok(())
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
        status(command).await.with_context(|| format!("`{program}` could not be started"))?;
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
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{answer, command, lines, output, shown, tail};
    use crate::process;

    /// A file of this test process.
    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-tool-{}-{name}", std::process::id()))
    }

    /// What a shell does that starts a process, writes its id to the file, and waits for it.
    fn parent(file: &Path) -> String {
        let file = file.display();
        format!("sleep 60 & echo $! > {file}.new && mv {file}.new {file}; wait")
    }

    /// The id in the file, once it is there.
    async fn id_in(file: &Path) -> u32 {
        loop {
            if let Ok(text) = fs::read_to_string(file) {
                return text.trim().parse().expect("an id");
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_a_program_has_started_ends_with_the_future_that_waits_for_it() {
        for how in ["shown", "output", "answer"] {
            let file = file(how);
            let mut shell = command("sh");
            shell.args(["-c", &parent(&file)]);
            let wait = async {
                match how {
                    "shown" => shown(&mut shell).await.map(drop),
                    "output" => output(&mut shell, "wait").await.map(drop),
                    _ => answer(&mut shell, "", "wait").await.map(drop),
                }
            };
            let started = tokio::select! {
                ended = wait => panic!("{how}: {ended:?}"),
                started = id_in(&file) => started,
            };
            let dropped = Instant::now();
            while process::alive(started) {
                assert!(dropped.elapsed() < Duration::from_secs(20), "{how}: it goes on");
                std::thread::yield_now();
            }
            fs::remove_file(&file).expect("it was there");
        }
    }

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
    async fn lines_are_told_one_by_one_also_before_a_failure() {
        let mut told = Vec::new();
        let mut shell = command("sh");
        shell.args(["-c", "echo one; echo two; exit 3"]);
        let ended = lines(&mut shell, |line| told.push(line)).await;
        assert_eq!(told, ["one", "two"]);
        let why = ended.expect_err("exit status 3").to_string();
        assert_eq!(why, "sh ended with exit status: 3");
    }

    #[tokio::test]
    async fn a_failure_quotes_what_the_program_said() {
        let failed = output(command("sh").args(["-c", "echo because >&2; exit 3"]), "try").await;
        let said = failed.expect_err("exit status 3").to_string();
        assert!(said.starts_with("could not try: sh ended with exit status: 3"), "{said}");
        assert!(said.ends_with("because"), "{said}");
    }
}
