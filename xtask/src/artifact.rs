//! The binaries that a local stack runs, built by cargo for this machine.
#![expect(clippy::print_stdout, reason = "a command's progress")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

use crate::progress;
use crate::template;
use crate::tool::{self, Running};
use crate::workspace::Workspace;

/// How the functions are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Quick to build and shared with the tests: no LTO.
    #[default]
    Dev,
    /// As they are deployed: optimised across crates, which takes minutes from cold.
    Release,
}

/// What all builds in the dev profile have in common. This is the compilation of `cargo test
/// --workspace --all-features`, so that no crate is compiled twice.
///
/// Cargo unifies the features of dev-dependencies only into builds that include tests, examples or
/// benchmarks. `--examples` makes this such a build; without it, other features would be chosen, and
/// a quarter of the crates, the AWS SDK among them, compiled again for the tests. There are no
/// examples to build.
const DEV: [&str; 3] = ["--workspace", "--all-features", "--examples"];

/// Our own programs, the command of operators among them. They are never measured, so they are always built in the dev profile.
const TOOLS: [&str; 3] = ["demo", "evenkeel", "sandbox"];

/// The binary of the crate `tests` that writes what is generated.
const GENERATOR: &str = "generate";

/// The binaries that cargo has built, by name. A binary has the name of its package.
#[derive(Clone, Debug, Default)]
pub struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// Where a binary is. Fails if cargo has built none of that name.
    pub fn path(&self, name: &str) -> Result<&Path> {
        let path = self.0.get(name).map(PathBuf::as_path);
        path.with_context(|| format!("cargo has built no binary {name}"))
    }
}

/// Builds the functions that the template names, the sandbox and the demo, and tells on the terminal
/// how far it is.
///
/// For a release, cargo sees the functions alone, so that no feature comes in which only the tests
/// ask for.
pub async fn build(workspace: &Workspace, profile: Profile) -> Result<Binaries> {
    match profile {
        Profile::Dev => cargo_build(workspace, DEV.into_iter().chain(["--bins"])).await,
        Profile::Release => {
            let tools = TOOLS.into_iter().flat_map(|tool| ["--bin", tool]);
            let mut built = cargo_build(workspace, DEV.into_iter().chain(tools)).await?;
            let functions = template::functions(&template::load(&workspace.template())?)?;
            let packages =
                functions.iter().flat_map(|function| ["--package", function.binary.as_str()]);
            let release = ["--release", "--bins"].into_iter().chain(packages);
            built.0.extend(cargo_build(workspace, release).await?.0);
            Ok(built)
        }
    }
}

/// Builds the generator of what follows from the job types. It links all of them, which xtask does not.
pub async fn generator(workspace: &Workspace) -> Result<PathBuf> {
    let built = cargo_build(workspace, DEV.into_iter().chain(["--bin", GENERATOR])).await?;
    built.path(GENERATOR).map(Path::to_owned)
}

/// Runs `cargo build` with these arguments. The compiler's messages go to standard error.
async fn cargo_build<'a>(
    workspace: &Workspace,
    arguments: impl IntoIterator<Item = &'a str>,
) -> Result<Binaries> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    cargo.args(["build", "--quiet", "--message-format", "json-render-diagnostics"]);
    cargo.args(arguments).stdout(Stdio::piped());
    let mut cargo = Running::start(&mut cargo).context("`cargo` could not be started")?;
    let began = Instant::now();
    let seen = RefCell::new(Seen { total: crates_of(workspace).await?, ..Seen::default() });
    let work = async {
        let stdout = cargo.0.stdout.take().context("cargo has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await.context("cargo's messages")? {
            seen.borrow_mut().take(&line);
        }
        cargo.0.wait().await.context("cargo")
    };
    let status = progress::shown(|| seen.borrow().standing(), work).await?;
    ensure!(status.success(), "cargo build ended with {status}");
    let Seen { crates, binaries, .. } = seen.into_inner();
    println!("built: {crates} crates, {}", progress::in_words(began.elapsed()));
    Ok(binaries)
}

/// How many crates the workspace consists of on this machine, dependencies included.
async fn crates_of(workspace: &Workspace) -> Result<usize> {
    let host =
        tool::output(tool::command("rustc").args(["--print", "host-tuple"]), "ask rustc").await?;
    let mut metadata = tool::cargo();
    metadata.current_dir(workspace.root()).args(["metadata", "--format-version", "1", "--quiet"]);
    metadata.args(["--all-features", "--filter-platform", host.trim()]);
    let graph: Value = serde_json::from_str(&tool::output(&mut metadata, "list the crates").await?)
        .context("cargo metadata: expected JSON")?;
    Ok(graph["resolve"]["nodes"].as_array().map_or(0, Vec::len))
}

/// What cargo has reported so far.
#[derive(Debug, Default)]
struct Seen {
    /// Crates of the workspace's graph for this machine. A build may need fewer.
    total: usize,
    /// Crates that are done, including those that were up to date.
    crates: usize,
    /// The name of the latest of them.
    last: String,
    binaries: Binaries,
}

impl Seen {
    /// Takes a message; cargo prints one JSON object a line.
    fn take(&mut self, line: &str) {
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let target = &message["target"];
        let is_a = |kind: &str| target["kind"].as_array().is_some_and(|k| k.contains(&kind.into()));
        // A build script is only part of its crate.
        if message["reason"] != "compiler-artifact" || is_a("custom-build") {
            return;
        }
        let name = target["name"].as_str().unwrap_or_default();
        self.crates += 1;
        name.clone_into(&mut self.last);
        if let Some(path) = message["executable"].as_str().filter(|_| is_a("bin")) {
            self.binaries.0.insert(name.to_owned(), path.into());
        }
    }

    fn standing(&self) -> String {
        if self.crates == 0 {
            return "building: preparing".to_owned();
        }
        let most = match self.total {
            0 => String::new(),
            total => format!(" of at most {}", total.max(self.crates)),
        };
        format!("building: {} crates{most} done, last {}", self.crates, self.last)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Seen;

    #[test]
    fn messages_tell_the_progress_and_the_binaries() {
        let mut seen = Seen::default();
        assert_eq!(seen.standing(), "building: preparing");
        for message in [
            r#"{"reason":"compiler-artifact","target":{"name":"build-script-build","kind":["custom-build"]},"executable":"/b/script"}"#,
            r#"{"reason":"build-script-executed","package_id":"ring"}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"job","kind":["lib"]},"executable":null}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"shown","kind":["example"]},"executable":"/b/shown"}"#,
            r#"{"reason":"compiler-artifact","target":{"name":"job","kind":["bin"]},"executable":"/b/job"}"#,
            r#"{"reason":"build-finished","success":true}"#,
            "not a message",
        ] {
            seen.take(message);
        }
        assert_eq!(seen.standing(), "building: 3 crates done, last job");
        seen.total = 7;
        assert_eq!(seen.standing(), "building: 3 crates of at most 7 done, last job");
        assert_eq!(seen.binaries.path("job").expect("a binary"), Path::new("/b/job"));
        assert!(seen.binaries.path("shown").is_err());
        assert!(seen.binaries.path("build-script-build").is_err());
    }
}
