//! Lists the job types for the generator and the tests: every folder in `functions/` that has a
//! `function.toml`. The crate of a job type exports `TYPE`, `POLICY` and `Payload` at its root.

use std::{env, error::Error, fmt::Write as _, fs, path::Path};

#[expect(clippy::disallowed_methods, reason = "cargo tells a build script its folder this way")]
fn main() -> Result<(), Box<dyn Error>> {
    let functions = Path::new("../functions");
    println!("cargo:rerun-if-changed={}", functions.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(functions)? {
        let entry = entry?;
        if entry.path().join("function.toml").is_file() {
            folders
                .push(entry.file_name().into_string().map_err(|_| "a folder's name is not UTF-8")?);
        }
    }
    folders.sort();
    let mut list = String::from("vec![\n");
    for folder in &folders {
        let krate = folder.replace('-', "_");
        writeln!(
            list,
            "    Linked::of::<{krate}::Payload>({folder:?}, {krate}::TYPE, &{krate}::POLICY),"
        )?;
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR")?).join("job_types.rs"), list)?;
    Ok(())
}
