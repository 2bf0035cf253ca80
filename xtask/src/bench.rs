//! `cargo xtask bench`: counts instructions, and compares them with those of docs/performance.md or of another
//! revision. The counted work is in the crate `tests/bench-engine`, a workspace of its own: no test and no check
//! compiles it.
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod function;
mod instructions;
mod revision;
mod table;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::file;
use crate::page_bench;
use crate::tool;
use crate::workspace::Workspace;
use function::Scenario;
use instructions::Counts;

/// The document with the numbers.
const PAGE: &str = "docs/performance.md";

/// What to measure, and what to compare it with.
#[derive(Clone, Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub struct Selection {
    /// Count only the cases whose names contain this
    pub filter: Option<String>,
    /// Write the numbers into docs/performance.md
    #[arg(long, conflicts_with = "filter")]
    pub write: bool,
    /// Fail if a case takes over 2 % more instructions than docs/performance.md says
    #[arg(long, conflicts_with = "write")]
    pub check: bool,
    /// Count this revision too, and fail if a case takes over 2 % more instructions now
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["check", "write"])]
    pub base: Option<String>,
    /// Compare the times of reading pages and feeds with other parsers instead, like `page-bench`
    #[arg(long, group = "instead", conflicts_with_all = ["filter", "write", "check", "base"])]
    pub peers: bool,
    /// Measure one to 64 containers, and ticks of the sweeper, in virtual time instead
    #[arg(long, group = "instead", conflicts_with_all = ["filter", "check", "base"])]
    pub scaling: bool,
    /// Measure the process of `url-shortening` instead, with the benchmark in this folder, beside its bare handler
    #[arg(long, value_name = "FOLDER", group = "instead")]
    #[arg(conflicts_with_all = ["filter", "write", "check", "base"])]
    pub function: Option<PathBuf>,
    /// What that benchmark adds: nothing; 50 ms of service; or besides 4 ms of DynamoDB and the CPU of 256 MB
    #[arg(long, value_enum, value_delimiter = ',', default_value = "quick", requires = "function")]
    pub scenarios: Vec<Scenario>,
}

/// Measures. Returns false if something has become slower than it may, and has said what.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    if selection.peers {
        return page_bench::run(workspace).await;
    }
    if selection.scaling {
        return scaling(workspace, selection.write).await;
    }
    if let Some(folder) = &selection.function {
        return function::run(workspace, folder, &selection.scenarios).await;
    }
    let filter = selection.filter.as_deref().unwrap_or_default();
    if let Some(base) = &selection.base {
        return against_revision(workspace, base, filter).await;
    }
    let recorded = if selection.check { Some(recorded(workspace).await?) } else { None };
    let counted = instructions::count(workspace, workspace.root(), filter).await?;
    print!("{}", table::of(&counted));
    keep(workspace, &counted)?;
    if selection.write {
        let page = workspace.root().join(PAGE);
        let text = read(&page)?;
        file::write(&page, &table::written(&text, &counted).context(PAGE)?)?;
    }
    let is_linear = told(&table::growth(&counted));
    let Some(recorded) = recorded else { return Ok(is_linear) };
    Ok(judge(&recorded.only(filter), &counted) && is_linear)
}

/// The numbers of the document. Fails if they come from another compiler or CPU: their numbers differ anyway.
async fn recorded(workspace: &Workspace) -> Result<Counts> {
    let recorded = table::read(&read(&workspace.root().join(PAGE))?).context(PAGE)?;
    let here = instructions::machine().await?;
    if recorded.machine != here {
        bail!(
            "{PAGE} has the numbers of {}, and this is {here}: compare with a revision by `--base`",
            recorded.machine
        );
    }
    Ok(recorded)
}

async fn against_revision(workspace: &Workspace, base: &str, filter: &str) -> Result<bool> {
    let checkout = revision::check_out(workspace, base).await?;
    let before = instructions::count(workspace, &checkout, filter).await;
    revision::remove(workspace, &checkout).await?;
    let before = before.with_context(|| format!("{base} cannot be counted"))?;
    let now = instructions::count(workspace, workspace.root(), filter).await?;
    print!("{}", table::of(&now));
    keep(workspace, &now)?;
    Ok(judge(&before, &now))
}

/// Prints what differs. Returns false if a case takes more instructions than it may.
fn judge(before: &Counts, now: &Counts) -> bool {
    told(&table::compare(before, now))
}

/// Prints what was found. Returns whether it passed.
fn told(verdict: &table::Verdict) -> bool {
    for line in &verdict.lines {
        println!("{line}");
    }
    verdict.passed
}

/// Writes the numbers where programs find them.
fn keep(workspace: &Workspace, counted: &Counts) -> Result<()> {
    let folder = workspace.target().join("bench");
    file::create_folder(&folder)?;
    let path = folder.join("instructions.json");
    file::write(&path, &(serde_json::to_string_pretty(counted)? + "\n"))?;
    println!("written: {}", workspace.shown(&path));
    Ok(())
}

/// Runs the measurements in virtual time, which are a module of the integration tests. With `write`, their tables are
/// written into the document; without, it fails if the document has others.
async fn scaling(workspace: &Workspace, write: bool) -> Result<bool> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    // The same features as `cargo xtask test`, so that both share what is built.
    cargo.args(["test", "--workspace", "--all-features", "--quiet", "--test", "integration"]);
    cargo.args(["scaling::", "--", "--nocapture", "--test-threads", "1"]);
    cargo.env("BENCH_SCALING", "1");
    if write {
        cargo.env("UPDATE_PAGES", "1");
    }
    tool::shown(&mut cargo).await
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}
