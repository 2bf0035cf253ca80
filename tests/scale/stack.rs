//! The stack to which the tables belong: its names.

/// The name with which its functions begin.
pub(super) const STACK: &str = "scale";

pub(super) const JOBS_TABLE: &str = "jobs";
pub(super) const CONTROL_TABLE: &str = "control";
pub(super) const CARS_TABLE: &str = "cars";

/// The job types, as the sweeper's configuration has them.
pub(super) const CONFIGURED: &str = r#"[{"type":"dealer_com_feed"},
    {"type":"product_detail_scraping"}, {"type":"url_shortening","dependency":"rebrandly"}]"#;

/// The same by name.
pub(super) const TYPES: [&str; 3] =
    ["dealer_com_feed", "product_detail_scraping", "url_shortening"];

/// The keys of the event source mappings, one a queue that has one. The queues are named after them.
pub(super) const SOURCES: [&str; 6] = [
    "dealer-com-feed",
    "dealer-com-feed-high",
    "product-detail-scraping",
    "product-detail-scraping-high",
    "url-shortening",
    "url-shortening-high",
];

/// How the ARNs of the queues begin.
pub(super) const QUEUE_PREFIX: &str = "arn:aws:sqs:us-east-1:000000000000:scale-";

/// Hosts that page jobs depend on.
pub(super) const HOSTS: u64 = 50;
