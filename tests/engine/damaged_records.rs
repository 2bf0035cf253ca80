//! Events with a record that cannot be decoded.

use evenkeel::testing::{ARN, containers::Invocation};
use serde_json::{Value, json};

use crate::bench::{Bench, errands::errand};

/// A record of an event as Lambda delivers it.
fn record(name: &str) -> Value {
    json!({ "messageId": format!("id-{name}"), "receiptHandle": name, "body": errand(name, 20, &[]),
        "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1000" },
        "messageAttributes": {}, "eventSourceARN": ARN })
}

/// A record with this value in place of a field's.
fn damaged(field: &str, value: Value) -> Value {
    let mut record = record("damaged");
    record[field] = value;
    record
}

/// Invokes the function with sound jobs around a damaged record, and returns how that ended. The sound jobs run.
async fn among_neighbours(bench: &Bench, damaged: Value) -> Invocation {
    let event = json!({ "Records": [record("before"), damaged, record("after")] });
    let ended = bench.containers().invoke(event).await;
    for neighbour in ["before", "after"] {
        assert_eq!(bench.state(neighbour), "succeeded", "{neighbour}");
        assert_eq!(bench.journal.runs(neighbour), 1, "{neighbour}");
    }
    ended
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_cannot_be_decoded_is_the_affair_of_its_message() {
    let attributes = [
        json!({ "by-hand": { "dataType": "Binary", "binaryValue": "no base64!" } }),
        json!({ "by-hand": { "dataType": "Number", "stringValue": 5 } }),
        json!({ "by-hand": null }),
        json!(["by-hand"]),
    ];
    for attributes in attributes {
        let bench = Bench::errands();
        let ended = among_neighbours(&bench, damaged("messageAttributes", attributes)).await;
        assert_eq!(ended, Invocation::Answered(json!({ "batchItemFailures": [] })));
        assert_eq!(bench.state("damaged"), "succeeded", "its body is sound");
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_no_message_comes_again_alone() {
    let bench = Bench::errands();
    let ended = among_neighbours(&bench, damaged("body", json!({ "version": 1 }))).await;
    let failures = json!({ "batchItemFailures": [{ "itemIdentifier": "id-damaged" }] });
    assert_eq!(ended, Invocation::Answered(failures));
    assert_eq!(bench.store.records().len(), 2, "nothing is stored of it");
}

#[tokio::test(start_paused = true)]
async fn a_record_without_an_id_that_is_no_message_fails_the_event_after_its_neighbours() {
    for damaged in [json!(null), json!(["id"]), damaged("messageId", json!(5))] {
        let bench = Bench::errands();
        let Invocation::Failed(why) = among_neighbours(&bench, damaged.clone()).await else {
            panic!("SQS would delete {damaged}")
        };
        assert!(why.contains("without messageId"), "{why}");
    }
}
