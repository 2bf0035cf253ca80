use evenkeel::{base::time::Time, message::Woken};

use super::*;
use crate::{
    config::Source,
    plan::test_records::{NOW, parked, record, running, seconds, succeeded, waiting},
};

fn source(name: &str) -> Source {
    let queue = format!("arn:aws:sqs:eu-west-1:1:{name}");
    Source { queue, mapping: format!("m-{name}"), concurrency: 4 }
}

fn job() -> JobType {
    JobType {
        kind: "errand".into(),
        dependency: None,
        weight: 1,
        normal: source("errand"),
        high: source("errand-high"),
        dead: "arn:aws:sqs:eu-west-1:1:errand-dlq".into(),
    }
}

fn letter(body: &str) -> ReceivedMessage {
    ReceivedMessage { body: Some(body.into()), sent_at: NOW, ..ReceivedMessage::default() }
}

/// The decision about a message that can be parsed.
fn action(letter: &ReceivedMessage, record: Option<&Record>) -> Action {
    super::action(letter, &asked(&job(), letter).unwrap(), record)
}

const GOOD: &str = r#"{"version":1,"type":"errand","id":"7","payload":{"n":1}}"#;

#[test]
fn a_letter_leads_to_its_job_by_its_id_or_its_payload() {
    assert_eq!(asked(&job(), &letter(GOOD)).unwrap().key, "errand#g:7");
    let derived = asked(&job(), &letter(r#"{"version":1,"type":"errand","payload":{"n":1}}"#));
    assert!(derived.unwrap().key.starts_with("errand#d:"));
    let woken = Woken { key: "errand#d:older".into(), fence: 3 };
    let ours = ReceivedMessage { wakes: Some(woken), ..letter(GOOD) };
    assert_eq!(asked(&job(), &ours).unwrap().key, "errand#d:older");
}

#[test]
fn what_is_no_message_of_the_type_is_held_with_the_reason() {
    let why = |body: &str| asked(&job(), &letter(body)).unwrap_err().to_string();
    assert!(why("not json").starts_with("malformed: "));
    let alien = r#"{"version":1,"type":"parcel","payload":{}}"#;
    assert_eq!(why(alien), r#"alien: type: "parcel", expected "errand""#);
    let newer = r#"{"version":9,"type":"errand","payload":{}}"#;
    assert_eq!(why(newer), "newer_version: version: 9, expected 1; held until an update");
    let long =
        format!(r#"{{"version":1,"type":"errand","id":"{}","payload":{{}}}}"#, "x".repeat(300));
    assert!(why(&long).starts_with("invalid: id: "), "{}", why(&long));
}

#[test]
fn a_letter_whose_job_is_looked_after_or_has_ended_may_go() {
    let fate_of = |phase| action(&letter(GOOD), Some(&record("errand#g:7", phase)));
    assert_eq!(fate_of(waiting(NOW)), Action::Drop("already_due"));
    assert_eq!(fate_of(parked(NOW)), Action::Drop("already_due"));
    assert_eq!(fate_of(Phase::Queued { due_at: NOW }), Action::Drop("already_due"));
    assert_eq!(fate_of(succeeded(NOW)), Action::Drop("ended"));
    assert_eq!(fate_of(running(NOW)), Action::IndexLeaseExpiry, "nothing else would find it");
    let armed = Phase::Running { lease_until: NOW, lease_expiry_indexed: true };
    assert_eq!(fate_of(armed), Action::Drop("already_due"));
}

#[test]
fn a_letter_that_nothing_is_known_of_is_sent_once_more_and_held_the_second_time() {
    assert_eq!(action(&letter(GOOD), None), Action::Redrive);
    let again = ReceivedMessage { purpose: Purpose::Redrive, ..letter(GOOD) };
    let Action::Hold(rejection) = action(&again, None) else { panic!("held") };
    assert_eq!(rejection.flaw.name(), "unacknowledged");
    let ended = record("errand#g:7", succeeded(NOW));
    assert_eq!(action(&again, Some(&ended)), Action::Drop("ended"), "it has worked after all");
}

#[test]
fn a_sender_who_asks_anew_is_heard_and_a_wake_up_call_of_ours_is_not() {
    let ended = record("errand#g:7", succeeded(NOW.before(seconds(60))));
    assert_eq!(action(&letter(GOOD), Some(&ended)), Action::Redrive);
    let woken = Woken { key: "errand#g:7".into(), fence: 3 };
    let ours = ReceivedMessage { wakes: Some(woken), ..letter(GOOD) };
    assert_eq!(action(&ours, Some(&ended)), Action::Drop("ended"));
    let early = ReceivedMessage { sent_at: Time::default(), ..letter(GOOD) };
    assert_eq!(action(&early, Some(&ended)), Action::Drop("ended"));
    let check = ReceivedMessage { purpose: Purpose::Check, ..letter(GOOD) };
    assert_eq!(action(&check, None), Action::Drop("check"));
}

#[test]
fn a_known_id_with_another_payload_is_its_functions_business() {
    let waits = record("errand#g:7", waiting(NOW));
    let spaced = letter(&GOOD.replace(r#"{"n":1}"#, r#"{ "n": 1 }"#));
    assert_eq!(
        action(&spaced, Some(&waits)),
        Action::Drop("already_due"),
        "the same in other words"
    );
    let other = letter(&GOOD.replace(r#"{"n":1}"#, r#"{"n":2}"#));
    assert_eq!(action(&other, Some(&waits)), Action::Redrive);
    let again = ReceivedMessage { purpose: Purpose::Redrive, ..other };
    assert!(matches!(action(&again, Some(&waits)), Action::Hold(_)));
}

#[test]
fn a_letter_goes_back_to_where_it_came_from() {
    let job = job();
    let from = |source: Option<&str>| {
        let letter = ReceivedMessage { source: source.map(str::to_owned), ..letter(GOOD) };
        back_to(&job, &letter).rsplit(':').next().unwrap_or_default().to_owned()
    };
    assert_eq!(from(Some("arn:aws:sqs:eu-west-1:1:errand-high")), "errand-high");
    assert_eq!(from(Some("arn:aws:sqs:eu-west-1:1:gone")), "errand");
    assert_eq!(from(None), "errand");
}
