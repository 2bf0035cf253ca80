//! The environment that other programs get. Only this file of the crate reads our own.

use std::ffi::OsString;
use std::iter;
use std::path::Path;

/// What every program needs: where programs and the home directory are, language and time zone.
/// Nothing else is passed on, because a developer's `AWS_PROFILE` or `HTTP_PROXY` would reach the
/// functions through MiniStack and redirect their calls.
const KEPT: [&str; 6] = ["HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TZ"];

/// The variables of our own environment that a local server may see.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a development command reads its own environment"
)]
pub fn kept() -> Vec<(&'static str, OsString)> {
    KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
}

/// Our `PATH` with a folder before all others.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a development command reads its own environment"
)]
pub fn path_beginning_with(folder: &Path) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let folders = iter::once(folder.to_owned()).chain(std::env::split_paths(&rest));
    // Only a folder with a colon in its name cannot be joined, and then the rest is what works.
    std::env::join_paths(folders).unwrap_or(rest)
}

/// The names of the variables that cargo sets for the programs that it runs, as far as they are set
/// now. Cargo's own settings, such as `CARGO_HOME` and `CARGO_TARGET_DIR`, are not among them.
#[must_use]
pub fn set_by_cargo() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.to_str().is_some_and(is_set_by_cargo)).collect()
}

/// "Environment variables Cargo sets for crates", in the Cargo book.
fn is_set_by_cargo(name: &str) -> bool {
    const NAMES: [&str; 4] =
        ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];
    const PREFIXES: [&str; 3] = ["CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_PKG_"];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::{is_set_by_cargo, set_by_cargo};

    #[test]
    fn what_cargo_sets_is_told_from_what_it_is_told() {
        for set in ["CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION_MAJOR", "CARGO_BIN_EXE_demo"] {
            assert!(is_set_by_cargo(set), "{set}");
        }
        for told in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_BUILD_JOBS", "CARGO_NET_OFFLINE"] {
            assert!(!is_set_by_cargo(told), "{told}");
        }
        // Cargo runs this test.
        assert!(set_by_cargo().iter().any(|name| name == "CARGO_MANIFEST_DIR"));
    }
}
