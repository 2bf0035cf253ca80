//! One failure, and how it must end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

/// How a case must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The job has succeeded.
    Succeeded,
    /// The job is quarantined for operators, because it crashes its process.
    Quarantined,
    /// The message is rejected and kept for operators, with this flaw.
    Held(&'static str),
}

impl Ending {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "done",
            Self::Quarantined => "quarantined",
            Self::Held(flaw) => flaw,
        }
    }
}

/// One kind of failure, with the job that it hits.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) what: &'static str,
    pub(super) ending: Ending,
    name: String,
    due_ms: u64,
}

impl Case {
    pub(super) fn new(what: &'static str, name: &str) -> Self {
        Self { what, ending: Ending::Succeeded, name: name.to_owned(), due_ms: 0 }
    }

    /// The same, with the time from which its recovery is counted.
    pub(super) fn due(self, due_ms: u64) -> Self {
        Self { due_ms, ..self }
    }

    /// The same with another ending.
    pub(super) fn ends(self, ending: Ending) -> Self {
        Self { ending, ..self }
    }

    pub(super) fn key(&self) -> String {
        format!("url_shortening#g:{}", self.name)
    }

    pub(super) fn destination(&self) -> String {
        format!("https://www.acme.example/{}", self.name)
    }

    /// As the function's own decoding writes it.
    fn payload(&self) -> String {
        let vin = format!("1HGCM82633A{:06}", self.number());
        let destination = self.destination();
        format!(r#"{{"destination":"{destination}","dealer_slug":"acme","vin":"{vin}"}}"#)
    }

    /// A number of six digits, derived from the name, so that each case has a car of its own.
    fn number(&self) -> u32 {
        let sum = |sum: u32, byte: u8| sum.wrapping_mul(31).wrapping_add(byte.into());
        self.name.bytes().fold(7, sum) % 1_000_000
    }

    pub(super) fn body(&self) -> String {
        let (name, payload) = (&self.name, self.payload());
        format!(r#"{{"version":1,"type":"url_shortening","id":"{name}","payload":{payload}}}"#)
    }

    /// The record as the engine writes it, in this state and with these fields of it.
    pub(super) fn record(&self, queue: &str, state: &str, fields: &Value) -> Value {
        let partition = match state {
            "parked" => "parked#rebrandly".to_owned(),
            "dead" => "dead#url_shortening".to_owned(),
            state => format!("{state}#{queue}"),
        };
        let mut record = json!({
            "pk": self.key(), "fence": 1, "owner": "earlier", "message_id": "gone", "receives": 1,
            "claims": 1, "payload": self.payload(), "queue": queue, "dependency": "rebrandly",
            "retention_s": 8_985_600, "created_at": self.due_ms.max(1), "state": state,
            "due": format!("{partition}#{}", self.shard(state)),
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            record[name] = value.clone();
        }
        record
    }

    /// The shard of the index, computed as the engine does it.
    fn shard(&self, state: &str) -> u32 {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        let hash = self.key().bytes().fold(0x811c_9dc5, step);
        (hash ^ (hash >> 16)) % if state == "parked" { 16 } else { 4 }
    }

    /// When it ended, in epoch milliseconds, if it ended as it must.
    pub(super) fn ended_at(&self, records: &BTreeMap<String, Value>) -> Option<u64> {
        let record = match self.ending {
            Ending::Succeeded => records.get(&self.key()).filter(|r| r["state"] == "succeeded"),
            Ending::Quarantined => records.get(&self.key()).filter(|r| r["state"] == "quarantined"),
            Ending::Held(flaw) => records.values().find(|record| record["flaw"] == flaw),
        };
        record?["ended_at"].as_u64()
    }

    /// The time from when it was due to its end.
    pub(super) fn took(&self, records: &BTreeMap<String, Value>) -> Option<Duration> {
        Some(Duration::from_millis(self.ended_at(records)?.saturating_sub(self.due_ms)))
    }

    /// Whether it ended as it must. If it did not succeed, its record must say why.
    pub(super) fn is_true(&self, records: &BTreeMap<String, Value>) -> bool {
        let says_why = |record: &Value| record["why"].as_str().is_some_and(|why| !why.is_empty());
        match self.ending {
            Ending::Succeeded => self.ended_at(records).is_some(),
            Ending::Quarantined => records.get(&self.key()).is_some_and(says_why),
            Ending::Held(flaw) => records.values().any(|r| r["flaw"] == flaw && says_why(r)),
        }
    }
}
