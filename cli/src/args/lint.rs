//! Arguments of `evenkeel lint`.

use std::path::PathBuf;

use clap::Args;

/// What to check.
#[derive(Clone, Debug, Args)]
pub struct Lint {
    /// A function.toml, a template (.yaml, .yml) or messages (.json, .jsonl, .ndjson)
    pub path: PathBuf,
    /// The job type of messages that do not name theirs
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
}
