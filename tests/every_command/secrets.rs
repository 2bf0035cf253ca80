//! No command shows a secret or a control character from outside, in whatever form its output is.

use std::collections::BTreeSet;

use evenkeel_cli::Exit;

use super::{
    calls::{READING, WRITING, Written, dry_runs, words, written},
    leaves,
};

/// Commands that show nothing from outside, and why.
const NOTHING_FROM_OUTSIDE: [(&str, &str); 4] = [
    ("completions", "it asks no stack"),
    ("dashboard", "the tests of its routes plant secrets"),
    ("lint", "it asks no stack, and quotes a file that its caller has"),
    ("schema", "it asks no stack"),
];

#[test]
fn every_command_is_tested_for_secrets_or_named_with_the_reason_why_not() {
    let tested: BTreeSet<&str> = READING.iter().chain(&WRITING).map(|(name, _)| *name).collect();
    let others: BTreeSet<&str> = NOTHING_FROM_OUTSIDE.map(|(name, _)| name).into();
    let names: BTreeSet<String> = leaves().into_iter().map(|(name, _)| name).collect();
    for name in &names {
        let name = name.as_str();
        assert_ne!(tested.contains(name), others.contains(name), "{name}");
    }
    assert!(tested.iter().chain(&others).all(|name| names.contains(*name)));
}

/// Whether this stands behind the escape character of a style, such as bold: the command's own, since those that are
/// planted clear the screen.
fn is_style(rest: &str) -> bool {
    let style = rest.strip_prefix('[').and_then(|rest| rest.split_once('m'));
    style.is_some_and(|(numbers, _)| numbers.chars().all(|c| c.is_ascii_digit() || c == ';'))
}

fn assert_safe(words: &[&str], written: &Written) {
    let text = written.text();
    assert!(!text.contains("PLANTED"), "{words:?} shows a secret: {text}");
    let control = text.char_indices().find(|&(at, c)| match c {
        '\u{1b}' => !is_style(&text[at + 1..]),
        c => matches!(c, '\u{9b}' | '\u{202e}'),
    });
    assert_eq!(control, None, "{words:?} shows a control character: {text:?}");
}

#[tokio::test(start_paused = true)]
async fn no_reading_command_shows_a_secret_or_a_control_character_in_any_form() {
    let (mut hidden, mut cleaned) = (BTreeSet::new(), BTreeSet::new());
    for (name, arguments) in READING {
        for form in ["text", "json", "jsonl"] {
            let words = words(name, arguments, &["--output", form]);
            let written = written(&words).await;
            // A dead job is a no, as is an unhealthy stack; `doctor` finds no functions here.
            let is_answer = matches!(written.exit, Exit::Done | Exit::No) || name == "doctor";
            let is_failed_act = name == "ops show" && written.exit == Exit::Failed;
            assert!(is_answer || is_failed_act, "{words:?}: {written:?}");
            assert_safe(&words, &written);
            if written.text().contains("***") {
                hidden.insert(name);
            }
            if form == "text" && written.text().contains(char::REPLACEMENT_CHARACTER) {
                cleaned.insert(name);
            }
        }
    }
    for (words, form) in [(["report", "--markdown"], "Markdown"), (["report", "--html"], "a page")]
    {
        let words = [&words[..], &["--since", "48h"]].concat();
        let written = written(&words).await;
        assert_eq!(written.exit, Exit::Done, "{form}: {written:?}");
        assert_safe(&words, &written);
    }
    assert!(hidden.len() >= 8, "the secrets were there to be shown: {hidden:?}");
    assert!(cleaned.len() >= 8, "so were the control characters: {cleaned:?}");
}

#[tokio::test(start_paused = true)]
async fn no_writing_command_shows_a_secret_or_a_control_character_in_any_form() {
    let mut hidden = BTreeSet::new();
    let calls = WRITING.iter().map(|(name, arguments)| (*name, arguments.to_vec()));
    for (name, arguments) in calls.chain(dry_runs()) {
        for form in ["text", "json", "jsonl"] {
            let words = words(name, &arguments, &["--output", form]);
            let written = written(&words).await;
            let is_answer = matches!(written.exit, Exit::Done | Exit::No | Exit::Partly);
            // One row is wrong on purpose.
            let is_wrong = name == "submit" && written.exit == Exit::Usage;
            assert!(is_answer || is_wrong, "{words:?}: {written:?}");
            assert_safe(&words, &written);
            if written.text().contains("***") {
                hidden.insert(name);
            }
        }
    }
    assert!(hidden.len() >= 16, "the secrets were there to be shown: {hidden:?}");
}
