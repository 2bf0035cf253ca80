//! Python tools of pinned versions, each set in a virtual environment of its own under `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::file;
use crate::progress;
use crate::tool;
use crate::workspace::Workspace;

/// The oldest Python that all pinned packages support.
const OLDEST: (u32, u32) = (3, 10);

/// Names under which Python may be installed, the most likely first.
const PYTHONS: [&str; 6] =
    ["python3", "python", "python3.13", "python3.12", "python3.11", "python3.10"];

/// A set of pinned tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tools {
    /// MiniStack, and the translator of SAM templates that it needs.
    Local,
    /// The linters of the template.
    Check,
    /// checkov and parliament, which judge the settings and policies of the template.
    Audit,
    /// cargo-lambda, which builds the functions for Lambda.
    Build,
    /// moto, a second stand-in of AWS, for the conformance suite of the queues.
    Moto,
    /// extruct, which reads the linked data of pages, for a comparison of speed.
    PageBench,
}

/// An environment that is ready for use.
#[derive(Clone, Debug)]
pub struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// Makes the environment, or finds it made from the same pins. The first time needs a network
    /// and takes up to a minute. Fails without Python, or with pip's own words.
    pub async fn ready(workspace: &Workspace, tools: Tools) -> Result<Self> {
        let (name, pins) = match tools {
            Tools::Local => ("local", include_str!("../requirements-local.txt")),
            Tools::Check => ("check", include_str!("../requirements-check.txt")),
            Tools::Audit => ("audit", include_str!("../requirements-audit.txt")),
            Tools::Build => ("build", include_str!("../requirements-build.txt")),
            Tools::Moto => ("moto", include_str!("../requirements-moto.txt")),
            Tools::PageBench => ("page-bench", include_str!("../requirements-page-bench.txt")),
        };
        let venv = Self { directory: workspace.tools().join(name) };
        file::create_folder(&workspace.tools())?;
        // Tests start stacks at the same time; one of them installs, the others wait.
        let path = workspace.tools().join(format!("{name}.lock"));
        let lock = File::create(&path)
            .with_context(|| format!("{} cannot be written", workspace.shown(&path)))?;
        lock.lock().context("tools: cannot wait for another installation")?;
        // The stamp is written last and contains the pins, so an interrupted or outdated
        // installation is repeated.
        let stamp = venv.directory.join("pins.txt");
        if fs::read_to_string(&stamp).is_ok_and(|found| found == pins) {
            return Ok(venv);
        }
        venv.install(&workspace.root().join(format!("xtask/requirements-{name}.txt"))).await?;
        fs::write(stamp, pins).context("tools: cannot write the stamp")?;
        Ok(venv)
    }

    /// The folder of the environment's programs.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// A program of the environment.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    async fn install(&self, requirements: &Path) -> Result<()> {
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory).context("tools: cannot remove the old ones")?;
        }
        let mut make = tool::command(python().await?);
        tool::output(make.args(["-m", "venv"]).arg(&self.directory), "make a Python environment")
            .await?;
        let mut pip = tool::command(self.program("python"));
        // Python compiles what it imports, which is a fraction of what is installed.
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-compile",
            "-r",
        ]);
        let what = "install pinned Python tools (is there a network?)";
        let install = tool::output(pip.arg(requirements), what);
        progress::shown(|| "installing Python tools".to_owned(), install).await?;
        Ok(())
    }
}

/// The first Python that is new enough.
async fn python() -> Result<&'static str> {
    let mut seen = Vec::new();
    for name in PYTHONS {
        let mut ask = tool::command(name);
        ask.args(["-c", "import sys; print(*sys.version_info[:2])"]);
        let Ok(said) = tool::output(&mut ask, "ask for the version").await else { continue };
        match version(&said) {
            Some(version) if version >= OLDEST => return Ok(name),
            Some((major, minor)) => seen.push(format!("{name} is {major}.{minor}")),
            None => {}
        }
    }
    let (major, minor) = OLDEST;
    let seen = if seen.is_empty() { "found none".to_owned() } else { seen.join(", ") };
    bail!("expected Python {major}.{minor} or newer on the PATH, {seen}")
}

fn version(said: &str) -> Option<(u32, u32)> {
    let (major, minor) = said.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, version};

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("3 10\n").expect("two numbers") >= OLDEST);
        assert!(version("3 9\n").expect("two numbers") < OLDEST);
        assert_eq!(version("Python 2"), None);
    }

    #[test]
    fn every_package_is_pinned() {
        let files = [
            include_str!("../requirements-local.txt"),
            include_str!("../requirements-check.txt"),
            include_str!("../requirements-audit.txt"),
            include_str!("../requirements-build.txt"),
            include_str!("../requirements-moto.txt"),
            include_str!("../requirements-page-bench.txt"),
        ];
        for line in files.iter().flat_map(|file| file.lines()) {
            let package = line.split('#').next().unwrap_or_default().trim();
            assert!(package.is_empty() || package.contains("=="), "{line}");
        }
    }
}
