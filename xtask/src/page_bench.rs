//! `cargo xtask page-bench`: how pages and feeds are read, compared with other parsers. The Rust ones are in the crate
//! `tests/page-bench`, which is a workspace of its own: no test and no check compiles them.

use anyhow::{Context as _, Result};

use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// Reads a page as often as the crate does, and prints the shortest time. Fails if it is less than three times ours.
const EXTRUCT: &str = "
import extruct, pathlib, sys, time
page = pathlib.Path(sys.argv[1]).read_text()
ours = float(pathlib.Path(sys.argv[2]).read_text())
times = []
for _ in range(20):
    start = time.perf_counter()
    extruct.extract(page, syntaxes=['json-ld', 'microdata', 'opengraph', 'rdfa'])
    times.append(time.perf_counter() - start)
ratio = min(times) * 1e6 / ours
verdict = '' if ratio >= 3 else ': BROKEN'
print(f'  extruct, warm                {min(times) * 1e6:>9.0f} µs, {ratio:.2f} × ours '
      f'(promised: 3 times ours or more{verdict})')
sys.exit(bool(verdict))
";

/// Builds the crate and runs it, then extruct on the same page. Returns false if one of them failed and has said why: the
/// tags of a page differ from those that html5gum finds, or ours is slower than promised.
pub async fn run(workspace: &Workspace) -> Result<bool> {
    let target = workspace.target().join("page-bench");
    std::fs::create_dir_all(&target).context("page-bench: cannot make its folder")?;
    let (page, time) = (target.join("page.html"), target.join("ours.txt"));
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root().join("tests/page-bench"));
    cargo
        .args(["run", "--release", "--quiet", "--target-dir"])
        .arg(&target)
        .arg("--")
        .arg(&page)
        .arg(&time);
    if !tool::shown(&mut cargo).await? {
        return Ok(false);
    }
    let venv = Venv::ready(workspace, Tools::PageBench).await?;
    let mut python = tool::command(venv.program("python"));
    tool::shown(python.args(["-c", EXTRUCT]).arg(&page).arg(&time)).await
}
