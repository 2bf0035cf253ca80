//! Files of our own. Errors name the path.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Creates a folder and those above it.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("{} cannot be created", path.display()))
}

/// Writes a file, whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    let draft = path.with_extension("draft");
    fs::write(&draft, text).with_context(|| format!("{} cannot be written", draft.display()))?;
    fs::rename(draft, path).with_context(|| format!("{} cannot be replaced", path.display()))
}

/// Removes a file. One that does not exist is no error.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{create_folder, remove, write};

    #[test]
    fn an_error_names_the_path() {
        let inside = Path::new("/dev/null/folder");
        for failed in [create_folder(inside), write(inside, "text"), remove(inside)] {
            let said = format!("{:#}", failed.expect_err("/dev/null is no folder"));
            assert!(said.starts_with("/dev/null/folder"), "{said}");
        }
        remove(Path::new("/nonesuch")).expect("there is nothing to remove");
    }
}
