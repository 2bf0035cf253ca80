//! `cargo xtask package`: what Lambda takes of each function, built, checked and packed.
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod variables;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::architecture::Architecture;
use crate::cargo_lambda::CargoLambda;
use crate::elf;
use crate::file;
use crate::progress;
use crate::template::{self, Function};
use crate::tool;
use crate::workspace::Workspace;

/// Largest package that is uploaded directly, in bytes ("Lambda quotas").
const LARGEST_PACKED: u64 = 50 << 20;

/// How long a function may take from its start to its answer, in seconds.
const PATIENCE_S: u64 = 30;

/// The program that shows what a panic does to a batch.
const PANICKING_BATCH: &str = "panicking-batch";

/// A packed function, as `pack.py` reports it.
#[derive(Debug, Deserialize)]
struct Packed {
    sha256: String,
    bytes: u64,
}

/// Builds every function of the template for a processor, checks each binary, starts those for this
/// machine and waits for one answer, and writes packages with their checksums into
/// `target/package/PROCESSOR/`, with a template that names them and the processor.
pub async fn run(workspace: &Workspace, chosen: Option<Architecture>) -> Result<()> {
    let template = template::load(&workspace.template())?;
    let architecture = chosen.map_or_else(|| template::architecture(&template), Ok)?;
    let functions = template::functions(&template)?;
    let cargo = CargoLambda::ready(workspace, architecture).await?;
    let folder = workspace.target().join("lambda");
    let packages = functions.iter().flat_map(|function| ["--package", &function.binary]);
    build(workspace, &cargo, architecture, packages).await?;

    let mut binaries = BTreeMap::new();
    for function in &functions {
        let binary = folder.join(&function.binary).join("bootstrap");
        elf::check(&binary, architecture).with_context(|| function.binary.clone())?;
        binaries.insert(function.binary.clone(), binary);
    }
    if cfg!(target_os = "linux") && architecture == Architecture::of_this_machine() {
        for function in &functions {
            answer(&cargo, &template, function, &binaries[&function.binary]).await?;
        }
        let program = ["--package", "tests", "--bin", PANICKING_BATCH];
        build(workspace, &cargo, architecture, program).await?;
        let mut batch = tool::command(folder.join(PANICKING_BATCH).join("bootstrap"));
        let said = tool::output(&mut batch, "run a batch of which one job panics").await?;
        println!("a batch of which one job panics: {}", said.trim());
    } else {
        println!("Not started: this machine has another processor or system.");
    }
    pack(workspace, &cargo, architecture, &binaries).await
}

/// Builds for exactly this target, with the versions of `Cargo.lock`.
async fn build<'a>(
    workspace: &Workspace,
    cargo: &CargoLambda,
    architecture: Architecture,
    what: impl IntoIterator<Item = &'a str>,
) -> Result<()> {
    println!("Building for {architecture} …");
    let mut build = cargo.cargo();
    build.current_dir(workspace.root()).args(["lambda", "build", "--release", "--locked"]);
    build.args(["--target", architecture.target()]).args(what);
    let done = progress::shown(|| "building".to_owned(), tool::shown(&mut build)).await?;
    ensure!(done, "cargo lambda build failed");
    Ok(())
}

/// Starts a function under a Runtime API of our own and prints its answer to one event. AWS is not there,
/// so a function that needs it for the event answers with an error, which is an answer, too.
async fn answer(
    cargo: &CargoLambda,
    template: &Value,
    function: &Function,
    binary: &Path,
) -> Result<()> {
    let takes_messages = template::takes_messages(template, function);
    let event = if takes_messages { json!({ "Records": [] }) } else { json!({}) };
    let order = json!({
        "binary": binary, "variables": variables::of(template, &function.logical_id)?,
        "event": event, "seconds": PATIENCE_S,
    });
    let mut python = cargo.python();
    python.args(["-c", include_str!("package/invoke.py")]);
    let what = format!("get an answer of {}", function.binary);
    let said = tool::answer(&mut python, &order.to_string(), &what).await?;
    let said: Value = serde_json::from_str(&said).context("invoke.py: expected JSON")?;
    let (ms, outcome, answer) = (&said["ms"], &said["outcome"], &said["answer"]);
    println!("{}: {outcome} after {ms} ms: {answer}", function.binary);
    if takes_messages && said["answer"] != json!({ "batchItemFailures": [] }) {
        bail!("{}: expected no failure in an empty batch", function.binary);
    }
    if !takes_messages && said["answer"]["errorType"] != "CallFailed" {
        bail!("{}: expected to hear that it cannot reach AWS", function.binary);
    }
    Ok(())
}

async fn pack(
    workspace: &Workspace,
    cargo: &CargoLambda,
    architecture: Architecture,
    binaries: &BTreeMap<String, PathBuf>,
) -> Result<()> {
    let folder = workspace.target().join("package").join(architecture.name());
    // Packages of functions that are gone must not be uploaded with the others.
    file::create_folder(&folder)?;
    fs::remove_dir_all(&folder).context("the older packages cannot be removed")?;
    file::create_folder(&folder)?;
    let packages: BTreeMap<String, &PathBuf> = binaries
        .iter()
        .map(|(name, binary)| {
            // A release holds those for both processors side by side.
            (folder.join(format!("{name}-{architecture}.zip")).display().to_string(), binary)
        })
        .collect();
    let mut python = cargo.python();
    python.args(["-c", include_str!("package/pack.py")]);
    let order = json!({ "packages": packages }).to_string();
    let said = tool::answer(&mut python, &order, "pack the functions").await?;
    let packed: BTreeMap<PathBuf, Packed> =
        serde_json::from_str(&said).context("pack.py: expected checksums as JSON")?;
    let mut sums = String::new();
    for (path, Packed { sha256, bytes }) in &packed {
        let name = path.file_name().unwrap_or_default().display();
        ensure!(
            *bytes <= LARGEST_PACKED,
            "{name}: {bytes} bytes, expected at most {LARGEST_PACKED}, which Lambda takes directly"
        );
        // As `sha256sum --check` reads it.
        let _ = writeln!(sums, "{sha256}  {name}");
        println!("{}: {bytes} bytes", workspace.shown(path));
    }
    file::write(&folder.join(format!("SHA256SUMS-{architecture}")), &sums)?;
    let text = fs::read_to_string(workspace.template())?;
    let text = with_packages(&template::with_architecture(&text, architecture)?, architecture);
    file::write(&folder.join(format!("template-{architecture}.yaml")), &text)
}

/// A template's text whose functions come from packages in its own folder instead of sources.
fn with_packages(text: &str, architecture: Architecture) -> String {
    const SOURCES: &str = "CodeUri: functions/";
    let lines = text.split_inclusive('\n').map(|line| match line.trim_end().split_once(SOURCES) {
        Some((before, name)) => format!("{before}CodeUri: ./{name}-{architecture}.zip\n"),
        None => line.to_owned(),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::with_packages;
    use crate::architecture::Architecture;

    #[test]
    fn the_template_beside_the_packages_names_them() {
        let text = "F:\n  CodeUri: functions/sweeper\n  # CodeUri\n";
        let expected = "F:\n  CodeUri: ./sweeper-arm64.zip\n  # CodeUri\n";
        assert_eq!(with_packages(text, Architecture::Arm64), expected);
    }
}
