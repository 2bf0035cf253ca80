//! `evenkeel dashboard`: pages about a stack, served on this machine.
//!
//! ```text
//!  browser ─► security ─► router ─ Ask ─► reader ─► ports
//!      ▲                    │               │ one poller: live, within an allowance of read units
//!      └──── pages ◄────────┴──── Reply ────┘
//! ```
//!
//! One [`reader`] answers all tabs. What changes by the second it reads while a tab is open, and never faster than its
//! allowance; lists it reads when they are asked for, and keeps them for half a minute. Pages are built from
//! [`view`]s, whose texts one template escapes; each works without JavaScript. Forms that change something become
//! commands of the command line ([`acts`]).

mod acts;
mod allowance;
mod badge;
mod cells;
pub mod charts;
mod desk;
mod live;
mod metrics;
mod pages;
mod params;
mod question;
mod reader;
pub mod report;
mod router;
mod security;
pub mod view;

use std::{
    future::IntoFuture as _,
    io::{self, Read as _},
    net::Ipv4Addr,
};

use evenkeel::base::{
    random::{Random as _, SystemRandom},
    time::Clock,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
};

use crate::{
    args::ServeDashboard,
    deployment::Deployment,
    exit::{Exit, Failure},
    ports::Ports,
};

use self::{badge::Badge, desk::Desk, reader::Reader, router::router, security::Guard};

/// Requests that may wait for the reader.
const MOST_WAITING: usize = 64;

/// Which stack the pages are about.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'a> {
    /// Whether it stands in for AWS on this machine.
    pub(crate) is_local: bool,
    pub(crate) deployment: &'a Deployment,
}

/// Serves the pages on 127.0.0.1, and tells their address once they can be read. Returns when standard input ends, if
/// `given` asks for that, and otherwise never. Fails if the port is taken.
pub(crate) async fn serve<P: Ports>(
    ports: &P,
    stack: Stack<'_>,
    clock: &impl Clock,
    given: &ServeDashboard,
    announce: impl FnOnce(&str),
) -> Result<(), Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, given.port)).await;
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| {
        let message = format!("port {}: expected to be able to listen on it: {error}", given.port);
        Failure::new(Exit::Failed, "port", message)
            .hint("--port 0 takes a free port; another dashboard may have this one")
    })?;
    let (questions, asks) = mpsc::channel(MOST_WAITING);
    let badge = Badge::of(stack.deployment, stack.is_local, given.read_only);
    let token = (!given.read_only).then(|| SystemRandom.token());
    let guard = Guard::new(address.port(), token.as_deref());
    let desk = Desk::new(questions, badge, guard);
    let reader = Reader::new(ports, stack.deployment, clock, desk.ticks());
    let server = axum::serve(listener, router(desk)).into_future();
    announce(&format!("http://{address}"));
    tokio::select! {
        biased;
        () = end_of_input(), if given.exit_with_stdin => Ok(()),
        ended = server => {
            ended.map_err(|error| Failure::new(Exit::Failed, "server", error.to_string()))
        }
        () = reader.run(asks) => Ok(()),
    }
}

/// Returns when standard input ends.
///
/// It reads on a plain thread: tokio's reader would keep the runtime alive until the next line arrives.
async fn end_of_input() {
    let (open, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        let mut chunk = [0; 512];
        // A read error counts as the end of the input.
        while input.read(&mut chunk).is_ok_and(|count| count > 0) {}
        drop(open);
    });
    // The sender is dropped without a word.
    let _ = ended.await;
}
