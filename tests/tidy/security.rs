//! The threat model names, for each threat, tests that hold the defence. Each of them exists, runs and asserts something.

use std::{collections::BTreeSet, fs};

use super::files::{self, root};

/// What a text may have in which a test asserts something. `target!` is a target of the fuzzer.
const ASSERTIONS: [&str; 4] = ["assert", "unwrap_err", "panic!", "target!"];

/// A test that runs, and whether it asserts something: by itself, or in a function of its file that it calls.
struct Test {
    name: String,
    asserts: bool,
}

/// The tests of a file that are not ignored, those in the macros of proptest included.
fn tests(text: &str) -> Vec<Test> {
    let lines: Vec<&str> = text.lines().collect();
    let places = 0..lines.len();
    let functions: Vec<(usize, &str)> =
        places.filter_map(|at| Some((at, function(lines[at])?))).collect();
    let bodies: Vec<(&str, String)> =
        functions.iter().map(|(at, name)| (*name, body(&lines, *at))).collect();
    let mut found = Vec::new();
    for ((at, name), (_, own)) in functions.iter().zip(&bodies) {
        let above = lines[..*at].iter().rev().map(|line| line.trim());
        let attributes: Vec<&str> = above.take_while(|line| line.starts_with("#[")).collect();
        let has = |begin: &str| attributes.iter().any(|line| line.starts_with(begin));
        if has("#[ignore") || !(has("#[test]") || has("#[tokio::test")) {
            continue;
        }
        let calls = |helper: &str| helper != *name && own.contains(&format!("{helper}("));
        let asserts = is_asserting(own)
            || bodies.iter().any(|(helper, body)| is_asserting(body) && calls(helper));
        found.push(Test { name: (*name).to_owned(), asserts });
    }
    found
}

fn is_asserting(text: &str) -> bool {
    ASSERTIONS.iter().any(|assertion| text.contains(assertion))
}

/// The name of the function that begins in a line.
fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    let words = ["async", "const", "pub", "pub(super)", "pub(crate)"];
    let is_head = before.split_whitespace().all(|word| words.contains(&word));
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_')?;
    (is_head && end > 0).then(|| &rest[..end])
}

/// The function that begins in a line, up to the brace that closes it.
fn body(lines: &[&str], at: usize) -> String {
    let indent = lines[at].len() - lines[at].trim_start().len();
    let last = format!("{}}}", " ".repeat(indent));
    let own = lines[at..].iter().take_while(|line| **line != last);
    own.copied().collect::<Vec<_>>().join("\n")
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
fn every_threat_names_tests_that_run_and_assert() {
    let text = fs::read_to_string(root().join("docs/security.md")).unwrap();
    let rows = rows(&text);
    assert!(rows.len() >= 25, "{} threats", rows.len());
    let tests: Vec<Test> = files::rust().iter().flat_map(|file| tests(&file.text)).collect();
    assert!(tests.len() > 1_000, "the rule sees the tests");
    let asserting: BTreeSet<&str> =
        tests.iter().filter(|test| test.asserts).map(|test| test.name.as_str()).collect();
    let mut missing = Vec::new();
    for row in &rows {
        let [threat, _, held_by] = row.as_slice() else { panic!("three cells: {row:?}") };
        let named = names(held_by);
        if named.is_empty() || named.iter().any(|name| !asserting.contains(name)) {
            missing.push(format!("{threat}: {named:?}"));
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn a_test_that_is_ignored_or_asserts_nothing_is_told_from_others() {
    let ignored = "#[test]\n#[ignore = \"slow\"]\nfn a() {\n    assert!(true);\n}\n";
    let idle = "#[tokio::test]\nasync fn b() {\n    work();\n}\n\nfn work() {}\n";
    let helped =
        "#[test]\nfn c() {\n    check(1);\n}\n\nfn check(n: u8) {\n    assert!(n > 0);\n}\n";
    let seen = |text: &str| {
        let seen = tests(text).into_iter().map(|test| (test.name, test.asserts));
        seen.collect::<Vec<_>>()
    };
    assert!(seen(ignored).is_empty());
    assert_eq!(seen(idle), [("b".to_owned(), false)]);
    assert_eq!(seen(helped), [("c".to_owned(), true)]);
}

#[test]
fn a_row_of_a_table_is_told_from_its_head() {
    let text = "| threat | defence | test |\n|---|---|---|\n| a | b | `c`, `d` |\n\ntext | x\n";
    assert_eq!(rows(text), [["a", "b", "`c`, `d`"]]);
    assert_eq!(names("`c`, `d`"), ["c", "d"]);
}
