//! The crates of the workspace, as their manifests describe them.

use super::files::File;

pub(super) struct Crate {
    pub(super) name: String,
    /// From the root of the repository, such as `tests/sandbox`.
    pub(super) folder: String,
    /// Where its modules begin: `src/lib.rs`, `src/main.rs` or both.
    pub(super) roots: Vec<String>,
    /// What it depends on in any way, its tests included.
    pub(super) dependencies: Vec<String>,
}

/// Every crate with a `src` folder: all but the integration tests.
pub(super) fn all(files: &[File]) -> Vec<Crate> {
    let crates: Vec<Crate> = files.iter().filter_map(|file| read(file, files)).collect();
    let functions = crates.iter().filter(|found| found.folder.starts_with("functions/")).count();
    assert!(crates.len() >= 9 && functions >= 4, "the crates are found");
    crates
}

fn read(manifest: &File, files: &[File]) -> Option<Crate> {
    let folder = manifest.path.strip_suffix("/Cargo.toml")?;
    let exists = |path: &String| files.iter().any(|file| file.path == *path);
    let roots: Vec<String> = ["lib.rs", "main.rs"]
        .iter()
        .map(|name| format!("{folder}/src/{name}"))
        .filter(exists)
        .collect();
    let text = manifest.text.as_str();
    let name = text.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))?;
    (!roots.is_empty()).then(|| Crate {
        name: name.to_owned(),
        folder: folder.to_owned(),
        roots,
        dependencies: dependencies(text),
    })
}

/// The keys of every table of dependencies.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut listed = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            listed = line.trim_end().ends_with("dependencies]");
        } else if let Some(name) = line.split(['.', ' ', '=']).next()
            && listed
            && name.starts_with(char::is_alphabetic)
        {
            found.push(name.to_owned());
        }
    }
    found
}

#[test]
fn dependencies_are_read_from_every_table_of_them() {
    let manifest = "[package]\nname = \"a\"\n\n[dependencies]\n# Why.\nb.workspace = true\n\
                    c = { path = \"../c\" }\n\n[dev-dependencies]\nd = \"1\"\n\n[lints]\nworkspace = true\n";
    assert_eq!(dependencies(manifest), ["b", "c", "d"]);
}
