//! The directory of one stack, for logs and unpacked packages. Removed when the stack ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result};

use crate::file;
use crate::process;
use crate::tool;
use crate::workspace::Workspace;

/// Tells the stacks of one process apart.
static NEXT: AtomicU32 = AtomicU32::new(1);

#[derive(Debug)]
pub(super) struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Creates the directory, named after this process, and removes those of processes that were
    /// killed.
    pub(super) fn create(workspace: &Workspace) -> Result<Self> {
        let runs = workspace.local().join("run");
        for left in fs::read_dir(&runs).into_iter().flatten().flatten() {
            if owner(&left.file_name().to_string_lossy()).is_some_and(|pid| !process::alive(pid)) {
                // Another process may remove it at the same time.
                let _ = fs::remove_dir_all(left.path());
            }
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = runs.join(format!("{}-{number}", std::process::id()));
        file::create_folder(&path.join("tmp"))?;
        Ok(Self { path })
    }

    /// For temporary files of a server.
    pub(super) fn tmp(&self) -> PathBuf {
        self.path.join("tmp")
    }

    /// Where a server's output goes.
    pub(super) fn log_file(&self, name: &str) -> Result<File> {
        let path = self.path.join(name);
        File::create(&path).with_context(|| format!("{} cannot be written", path.display()))
    }

    /// Writes a script of ours into the directory and returns its path.
    pub(super) fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        file::write(&path, text)?;
        Ok(path)
    }

    /// What a server has printed up to now.
    pub(super) fn log(&self, name: &str) -> Result<String> {
        let bytes = fs::read(self.path.join(name)).with_context(|| format!("no {name}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The end of a log, to explain a failure.
    pub(super) fn log_tail(&self, name: &str) -> String {
        self.log(name).map_or_else(|error| error.to_string(), |log| tool::tail(&log))
    }

    /// A name that no other stack of this machine has now.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn owner(name: &str) -> Option<u32> {
    name.split_once('-')?.0.parse().ok()
}
