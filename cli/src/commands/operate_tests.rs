use clap::Parser as _;

use super::*;
use crate::{
    args::{Cli, Command, JobsCommand},
    memory::MemoryPorts,
    stack::{self, Target},
};

const TYPES: &str = r#"[{"type":"webhook"}]"#;

fn moment() -> Moment {
    Moment { now: Time::from_millis(1_000_000), form: crate::args::TimeForm::Ms }
}

fn logged(state: &str, counts: &Value) -> Called {
    Called::Answer(json!({ "id": "9-a", "at": 1, "by": "", "reason": "", "act": { "do": "retry" },
        "state": state, "counts": counts }))
}

fn preview_of(count: u32) -> Called {
    Called::Answer(json!({ "dry_run": true, "as_of": 7, "count": count, "more": false,
        "samples": ["webhook#g:1"], "takes_ms": 2_000 }))
}

/// Runs `evenkeel jobs retry` with these words.
async fn told(ports: &MemoryPorts, words: &[&str]) -> Result<String, Failure> {
    let words = ["evenkeel", "jobs", "retry"].iter().chain(words);
    let Command::Jobs(JobsCommand::Retry(given)) = Cli::parse_from(words).command else {
        panic!("another command")
    };
    let stack = stack::find(ports, &Target::default()).await.unwrap();
    let answer = jobs(ports, &stack, "retry", &given, moment()).await?;
    Ok(format!("{answer:?}"))
}

#[tokio::test]
async fn a_bulk_act_shows_first_and_acts_on_what_it_has_shown() {
    let ports = MemoryPorts::stack("s", TYPES).answering([preview_of(3)]);
    let shown = told(&ports, &["--type", "webhook", "--class", "systemic"]).await.unwrap();
    assert!(shown.contains("add --yes --as-of 7") && shown.contains("exit: No"), "{shown}");
    assert_eq!(ports.invoked().len(), 1);
    let ports =
        MemoryPorts::stack("s", TYPES).answering([preview_of(3), logged("running", &json!({}))]);
    let words = ["--type", "webhook", "--all", "--yes", "--reason", "mended"];
    let shown = told(&ports, &words).await.unwrap();
    assert!(shown.contains("ops show 9-a"), "{shown}");
    let (function, request) = ports.invoked().pop().unwrap();
    assert_eq!(function, "s-operator");
    assert_eq!((&request["act"]["on"]["as_of"], &request["reason"]), (&json!(7), &json!("mended")));
    assert_eq!(request["by"], "arn:aws:iam::123456789012:user/operator");
}

#[tokio::test]
async fn an_empty_filter_needs_all_and_a_job_must_exist() {
    let ports = MemoryPorts::stack("s", TYPES);
    let failure = told(&ports, &["--type", "webhook"]).await.unwrap_err();
    assert_eq!(failure.message, "retry of all jobs of webhook needs --all");
    assert_eq!(told(&ports, &["nope"]).await.unwrap_err().code, "not_found");
    assert_eq!(told(&ports, &[]).await.unwrap_err().code, "usage");
    assert_eq!(ports.invoked(), [], "nothing was sent");
}

#[tokio::test]
async fn what_the_function_refuses_is_a_usage_error_and_an_outage_is_none() {
    for (why, exit) in
        [("reason: missing; expected why", Exit::Usage), ("unavailable: throttled", Exit::Failed)]
    {
        let ports = MemoryPorts::stack("s", TYPES).answering([Called::Failed(why.into())]);
        let failure = told(&ports, &["--type", "webhook", "--all"]).await.unwrap_err();
        assert_eq!((failure.exit(), failure.message.as_str()), (exit, why));
    }
}

#[tokio::test]
async fn an_act_without_a_readable_answer_may_have_been_done_and_one_that_was_not_sent_has_not() {
    let words = ["--type", "webhook", "--all", "--yes", "--as-of", "7", "--reason", "mended"];
    let crashed = "RequestId: 1 Error: Task timed out after 20.00 seconds";
    for (answer, may_be_done) in [
        (Called::Failed(crashed.into()), true),
        (Called::Failed("unavailable: throttled".into()), true),
        (Called::Answer(json!({})), true),
        (Called::Failed("reason: missing; expected why".into()), false),
    ] {
        let told_of = format!("{answer:?}");
        let ports = MemoryPorts::stack("s", TYPES).answering([answer]);
        let failure = told(&ports, &words).await.unwrap_err();
        assert_eq!(failure.may_be_done, may_be_done, "{told_of}");
        let hint = failure.hint.unwrap_or_default();
        assert_eq!(hint.contains("evenkeel ops log"), may_be_done, "{told_of}: {hint}");
        assert!(!hint.contains("try again"), "{told_of}: {hint}");
    }
    // A preview changes nothing, whatever becomes of it.
    let ports = MemoryPorts::stack("s", TYPES).answering([Called::Failed(crashed.into())]);
    let failure = told(&ports, &words[..3]).await.unwrap_err();
    assert!(!failure.may_be_done, "{failure:?}");
    assert_eq!(failure.hint.as_deref(), Some("nothing was done"));
    let fault = Fault::Unavailable("lambda:InvokeFunction: dispatch failure".into());
    assert!(sent(fault.into()).may_be_done);
}

#[test]
fn an_operation_that_had_nothing_to_do_is_a_no() {
    let of = |state: &str, counts: &Value| {
        let Called::Answer(answer) = logged(state, counts) else { panic!("no answer") };
        format!("{:?}", shown(&entry(answer).unwrap(), moment()).unwrap())
    };
    assert!(of("done", &json!({ "absent": 1 })).contains("exit: No"));
    assert!(of("done", &json!({ "done": 1 })).contains("exit: Done"));
    assert!(of("failed", &json!({})).contains("exit: Failed"));
}

#[tokio::test]
async fn slots_are_pinned_for_a_time_in_the_queues_that_are_chosen() {
    let ports = MemoryPorts::stack("s", TYPES).answering([logged("running", &json!({}))]);
    let words =
        ["evenkeel", "queues", "set", "webhook", "--priority", "high", "--concurrency", "8"];
    let words = words.iter().chain(&["--for", "1h", "--reason", "flood"]);
    let Command::Queues(crate::args::QueuesCommand::Set(given)) = Cli::parse_from(words).command
    else {
        panic!("another command")
    };
    let stack = stack::find(&ports, &Target::default()).await.unwrap();
    pin(&ports, &stack, &given, moment()).await.unwrap();
    let (_, request) = ports.invoked().pop().unwrap();
    let act = json!({ "do": "pin", "queues": ["webhook-high"], "slots": 8, "until": 4_600_000 });
    assert_eq!((&request["act"], &request["reason"]), (&act, &json!("flood")));
}
