//! Counts instructions with callgrind.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::file;
use crate::progress;
use crate::tool;
use crate::workspace::Workspace;

/// Bytes of a megabyte.
const MEGABYTE: u64 = 1_000_000;

/// What the numbers depend on besides the code: the compiler, and the CPU by which libraries choose instructions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    /// What `rustc --version` says.
    pub(super) compiler: String,
    /// The model of the CPU.
    pub(super) cpu: String,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on `{}`", self.compiler, self.cpu)
    }
}

/// The instructions of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) name: String,
    /// What they are counted for, such as `batch`.
    pub(super) unit: String,
    pub(super) instructions: u64,
}

/// The instructions of all cases on one machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) machine: Machine,
    pub(super) cases: Vec<Count>,
}

impl Counts {
    /// The cases whose names contain `filter`.
    pub(super) fn only(mut self, filter: &str) -> Self {
        self.cases.retain(|case| case.name.contains(filter));
        self
    }
}

/// A case, as the binary lists it.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    unit: String,
    /// Length of its input, if its instructions are counted for each megabyte.
    bytes: Option<u64>,
    /// How often the shorter of two runs does it.
    rounds: u64,
}

impl Case {
    /// The instructions of one unit, from those of a run of so many rounds and those of a run of twice as many.
    fn each(&self, once: u64, twice: u64) -> Option<u64> {
        let more = twice.checked_sub(once)?;
        match self.bytes {
            Some(bytes) => more.checked_mul(MEGABYTE)?.checked_div(self.rounds * bytes),
            None => more.checked_div(self.rounds),
        }
    }
}

/// Describes this machine. Fails without rustc.
pub(super) async fn machine() -> Result<Machine> {
    let compiler = tool::output(tool::command("rustc").arg("--version"), "ask rustc").await?;
    // Where there is no such file, one CPU cannot be told from another.
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map(|rest| rest.trim_start_matches([':', ' ', '\t']));
    Ok(Machine {
        compiler: compiler.trim().to_owned(),
        cpu: model.unwrap_or("an unknown CPU").trim().to_owned(),
    })
}

/// Builds the crate of the checkout at `root`, and counts the cases whose names contain `filter`. Fails without
/// valgrind, if it does not compile, or if there is no such case.
pub(super) async fn count(workspace: &Workspace, root: &Path, filter: &str) -> Result<Counts> {
    tool::output(tool::command("valgrind").arg("--version"), "count instructions")
        .await
        .context("expected valgrind, which distributions have as a package")?;
    let folder = workspace.target().join("bench");
    file::create_folder(&folder)?;
    // One for each checkout, so that neither compiles what the other has.
    let target = folder.join(if root == workspace.root() { "build" } else { "build-base" });
    let mut cargo = tool::cargo();
    cargo.current_dir(root.join("tests/bench-engine"));
    cargo.args(["build", "--release", "--quiet", "--target-dir"]).arg(&target);
    let built = progress::shown(|| "building".to_owned(), tool::shown(&mut cargo)).await?;
    ensure!(built, "tests/bench-engine does not compile");
    let binary = target.join("release/bench-engine");
    let listed = tool::output(&mut tool::command(&binary), "list the cases").await?;
    let mut cases: Vec<Case> = serde_json::from_str(&listed).context("bench-engine: its cases")?;
    cases.retain(|case| case.name.contains(filter));
    ensure!(!cases.is_empty(), "no case has a name with {filter:?}");
    let mut counts = Vec::new();
    let [first, second] = ["once", "twice"].map(|name| folder.join(format!("{name}.callgrind")));
    for case in cases {
        let both = async {
            tokio::try_join!(
                callgrind(&binary, &case.name, case.rounds, &first),
                callgrind(&binary, &case.name, 2 * case.rounds, &second),
            )
        };
        let (once, twice) = progress::shown(|| case.name.clone(), both).await?;
        let each = case.each(once, twice);
        let instructions = each.with_context(|| {
            format!("{}: {once} instructions once and {twice} twice", case.name)
        })?;
        counts.push(Count { name: case.name, unit: case.unit, instructions });
    }
    Ok(Counts { machine: machine().await?, cases: counts })
}

/// The instructions of a process that does a case so many times. `profile` stays for `callgrind_annotate`.
async fn callgrind(binary: &Path, case: &str, times: u64, profile: &Path) -> Result<u64> {
    let mut valgrind = tool::command("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet"]);
    valgrind.arg(format!("--callgrind-out-file={}", profile.display()));
    valgrind.arg(binary).args([case, &times.to_string()]);
    tool::output(&mut valgrind, "count instructions").await?;
    let text = fs::read_to_string(profile).context("callgrind has written no profile")?;
    total(&text).with_context(|| format!("{}: expected a line of totals", profile.display()))
}

/// The total of a profile ("Callgrind format specification": `totals:`, and the first event is `Ir`).
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines().rev();
    let line = lines.find_map(|line| line.strip_prefix("totals:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Case, total};

    #[test]
    fn start_up_cancels_out() {
        let case = Case { name: "a".into(), unit: "batch".into(), bytes: None, rounds: 10 };
        assert_eq!(case.each(1_500, 2_000), Some(50));
        assert_eq!(case.each(2_000, 1_500), None, "fewer instructions for more work");
        let case = Case { bytes: Some(500_000), ..case };
        assert_eq!(case.each(1_500, 2_000), Some(100), "for a megabyte");
    }

    #[test]
    fn the_total_is_read_from_a_profile() {
        let profile = "version: 1\nevents: Ir\nsummary: 7\n\nfn=(1) main\n1 7\n\ntotals: 1234567\n";
        assert_eq!(total(profile), Some(1_234_567));
        assert_eq!(total("events: Ir\n"), None);
    }
}
