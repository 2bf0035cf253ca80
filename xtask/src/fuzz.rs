//! `cargo xtask fuzz`: each fuzz target for some minutes. The targets are tests of the module `fuzz` of the integration
//! tests, so nothing is built for it that the tests do not build. Inputs come from bolero's random engine and from the
//! corpora; coverage guides nothing, because that takes another build of everything.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::collections::VecDeque;
use std::process::Output;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use crate::progress;
use crate::tool;
use crate::workspace::Workspace;

/// The module that holds the targets.
const MODULE: &str = "fuzz::";

/// Before the seed of a failure, in bolero's report.
const SEED: &str = "BOLERO_RANDOM_SEED=";

/// Before the number of inputs that a target has had, in bolero's report: those it drew, and those of its corpus.
const DRAWN: &str = "| rng inputs: ";
const OF_CORPUS: &str = "| corpus inputs: ";

/// More inputs than any target takes in its time.
const NO_LIMIT: u64 = 4_000_000_000;

/// Which targets to run, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Selection {
    /// Minutes for each target
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub minutes: u64,
    /// Repeat one input of one target: the seed that its failure has named
    #[arg(long, requires = "target", conflicts_with = "minutes")]
    pub seed: Option<u128>,
    /// Only targets whose names contain this [default: all]
    pub target: Option<String>,
}

/// What became of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ran {
    /// Its name as a test, such as `fuzz::pages::page_json_ld`.
    name: String,
    /// How many inputs it had.
    inputs: u64,
    /// Why it failed, in bolero's words; `None` if it did not.
    failure: Option<String>,
}

/// Runs the targets, as many at the same time as there are processors, and prints what became of each. Returns false if
/// one has failed.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let targets = targets(workspace, selection.target.as_deref()).await?;
    ensure!(
        selection.seed.is_none() || targets.len() == 1,
        "--seed: expected one target, found {}: {}",
        targets.len(),
        targets.join(", ")
    );
    let workers = thread::available_parallelism().map_or(1, usize::from).min(targets.len());
    let minutes = selection.minutes;
    println!("{} targets, {workers} at a time, {minutes} min each", targets.len());
    let started = Instant::now();
    let ran =
        progress::shown(|| "fuzzing".to_owned(), run_all(workspace, selection, targets, workers));
    let ran = ran.await?;
    let inputs: u64 = ran.iter().map(|ran| ran.inputs).sum();
    let failed = ran.iter().filter(|ran| ran.failure.is_some()).count();
    let took = progress::in_words(started.elapsed());
    println!("{} targets, {inputs} inputs, {failed} failed, {took}", ran.len());
    Ok(failed == 0)
}

/// The names of the targets that contain `wanted`, after the tests are built. Fails if there is none.
async fn targets(workspace: &Workspace, wanted: Option<&str>) -> Result<Vec<String>> {
    let mut command = test(workspace);
    command.arg("--no-run");
    let built = progress::shown(|| "building the tests".to_owned(), tool::shown(&mut command));
    ensure!(built.await?, "the tests could not be built");
    let mut list = test(workspace);
    list.args([MODULE, "--", "--list"]);
    let listed = tool::output(&mut list, "list the targets").await?;
    let targets = listed_targets(&listed, wanted.unwrap_or_default());
    ensure!(!targets.is_empty(), "target: {:?} is none", wanted.unwrap_or_default());
    Ok(targets)
}

/// The targets in what a test binary lists: a line such as `fuzz::pages::page_json_ld: test` for each. A test of the
/// module itself is no target.
fn listed_targets(listed: &str, wanted: &str) -> Vec<String> {
    let is_target = |name: &&str| {
        name.strip_prefix(MODULE).is_some_and(|rest| rest.contains("::") && rest.contains(wanted))
    };
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(is_target).map(str::to_owned).collect()
}

/// Cargo, about to run tests of the integration crate. The features are those of `cargo xtask test`, so that both share
/// what is built.
fn test(workspace: &Workspace) -> Command {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    cargo.args(["test", "--workspace", "--all-features", "--quiet", "--test", "integration"]);
    cargo
}

/// Runs the targets with so many workers. Returns what became of each, in the order in which they ended.
async fn run_all(
    workspace: &Workspace,
    selection: &Selection,
    targets: Vec<String>,
    workers: usize,
) -> Result<Vec<Ran>> {
    let queue = Arc::new(Mutex::new(VecDeque::from(targets)));
    let mut working = JoinSet::new();
    for _ in 0..workers {
        let (queue, workspace, selection) = (queue.clone(), workspace.clone(), selection.clone());
        working.spawn(async move {
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let mut ran = Vec::new();
            while let Some(name) = next() {
                ran.push(run_one(&workspace, &selection, name).await?);
            }
            anyhow::Ok(ran)
        });
    }
    let mut all = Vec::new();
    while let Some(ran) = working.join_next().await {
        all.extend(ran.context("a worker has ended early")??);
    }
    Ok(all)
}

