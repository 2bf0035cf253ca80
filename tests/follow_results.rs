//! The example function on the stream of the table `Jobs`: its tests, and its recorded event against the engine.

use std::{path::Path, process::Command};

use evenkeel::ports::Store as _;
use serde_json::{Value, json};
use xtask::aws::Client;

use crate::local_tables::LocalTables;

const EVENT: &str = include_str!("../infra/examples/follow-results/event.json");

#[test]
fn its_own_tests_succeed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    // Without `-B` Python would leave its bytecode beside the example.
    let mut python = Command::new("python3");
    python.args(["-B", "-m", "unittest"]).current_dir(root.join("infra/examples/follow-results"));
    let done = python.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success() && said.contains("Ran 5 tests"), "{said}");
}

#[test]
fn it_knows_the_states_in_which_a_job_has_ended() {
    let handler = include_str!("../infra/examples/follow-results/handler.py");
    let template = include_str!("../infra/examples/follow-results/template.yaml");
    let terminal = r#""succeeded", "dead", "cancelled", "quarantined""#;
    assert!(handler.contains(&format!("TERMINAL = ({terminal})")));
    assert!(template.contains(&format!("[{terminal}]")), "the filter lets the same through");
}

/// The recorded records are written as they are and read by the engine, so they have its format.
#[tokio::test]
async fn over_a_socket_the_engine_reads_the_records_of_the_recorded_event() {
    let tables = LocalTables::start().await;
    let client = Client::new(&tables.endpoint).unwrap();
    let event: Value = serde_json::from_str(EVENT).unwrap();
    let changes = event["Records"].as_array().unwrap();
    let images = changes.iter().filter_map(|change| change["dynamodb"].get("NewImage"));
    let mut ended = 0;
    for image in images.filter(|image| image["state"]["S"] != "rejected") {
        let put = json!({ "TableName": "jobs", "Item": image });
        client.json("dynamodb", "DynamoDB_20120810.PutItem", &put).await.unwrap();
        let key = image["pk"]["S"].as_str().unwrap();
        let record = tables.store.read(key).await.unwrap().unwrap();
        assert_eq!(record.phase.name(), image["state"]["S"].as_str().unwrap(), "{key}");
        let known = ["succeeded", "dead", "cancelled", "quarantined"];
        let is_terminal = record.phase.ended_at().is_some();
        assert_eq!(is_terminal, known.contains(&record.phase.name()), "{key}");
        ended += usize::from(is_terminal);
    }
    assert_eq!(ended, 6, "with the duplicate, and a change after the end");
}
