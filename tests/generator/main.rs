//! `generate` writes the generated parts of template.yaml and docs/; `generate --check` fails where
//! they differ. `cargo xtask template` and `cargo xtask check` run it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's answer")]

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    let check = std::env::args().nth(1).as_deref() == Some("--check");
    match run(check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// Writes or checks; false if something differs.
fn run(check: bool) -> Result<bool, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let stale = generator::stale(&root, generator::generate(&root)?);
    for file in &stale {
        let path = file.path.display();
        if check {
            println!(
                "{path}: differs from what function.toml, the policies and the payloads say; run `cargo xtask template`"
            );
        } else {
            println!("{path}: written");
        }
    }
    if check {
        return Ok(stale.is_empty());
    }
    generator::write(&root, &stale).map_err(|error| error.to_string())?;
    Ok(true)
}
