//! The Lambda function that EventBridge Scheduler calls each minute.

use evenkeel::lambda::{Error, serve_calls};
use sweeper::Sweep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let serving = serve_calls(Sweep::start, async |sweep, call, deadline| {
        sweep.answer(&call, deadline).await
    });
    // A tick with all its passes is large, and lives as long as the process.
    Box::pin(serving).await
}
