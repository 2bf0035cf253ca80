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
        per_second: None,
        weight: 1,
        normal: source("errand"),
        high: source("errand-high"),
        dead: "arn:aws:sqs:eu-west-1:1:errand-dlq".into(),
    }
}

fn received(body: &str) -> ReceivedMessage {
    ReceivedMessage { body: Some(body.into()), sent_at: NOW, ..ReceivedMessage::default() }
}

/// The decision about a message that can be parsed.
fn action(message: &ReceivedMessage, record: Option<&Record>) -> Action {
    super::action(message, &asked(&job(), message).unwrap(), record)
}

const GOOD: &str = r#"{"version":1,"type":"errand","id":"7","payload":{"n":1}}"#;

#[test]
fn a_message_names_its_job_by_its_id_its_payload_or_its_wake_up_attribute() {
    assert_eq!(asked(&job(), &received(GOOD)).unwrap().key, "errand#g:7");
    let derived = asked(&job(), &received(r#"{"version":1,"type":"errand","payload":{"n":1}}"#));
    assert!(derived.unwrap().key.starts_with("errand#d:"));
    let woken = Woken { key: "errand#d:older".into(), fence: 3 };
    let ours = ReceivedMessage { wakes: Some(woken), ..received(GOOD) };
    assert_eq!(asked(&job(), &ours).unwrap().key, "errand#d:older");
}

#[test]
fn a_body_that_is_not_a_message_of_the_type_is_held_with_the_reason() {
    let why = |body: &str| asked(&job(), &received(body)).unwrap_err().to_string();
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
fn a_message_whose_job_is_on_the_due_index_or_has_ended_is_dropped() {
    let action_for = |phase| action(&received(GOOD), Some(&record("errand#g:7", phase)));
    assert_eq!(action_for(waiting(NOW)), Action::Drop("already_due"));
    assert_eq!(action_for(parked(NOW)), Action::Drop("already_due"));
    assert_eq!(action_for(Phase::Queued { due_at: NOW }), Action::Drop("already_due"));
    assert_eq!(action_for(succeeded(NOW)), Action::Drop("ended"));
    assert_eq!(
        action_for(running(NOW)),
        Action::IndexLeaseExpiry,
        "the job would not be found otherwise"
    );
    let indexed = Phase::Running { lease_until: NOW, lease_expiry_indexed: true };
    assert_eq!(action_for(indexed), Action::Drop("already_due"));
}

#[test]
fn a_message_without_a_record_is_sent_back_once_and_then_held() {
    assert_eq!(action(&received(GOOD), None), Action::Redrive);
    let again = ReceivedMessage { purpose: Purpose::Redrive, ..received(GOOD) };
    let Action::Hold(rejection) = action(&again, None) else { panic!("the message is not held") };
    assert_eq!(rejection.flaw.name(), "unacknowledged");
    let ended = record("errand#g:7", succeeded(NOW));
    assert_eq!(action(&again, Some(&ended)), Action::Drop("ended"), "the job has ended since");
}

#[test]
fn a_new_request_for_an_ended_job_is_sent_back_and_a_wake_up_message_is_dropped() {
    let ended = record("errand#g:7", succeeded(NOW.before(seconds(60))));
    assert_eq!(action(&received(GOOD), Some(&ended)), Action::Redrive);
    let woken = Woken { key: "errand#g:7".into(), fence: 3 };
    let ours = ReceivedMessage { wakes: Some(woken), ..received(GOOD) };
    assert_eq!(action(&ours, Some(&ended)), Action::Drop("ended"));
    let early = ReceivedMessage { sent_at: Time::default(), ..received(GOOD) };
    assert_eq!(action(&early, Some(&ended)), Action::Drop("ended"));
    let check = ReceivedMessage { purpose: Purpose::Check, ..received(GOOD) };
    assert_eq!(action(&check, None), Action::Drop("check"));
}

#[test]
fn a_known_id_with_another_payload_is_left_to_the_function() {
    let waits = record("errand#g:7", waiting(NOW));
    let spaced = received(&GOOD.replace(r#"{"n":1}"#, r#"{ "n": 1 }"#));
    assert_eq!(
        action(&spaced, Some(&waits)),
        Action::Drop("already_due"),
        "the same JSON value with other white space"
    );
    let other = received(&GOOD.replace(r#"{"n":1}"#, r#"{"n":2}"#));
    assert_eq!(action(&other, Some(&waits)), Action::Redrive);
    let again = ReceivedMessage { purpose: Purpose::Redrive, ..other };
    assert!(matches!(action(&again, Some(&waits)), Action::Hold(_)));
}

#[test]
fn a_message_goes_back_to_the_queue_that_it_came_from() {
    let job = job();
    let from = |source: Option<&str>| {
        let message = ReceivedMessage { source: source.map(str::to_owned), ..received(GOOD) };
        back_to(&job, &message).rsplit(':').next().unwrap_or_default().to_owned()
    };
    assert_eq!(from(Some("arn:aws:sqs:eu-west-1:1:errand-high")), "errand-high");
    assert_eq!(from(Some("arn:aws:sqs:eu-west-1:1:gone")), "errand");
    assert_eq!(from(None), "errand");
}

/// The dead-letter queue keeps no message for longer than 14 days.
#[test]
fn a_message_of_ten_days_is_held_and_a_younger_one_goes_back() {
    let aged = |age: Duration| {
        let message = ReceivedMessage { sent_at: NOW.before(age), ..received(GOOD) };
        if_old(Action::Redrive, &message, NOW)
    };
    assert_eq!(HELD_FROM_AGE, Duration::from_hours(10 * 24));
    assert_eq!(aged(HELD_FROM_AGE.saturating_sub(seconds(1))), Action::Redrive);
    let held = aged(HELD_FROM_AGE);
    let Action::Hold(rejection) = &held else { panic!("{held:?}") };
    assert_eq!(rejection.flaw, Flaw::Unacknowledged);
    assert!(rejection.reason.contains("ten days"), "{}", rejection.reason);
    let old = ReceivedMessage { sent_at: NOW.before(HELD_FROM_AGE * 2), ..received(GOOD) };
    assert_eq!(if_old(Action::Drop("ended"), &old, NOW), Action::Drop("ended"));
}
