//! The reading that is kept with a car's page, and whether it is still right if the site says that the page is as it
//! was.
//!
//! A reading depends on the page, its address, the rules of the reader and the feed's data. If one of them may have
//! changed, the page is fetched whole.

use std::time::Duration;

use evenkeel::{
    base::{hash::sha256_hex, time::Time},
    http::Validators,
};
use inventory::vehicles::CarAndPage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    page::{self, Reading, vocabulary::Availability},
    payload::Scraping,
};

/// How long a reading is used without a fetch of the whole page, because sites may send a wrong ETag.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// What a kept reading rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Basis {
    /// [`page::RULES`].
    rules: u32,
    /// The address in the payload. The validators have the one that answered, which may differ after redirects.
    address: String,
    /// Hash of the feed's data of the car.
    feed: String,
    /// When the page was fetched, in milliseconds since the epoch.
    fetched_at: u64,
    validators: Validators,
}

/// A kept reading that is right if the site says that the page has not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReading {
    basis: Basis,
    /// The result as it was written.
    pub(crate) result: Map<String, Value>,
}

impl KeptReading {
    /// The reading that is kept for this page; `None` if the page has to be fetched whole.
    #[must_use]
    pub fn of(known: &CarAndPage, payload: &Scraping, now: Time) -> Option<Self> {
        let kept = known.page.as_ref()?;
        let basis: Basis = serde_json::from_str(kept.basis.as_deref()?).ok()?;
        let is_right = basis.rules == page::RULES
            && basis.address == payload.url
            && basis.feed == mark(known)
            && Time::from_millis(basis.fetched_at) <= now
            && now.since(Time::from_millis(basis.fetched_at)) < LONGEST;
        let result: Map<String, Value> = serde_json::from_str(&kept.page).ok()?;
        (is_right && result.get("record").is_some_and(Value::is_object))
            .then_some(Self { basis, result })
    }

    pub(crate) fn validators(&self) -> &Validators {
        &self.basis.validators
    }
}

/// What a reading of a fetched page rests on, to be kept with it. `None` if it must not be used again: the site gives
/// no ETag, or the reading is not complete.
pub(crate) fn basis(
    reading: &Reading,
    validators: Option<&Validators>,
    known: &CarAndPage,
    payload: &Scraping,
    now: Time,
) -> Option<String> {
    let validators = validators.filter(|given| given.has_etag() && is_complete(reading))?;
    let basis = Basis {
        rules: page::RULES,
        address: payload.url.clone(),
        feed: mark(known),
        fetched_at: now.as_millis(),
        validators: validators.clone(),
    };
    serde_json::to_string(&basis).ok()
}

/// Whether all of the page was read, and a car that is not sold has a price.
fn is_complete(reading: &Reading) -> bool {
    let record = &reading.record;
    let is_sold =
        record.availability.as_ref().is_some_and(|found| found.value == Availability::Sold);
    !reading.quality.too_complex && (is_sold || record.price_cents.is_some())
}

/// Stands for the feed's data, where only equality matters.
fn mark(known: &CarAndPage) -> String {
    known.data.as_deref().map(|data| sha256_hex(&[data])[..16].to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use inventory::vehicles::KeptPage;
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::page::record::Details;

    const NOW: Time = Time::from_millis(1_800_000_000_000);
    const VIN: &str = "1HGCM82633A004352";

    fn payload() -> Scraping {
        let payload = json!({"dealer_slug": "acme", "vin": VIN, "url": "https://acme.example/1"});
        serde_json::from_value(payload).unwrap()
    }

    fn validators(of: &Value) -> Validators {
        let mut given = json!({"url": "https://acme.example/1"});
        given.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        serde_json::from_value(given).unwrap()
    }

    fn reading(car: &str) -> Reading {
        let html =
            format!("<script>DDC.dataLayer['vehicles'] = [{{\"vin\": \"{VIN}\"{car}}}];</script>");
        let address: Url = "https://acme.example/1".parse().unwrap();
        page::read(&html, &address, VIN, &Details::default()).unwrap()
    }

    /// What is kept of a page that has a price and an ETag.
    fn kept() -> CarAndPage {
        let known = CarAndPage { data: Some("{}".into()), page: None };
        let reading = reading(", \"finalPrice\": 25995");
        let etag = validators(&json!({"etag": "\"1\""}));
        let basis = basis(&reading, Some(&etag), &known, &payload(), NOW);
        assert!(basis.is_some());
        let page = serde_json::to_string(&reading).unwrap();
        CarAndPage { page: Some(KeptPage { page, basis, asked_at: Some(NOW) }), ..known }
    }

    #[test]
    fn a_kept_reading_is_used_while_nothing_that_it_rests_on_has_changed() {
        let (known, payload) = (kept(), payload());
        let kept = KeptReading::of(&known, &payload, NOW).unwrap();
        assert_eq!(kept.result["record"]["price_cents"]["value"], json!(2_599_500));
        assert_eq!(serde_json::to_string(&kept.basis).ok(), known.page.clone().unwrap().basis);
        assert!(
            KeptReading::of(&known, &payload, (NOW + LONGEST).before(Duration::from_secs(1)))
                .is_some()
        );
        assert_eq!(KeptReading::of(&known, &payload, NOW + LONGEST), None);
        let moved = Scraping { url: "https://acme.example/2".into(), ..payload.clone() };
        assert_eq!(KeptReading::of(&known, &moved, NOW), None, "another address");
        for data in [None, Some("{\"trim\":\"EX\"}".to_owned())] {
            let known = CarAndPage { data, ..known.clone() };
            assert_eq!(KeptReading::of(&known, &payload, NOW), None, "other data of the feed");
        }
    }

    #[test]
    fn what_was_read_by_other_rules_or_cannot_be_read_is_not_used() {
        let known = kept();
        let page = known.page.clone().unwrap();
        let with = |page: &str, basis: Option<String>| {
            let page = Some(KeptPage { page: page.to_owned(), basis, asked_at: Some(NOW) });
            KeptReading::of(&CarAndPage { page, ..known.clone() }, &payload(), NOW)
        };
        assert!(with(&page.page, page.basis.clone()).is_some());
        let mut older: Value = serde_json::from_str(page.basis.as_deref().unwrap()).unwrap();
        older["rules"] = json!(page::RULES - 1);
        assert_eq!(with(&page.page, Some(older.to_string())), None);
        assert_eq!(with(&page.page, Some("[]".to_owned())), None);
        assert_eq!(with(&page.page, None), None);
        assert_eq!(with("{}", page.basis), None);
    }

    #[test]
    fn a_reading_is_kept_for_use_only_if_it_is_complete_and_the_page_has_an_etag() {
        let known = CarAndPage::default();
        let dated = validators(&json!({"last_modified": "Fri, 15 Jan 2027 08:00:00 GMT"}));
        let etag = validators(&json!({"etag": "\"1\""}));
        let priced = || reading(", \"finalPrice\": 25995");
        let mut cut = priced();
        cut.quality.too_complex = true;
        let cases = [
            (priced(), Some(&etag), true),
            (priced(), Some(&dated), false),
            (priced(), None, false),
            (reading(""), Some(&etag), false),
            (reading(", \"availability\": \"sold\""), Some(&etag), true),
            (cut, Some(&etag), false),
        ];
        for (number, (reading, given, expected)) in cases.into_iter().enumerate() {
            let basis = basis(&reading, given, &known, &payload(), NOW);
            assert_eq!(basis.is_some(), expected, "{number}");
        }
    }
}
