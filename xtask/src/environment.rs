//! The environment that outside programs get. The only file of this crate that reads our own.

use std::ffi::OsString;

/// What a program cannot do without: where programs, homes and temporary files are, and which
/// language to speak. Nothing else is passed on, because a developer's `AWS_PROFILE` or
/// `HTTP_PROXY` would reach the functions through MiniStack and send them elsewhere.
const KEPT: [&str; 6] = ["HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TZ"];

/// The variables of our own environment that a local server may see.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where a development command looks at its own environment"
)]
pub fn kept() -> Vec<(&'static str, OsString)> {
    KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))).collect()
}
