//! Every row of the troubleshooting page about jobs, queues and functions names a command of `evenkeel` with which to
//! look or act.

use std::fs;

use super::{
    commands::is_command,
    documents::{prose, spans},
    files::root,
};

/// The sections whose rows are about a stack that runs.
const SECTIONS: [&str; 2] = ["Jobs", "Queues and functions"];

/// The text below a heading of the second level, up to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let below = page.split_once(&format!("\n## {heading}\n")).map(|(_, below)| below);
    let below = below.unwrap_or_else(|| panic!("no section {heading}"));
    below.split("\n## ").next().unwrap_or_default()
}

/// The rows of the tables, without their heads.
fn rows(section: &str) -> Vec<&str> {
    let lines: Vec<&str> = section.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|-"));
    let row = |(at, line): (usize, &&str)| line.starts_with("| ") && !is_head(at);
    lines.iter().enumerate().filter(|found| row(*found)).map(|(_, line)| *line).collect()
}

/// Whether a row names a command that the command line takes.
fn names_a_command(row: &str) -> bool {
    spans(row).into_iter().any(is_command)
}

#[test]
fn every_row_names_a_command_with_which_to_look_or_act() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let page = prose(&page);
    let rows: Vec<&str> =
        SECTIONS.into_iter().flat_map(|heading| rows(section(&page, heading))).collect();
    assert!(rows.len() > 80, "the rule sees the rows: {}", rows.len());
    let without: Vec<&&str> = rows.iter().filter(|row| !names_a_command(row)).collect();
    assert!(without.is_empty(), "rows without a command: {without:#?}");
}

#[test]
fn a_row_without_a_command_that_the_command_line_takes_is_found() {
    let table = "| symptom | what to do |\n|---|---|\n| `dead` | `evenkeel jobs retry ID` |\n\
                 | `odd` | `evenkeel jobs mend ID`, `aws s3 ls` |\n| `slow` | wait |\n";
    let rows = rows(table);
    assert_eq!(rows.len(), 3, "{rows:?}");
    let found: Vec<bool> = rows.into_iter().map(names_a_command).collect();
    assert_eq!(found, [true, false, false]);
}
