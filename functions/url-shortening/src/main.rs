//! The Lambda function of job type `url_shortening`.

use evenkeel::lambda::{Allocator, Error, serve};
use url_shortening::UrlShortening;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(UrlShortening::start).await
}
