//! The pinned cargo-lambda, which builds functions for Lambda's Linux on any machine.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::architecture::Architecture;
use crate::environment;
use crate::tool;
use crate::venv::{Tools, Venv};
use crate::workspace::Workspace;

/// The oldest version that keeps a workspace's `panic = "unwind"`. Older ones set `panic = "abort"` for
/// release builds, and then one panicking job ends its whole batch.
const OLDEST: (u32, u32) = (1, 7);

/// The installed cargo-lambda, found fit for a processor.
#[derive(Debug)]
pub struct CargoLambda {
    venv: Venv,
}

impl CargoLambda {
    /// Installs the pinned version, and fails unless it is new enough and Rust can build for the
    /// processor.
    pub async fn ready(workspace: &Workspace, architecture: Architecture) -> Result<Self> {
        let target = architecture.target();
        let mut ask = tool::command("rustc");
        ask.args(["--print", "target-libdir", "--target", target]);
        let folder = tool::output(&mut ask, "ask rustc for its targets").await?;
        ensure!(
            Path::new(folder.trim()).exists(),
            "{architecture}: Rust's standard library for {target} is not installed: \
             `rustup target add {target}` installs it"
        );
        let venv = Venv::ready(workspace, Tools::Build).await?;
        let mut ask = tool::command(venv.program("cargo-lambda"));
        expect_version(
            &tool::output(ask.args(["lambda", "--version"]), "ask cargo-lambda").await?,
        )?;
        Ok(Self { venv })
    }

    /// Cargo that finds this cargo-lambda, and its zig, before any other on the PATH.
    #[must_use]
    pub fn cargo(&self) -> Command {
        self.first_on_path(tool::cargo())
    }

    /// Lets a program find this cargo-lambda before any other.
    #[must_use]
    pub fn first_on_path(&self, mut program: Command) -> Command {
        program.env("PATH", environment::path_beginning_with(&self.venv.programs()));
        program
    }

    /// The Python of the same environment.
    #[must_use]
    pub fn python(&self) -> Command {
        tool::command(self.venv.program("python"))
    }
}

/// Fails unless cargo-lambda says that it is new enough, such as `cargo-lambda 1.9.2 (67129fc 2026-08-21Z)`.
fn expect_version(said: &str) -> Result<()> {
    let version = said.split_whitespace().nth(1).and_then(|version| {
        let mut parts = version.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    let found: (u32, u32) =
        version.with_context(|| format!("cargo-lambda: expected its version, found {said:?}"))?;
    ensure!(
        found >= OLDEST,
        "cargo-lambda {}.{}: expected {}.{} or newer, because older ones let a panic end the process",
        found.0,
        found.1,
        OLDEST.0,
        OLDEST.1
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::expect_version;

    #[test]
    fn a_version_that_aborts_on_panic_is_refused() {
        assert!(expect_version("cargo-lambda 1.9.2 (67129fc 2026-08-21Z)\n").is_ok());
        assert!(expect_version("cargo-lambda 1.10.0").is_ok());
        let old = expect_version("cargo-lambda 1.6.3").expect_err("it aborts").to_string();
        assert!(old.starts_with("cargo-lambda 1.6: expected 1.7 or newer"), "{old}");
        for said in ["", "cargo-lambda", "cargo-lambda x.y"] {
            assert!(expect_version(said).is_err(), "{said}");
        }
        assert!(expect_version("cargo-lambda 0.22.0").is_err());
    }
}
