//! Measures a whole process of `url-shortening` beside a bare handler, with a benchmark that lies outside of this
//! repository: a stand-in of Lambda's runtime interface and of the service, and dynoxide as DynamoDB.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;

use crate::artifact::{self, Profile};
use crate::file;
use crate::tool;
use crate::workspace::Workspace;

/// What the benchmark adds to the work itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Nothing: calls are answered at once.
    Quick,
    /// 50 ms for each call of the service.
    Slow,
    /// Besides 4 ms for each call of DynamoDB, and the CPU share of 256 MB. Needs a writable cgroup.
    Real,
}

impl Scenario {
    const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Slow => "slow",
            Self::Real => "real",
        }
    }
}

/// The pinned version of dynoxide, as in the root `Cargo.toml`.
const DYNOXIDE: &str = "3.2.0";

/// What the function is configured with. The rates are so high that no call waits for its slot.
const ARGUMENTS: [&str; 7] = [
    "JOBS_TABLE=jobs",
    "CONTROL_TABLE=control",
    "REBRANDLY_BASE_URL={upstream}/v1",
    "REBRANDLY_API_KEY=key",
    "REBRANDLY_DOMAIN=rebrand.ly",
    "REBRANDLY_RATE_PER_SECOND=10000",
    "REBRANDLY_RATE_PER_HOUR=1000000",
];

/// Builds everything and runs the benchmark in `folder`, which prints medians as tables. Returns false if it failed and
/// has said why.
pub(super) async fn run(
    workspace: &Workspace,
    folder: &Path,
    scenarios: &[Scenario],
) -> Result<bool> {
    let folder = fs::canonicalize(folder)
        .with_context(|| format!("{}: no such folder", folder.display()))?;
    for needed in ["bench.sh", "driver/Cargo.toml", "floor/Cargo.toml"] {
        let shown = folder.display();
        ensure!(folder.join(needed).is_file(), "{shown}: expected a benchmark with {needed}");
    }
    let kept = workspace.target().join("bench");
    file::create_folder(&kept)?;
    let driver = built(&folder.join("driver"), &kept.join("driver")).await?;
    let floor = built(&folder.join("floor"), &kept.join("floor")).await?;
    let dynoxide = dynoxide(workspace).await?;
    let functions = artifact::build(workspace, Profile::Release).await?;
    let subject = functions.path("url-shortening")?;
    let results = kept.join("function.jsonl");
    // The benchmark adds its lines to what is there.
    file::remove(&results)?;
    let arguments: Vec<String> =
        ARGUMENTS.iter().map(|variable| format!("--env {variable}")).collect();
    let scenarios: Vec<&str> = scenarios.iter().map(|scenario| scenario.name()).collect();
    let mut bench = tool::command("bash");
    bench.arg(folder.join("bench.sh")).arg(&results).args(["subject", "floor"]);
    bench.env("BENCH", driver.join("lambda-bench")).env("FLOOR", floor).env("DYNOXIDE", dynoxide);
    bench.env("SUBJECT", subject).env("SUBJECT_LABEL", "url-shortening");
    bench.env("SUBJECT_ARGS", arguments.join(" ")).env("SCENARIOS", scenarios.join(" "));
    bench.env("BODY", folder.join("templates/body-project.json"));
    bench.env("TABLES", folder.join("templates/tables-project.json"));
    tool::shown(&mut bench).await
}

/// Builds the crate in `source`, which may be read-only. Returns the folder of its binaries.
async fn built(source: &Path, target: &Path) -> Result<PathBuf> {
    let mut cargo = tool::cargo();
    cargo.current_dir(source).args(["build", "--release", "--locked", "--quiet", "--target-dir"]);
    let built = tool::shown(cargo.arg(target)).await?;
    ensure!(built, "{} does not compile", source.display());
    Ok(target.join("release"))
}

/// The program dynoxide, installed once below `target/tools/`.
async fn dynoxide(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.tools().join("dynoxide");
    let program = root.join("bin/dynoxide");
    if program.is_file() {
        return Ok(program);
    }
    let mut cargo = tool::cargo();
    cargo.args(["install", "dynoxide-rs", "--version", DYNOXIDE, "--locked", "--quiet"]);
    cargo.args(["--no-default-features", "--features", "cli,http-server,native-sqlite", "--root"]);
    ensure!(tool::shown(cargo.arg(&root)).await?, "dynoxide cannot be installed");
    Ok(program)
}
