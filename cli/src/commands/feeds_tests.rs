use clap::Parser as _;
use serde_json::json;

use super::*;
use crate::{
    args::{Cli, Command},
    memory::MemoryPorts,
    ports::Called,
    stack::{self, Target},
};

const TYPES: &str = r#"[{"type":"dealer_com_feed"},{"type":"url_shortening"}]"#;

const FEEDS: &str = r#"{"group":"s","role":"arn:aws:iam::1:role/r","types":["dealer_com_feed"]}"#;

const PAYLOAD: &str = r#"{"dealer_slug":"example-motors","site_url":"https://www.example.com/"}"#;

const ADD: [&str; 6] = ["add", "example", "--every", "6h", "--payload", PAYLOAD];

/// Ports whose operators' function logs as many acts as this.
fn ports(acts: usize) -> MemoryPorts {
    // Each act is noted, and then what became of it.
    let acts = 2 * acts;
    let act = json!({ "do": "note", "what": "feeds", "about": "" });
    let entry =
        json!({ "id": "9-a", "at": 1, "by": "", "reason": "", "act": act, "state": "intent" });
    let noted = || Called::Answer(entry.clone());
    let ports = MemoryPorts::stack("s", TYPES).with_parameter("/s/feeds", FEEDS);
    ports.answering((0..acts).map(|_| noted()))
}

/// Runs `evenkeel feeds` with these words.
async fn told(ports: &MemoryPorts, words: &[&str]) -> Result<String, Failure> {
    let words = ["evenkeel", "feeds"].iter().chain(words);
    let Command::Feeds(given) = Cli::parse_from(words).command else { panic!("another command") };
    let stack = stack::find(ports, &Target::default()).await.unwrap();
    let answer = change(ports, &stack, &given).await?;
    Ok(format!("{answer:?}"))
}

/// What the operators' function was asked to log: each act and its reason, and each failure and why.
fn logged(ports: &MemoryPorts) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entry = |call: Value| match call.get("report") {
        Some(_) => (text(&call["state"]), text(&call["why"])),
        None => (text(&call["act"]["what"]), text(&call["reason"])),
    };
    let told = ports.invoked().into_iter().map(|(_, call)| entry(call));
    told.filter(|(what, _)| what != "done").collect()
}

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(more).copied().collect()
}

