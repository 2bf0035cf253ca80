//! A connection between a client and a server that a test can cut. So a table or a service is
//! unreachable for one client and still works for all others.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How a wire treats connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It forwards them.
    Whole,
    /// It closes them: open ones at once, new ones as soon as they are accepted.
    Cut,
    /// It keeps them open and forwards nothing.
    Silent,
}

/// A listener that forwards to a server. Ends when it is dropped.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
    listener: JoinHandle<()>,
}

impl Wire {
    /// Starts a wire that forwards to a server, which need not listen yet.
    pub async fn lay(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("expected a free port")?;
        let address = listener.local_addr()?;
        let (state, seen) = watch::channel(State::Whole);
        let listener = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, server, seen.clone()));
            }
        });
        Ok(Self { address, state, listener })
    }

    /// The address that the client should use.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Changes how connections are treated, including open ones.
    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The connections notice that the channel is closed, and end.
        self.listener.abort();
    }
}

/// Forwards one connection until either side closes it or the wire is cut. What is sent while the
/// wire is silent is forwarded later.
async fn connection(mut client: TcpStream, server: SocketAddr, mut state: watch::Receiver<State>) {
    let mut upstream: Option<TcpStream> = None;
    loop {
        let now = *state.borrow_and_update();
        match (now, upstream.as_mut()) {
            (State::Cut, _) => return,
            (State::Silent, _) => {
                if state.changed().await.is_err() {
                    return;
                }
            }
            (State::Whole, None) => match TcpStream::connect(server).await {
                Ok(connected) => upstream = Some(connected),
                Err(_) => return,
            },
            (State::Whole, Some(upstream)) => {
                tokio::select! {
                    _ = copy_bidirectional(&mut client, upstream) => return,
                    changed = state.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::{State, Wire};

    /// A server that sends back what it gets.
    async fn echo() -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = client.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn answers(client: &mut TcpStream) -> bool {
        let mut byte = [0];
        if client.write_all(b"x").await.is_err() {
            return false;
        }
        let read = timeout(Duration::from_millis(300), client.read(&mut byte)).await;
        matches!(read, Ok(Ok(1)))
    }

    #[tokio::test]
    async fn a_cut_wire_closes_its_sockets_and_a_mended_one_carries_again() {
        let wire = Wire::lay(echo().await).await.expect("a wire");
        let mut client = TcpStream::connect(wire.address).await.expect("it listens");
        assert!(answers(&mut client).await);
        wire.set(State::Cut);
        assert!(!answers(&mut client).await);
        let mut client = TcpStream::connect(wire.address).await.expect("it still listens");
        assert!(!answers(&mut client).await);
        wire.set(State::Whole);
        let mut client = TcpStream::connect(wire.address).await.expect("it listens");
        assert!(answers(&mut client).await);
    }

    #[tokio::test]
    async fn a_silent_wire_keeps_its_sockets_and_carries_late() {
        let wire = Wire::lay(echo().await).await.expect("a wire");
        let mut client = TcpStream::connect(wire.address).await.expect("it listens");
        wire.set(State::Silent);
        assert!(!answers(&mut client).await);
        wire.set(State::Whole);
        assert!(answers(&mut client).await);
    }
}
