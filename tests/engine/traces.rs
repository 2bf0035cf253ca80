//! The trace of a message: on its record, in its log lines, and on what is sent for its job.

use std::time::Duration;

use evenkeel::{
    message::{OutgoingMessage, Purpose},
    record::{Phase, trace::Trace},
    testing::LogLines,
};
use serde_json::{Value, json};

use crate::bench::{
    Bench,
    errands::{body, dead_letter, errand, key},
    run::MINUTE,
};

const ID: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn trace() -> Option<Trace> {
    Trace::of_header(&format!("Root={ID};Parent=53995c3f42cd8ad8;Sampled=1"))
}

fn other() -> Option<Trace> {
    Trace::of_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
}

fn send(bench: &Bench, body: String, trace: Option<Trace>) {
    let message = OutgoingMessage { trace, ..OutgoingMessage::new(body, None, None) };
    bench.sqs.send_to(bench.queue(), message);
}

/// The trace that the record of an errand names.
fn kept(bench: &Bench, name: &str) -> Option<Trace> {
    bench.store.record(&key(name)).unwrap().work.trace
}

#[tokio::test(start_paused = true)]
async fn a_trace_is_kept_and_stands_in_the_lines_about_its_job() {
    let bench = Bench::errands();
    let lines = LogLines::default();
    {
        let _guard = lines.collect();
        send(&bench, errand("traced", 0, &["permanent"]), trace());
        send(&bench, errand("plain", 0, &["permanent"]), None);
        send(&bench, "not json".into(), trace());
        bench.poll().await;
    }
    assert_eq!((kept(&bench, "traced"), kept(&bench, "plain")), (trace(), None));
    assert_eq!(bench.store.rejected_messages()[0].trace, trace());
    let text = lines.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (about, expected) in [("traced", json!(ID)), ("plain", Value::Null), ("q#", json!(ID))] {
        let is_about = |line: &&Value| line["id"].as_str().is_some_and(|id| id.contains(about));
        let found: Vec<&Value> = lines.iter().filter(is_about).map(|line| &line["trace"]).collect();
        assert_eq!(found, [&expected], "{about}: {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_sweeper_sends_for_a_job_carries_its_trace() {
    let bench = Bench::errands();
    let late = bench.now().before(MINUTE);
    for (name, trace) in [("traced", trace()), ("plain", None)] {
        let lost = Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() };
        let mut record = bench.record(name, lost);
        record.work.trace = trace;
        bench.store.put(&record);
    }
    bench.bury(OutgoingMessage { trace: other(), ..dead_letter(body("dead"), Purpose::Work) });
    bench.tick().await.unwrap();
    let sent = bench.sqs.messages(bench.queue());
    let carried = |name: &str| {
        let id = format!("\"{name}\"");
        sent.iter().find(|message| message.sent.body.contains(&id)).unwrap().sent.trace.clone()
    };
    assert_eq!([carried("traced"), carried("plain"), carried("dead")], [trace(), None, other()]);
    bench.drain().await;
    for (name, trace) in [("traced", trace()), ("plain", None), ("dead", other())] {
        assert_eq!((bench.state(name), kept(&bench, name)), ("succeeded", trace), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_keeps_the_trace_of_the_message_that_began_it() {
    let bench = Bench::errands();
    let body = errand("job", 0, &["transient", "permanent"]);
    send(&bench, body.clone(), trace());
    bench.poll().await;
    assert_eq!(bench.state("job"), "waiting");
    send(&bench, body.clone(), other());
    bench.poll().await;
    assert_eq!(kept(&bench, "job"), trace(), "the same job was asked for once more");
    bench.until(|bench| bench.state("job") == "dead").await;
    tokio::time::advance(Duration::from_secs(1)).await;
    send(&bench, body, other());
    bench.poll().await;
    assert_eq!(kept(&bench, "job"), other(), "it begins anew");
}
