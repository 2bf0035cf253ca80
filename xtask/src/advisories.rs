//! `cargo xtask advisories PATH`: which locked crates have a known vulnerability, by a copy of RustSec's database.
//! It needs no network, so `cargo xtask check` does not ask for a database that the machine may not have.
//!
//! An advisory is a Markdown file that begins with a block of TOML:
//!
//! ```toml
//! [advisory]
//! id = "RUSTSEC-2021-0078"
//! package = "hyper"
//! [versions]
//! patched = [">= 0.14.10"]
//! ```
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use semver::{Version, VersionReq};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::file;
use crate::tool;
use crate::workspace::Workspace;

/// The name of a lock file. Every workspace of the repository has one.
const LOCK_FILE: &str = "Cargo.lock";

/// The folder of builds. What is below it is not the repository's.
const BUILDS: &str = "target";

/// The folder of a database that holds the advisories about crates, one folder for each crate.
const CRATES: &str = "crates";

/// What the source of a crate from a registry begins with. Our own crates have no source.
const REGISTRY: &str = "registry+";

/// How an advisory begins, and what ends its TOML.
const BEGIN: &str = "```toml\n";
const END: &str = "\n```";

/// An advisory about the versions of one crate.
#[derive(Debug, Deserialize)]
struct Advisory {
    #[serde(rename = "advisory")]
    about: About,
    versions: Versions,
    /// The first heading below the TOML.
    #[serde(skip)]
    title: String,
}

#[derive(Debug, Deserialize)]
struct About {
    id: String,
    package: String,
    /// What it is if it is no vulnerability: `unmaintained`, `unsound` or `notice`.
    informational: Option<String>,
    /// The day on which it was taken back.
    withdrawn: Option<String>,
}

/// Requirements on versions. A version that meets none of them is affected.
#[derive(Debug, Deserialize)]
struct Versions {
    #[serde(default, deserialize_with = "all_parsed")]
    patched: Vec<VersionReq>,
    #[serde(default, deserialize_with = "all_parsed")]
    unaffected: Vec<VersionReq>,
}

impl Advisory {
    /// Reads a file of the database.
    fn read(text: &str) -> Result<Self> {
        let rest = text.strip_prefix(BEGIN).context("expected a block of TOML at the beginning")?;
        let (toml, prose) = rest.split_once(END).context("expected the end of the TOML")?;
        let mut advisory: Self = toml::from_str(toml)?;
        let title = prose.lines().find_map(|line| line.strip_prefix("# "));
        title.unwrap_or_default().trim().clone_into(&mut advisory.title);
        Ok(advisory)
    }

    /// Whether the advisory is about this version. A pre-release counts as affected unless a requirement names it.
    fn affects(&self, version: &Version) -> bool {
        let Versions { patched, unaffected } = &self.versions;
        let is_safe = patched.iter().chain(unaffected).any(|versions| versions.matches(version));
        self.about.withdrawn.is_none() && !is_safe
    }

    /// Whether the crate can do harm: a crate without a maintainer only might one day.
    fn is_harmful(&self) -> bool {
        matches!(self.about.informational.as_deref(), None | Some("unsound"))
    }

    /// One line about the advisory and a locked crate that it affects.
    fn line(&self, locked: &Locked) -> String {
        let kind = self.about.informational.as_deref().unwrap_or("vulnerability");
        let patched: Vec<String> = self.versions.patched.iter().map(ToString::to_string).collect();
        let remedy = if patched.is_empty() {
            "no version is patched".to_owned()
        } else {
            format!("patched in {}", patched.join(" or "))
        };
        let Locked { name, version, .. } = locked;
        format!("{name} {version}: {kind} {}: {}; {remedy}", self.about.id, self.title)
    }
}

/// A crate of a lock file.
#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    #[serde(deserialize_with = "parsed")]
    version: Version,
    source: Option<String>,
}

/// Reads a version from its text.
fn parsed<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Version, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

/// Reads requirements from their texts.
fn all_parsed<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<VersionReq>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