/// Runs one target, and prints what became of it.
async fn run_one(workspace: &Workspace, selection: &Selection, name: String) -> Result<Ran> {
    let mut command = test(workspace);
    command.args(["--", "--exact", "--nocapture"]).arg(&name);
    if let Some(seed) = selection.seed {
        command.env("BOLERO_RANDOM_SEED", seed.to_string()).env("BOLERO_RANDOM_ITERATIONS", "0");
    } else {
        let time = Duration::from_secs(selection.minutes * 60).as_millis().to_string();
        command.env("BOLERO_RANDOM_TEST_TIME_MS", time);
        command.env("BOLERO_RANDOM_ITERATIONS", NO_LIMIT.to_string());
    }
    let started = Instant::now();
    let done = tool::ended(&mut command).await.context("cargo could not be started")?;
    let ran = outcome(name, &done);
    let (name, inputs) = (&ran.name, ran.inputs);
    let took = progress::in_words(started.elapsed());
    match &ran.failure {
        None => println!("{name}: {inputs} inputs in {took}, ok"),
        Some(failure) => {
            println!("{name}: FAILED after {inputs} inputs in {took}\n{failure}");
            let short = name.rsplit("::").next().unwrap_or(name);
            if let Some(seed) = seed(failure) {
                println!("again: cargo xtask fuzz {short} --seed {seed}");
            }
        }
    }
    Ok(ran)
}

/// What the output of a target's test says.
fn outcome(name: String, done: &Output) -> Ran {
    let [out, err] = [&done.stdout, &done.stderr].map(|said| String::from_utf8_lossy(said));
    let said = format!("{out}\n{err}");
    let inputs = number_after(&said, DRAWN) + number_after(&said, OF_CORPUS);
    let failure = (!done.status.success()).then(|| tool::tail(&said));
    Ran { name, inputs, failure: failure.map(|tail| with_seed(&said, tail)) }
}

/// The end of a report, with the line of the seed, which stands before an input that may be long.
fn with_seed(said: &str, tail: String) -> String {
    match seed(said) {
        Some(found) if seed(&tail).is_none() => format!("{SEED}{found}\n{tail}"),
        _ => tail,
    }
}

/// The number after a label; 0 if there is none.
fn number_after(said: &str, label: &str) -> u64 {
    let digits = said.split_once(label).map_or("", |(_, rest)| rest);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().unwrap_or_default()
}

/// The seed that a failure names.
fn seed(said: &str) -> Option<u128> {
    said.lines().find_map(|line| line.trim().strip_prefix(SEED)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn output(status: i32, stderr: &str) -> Output {
        let stderr = stderr.as_bytes().to_vec();
        Output {
            status: ExitStatus::from_raw(status),
            stdout: b"running 1 test\n".to_vec(),
            stderr,
        }
    }

    #[test]
    fn the_report_of_a_target_is_read() {
        let said = "test page_meta ...\trun time: 60.1s | iterations/s: 812 | corpus inputs: 4 | \
                    rng inputs: 48721 | exit reason: max duration (60s) exceeded\n";
        let ran = outcome("fuzz::pages::page_meta".into(), &output(0, said));
        assert_eq!((ran.inputs, ran.failure), (48_725, None));
    }

    #[test]
    fn a_failure_names_its_seed_even_if_its_input_is_long() {
        let input = "    0,\n".repeat(100);
        let said = format!(
            "test x ...\trun time: 1s | iterations/s: 9 | rng inputs: 9 | exit reason: test failure\n\
             = Test Failure =\n\nBOLERO_RANDOM_SEED=123456789012345678901234567890\n\nInput:\n[\n{input}]\n\
             Error:\npanicked"
        );
        let ran = outcome("fuzz::x".into(), &output(256, &said));
        let failure = ran.failure.unwrap();
        assert_eq!(ran.inputs, 9);
        assert_eq!(seed(&failure), Some(123_456_789_012_345_678_901_234_567_890), "{failure}");
        assert!(failure.ends_with("panicked") && failure.lines().count() <= 21, "{failure}");
    }

    #[test]
    fn targets_are_the_tests_of_their_module() {
        let listed = "fuzz::every_corpus_has_its_target: test\nfuzz::items::job_items: test\nfuzz::pages::page_meta: test\nother::fuzz::x: test\n\
                      \n3 tests, 0 benchmarks\n";
        assert_eq!(
            listed_targets(listed, ""),
            ["fuzz::items::job_items", "fuzz::pages::page_meta"]
        );
        assert_eq!(listed_targets(listed, "page"), ["fuzz::pages::page_meta"]);
        assert_eq!(listed_targets(listed, "nothing"), [""; 0]);
    }
}
