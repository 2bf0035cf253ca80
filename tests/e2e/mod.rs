//! End to end: real processes, real sockets, real time. Everything that is waited for is polled,
//! with a deadline.

mod function;
mod processes;
mod recovery;
mod stack;

use std::time::Duration;

use tokio::time::Instant;

/// Longest wait for one thing. Slow machines are slow; nothing here depends on how long it took.
const PATIENCE: Duration = Duration::from_mins(4);

/// Polls until it is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
