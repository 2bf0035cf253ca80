//! `cargo xtask mutants`: cargo-mutants changes the engine's decisions one by one, and says which changes no test
//! notices. `.cargo/mutants.toml` names the files; `tests/mutants.txt` explains those that may stay unnoticed.
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod explained;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use tokio::process::Command;

use crate::cargo_tool;
use crate::environment;
use crate::file;
use crate::tool;
use crate::workspace::Workspace;

use explained::Explained;

/// The version of cargo-mutants to build, so that the same mutants are made everywhere.
const CARGO_MUTANTS: &str = "27.1.0";

/// The most mutants of a run. Each is built and tested, so this many take hours.
const MOST: usize = 400;

/// Exit statuses of cargo-mutants that say that it has run: all caught, some missed, some timed out.
const HAS_RUN: [i32; 3] = [0, 2, 3];

/// Which mutants to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Selection {
    /// Part K of N of the mutants, from 0/N [default: 0/N, with the smallest N that a run may have]
    #[arg(long, value_name = "K/N", value_parser = shard)]
    pub shard: Option<String>,
    /// Only mutants of lines that differ from this branch or commit, changes that are not committed included
    #[arg(long, value_name = "BASE", num_args = 0..=1, default_missing_value = "main")]
    pub in_diff: Option<String>,
    /// Print the mutants, and run none
    #[arg(long)]
    pub list: bool,
}

/// Runs the mutants. Returns false if one survives that is not explained, or if an explanation fits no mutant.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let path = workspace.root().join("tests/mutants.txt");
    let text = fs::read_to_string(&path).context("tests/mutants.txt cannot be read")?;
    let explained = Explained::read(&text)?;
    let program = cargo_tool::ready(workspace, "cargo-mutants", CARGO_MUTANTS).await?;
    let diff = match &selection.in_diff {
        Some(base) => Some(diff(workspace, base).await?),
        None => None,
    };
    let cargo_mutants = |shard: Option<&str>| {
        let mut command = command(workspace, &program, shard);
        command.args(diff.iter().map(|path| format!("--in-diff={}", path.display())));
        command
    };
    let all = list(&mut cargo_mutants(None)).await?;
    let unfit = if diff.is_none() { explained.fit_none_of(&all) } else { Vec::new() };
    for pattern in &unfit {
        println!("tests/mutants.txt: {pattern}: no mutant has such a name any more");
    }
    let shard = selection.shard.clone().or_else(|| needed(all.len()));
    let chosen = list(&mut cargo_mutants(shard.as_deref())).await?;
    if selection.list {
        for name in &chosen {
            println!("{name}");
        }
        return Ok(unfit.is_empty());
    }
    ensure!(chosen.len() <= MOST, "{} mutants: expected a shard of at most {MOST}", chosen.len());
    let of = shard.as_ref().map(|shard| format!(" (--shard {shard})")).unwrap_or_default();
    println!("{} of {} mutants{of}", chosen.len(), all.len());
    for name in rest(&all, &chosen) {
        println!("not run: {name}");
    }
    if chosen.is_empty() {
        return Ok(unfit.is_empty());
    }
    let survivors = survivors(workspace, &mut cargo_mutants(shard.as_deref())).await?;
    let unexplained: Vec<_> = survivors.iter().filter(|name| !explained.has(name)).collect();
    println!(
        "{} of {} mutants survive, {} of them are not explained in tests/mutants.txt",
        survivors.len(),
        chosen.len(),
        unexplained.len()
    );
    for name in &unexplained {
        println!("{name}");
    }
    Ok(unexplained.is_empty() && unfit.is_empty())
}

/// `K/N` as cargo-mutants takes it.
fn shard(given: &str) -> Result<String, String> {
    let parts = given.split_once('/').and_then(|(part, of)| {
        let (part, of): (usize, usize) = (part.parse().ok()?, of.parse().ok()?);
        (part < of).then_some(())
    });
    parts.map(|()| given.to_owned()).ok_or_else(|| "expected K/N with K below N".to_owned())
}

/// The mutants that are not chosen, in their order. Several mutants may have one name: then as many are left as are not
/// chosen.
fn rest<'a>(all: &'a [String], chosen: &[String]) -> Vec<&'a str> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for name in chosen {
        *times.entry(name).or_default() += 1;
    }
    let is_left = |name: &&str| match times.get_mut(*name) {
        Some(times) if *times > 0 => {
            *times -= 1;
            false
        }
        _ => true,
    };
    all.iter().map(String::as_str).filter(is_left).collect()
}

