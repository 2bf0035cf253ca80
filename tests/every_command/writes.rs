//! What commands that change something have in common, and how commands end that cannot reach AWS.

use evenkeel_cli::{Exit, Failure, ports::Fault, shapes};
use serde_json::Value;

use super::{
    calls::{READING, WRITING, dry_runs, words, written, written_with},
    planted::{answer, stack},
};

/// What a command that changes something says before anything else.
const INTRODUCTION: &str = "stack s in eu-west-1 of account 123456789012";

/// Acts on all that match, without `--yes`.
const UNCONFIRMED: [(&str, &[&str]); 4] = [
    ("jobs cancel", &["--type", "webhook", "--class", "systemic", "--reason", "x"]),
    ("jobs reset", &["--type", "webhook", "--all", "--reason", "x"]),
    ("jobs retry", &["--type", "webhook", "--all", "--reason", "x"]),
    ("rejected release", &["--type", "webhook", "--flaw", "newer_version", "--reason", "x"]),
];

#[tokio::test(start_paused = true)]
async fn every_command_that_writes_says_first_which_stack_account_and_region_it_asks() {
    let calls = WRITING.iter().map(|(name, arguments)| (*name, arguments.to_vec()));
    for (name, arguments) in calls.chain(dry_runs()) {
        for form in ["text", "json", "jsonl"] {
            let words = words(name, &arguments, &["--output", form]);
            let written = written(&words).await;
            assert_eq!(written.err.lines().next(), Some(INTRODUCTION), "{words:?}: {written:?}");
            assert!(!written.out.contains(INTRODUCTION), "{words:?}: {written:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_reads_says_whom_it_asks_only_if_it_is_verbose() {
    for (name, arguments) in READING.into_iter().filter(|(name, _)| *name != "doctor") {
        let words_of_quiet = words(name, arguments, &[]);
        let quiet = written(&words_of_quiet).await;
        assert!(!quiet.err.contains(INTRODUCTION), "{words_of_quiet:?}: {quiet:?}");
        let verbose = written(&words(name, arguments, &["--verbose"])).await;
        assert_eq!(verbose.err.lines().next(), Some(INTRODUCTION), "{name}: {verbose:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_form_of_the_output_means_yes() {
    for (name, arguments) in UNCONFIRMED {
        for form in ["text", "json", "jsonl"] {
            let words = words(name, arguments, &["--output", form]);
            // One answer, so that an act behind the preview would fail.
            let ports = stack().await.answering([answer()]);
            let shown = written_with(&words, Ok(ports)).await;
            assert_eq!(shown.exit, Exit::No, "{words:?}: {shown:?}");
            if form == "text" {
                assert!(shown.err.contains("nothing was done"), "{words:?}: {shown:?}");
            } else {
                let value: Value = serde_json::from_str(&shown.out).unwrap();
                assert_eq!(shapes::problems("preview", &value), [], "{words:?}: {value}");
            }
        }
        let confirmed = written(&words(name, arguments, &["--json", "--yes"])).await;
        let value: Value = serde_json::from_str(&confirmed.out).unwrap();
        assert_eq!(shapes::problems("operation", &value), [], "{name} with --yes: {value}");
        assert_eq!(confirmed.exit, Exit::Done, "{name} with --yes: {value}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_credentials_permission_or_stack_the_status_is_4_and_the_remedy_is_named() {
    let denied = Fault::Denied { action: "dynamodb:Query".into(), why: "no policy".into() };
    let faults = [
        (Fault::NoCredentials("none found".into()), "no_credentials", "AWS_PROFILE"),
        (denied, "denied", "the permission dynamodb:Query"),
        (Fault::Missing("no table".into()), "missing", "evenkeel doctor"),
    ];
    for (name, arguments) in READING.iter().chain(&WRITING) {
        for (fault, code, hint) in &faults {
            let words = words(name, arguments, &["--output", "jsonl"]);
            let written = written_with(&words, Err(Failure::from(fault.clone()))).await;
            assert_eq!(written.exit.code(), 4, "{words:?}: {written:?}");
            let error: Value = serde_json::from_str(&written.err).unwrap();
            assert_eq!(error["error"]["code"], *code, "{words:?}");
            let told = error["error"]["hint"].as_str().unwrap();
            assert!(told.contains(hint), "{words:?}: {told}");
        }
    }
}
