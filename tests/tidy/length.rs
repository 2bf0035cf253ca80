//! Functions and files are short.

use std::collections::BTreeSet;

use super::{
    crates, files,
    imports::modules,
    rust_text::{TEST, code, without_items},
};

#[test]
fn a_function_is_short() {
    let mut count = 0;
    for file in files::rust() {
        let name = &file.path;
        let code = code(&file.text);
        let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            let is_fn = head
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub(super) ")
                .trim_start_matches("pub ")
                .trim_start_matches("const ")
                .trim_start_matches("async ")
                .starts_with("fn ");
            // Where the signature ends says whether there is a body: not in a trait's declaration.
            let mut rest = lines[start..].iter();
            let opens = rest.find(|line| line.ends_with(['{', ';', '}']));
            if !is_fn || !opens.is_some_and(|line| line.ends_with('{')) {
                continue;
            }
            let close = format!("{}}}", " ".repeat(indent));
            let end = lines[start..].iter().position(|line| *line == close);
            let length = end.unwrap_or_else(|| panic!("{name}:{}: no end", start + 1));
            assert!(length < 70, "{name}:{}: {length} lines", start + 1);
            count += 1;
        }
    }
    assert!(count > 2000, "the rule sees the functions");
}

/// The most lines that a file may have before its tests.
const MAX_LINES: usize = 400;

/// What most files stay under.
const USUAL_LINES: usize = 300;

#[test]
fn a_file_is_short() {
    let files = files::all();
    let crates = crates::all(&files);
    let roots = crates.iter().flat_map(|package| &package.roots);
    let sources: BTreeSet<String> = roots
        .flat_map(|root| modules(&files, root, &TEST).into_values().map(|module| module.path))
        .collect();
    let mut lengths: Vec<(usize, &str)> = files
        .iter()
        .filter(|file| sources.contains(&file.path))
        .map(|file| {
            (without_items(&file.text, &TEST).trim_end().lines().count(), file.path.as_str())
        })
        .collect();
    lengths.sort_unstable();
    assert!(lengths.len() > 200, "the rule sees the files");
    lengths.retain(|(lines, _)| *lines > USUAL_LINES);
    let longest = lengths.last().map_or(0, |(lines, _)| *lines);
    assert!(longest <= MAX_LINES, "more than {MAX_LINES} lines before the tests: {lengths:#?}");
}
