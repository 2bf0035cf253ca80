//! `evenkeel completions`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use serde_json::json;

use crate::{args::Cli, exit::Failure, output::Answer};

/// The script for a shell.
pub(crate) fn script(shell: Shell) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "evenkeel", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Answer::one(&json!({ "shell": shell.to_string(), "script": script }), script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_completes_every_command() {
        let answer = script(Shell::Bash).unwrap();
        let text = format!("{answer:?}");
        for command in ["explain", "submit", "doctor"] {
            assert!(text.contains(command), "{command}");
        }
    }
}
