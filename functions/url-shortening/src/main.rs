//! The Lambda function of job type `url_shortening`.

use evenkeel::lambda::{Error, serve};
use url_shortening::UrlShortening;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(UrlShortening::start).await
}
