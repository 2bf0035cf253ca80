//! What the functions write into the tables. Read without the engine's own code, which the demo
//! tests.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::incident::job::Job;

/// A record; which attributes it has depends on its state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) pk: String,
    pub(crate) state: String,
    /// Canonical JSON; a rejected message has none.
    pub(crate) payload: Option<String>,
    /// The body of a rejected message.
    pub(crate) body: Option<String>,
    pub(crate) flaw: Option<String>,
    pub(crate) why: Option<String>,
    /// JSON; only of a job that succeeded.
    pub(crate) result: Option<String>,
    /// Epoch milliseconds.
    pub(crate) created_at: Option<u64>,
    /// Epoch milliseconds.
    pub(crate) ended_at: Option<u64>,
    pub(crate) claims: u32,
    pub(crate) attempts: u32,
    pub(crate) defers: u32,
    pub(crate) crashes: u32,
}

/// The result of a shortening job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Shortened {
    pub(crate) short_url: String,
    pub(crate) slashtag: String,
    pub(crate) link_id: String,
    /// `created` or `adopted`.
    pub(crate) via: String,
    /// Which candidate for the slashtag was used, from 1.
    pub(crate) candidate: u32,
}

/// The result of a feed job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Inventory {
    pub(crate) vehicles: usize,
    pub(crate) bad: usize,
    pub(crate) pages: usize,
    /// Whether the feed gave an old snapshot of the inventory.
    pub(crate) stale: bool,
    pub(crate) scraping_jobs: usize,
    pub(crate) shortening_jobs: usize,
}

/// The result of a scraping job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Scraped {
    vin: Value,
    #[serde(alias = "record")]
    fields: Map<String, Value>,
    pub(crate) quality: Quality,
    /// Why none of the values come from the page.
    pub(crate) without_page: Option<String>,
}

/// Which fields have a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Quality {
    pub(crate) found: Vec<String>,
    pub(crate) missing: Vec<String>,
    /// Names, or objects with a `field`.
    pub(crate) conflicting: Vec<Value>,
}

/// The key of an item in the vehicles table: a car, the link of one, or a note about the whole inventory.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Vehicle {
    pub(crate) dealer: String,
    pub(crate) vin: String,
}

/// The item of a dependency's breaker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Breaker {
    pub(crate) state: String,
    pub(crate) why: String,
    /// When the first probe is allowed, in epoch milliseconds; only of one that is open.
    pub(crate) retry_at: Option<u64>,
}

impl Breaker {
    pub(crate) fn read(item: Value) -> Result<Self> {
        let shown = item.to_string();
        serde_json::from_value(item).with_context(|| format!("expected a breaker: {shown}"))
    }
}

impl Record {
    pub(crate) fn read(item: Value) -> Result<Self> {
        let shown = item.to_string();
        serde_json::from_value(item).with_context(|| format!("expected a record: {shown}"))
    }

    /// Whether this is the record of a job. Compares the id, or the payload if the sender gave no
    /// id.
    pub(crate) fn is_of(&self, job: &Job) -> bool {
        match job.key() {
            Some(key) => self.pk == key,
            None => self.is_derived(job.kind().name()) && self.payload() == Some(job.payload()),
        }
    }

    /// Whether the id was derived from the payload of a job of this type.
    fn is_derived(&self, kind: &str) -> bool {
        self.pk.strip_prefix(kind).is_some_and(|rest| rest.starts_with("#d:"))
    }

    /// The job type.
    pub(crate) fn kind(&self) -> &str {
        self.pk.split('#').next().unwrap_or_default()
    }

    /// The job's payload.
    pub(crate) fn payload(&self) -> Option<Value> {
        self.payload.as_ref()?.parse().ok()
    }

    /// Whether this record keeps that rejected body.
    pub(crate) fn keeps(&self, body: &str) -> bool {
        self.is_rejected_message() && self.body.as_deref() == Some(body)
    }

