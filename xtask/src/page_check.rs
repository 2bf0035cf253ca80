//! `cargo xtask page-check`: every page of a dashboard in a browser without a window. And the screenshots of README.md.
//!
//! For each page it looks for serious findings of axe-core, in light and dark, wide and at 320 pixels, for elements
//! that the keyboard does not reach, for keys and forms that do not do what they say, and for what is missing without
//! JavaScript; and it takes screenshots. The demo's report is looked at as well. Browser and axe-core come from npm, below
//! `target/tools/`, so `.ci/run` does not need them.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::file;
use crate::progress;
use crate::tool;
use crate::workspace::Workspace;

/// The pinned packages.
const PACKAGES: &str = include_str!("../page-check/package.json");

/// What the browser does: look at every page, take the screenshots of README.md, and keep a tab open.
const SCRIPTS: [(&str, &str); 3] = [
    ("check.mjs", include_str!("../page-check/check.mjs")),
    ("screenshots.mjs", include_str!("../page-check/screenshots.mjs")),
    ("soak.mjs", include_str!("../page-check/soak.mjs")),
];

/// Looks at the dashboard at `url`, and at the page that the demo has left if there is one, with `browser` instead of the
/// Chromium from npm if one is given. On a local stack it forces a breaker closed and frees it. Returns false if
/// something was found and has been printed. Fails if node or npm is missing, or if the browser cannot be started.
pub async fn run(workspace: &Workspace, url: &str, browser: Option<&Path>) -> Result<bool> {
    let tools = installed(workspace).await?;
    let screenshots = workspace.target().join("page-check");
    let report = workspace.demo().join("report.html");
    let mut node = tool::command("node");
    node.arg(tools.join("check.mjs")).arg(url.trim_end_matches('/')).arg(&screenshots);
    if report.exists() {
        node.arg(&report);
    } else {
        println!("No report is looked at: `cargo xtask demo` leaves one");
        node.arg("-");
    }
    if let Some(browser) = browser {
        node.arg(browser);
    }
    let is_good = tool::shown(&mut node).await?;
    println!("{}", if is_good { "Nothing serious was found." } else { "See above." });
    Ok(is_good)
}

/// Installs browser and packages, unless they are there.
pub async fn prepare(workspace: &Workspace) -> Result<()> {
    installed(workspace).await.map(drop)
}

/// Takes the screenshots of README.md, into `docs/images`, from the dashboard at `url`, once the breaker of the link
/// shortener is open and the sweeper has reported a minute of that. Returns false if a picture is too large, which has
/// been printed. Fails if the breaker does not open within four minutes, if no report comes, or if the browser cannot be
/// started.
pub async fn screenshots(workspace: &Workspace, url: &str, browser: Option<&Path>) -> Result<bool> {
    let tools = installed(workspace).await?;
    let images = workspace.root().join("docs/images");
    let mut node = tool::command("node");
    node.arg(tools.join("screenshots.mjs")).arg(url.trim_end_matches('/')).arg(&images);
    if let Some(browser) = browser {
        node.arg(browser);
    }
    tool::shown(&mut node).await
}

/// Keeps the overview of the dashboard at `url` open in a tab for so many minutes, and tells after each of them what the
/// tab has used, a line of JSON as `xtask/page-check/soak.mjs` prints it. Fails if the browser cannot be started or ends
/// before. Dropped, it ends the browser.
pub async fn watch_tab(
    workspace: &Workspace,
    url: &str,
    minutes: u32,
    browser: Option<&Path>,
    told: impl FnMut(String),
) -> Result<()> {
    let tools = installed(workspace).await?;
    let mut node = tool::command("node");
    node.arg(tools.join("soak.mjs")).arg(url.trim_end_matches('/')).arg(minutes.to_string());
    if let Some(browser) = browser {
        node.arg(browser);
    }
    tool::lines(&mut node, told).await
}

/// The folder with the scripts and their packages, installed anew if the pins have changed.
async fn installed(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools().join("page-check");
    file::create_folder(&folder)?;
    for (name, text) in SCRIPTS {
        file::write(&folder.join(name), text)?;
    }
    // The stamp is written last, so an installation that was interrupted is repeated.
    let stamp = folder.join("pins.txt");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == PACKAGES) {
        return Ok(folder);
    }
    file::write(&folder.join("package.json"), PACKAGES)?;
    let mut npm = tool::command("npm");
    npm.current_dir(&folder);
    npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-package-lock"]);
    let install = tool::output(&mut npm, "install pinned npm packages (is there a network?)");
    progress::shown(|| "installing a browser".to_owned(), install).await?;
    fs::write(&stamp, PACKAGES).context("tools: cannot write the stamp")?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::PACKAGES;

    #[test]
    fn every_package_is_pinned() {
        let packages: Value = serde_json::from_str(PACKAGES).expect("package.json");
        let pinned = packages["dependencies"].as_object().expect("dependencies");
        assert_eq!(pinned.len(), 4);
        for (name, version) in pinned {
            let version = version.as_str().expect("a version");
            assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{name}: {version}");
        }
    }
}
