//! Job type `product_detail_scraping`: what a vehicle's detail page says of the car.

pub mod feed_data;
pub mod job;
pub mod page;
pub mod payload;

pub use job::{POLICY, ProductDetailScraping};
pub use payload::Scraping;
