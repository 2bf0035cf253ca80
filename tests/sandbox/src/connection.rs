//! A client's TCP connection.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::ServiceExt;

/// The connection that a call arrived on. The call can read the client's port and reset the
/// connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    client_port: u16,
    reset: Arc<Notify>,
}

impl Connection {
    /// A call without a connection, and what its reset notifies.
    pub(crate) fn in_process() -> (Self, Arc<Notify>) {
        let reset = Arc::new(Notify::new());
        (Self { client_port: 0, reset: Arc::clone(&reset) }, reset)
    }

    /// The client's TCP port; 0 if the call has no connection.
    pub(crate) fn client_port(&self) -> u16 {
        self.client_port
    }

    /// Resets the connection without an answer. Never returns: the end of the connection cancels
    /// the call.
    pub(crate) async fn reset(&self) -> Infallible {
        self.reset.notify_one();
        std::future::pending().await
    }
}

/// Serves a connection until either side closes it or a call resets it.
pub(crate) async fn serve(stream: TcpStream, client_port: u16, router: Router) {
    let reset = Arc::new(Notify::new());
    let connection = Connection { client_port, reset: Arc::clone(&reset) };
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(connection.clone());
        router.clone().oneshot(request.map(Body::new))
    });
    let mut serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // An error only means that the client disconnected.
        _ = &mut serving => {}
        () = reset.notified() => {
            let stream = serving.into_parts().io.into_inner();
            // With a linger time of zero the kernel sends RST where a plain close would send FIN.
            // If this call fails, the client still sees the connection end.
            let _ = stream.set_zero_linger();
        }
    }
}
