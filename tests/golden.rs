//! Golden files: files of the repository whose content a test computes and compares.

use std::{fs, path::Path};

/// Asserts that the file at `path`, from the root of the repository, holds `text`. With
/// `UPDATE_PAGES=1` the test writes it instead.
#[expect(clippy::disallowed_methods, reason = "the person who runs the test asks for it")]
pub(crate) fn assert_file(path: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE_PAGES").is_some() {
        fs::write(&file, text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, text, "run the test with UPDATE_PAGES=1 to write {path} anew");
}

/// Replaces what stands between the marker lines of a page.
pub(crate) fn between(page: &str, name: &str, lines: &str) -> String {
    let begin = format!("<!-- generated: {name} -->\n");
    let end = format!("<!-- end of generated: {name} -->");
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{lines}{end}{after}")
}