/// The first shard that has no more mutants than a run may have, if all together have more.
fn needed(mutants: usize) -> Option<String> {
    let shards = mutants.div_ceil(MOST);
    (shards > 1).then(|| format!("0/{shards}"))
}

/// cargo-mutants on the whole workspace, with what `.cargo/mutants.toml` says.
fn command(workspace: &Workspace, program: &Path, shard: Option<&str>) -> Command {
    let mut command = tool::command(program);
    // It starts cargo itself: see `tool::cargo`.
    for name in environment::set_by_cargo() {
        command.env_remove(name);
    }
    command.current_dir(workspace.root()).arg("mutants").arg("--workspace");
    // Each shard has mutants of every file.
    command.arg("--sharding=round-robin").args(shard.map(|shard| format!("--shard={shard}")));
    command
}

/// What differs from the branch or commit `base`, as a file that cargo-mutants reads.
async fn diff(workspace: &Workspace, base: &str) -> Result<PathBuf> {
    let mut git = tool::command("git");
    git.current_dir(workspace.root()).args(["diff", "--no-ext-diff", "--no-color", "--merge-base"]);
    git.args(["--src-prefix=a/", "--dst-prefix=b/", base, "--", "*.rs"]);
    let text = tool::output(&mut git, &format!("compare with {base}")).await?;
    let folder = workspace.target().join("mutants");
    file::create_folder(&folder)?;
    let path = folder.join("changes.diff");
    file::write(&path, &text)?;
    Ok(path)
}

/// The names of the mutants that a command would run.
async fn list(command: &mut Command) -> Result<Vec<String>> {
    let said = tool::output(command.arg("--list"), "list the mutants").await?;
    Ok(said.lines().filter(|line| !line.is_empty()).map(unplaced).collect())
}

/// Runs the mutants and returns the names of those that no test has noticed.
async fn survivors(workspace: &Workspace, command: &mut Command) -> Result<Vec<String>> {
    let folder = workspace.target().join("mutants");
    file::create_folder(&folder)?;
    let status = tool::status(command.arg("--output").arg(&folder)).await;
    let status = status.context("cargo-mutants could not be started")?;
    if !status.code().is_some_and(|code| HAS_RUN.contains(&code)) {
        bail!("cargo-mutants ended with {status}");
    }
    let missed = folder.join("mutants.out/missed.txt");
    let missed = fs::read_to_string(&missed)
        .with_context(|| format!("{}: expected a list", workspace.shown(&missed)))?;
    Ok(missed.lines().map(unplaced).collect())
}

/// A mutant's name without its line and column, which change with every line above it.
fn unplaced(line: &str) -> String {
    let mut parts = line.splitn(4, ':');
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(path), Some(row), Some(column), Some(what)]
            if is_number(row) && is_number(column) =>
        {
            format!("{path}:{what}")
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST, needed, rest, shard, unplaced};

    #[test]
    fn a_name_has_no_place() {
        let placed = "shared/src/record/retry.rs:120:35: replace > with >= in delay: a::b";
        assert_eq!(
            unplaced(placed),
            "shared/src/record/retry.rs: replace > with >= in delay: a::b"
        );
        assert_eq!(unplaced("a.rs: replace f with ()"), "a.rs: replace f with ()");
    }

    #[test]
    fn a_run_has_a_bounded_number_of_mutants() {
        assert_eq!(needed(MOST), None);
        assert_eq!(needed(MOST + 1).as_deref(), Some("0/2"));
        assert_eq!(needed(2 * MOST + 1).as_deref(), Some("0/3"));
    }

    #[test]
    fn mutants_that_are_not_run_are_listed_as_often_as_there_are() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let all = names(&["a", "b", "b", "c"]);
        assert_eq!(rest(&all, &names(&["b", "c"])), ["a", "b"]);
        assert_eq!(rest(&all, &[]), ["a", "b", "b", "c"]);
        assert!(rest(&all, &all).is_empty());
    }

    #[test]
    fn a_shard_is_below_their_number() {
        assert_eq!(shard("2/3"), Ok("2/3".to_owned()));
        for wrong in ["3/3", "1", "a/3", "-1/3", ""] {
            assert_eq!(shard(wrong), Err("expected K/N with K below N".to_owned()), "{wrong}");
        }
    }
}
