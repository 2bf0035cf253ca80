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
    let ignored = |folder: &Path, name: &str| {
        let mut patterns = ignore.lines().filter(|line| line.trim_matches('/') == name);
        // A pattern that begins with a slash counts only in the root.
        name == ".git" || patterns.any(|line| !line.starts_with('/') || folder == root)
    };
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if ignored(&folder, path.file_name().unwrap().to_str().unwrap()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                found.push(File { path, text });
            }
        }
    }
    found.sort();
    assert!(found.len() > 300, "the files are found");
    found
}

/// Every Rust file of the repository.
pub(super) fn rust() -> Vec<File> {
    let found: Vec<File> = all().into_iter().filter(|file| file.has_extension("rs")).collect();
    assert!(found.len() > 200, "the sources are found");
    found
}
