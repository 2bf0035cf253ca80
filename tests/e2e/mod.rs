//! End-to-end tests: real processes, real sockets, real time. They poll for what they expect, with
//! a deadline.

mod command;
mod dashboard;
mod function;
mod processes;
mod roles;
mod stack;
mod two_stacks;

use std::time::Duration;

use tokio::time::Instant;

/// Deadline of each wait. It is long enough for slow machines; no test depends on how long a wait
/// took.
const PATIENCE: Duration = Duration::from_mins(4);

/// Polls until `is_so` returns true; panics with `what` at the deadline.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "timed out while waiting until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
