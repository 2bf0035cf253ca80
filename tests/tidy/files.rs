//! The files that the rules read.

use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct File {
    /// From the root of the repository, such as `shared/src/lib.rs`.
    pub(super) path: String,
    pub(super) text: String,
}

impl File {
    pub(super) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|own| own == extension)
    }
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of the repository, sorted by path, except those that `.gitignore` names.
pub(super) fn all() -> Vec<File> {
    let root = root();
    let ignore = fs::read_to_string(root.join(".gitignore")).unwrap();
    let patterns: Vec<&str> = ignore.lines().filter(|line| !line.starts_with('#')).collect();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let own = path.strip_prefix(&root).unwrap().to_str().unwrap();
            if own == ".git" || patterns.iter().any(|pattern| ignores(pattern, own)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                found.push(File { path: own.to_owned(), text });
            }
        }
    }
    found.sort();
    assert!(found.len() > 300, "the files are found");
    found
}

/// Whether a pattern of `.gitignore` ignores a path. One that begins with a slash counts from the root,
/// any other in every folder; a `*` stands for one name.
fn ignores(pattern: &str, path: &str) -> bool {
    let parts: Vec<&str> = pattern.trim_matches('/').split('/').collect();
    let names: Vec<&str> = path.split('/').collect();
    let from = if pattern.starts_with('/') { 0 } else { names.len().saturating_sub(parts.len()) };
    names.len() == from + parts.len()
        && parts.iter().zip(&names[from..]).all(|(part, name)| *part == "*" || part == name)
}

#[test]
fn what_sam_leaves_behind_is_ignored() {
    assert!(ignores("/functions/*/target/", "functions/sweeper/target"));
    assert!(!ignores("/functions/*/target/", "functions/sweeper/src/target"));
    assert!(!ignores("/functions/*/target/", "functions/target"));
    assert!(ignores("/target/", "target") && !ignores("/target/", "docs/target"));
    assert!(ignores(".aws-sam/", "functions/sweeper/.aws-sam") && !ignores(".aws-sam/", "aws-sam"));
    let ignore = fs::read_to_string(root().join(".gitignore")).unwrap();
    for left in ["functions/sweeper/target", ".aws-sam", "target"] {
        assert!(ignore.lines().any(|pattern| ignores(pattern, left)), "{left}");
    }
}

/// Every Rust file of the repository.
pub(super) fn rust() -> Vec<File> {
    let found: Vec<File> = all().into_iter().filter(|file| file.has_extension("rs")).collect();
    assert!(found.len() > 200, "the sources are found");
    found
}
