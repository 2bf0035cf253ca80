//! The break-glass page of infra/runbook.md: its commands, run by a shell, write what the engine reads.

use std::process::Command;

use evenkeel::{
    base::time::Time,
    dependency::breaker::{Breaker, State},
    ports::{Control as _, Swapped},
};
use inventory::vehicles::Vehicles as _;
use serde_json::{Value, json};
use xtask::aws::Client;

use crate::local_tables::LocalTables;

/// In January 2027.
const NOW: Time = Time::from_millis(1_800_000_000_000);

/// The control table of [`LocalTables`].
const CONTROL: &str = "control";

/// The table of vehicles.
const VEHICLES: &str = "vehicles";

/// The blocks of shell of the page.
fn blocks() -> Vec<String> {
    let runbook = include_str!("../infra/runbook.md");
    let page = runbook.split("\n## Break glass\n").nth(1).unwrap();
    let page = page.split("\n## ").next().unwrap();
    let blocks = page.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap());
    blocks.map(str::to_owned).collect()
}

/// The words that a shell gives to `aws`, which is a function here that prints them.
fn words(block: &str) -> Vec<String> {
    let script = format!("aws() {{ printf '%s\\0' \"$@\"; }}\n{block}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env("CONTROL", CONTROL).env("VEHICLES_TABLE_NAME", VEHICLES);
    let done = shell.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout).unwrap();
    printed.split_terminator('\0').map(str::to_owned).collect()
}

/// The value of an option.
fn option<'a>(words: &'a [String], name: &str) -> &'a str {
    let pair = words.windows(2).find(|pair| pair[0] == name);
    &pair.unwrap_or_else(|| panic!("{name}: {words:?}"))[1]
}

/// What the AWS CLI makes of `dynamodb update-item` and its options.
fn request(words: &[String]) -> Value {
    assert_eq!(words[..2], ["dynamodb", "update-item"]);
    let parsed = |name: &str| -> Value { serde_json::from_str(option(words, name)).unwrap() };
    json!({
        "TableName": option(words, "--table-name"),
        "Key": parsed("--key"),
        "UpdateExpression": option(words, "--update-expression"),
        "ExpressionAttributeNames": parsed("--expression-attribute-names"),
        "ExpressionAttributeValues": parsed("--expression-attribute-values"),
    })
}

async fn update(client: &Client, block: &str) -> Value {
    let request = request(&words(block));
    client.json("dynamodb", "DynamoDB_20120810.UpdateItem", &request).await.unwrap();
    request
}

/// Does what the AWS CLI makes of `dynamodb delete-item` and its options.
async fn delete(client: &Client, block: &str) {
    let words = words(block);
    assert_eq!(words[..2], ["dynamodb", "delete-item"]);
    let key: Value = serde_json::from_str(option(&words, "--key")).unwrap();
    let request = json!({ "TableName": option(&words, "--table-name"), "Key": key });
    client.json("dynamodb", "DynamoDB_20120810.DeleteItem", &request).await.unwrap();
}

fn number(request: &Value, name: &str) -> u64 {
    request["ExpressionAttributeValues"][name]["N"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn over_a_socket_the_engine_reads_what_the_break_glass_commands_write() {
    let tables = LocalTables::start().await;
    let store = &tables.store;
    let client = Client::new(&tables.endpoint).unwrap();
    let [force, allowance, _, _]: [String; 4] = blocks().try_into().unwrap();

    // There is no item yet: the dependency has never been in trouble.
    let asked = update(&client, &force).await;
    let until = Time::from_millis(number(&asked, ":until"));
    let seen = store.breaker("rebrandly").await.unwrap();
    let open = State::Forced { open: true, until };
    assert_eq!((&seen.value.state, seen.value.generation, seen.revision), (&open, 1, 1));
    assert_eq!(seen.value.why, "maintenance until six");
    assert!(number(&asked, ":expires") > until.as_millis() / 1_000, "the item outlives it");

    // The engine goes on from there, and the command overwrites what the engine has written.
    let closed = Breaker { state: State::Closed, generation: 2, ..seen.value };
    assert_eq!(store.swap_breaker("rebrandly", &closed, 1).await, Ok(Swapped::Yes));
    let asked = update(&client, &force.replace("forced_open", "forced_closed")).await;
    let until = Time::from_millis(number(&asked, ":until"));
    let seen = store.breaker("rebrandly").await.unwrap();
    let open = State::Forced { open: false, until };
    assert_eq!((&seen.value.state, seen.value.generation, seen.revision), (&open, 3, 3));

    let asked = update(&client, &allowance).await;
    let usage = store.quota("rebrandly", "creations").await.unwrap();
    assert_eq!((usage.value.used, usage.revision), (1_200, 1));
    assert_eq!(usage.value.month, Time::from_millis(number(&asked, ":month")));
}

#[tokio::test]
async fn over_a_socket_what_stands_in_the_way_is_gone_after_the_break_glass_commands() {
    let tables = LocalTables::start().await;
    let client = Client::new(&tables.endpoint).unwrap();
    let [_, _, breaker, list]: [String; 4] = blocks().try_into().unwrap();

    let damage = json!({
        "TableName": CONTROL,
        "Key": { "pk": { "S": "breaker#rebrandly" }, "sk": { "S": "state" } },
        "UpdateExpression": "SET #s = :odd",
        "ExpressionAttributeNames": { "#s": "state" },
        "ExpressionAttributeValues": { ":odd": { "S": "odd" } },
    });
    client.json("dynamodb", "DynamoDB_20120810.UpdateItem", &damage).await.unwrap();
    assert!(tables.store.breaker("rebrandly").await.is_err());
    delete(&client, &breaker).await;
    let seen = tables.store.breaker("rebrandly").await.unwrap();
    assert_eq!(seen.value.state, State::Closed);
    let open = Breaker { state: State::Forced { open: true, until: NOW }, ..seen.value };
    let swapped = tables.store.swap_breaker("rebrandly", &open, seen.revision).await;
    assert_eq!(swapped, Ok(Swapped::Yes), "the engine writes it anew");

    let vehicles = inventory::dynamo::local_table(&tables.config, VEHICLES).await;
    for dealer in ["example-motors", "other-motors"] {
        vehicles.keep_list(dealer, "{}", NOW).await.unwrap();
    }
    delete(&client, &list).await;
    assert_eq!(vehicles.list("example-motors").await, Ok(None));
    assert_eq!(vehicles.list("other-motors").await, Ok(Some("{}".to_owned())));
}

/// What a document would have people write by hand.
const HAND_WRITTEN: [&str; 5] =
    ["update-item", "put-item", "delete-item", "batch-write-item", "delete the item"];

#[test]
fn no_other_document_has_a_hand_written_change() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folders = ["", "docs", "infra"].map(|folder| root.join(folder));
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut with = Vec::new();
    for path in files.map(|entry| entry.unwrap().path()) {
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = std::fs::read_to_string(&path).unwrap();
            if HAND_WRITTEN.iter().any(|words| text.contains(words)) {
                with.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    assert_eq!(with, ["infra/runbook.md"]);
}
