//! Job type `product_detail_scraping`: reads a car's record from its detail page.

pub mod feed_data;
pub mod job;
pub mod kept_reading;
mod known_cars;
pub mod page;
pub mod payload;
pub mod result;

pub use job::{POLICY, ProductDetailScraping, TYPE};
pub use payload::{Scraping, Scraping as Payload};