/// What is read of a lock file.
#[derive(Debug, Deserialize)]
struct LockFile {
    package: Vec<Locked>,
}

/// The advisories about one lock file, as lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Findings {
    harmful: Vec<String>,
    other: Vec<String>,
}

/// Compares every lock file of the repository with the database at `path`, an archive (`.tar.gz`) or a folder, and
/// prints what it finds. Returns false if a locked version is vulnerable or unsound. Fails if the database cannot be read.
pub async fn run(workspace: &Workspace, path: &Path) -> Result<bool> {
    let database = if path.is_dir() { path.to_owned() } else { unpacked(workspace, path).await? };
    let advisories = read_all(&database)?;
    println!("{} advisories", advisories.len());
    let mut is_safe = true;
    for path in lock_files(workspace.root())? {
        let name = workspace.shown(&path);
        let text = fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
        let lock: LockFile =
            toml::from_str(&text).with_context(|| format!("{name}: no lock file"))?;
        let Findings { harmful, other } = findings(&lock, &advisories);
        for line in harmful.iter().chain(&other) {
            println!("{name}: {line}");
        }
        let (locked, harmful) = (lock.package.len(), harmful.len());
        println!("{name}: {locked} crates, {harmful} vulnerable or unsound, {} other", other.len());
        is_safe &= harmful == 0;
    }
    Ok(is_safe)
}

/// Every lock file below a folder, sorted, but for those in build directories and hidden folders. Fails if there is
/// none: then the folder is no repository.
fn lock_files(root: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() && name != BUILDS && !name.starts_with('.') {
                folders.push(path);
            } else if name == LOCK_FILE {
                found.push(path);
            }
        }
    }
    ensure!(!found.is_empty(), "{}: expected lock files, found none", root.display());
    found.sort();
    Ok(found)
}

/// Unpacks an archive into the build directory and returns its folder.
async fn unpacked(workspace: &Workspace, archive: &Path) -> Result<PathBuf> {
    ensure!(archive.is_file(), "{}: expected a .tar.gz or a folder", archive.display());
    let folder = workspace.target().join("advisories");
    if folder.exists() {
        fs::remove_dir_all(&folder).context("the last unpacked database cannot be removed")?;
    }
    file::create_folder(&folder)?;
    let mut tar = tool::command("tar");
    tar.arg("-xzf").arg(archive).arg("-C").arg(&folder);
    tool::output(&mut tar, "unpack the advisories").await?;
    Ok(folder)
}

/// Every advisory of a database. Fails if there is none: then the folder is no database.
fn read_all(database: &Path) -> Result<Vec<Advisory>> {
    let mut advisories = Vec::new();
    for folder in entries(&database.join(CRATES))? {
        for path in entries(&folder)? {
            if path.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&path);
                let read = text.map_err(Into::into).and_then(|text| Advisory::read(&text));
                advisories.push(read.with_context(|| format!("{}: no advisory", path.display()))?);
            }
        }
    }
    if advisories.is_empty() {
        bail!("{}: expected advisories, found none", database.join(CRATES).display());
    }
    Ok(advisories)
}

/// The paths in a folder, sorted.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{}: expected a folder", folder.display());
    let found = fs::read_dir(folder).with_context(unreadable)?;
    let mut paths = Vec::new();
    for entry in found {
        paths.push(entry.with_context(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The advisories that affect a crate of the lock file, in the order of its crates.
fn findings(lock: &LockFile, advisories: &[Advisory]) -> Findings {
    let mut findings = Findings::default();
    let from_registry = |locked: &&Locked| {
        locked.source.as_deref().is_some_and(|source| source.starts_with(REGISTRY))
    };
    for locked in lock.package.iter().filter(from_registry) {
        for advisory in advisories {
            if advisory.about.package == locked.name && advisory.affects(&locked.version) {
                let lines =
                    if advisory.is_harmful() { &mut findings.harmful } else { &mut findings.other };
                lines.push(advisory.line(locked));
            }
        }
    }
    findings
}

#[cfg(test)]
#[path = "advisories_tests.rs"]
mod tests;
