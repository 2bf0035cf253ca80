//! Embeds the JSON Schemas of the messages, which are generated into `docs/`: a job type more needs no change here.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

/// How the names of the files end.
const SUFFIX: &str = ".schema.json";

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder this way")]
fn main() -> Result<(), Box<dyn Error>> {
    let docs = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../docs");
    println!("cargo:rerun-if-changed={}", docs.display());
    let mut kinds = Vec::new();
    for entry in fs::read_dir(&docs)? {
        let name = entry?.file_name().into_string().map_err(|_| "a file's name is not UTF-8")?;
        kinds.extend(name.strip_suffix(SUFFIX).map(str::to_owned));
    }
    kinds.sort();
    let mut list = String::from("[\n");
    for kind in &kinds {
        let path = docs.join(format!("{kind}{SUFFIX}"));
        writeln!(list, "    ({kind:?}, include_str!({:?})),", path.display().to_string())?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("schemas.rs"), list)?;
    Ok(())
}
