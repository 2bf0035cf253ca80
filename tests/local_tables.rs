//! Tables on dynoxide, a DynamoDB within this process. The SDK speaks HTTP, so they are behind a socket.

use dynoxide::Database;
use evenkeel::{
    aws::{self, DynamoStore},
    base::config::Tables,
    http::transport,
};
use tokio::{net::TcpListener, task::JoinHandle};

/// The tables `jobs` and `control`, empty at first. They go when this is dropped.
pub(crate) struct LocalTables {
    pub(crate) endpoint: String,
    pub(crate) config: aws::Config,
    pub(crate) store: DynamoStore,
    server: JoinHandle<()>,
}

impl LocalTables {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let database = Database::memory().unwrap();
        let server = tokio::spawn(dynoxide::server::serve_on(listener, database));
        let config = aws::local::config(transport::client().unwrap(), &endpoint).await;
        let tables = Tables { jobs: "jobs".into(), control: "control".into() };
        let store = aws::local::store(&config, tables).await;
        Self { endpoint, config, store, server }
    }
}

impl Drop for LocalTables {
    fn drop(&mut self) {
        self.server.abort();
    }
}