#[tokio::test]
async fn a_feed_is_added_once_and_changed_only_if_that_is_asked_for() {
    let ports = ports(2);
    let shown = told(&ports, &with(&ADD, &["--reason", "new"])).await.unwrap();
    assert!(shown.contains(r#""change": String("created")"#), "{shown}");
    let [held]: [Schedule; 1] = ports.all_schedules().try_into().unwrap();
    assert_eq!((&*held.expression, &*held.queue), ("rate(6 hours)", "s-dealer-com-feed"));
    assert_eq!(held.message.group.as_deref(), Some("example-motors"));
    let body: Value = serde_json::from_str(&held.message.body).unwrap();
    assert_eq!((&body["version"], &body["type"]), (&json!(1), &json!("dealer_com_feed")));

    let spaced = PAYLOAD.replace(':', ": ").replace("https: ", "https:");
    let again = ["add", "example", "--every", "360m", "--payload", &spaced];
    let shown = told(&ports, &again).await.unwrap();
    assert!(shown.contains(r#""change": String("unchanged")"#), "{shown}");

    let other = ["add", "example", "--cron", "0 5 * * ? *", "--payload", PAYLOAD];
    let failure = told(&ports, &other).await.unwrap_err();
    assert_eq!((failure.code.as_str(), failure.exit()), ("exists", Exit::Usage));
    told(&ports, &with(&other, &["--replace"])).await.unwrap();
    assert_eq!(ports.all_schedules()[0].expression, "cron(0 5 * * ? *)");
    let acts = [("feeds add", "new"), ("feeds replace", "")];
    assert_eq!(logged(&ports), acts.map(|(act, reason)| (act.to_owned(), reason.to_owned())));
}

#[tokio::test]
async fn a_payload_is_checked_before_anything_is_done() {
    for (payload, expected) in [
        ("{", "--payload: no JSON"),
        ("{}", "payload.dealer_slug: missing; payload.site_url: missing"),
        (r#"{"id":"x","payload":{}}"#, "--payload: id: expected none"),
        (r#"{"dealer_slug":"a","site_url":"https://example.com","dry":1}"#, "payload.dry: unknown"),
    ] {
        let ports = ports(0);
        let words = ["add", "example", "--every", "6h", "--payload", payload];
        let failure = told(&ports, &words).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{payload}");
        assert!(failure.message.contains(expected), "{payload}: {}", failure.message);
        assert_eq!((ports.all_schedules(), ports.invoked()), (Vec::new(), Vec::new()));
    }
    let failure = told(&ports(0), &with(&ADD, &["--type", "url_shortening"])).await.unwrap_err();
    assert_eq!(failure.message, "type: \"url_shortening\", expected one of dealer_com_feed");
}

#[tokio::test]
async fn a_feed_is_paused_run_resumed_and_removed() {
    let ports = ports(5);
    told(&ports, &ADD).await.unwrap();
    for (words, change, enabled) in [
        (["pause", "example"], "paused", Some(false)),
        (["pause", "example"], "unchanged", Some(false)),
        (["run", "example"], "sent", Some(false)),
        (["resume", "example"], "resumed", Some(true)),
        (["remove", "example"], "removed", None),
    ] {
        let shown = told(&ports, &words).await.unwrap();
        assert!(shown.contains(&format!("String({change:?})")), "{words:?}: {shown}");
        let held = ports.all_schedules();
        assert_eq!(held.first().map(|schedule| schedule.enabled), enabled, "{words:?}");
    }
    let [(queue, message)]: [(String, Outgoing); 1] = ports.sent().try_into().unwrap();
    assert!(queue.ends_with(":s-dealer-com-feed"), "{queue}");
    assert_eq!(message.group.as_deref(), Some("example-motors"));
    let acts: Vec<String> = logged(&ports).into_iter().map(|(act, _)| act).collect();
    assert_eq!(acts, ["feeds add", "feeds pause", "feeds run", "feeds resume", "feeds remove"]);
    assert_eq!(told(&ports, &["run", "example"]).await.unwrap_err().code, "not_found");
}

#[tokio::test]
async fn nothing_is_done_that_could_not_be_logged_nor_with_dry_run() {
    let unlogged = ports(0);
    assert_eq!(told(&unlogged, &ADD).await.unwrap_err().code, "missing");
    assert_eq!(unlogged.all_schedules(), []);
    let dry = ports(0);
    let shown = told(&dry, &with(&ADD, &["--dry-run"])).await.unwrap();
    assert!(shown.contains("would be") && shown.contains("nothing was done"), "{shown}");
    assert_eq!((dry.all_schedules(), dry.invoked()), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn an_act_that_fails_is_logged_as_failed() {
    let ports = ports(2).refusing("example-motors");
    told(&ports, &ADD).await.unwrap();
    let failure = told(&ports, &["run", "example", "--reason", "now"]).await.unwrap_err();
    assert!(failure.message.starts_with("the queue did not accept it"), "{}", failure.message);
    let (act, why) = logged(&ports).pop().unwrap();
    assert_eq!(act, "failed");
    assert!(why.contains("InternalError"), "{why}");
}

#[tokio::test]
async fn a_stack_without_the_parameter_names_the_remedy() {
    let ports = MemoryPorts::stack("s", TYPES);
    let failure = told(&ports, &["list"]).await.unwrap_err();
    assert_eq!(failure.message, "the stack has no SSM parameter /s/feeds");
    assert!(failure.hint.unwrap().contains("deploy"));
}
