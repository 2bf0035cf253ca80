//! Dead letters, and messages that are held for the operators.

use std::time::Duration;

use evenkeel::{
    message::{Flaw, OutgoingMessage, Purpose},
    ports::notes::{DEAD_LETTER, DeadLetter},
    record::Phase,
    testing::Fault,
};
use serde_json::json;

use crate::bench::{
    Bench,
    errands::{body, dead_letter, errand},
    run::MINUTE,
};

/// A function cannot start. No message is to blame, and none is held.
#[tokio::test(start_paused = true)]
async fn while_a_type_does_no_work_its_dead_letters_wait() {
    let bench = Bench::errands();
    for n in 0..20 {
        let purpose = if n % 2 == 0 { Purpose::Work } else { Purpose::Redrive };
        bench.bury(dead_letter(body(&format!("job-{n}")), purpose));
    }
    let mut sent_back = 0;
    for _ in 0..60 {
        let report = bench.tick().await.unwrap();
        let redrive = report.done.get("redrive").cloned().unwrap_or_default();
        sent_back += redrive.get("sent_back").copied().unwrap_or_default();
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(bench.store.rejected_messages(), []);
    assert_eq!(sent_back, 4, "one in a quarter of an hour, to find out whether it works again");
    // It works again: the first of them shows it, and all others follow.
    bench.settle(Duration::from_mins(20)).await;
    let done = (0..20).filter(|n| bench.state(&format!("job-{n}")) == "succeeded").count();
    let held = bench.store.rejected_messages();
    assert_eq!(done + held.len(), 20);
    assert!(done >= 10, "{done}: those that were never sent back before");
    assert!(held.iter().all(|body| body.rejection.flaw == Flaw::Unacknowledged), "{held:?}");
}

/// A deployment fails, and later messages of a newer version have all been held. After the update they are sent
/// again.
#[tokio::test(start_paused = true)]
async fn held_messages_are_released_by_type_flaw_and_age() {
    let bench = Bench::errands();
    bench.send("not json");
    bench.send(&errand("good", 0, &[]).replace("\"version\":1", "\"version\":0"));
    bench.poll().await;
    let began = bench.now();
    tokio::time::advance(MINUTE).await;
    bench.send("not json either");
    let long = format!("{{{}", "x".repeat(70_000));
    bench.send(&long);
    bench.poll().await;
    assert_eq!(bench.store.rejected_messages().len(), 4);
    let release = async |more: serde_json::Value| {
        let as_of = bench.now().as_millis();
        let mut act = json!({ "do": "release", "type": "errand", "as_of": as_of });
        act.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let answer = bench.operate(&json!({ "act": act, "reason": "an update" })).await;
        answer.map(|entry| entry["counts"].clone())
    };
    assert_eq!(release(json!({ "flaw": "other_payload" })).await, Ok(json!({})));
    let as_of = began.as_millis() + 1;
    let early = release(json!({ "flaw": "malformed", "as_of": as_of })).await;
    assert_eq!(early, Ok(json!({ "done": 1 })));
    assert_eq!(bench.sqs.bodies(bench.queue()), ["not json"]);
    let all = release(json!({})).await;
    assert_eq!(all, Ok(json!({ "done": 2, "cut": 1 })), "one was cut when it was kept");
    let kept: Vec<_> =
        bench.store.rejected_messages().iter().map(|body| body.rejection.flaw).collect();
    assert_eq!(kept, [Flaw::TooLong]);
    let wrong = release(json!({ "flaw": "ugly" })).await.unwrap_err();
    assert!(wrong.starts_with("flaw: \"ugly\", expected one of malformed, "), "{wrong}");
    let wrong = release(json!({ "type": "x" })).await.unwrap_err();
    assert!(wrong.starts_with("type: \"x\", expected one of errand"), "{wrong}");
}

/// Otherwise a flood that was held would get ahead of other groups once it is released.
#[tokio::test(start_paused = true)]
async fn a_held_message_is_released_in_its_group() {
    let bench = Bench::errands();
    let message = OutgoingMessage::new("not json".into(), None, Some("acme".into()));
    bench.sqs.send_to(bench.queue(), message);
    bench.poll().await;
    let act = json!({ "do": "release", "type": "errand", "as_of": bench.now().as_millis() });
    bench.operate(&json!({ "act": act, "reason": "an update" })).await.unwrap();
    let delivery = bench.poll().await.unwrap();
    let groups: Vec<_> = delivery.messages.iter().map(|message| &message.sent.group).collect();
    assert_eq!(groups, [&Some("acme".to_owned())]);
}

/// The record of a job was written by a version that this one cannot read. Its message waits for hours, and is then
/// held, so that nothing is lost.
#[tokio::test(start_paused = true)]
async fn a_message_whose_record_cannot_be_read_waits_for_hours_and_is_then_held() {
    let bench = Bench::errands();
    bench.send(&errand("newer", 0, &[]));
    bench.poll().await;
    let began = bench.now();
    bench.send(&errand("newer", 0, &[]));
    bench.faults.on("read", Fault::Unreadable);
    // A record is known, so each receive has to read it.
    bench.faults.on("insert", Fault::Before);
    bench.until(|bench| !bench.store.rejected_messages().is_empty()).await;
    let waited = bench.now().since(began);
    assert!(waited >= Duration::from_hours(5), "{waited:?}");
    let held = bench.store.rejected_messages();
    assert_eq!((held.len(), held[0].rejection.flaw), (1, Flaw::Newer));
    assert!(held[0].rejection.reason.starts_with("record: errand#g:newer: "), "{held:?}");
    assert!(bench.sqs.is_empty());
}

/// The entries of the log of dead letters, by their names.
fn logged(bench: &Bench) -> Vec<(String, DeadLetter)> {
    let notes = bench.store.all_notes(DEAD_LETTER).into_iter();
    notes.map(|(name, text)| (name, serde_json::from_str(&text).unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn each_dead_letter_is_logged_with_what_became_of_it() {
    let bench = Bench::errands();
    bench.put("done", Phase::Succeeded { at: bench.now(), result: "\"done\"".into() });
    bench.bury(dead_letter(body("done"), Purpose::Work));
    bench.tick().await.unwrap();
    bench.bury(dead_letter("not a message".into(), Purpose::Work));
    bench.tick().await.unwrap();
    let held = bench.store.rejected_messages();
    let entries = logged(&bench);
    let [(first, ended), (second, kept)] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("errand#000", "errand#001"));
    assert_eq!((ended.outcome.as_str(), ended.job.as_deref()), ("ended", Some("errand#g:done")));
    assert_eq!((kept.outcome.as_str(), kept.job.as_deref()), ("held", None));
    assert_eq!(kept.rejected.as_deref(), Some(held[0].key.as_str()));
    assert!(kept.reason.starts_with("malformed: "), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_cannot_be_written_keeps_no_message_in_its_dead_letter_queue() {
    for fault in [Fault::Before, Fault::Hang, Fault::Broken] {
        let bench = Bench::errands();
        for n in 0..30 {
            bench.bury(dead_letter(format!("not message {n}"), Purpose::Work));
        }
        bench.sweeper_faults.on("put_note", fault);
        let report = bench.tick().await.unwrap();
        assert_eq!(report.done["redrive"]["unlogged"], 30, "{fault:?}: {report:?}");
        assert_eq!(report.done["redrive"]["held"], 30, "{fault:?}");
        assert_eq!((bench.sqs.len(), logged(&bench).len()), (0, 0), "{fault:?}");
    }
}
