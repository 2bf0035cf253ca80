//! The result of a scraping.

use inventory::vin::Vin;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::page::Reading;

/// What a page, or the feed in its place, says of the car.
#[derive(Clone, Debug, Serialize)]
pub struct Scraped {
    /// The car's fields and their quality.
    #[serde(flatten)]
    pub reading: Reading,
    /// If all values come from the feed: why the page itself gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_page: Option<String>,
    /// An oddity of the VIN that is no reason to reject it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vin_warning: Option<&'static str>,
}

/// The result of a successful job.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// The page was read, or the feed's data stand in for it.
    Read(Box<Scraped>),
    /// The page is as it was when it was read before.
    Unchanged(Unchanged),
}

/// The result of before, for a page that has not changed since.
#[derive(Clone, Debug, Serialize)]
pub struct Unchanged {
    /// A [`Scraped`] as it was kept.
    #[serde(flatten)]
    pub result: Map<String, Value>,
    /// Always true; the field is left out of other results.
    pub unchanged: bool,
}

impl Outcome {
    /// The result of a reading. `without_page` says why all of it is from the feed.
    pub(crate) fn of(reading: Reading, without_page: Option<String>) -> Self {
        let odd = Vin::parse(&reading.vin.value).is_ok_and(|vin| !vin.check_digit_holds());
        let vin_warning =
            odd.then_some("check digit: does not fit, as of many cars made elsewhere");
        Self::Read(Box::new(Scraped { reading, without_page, vin_warning }))
    }

    /// The result of a page that has not changed since this result was kept.
    pub(crate) fn unchanged(result: Map<String, Value>) -> Self {
        Self::Unchanged(Unchanged { result, unchanged: true })
    }

    /// What is kept of it as the page of its car, as JSON.
    pub(crate) fn page(&self) -> String {
        let text = match self {
            Self::Read(scraped) => serde_json::to_string(scraped),
            Self::Unchanged(unchanged) => serde_json::to_string(&unchanged.result),
        };
        text.unwrap_or_default()
    }
}
