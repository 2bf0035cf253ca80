//! The threat model names, for each threat, tests that hold the defence. Each of them exists.

use std::{collections::BTreeSet, fs};

use super::files::{self, root};

/// The names of all tests, in Rust and in the modules of proptest.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files::rust() {
        let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            if !is_test {
                continue;
            }
            let function = lines[at..].iter().find_map(|line| {
                line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))
            });
            let name = function.and_then(|rest| rest.split_once('(')).map(|(name, _)| name);
            found.extend(name.map(str::to_owned));
        }
    }
    assert!(found.len() > 1_000, "the rule sees the tests");
    found
}

/// The rows of the document's tables: the cells of each, without the two lines of a table's head.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    let is_row = |line: &str| line.starts_with("| ") && !line.starts_with("|--");
    let mut rows = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_head = lines.get(at + 1).is_some_and(|next| next.starts_with("|-"));
        if is_row(line) && !is_head {
            rows.push(line.trim_matches('|').split('|').map(str::trim).collect());
        }
    }
    rows
}

/// The texts between back-ticks of a cell.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_threat_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = rows(&text);
    assert!(rows.len() >= 25, "{} threats", rows.len());
    let tests = tests();
    let mut missing = Vec::new();
    for row in &rows {
        let [threat, _, held_by] = row.as_slice() else { panic!("three cells: {row:?}") };
        let named = names(held_by);
        if named.is_empty() || named.iter().any(|name| !tests.contains(*name)) {
            missing.push(format!("{threat}: {named:?}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_row_of_a_table_is_told_from_its_head() {
    let text = "| threat | defence | test |\n|---|---|---|\n| a | b | `c`, `d` |\n\ntext | x\n";
    assert_eq!(rows(text), [["a", "b", "`c`, `d`"]]);
    assert_eq!(names("`c`, `d`"), ["c", "d"]);
}
