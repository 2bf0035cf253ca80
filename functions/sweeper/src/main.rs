//! The Lambda function that EventBridge Scheduler calls each minute.

use evenkeel::lambda::{Error, serve_calls};
use sweeper::{Sweep, call::answer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let serving = serve_calls(Sweep::start, async |sweep, call, deadline| {
        answer(sweep, &call, deadline).await
    });
    // The future holds every pass of a tick and lives as long as the process: on the heap.
    Box::pin(serving).await
}
