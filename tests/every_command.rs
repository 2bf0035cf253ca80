//! What holds for every command of `evenkeel`, whatever it does. Its commands are found in the command line itself, so
//! a new one is tested, or named here with the reason why not.

mod bad_values;
mod calls;
mod json;
mod planted;
mod secrets;
mod writes;

use std::collections::BTreeSet;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};
use evenkeel_cli::{args::Cli, shapes};

/// Commands without a JSON shape of their own, and why.
const WITHOUT_SHAPE: [(&str, &str); 3] = [
    ("completions", "its output is a script"),
    ("dashboard", "its output is the address that it serves"),
    ("schema", "its output is a JSON Schema"),
];

/// Commands that ask the operators' function for a change: their answer is an `operation`, or a `preview`.
const CHANGES: [&str; 12] = [
    "breaker auto",
    "breaker close",
    "breaker open",
    "jobs cancel",
    "jobs reset",
    "jobs retry",
    "limiter set",
    "ops stop",
    "queues pause",
    "queues resume",
    "queues set",
    "rejected release",
];

/// Shapes that belong to no single command.
const SHARED_SHAPES: [&str; 4] = ["error", "operation", "preview", "sweep --dry-run"];

/// The names of all commands that do something, such as `jobs list`, with the command of each.
fn leaves() -> Vec<(String, clap::Command)> {
    fn below(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let name = format!("{path} {}", inner.get_name()).trim().to_owned();
            if inner.has_subcommands() {
                below(inner, &name, found);
            } else {
                found.push((name, inner.clone()));
            }
        }
    }
    let mut found = Vec::new();
    below(&Cli::command(), "", &mut found);
    assert!(found.len() > 35, "the commands are found: {}", found.len());
    found
}

#[test]
fn the_help_of_every_command_begins_with_an_example() {
    for (name, command) in leaves() {
        let help = command.clone().render_help().to_string();
        assert!(help.starts_with("Example: evenkeel "), "{name}: {help}");
    }
}

#[test]
fn every_command_refuses_an_unknown_option_with_status_2_and_names_it() {
    for (name, _) in leaves() {
        let words = name.split(' ').chain(["--no-such-option"]);
        let parsed = Cli::try_parse_from(std::iter::once("evenkeel").chain(words));
        let error = parsed.expect_err(&name);
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2), "{name}");
        assert!(error.to_string().contains("'--no-such-option'"), "{name}: {error}");
    }
}

#[test]
fn every_command_has_a_json_shape_or_is_named_with_the_reason_why_not() {
    let shapes: BTreeSet<&str> = shapes::all().into_iter().map(|(name, _)| name).collect();
    let leaves = leaves();
    let names: BTreeSet<&str> = leaves.iter().map(|(name, _)| name.as_str()).collect();
    let without = WITHOUT_SHAPE.map(|(name, _)| name);
    for name in &names {
        let places = [shapes.contains(name), without.contains(name), CHANGES.contains(name)];
        assert_eq!(places.iter().filter(|is_there| **is_there).count(), 1, "{name}: {places:?}");
    }
    let is_known = |name: &&str| names.contains(name) || SHARED_SHAPES.contains(name);
    let stale: Vec<&&str> = shapes.iter().filter(|name| !is_known(name)).collect();
    assert!(stale.is_empty(), "shapes of no command: {stale:?}");
    let known = SHARED_SHAPES.iter().all(|name| shapes.contains(name));
    assert!(known && without.iter().chain(&CHANGES).all(|name| names.contains(name)));
}
