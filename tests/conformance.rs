//! One suite, every store: in memory, and DynamoDB's protocol over the real SDK.

use dynoxide::Database;
use evenkeel::{
    aws,
    config::Tables,
    testing::{MemoryStore, conformance},
    transport,
};
use tokio::net::TcpListener;

#[tokio::test]
async fn memory() {
    conformance::store(&MemoryStore::default()).await;
}

#[tokio::test]
async fn dynamodb() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(dynoxide::server::serve_on(listener, Database::memory().unwrap()));
    let config = aws::local::config(transport::client().unwrap(), &endpoint).await;
    let tables = Tables { jobs: "jobs".into(), control: "control".into() };
    let store = aws::local::store(&config, tables).await;
    conformance::store(&store).await;
    server.abort();
}
