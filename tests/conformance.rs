//! Runs the conformance suites of the ports on every implementation: in memory, and DynamoDB's
//! protocol over the real SDK.

use dynoxide::Database;
use evenkeel::{
    aws,
    base::config::Tables,
    http::transport,
    testing::{MemoryStore, conformance, control_conformance, maintenance_conformance},
};
use inventory::testing::{MemoryVehicles, conformance as vehicles_conformance};
use serde_json::json;
use tokio::net::TcpListener;
use xtask::aws::dynamodb;

#[tokio::test]
async fn the_ports_in_memory_conform() {
    let store = MemoryStore::default();
    conformance::store(&store).await;
    control_conformance::control(&store).await;
    maintenance_conformance::maintenance(&store).await;
    vehicles_conformance::vehicles(&MemoryVehicles::default()).await;
    let kept = store.rejected_messages();
    let kept: Vec<_> = kept.iter().map(|body| (&*body.key, &*body.message_id)).collect();
    assert_eq!(kept, conformance::REJECTED);
}

#[tokio::test]
async fn the_ports_on_dynamodb_conform() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().unwrap()));
    let config = aws::local::config(transport::client().unwrap(), &endpoint).await;
    let tables = Tables { jobs: "jobs".into(), control: "control".into() };
    let store = aws::local::store(&config, tables).await;
    conformance::store(&store).await;
    control_conformance::control(&store).await;
    maintenance_conformance::maintenance(&store).await;
    vehicles_conformance::vehicles(&inventory::dynamo::local_table(&config, "vehicles").await)
        .await;
    let client = xtask::aws::Client::new(&endpoint).unwrap();
    for (key, message_id) in conformance::REJECTED {
        let kept = dynamodb::get(&client, "jobs", &json!({ "pk": key })).await.unwrap().unwrap();
        assert_eq!(kept["message_id"], message_id);
        assert_eq!((&kept["state"], &kept["body"]), (&"rejected".into(), &"not json".into()));
    }
    server.abort();
}
