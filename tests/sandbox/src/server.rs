//! The HTTP server.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::client::Client;
use crate::connection;
use crate::routes::router;
use crate::settings::Settings;
use crate::world::World;

/// How long to wait after a failed accept, which is mostly for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A running sandbox. It stops when it is shut down or dropped.
#[derive(Debug)]
pub struct Sandbox {
    port: u16,
    // Nothing is sent on it: dropping it stops the server.
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Sandbox {
    /// Starts a sandbox with default settings on the current tokio runtime, reachable from this
    /// machine only. Port 0 picks a free one. Fails if the port is in use.
    pub async fn start(port: u16) -> io::Result<Self> {
        Self::start_with(port, Settings::default()).await
    }

    /// Starts a sandbox with the given settings. See [`Sandbox::start`].
    pub async fn start_with(port: u16, settings: Settings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = oneshot::channel();
        let router = router(Arc::new(World::new(settings)));
        let server = tokio::spawn(accept(listener, router, stopped));
        Ok(Self { port, stop, server })
    }

    /// Its base address, `http://127.0.0.1:PORT`, which [`Client::new`] takes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The base address of the Rebrandly API: [`Sandbox::url`] with `/v1`.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// The address of a dealer site on its own host, `http://SLUG.localhost:PORT`. Jobs get this
    /// address, because their circuit breakers are kept by host. Not every resolver knows such
    /// names.
    #[must_use]
    pub fn site_origin(&self, slug: &str) -> String {
        self.url().replace("127.0.0.1", &format!("{slug}.localhost"))
    }

    /// A client of this sandbox's control endpoint.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.url())
    }

    /// Stops the server, and aborts the calls that are still in progress.
    pub async fn shutdown(self) {
        drop(self.stop);
        // This fails only if the accept loop panicked, and then the server has stopped too.
        let _ = self.server.await;
    }
}

async fn accept(listener: TcpListener, router: Router, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Answers on loopback are small: waiting to fill a segment would add 40 ms.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection::serve(stream, peer.port(), router.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

#[cfg(test)]
mod breaking_sockets;
