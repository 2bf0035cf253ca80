//! The Lambda function of job type `product_detail_scraping`.

use evenkeel::lambda::{Error, serve};
use product_detail_scraping::ProductDetailScraping;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(ProductDetailScraping::start).await
}
