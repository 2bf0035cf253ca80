//! Job type `product_detail_scraping`: what a vehicle's detail page says of the car.

pub mod page;
