//! The Lambda function of job type `product_detail_scraping`.

use std::future::ready;

use evenkeel::lambda::{Allocator, Error, serve};
use product_detail_scraping::ProductDetailScraping;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    serve(|start| ready(ProductDetailScraping::start(&start))).await
}