    /// Whether this is a rejected message and not a job.
    pub(crate) fn is_rejected_message(&self) -> bool {
        self.pk.starts_with("q#")
    }

    /// Whether the state is final.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(&*self.state, "succeeded" | "dead" | "cancelled" | "quarantined" | "rejected")
    }

    /// Whether the job is safe without a message: it has ended, or it is on the index of the
    /// sweeper.
    pub(crate) fn is_accounted_for(&self) -> bool {
        self.is_terminal() || self.is_waiting()
    }

    /// Whether the job will run again.
    pub(crate) fn is_waiting(&self) -> bool {
        matches!(&*self.state, "queued" | "waiting" | "parked")
    }
}

impl Vehicle {
    pub(crate) fn read(item: Value) -> Result<Self> {
        let shown = item.to_string();
        serde_json::from_value(item).with_context(|| format!("expected a vehicle: {shown}"))
    }
}

impl Scraped {
    pub(crate) fn vin(&self) -> Option<&str> {
        bare(&self.vin).as_str()
    }

    /// The value of a field that is a number.
    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        self.fields.get(field).and_then(|value| bare(value).as_u64())
    }
}

impl Quality {
    /// Whether it lists a field as missing or as conflicting.
    pub(crate) fn doubts(&self, field: &str) -> bool {
        let named = |conflict: &Value| {
            conflict.as_str().or_else(|| conflict["field"].as_str()) == Some(field)
        };
        self.missing.iter().any(|missing| missing == field) || self.conflicting.iter().any(named)
    }
}

/// A value without its source.
fn bare(value: &Value) -> &Value {
    value.get("value").unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Record, Scraped, Vehicle};

    #[test]
    fn a_scraped_page_is_read_as_the_function_writes_it() {
        let written = json!({
            "vin": { "value": "1HGCM82633A004352", "from": "data_layer" },
            "address": "https://www.dealer.example/used/1.htm",
            "record": { "year": { "value": 2003, "from": "json_ld" } },
            "quality": {
                "found": ["year"], "missing": ["trim"],
                "conflicting": [{ "field": "price_cents", "claims": [] }],
            },
        });
        let scraped: Scraped = serde_json::from_value(written).expect("a result");
        assert_eq!(scraped.vin(), Some("1HGCM82633A004352"));
        assert_eq!((scraped.number("year"), scraped.number("trim")), (Some(2003), None));
        let doubts = ["trim", "price_cents", "year"].map(|field| scraped.quality.doubts(field));
        assert_eq!(doubts, [true, true, false]);
    }

    #[test]
    fn a_scraped_page_may_be_flat() {
        let written = json!({
            "vin": "1HGCM82633A004352", "fields": { "year": 2003 },
            "quality": { "found": ["year"], "missing": [], "conflicting": ["trim"] },
        });
        let scraped: Scraped = serde_json::from_value(written).expect("a result");
        assert_eq!(
            (scraped.vin(), scraped.number("year")),
            (Some("1HGCM82633A004352"), Some(2003))
        );
        assert!(scraped.quality.doubts("trim"));
    }

    #[test]
    fn a_record_knows_its_type() {
        let record = |pk: &str| Record { pk: pk.to_owned(), ..Record::default() };
        assert_eq!(record("url_shortening#d:0f").kind(), "url_shortening");
        assert!(record("url_shortening#d:0f").is_derived("url_shortening"));
        assert!(!record("url_shortening#g:a#d:0f").is_derived("url_shortening"));
        assert!(!record("url_shortening#d:0f").is_derived("dealer_com_feed"));
    }

    #[test]
    fn whatever_else_a_vehicle_has_is_not_looked_at() {
        let item = json!({ "dealer": "lakeside", "vin": "#list", "note": { "at": 1 } });
        assert_eq!(Vehicle::read(item).expect("a vehicle").vin, "#list");
        assert!(Vehicle::read(json!({ "dealer": "lakeside" })).is_err());
    }
}
