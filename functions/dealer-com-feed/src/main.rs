//! The Lambda function of job type `dealer_com_feed`.

use std::future::ready;

use dealer_com_feed::DealerComFeed;
use evenkeel::lambda::{Allocator, Error, serve};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|start| ready(DealerComFeed::start(&start))).await
}
