//! `cargo xtask scale`: what people read, over tables as large as they get. It is a module of the integration tests, so
//! that nothing is built for it that the tests do not build.

use anyhow::Result;
use clap::Args;

use crate::tool;
use crate::workspace::Workspace;

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Selection {
    /// Measure on MiniStack instead of dynoxide-rs
    #[arg(long)]
    pub ministack: bool,
    /// How often each command and each page is measured
    #[arg(long, default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Write the tables into docs/cli.md and docs/dashboard.md
    #[arg(long)]
    pub write: bool,
    /// Instead, leave a page open for so many minutes, and take the tables away in the midst of them
    #[arg(long, value_name = "MINUTES", conflicts_with_all = ["ministack", "write"])]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=1_440))]
    pub leave_open: Option<u32>,
}

impl Selection {
    /// The variables by which the test is asked.
    fn variables(&self) -> Vec<(&'static str, String)> {
        let service = if self.ministack { "ministack" } else { "dynoxide" };
        let mut variables =
            vec![("SCALE_SERVICE", service.to_owned()), ("SCALE_ROUNDS", self.rounds.to_string())];
        variables.extend(self.write.then(|| ("SCALE_WRITE", "1".to_owned())));
        let minutes = self.leave_open.map(|minutes| ("SCALE_LEAVE_OPEN", minutes.to_string()));
        variables.extend(minutes);
        variables
    }
}

/// Fills the tables and measures. Returns false if something is beyond its bound, which has been printed.
pub async fn run(workspace: &Workspace, selection: &Selection) -> Result<bool> {
    let mut cargo = tool::cargo();
    cargo.current_dir(workspace.root());
    // The same features as `cargo xtask test`, so that both share what is built.
    cargo.args(["test", "--workspace", "--all-features", "--quiet", "--test", "integration"]);
    cargo.arg("scale::over_a_socket_what_people_read_is_quick_and_cheap");
    cargo.args(["--", "--exact", "--nocapture"]);
    cargo.envs(selection.variables());
    tool::shown(&mut cargo).await
}

#[cfg(test)]
mod tests {
    use super::Selection;

    #[test]
    fn the_test_is_asked_only_for_what_was_asked() {
        let selection = Selection { ministack: true, rounds: 3, write: false, leave_open: None };
        let service = ("SCALE_SERVICE", "ministack".to_owned());
        assert_eq!(selection.variables(), [service, ("SCALE_ROUNDS", "3".to_owned())]);
        let selection = Selection { leave_open: Some(60), write: true, ..selection };
        let names: Vec<&str> = selection.variables().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["SCALE_SERVICE", "SCALE_ROUNDS", "SCALE_WRITE", "SCALE_LEAVE_OPEN"]);
    }
}
