//! No command shows a secret, in whatever form its output is.

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

fn assert_no_secret(words: &[&str], written: &Written) {
    let text = written.text();
    assert!(!text.contains("PLANTED"), "{words:?} shows a secret: {text}");
}

#[tokio::test(start_paused = true)]
async fn no_reading_command_shows_a_secret_in_any_form() {
    let mut hidden = BTreeSet::new();
    for (name, arguments) in READING {
        for form in ["text", "json", "jsonl"] {
            let words = words(name, arguments, &["--output", form]);
            let written = written(&words).await;
            // A dead job is a no, as is an unhealthy stack; `doctor` finds no functions here.
            let is_answer = matches!(written.exit, Exit::Done | Exit::No) || name == "doctor";
            let is_failed_act = name == "ops show" && written.exit == Exit::Failed;
            assert!(is_answer || is_failed_act, "{words:?}: {written:?}");
            assert_no_secret(&words, &written);
            if written.text().contains("***") {
                hidden.insert(name);
            }
        }
    }
    for (words, form) in [(["report", "--markdown"], "Markdown"), (["report", "--html"], "a page")]
    {
        let words = [&words[..], &["--since", "48h"]].concat();
        let written = written(&words).await;
        assert_eq!(written.exit, Exit::Done, "{form}: {written:?}");
        assert_no_secret(&words, &written);
    }
    assert!(hidden.len() >= 8, "the secrets were there to be shown: {hidden:?}");
}

#[tokio::test(start_paused = true)]
async fn no_writing_command_shows_a_secret_in_any_form() {
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
            assert_no_secret(&words, &written);
            if written.text().contains("***") {
                hidden.insert(name);
            }
        }
    }
    assert!(hidden.len() >= 16, "the secrets were there to be shown: {hidden:?}");
}
