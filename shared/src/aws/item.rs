//! Records as DynamoDB items, and back: encoding and decoding side by side.
//!
//! Attribute names are part of the format that tools and upstream systems read (docs/records.md).
//! Counters that are zero and lists that are empty are left out: DynamoDB bills by the kilobyte.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    base::time::Time,
    ports::maintenance::LEASE_SHARDS,
    record::{
        Counters, LastFailure, Parking, Phase, Record, Work, due::DueEntry, lease::Lease,
        trace::Trace,
    },
};

/// An item of a table.
pub type Item = HashMap<String, AttributeValue>;

/// One attribute of an item.
pub type Attribute = (&'static str, AttributeValue);

/// A text attribute.
pub fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// A number attribute.
pub fn n(number: impl Into<u64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

/// A time as a number attribute: milliseconds since the epoch.
#[must_use]
pub fn ms(time: Time) -> AttributeValue {
    n(time.as_millis())
}

/// Collects attributes into an item.
#[must_use]
pub fn owned(attributes: Vec<Attribute>) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As many attributes as most records have.
const USUAL: usize = 24;

/// Encodes the whole record.
pub(crate) fn encode(record: &Record) -> Vec<Attribute> {
    let work = &record.work;
    let mut attributes = Vec::with_capacity(USUAL);
    attributes.extend([
        ("pk", s(&record.key)),
        ("fence", n(record.fence)),
        ("owner", s(&record.owner)),
        ("message_id", s(&record.message_id)),
        ("receives", n(record.counters.receives)),
        ("claims", n(record.counters.claims)),
        ("payload", s(&work.payload)),
        ("queue", s(&work.queue)),
        ("retention_s", n(work.retention.as_secs())),
        ("created_at", ms(work.created_at)),
    ]);
    // The end of a run writes it only if the job waits for a quota.
    attributes.extend((!record.is_paused()).then(|| ("dependency", s(&work.dependency))));
    attributes.extend(work.first_created_at.map(|at| ("first_created_at", ms(at))));
    attributes.extend(work.deadline.map(|deadline| ("deadline", ms(deadline))));
    attributes.extend(work.group.as_ref().map(|group| ("group", s(group))));
    attributes.extend(encode_trace(work.trace.as_ref()));
    attributes.extend(encode_progress(record));
    attributes
}

/// Encodes the attributes that the end of a run changes. A settle writes only these, which costs
/// one write unit for a record under 1 KB.
pub(crate) fn encode_progress(record: &Record) -> Vec<Attribute> {
    let mut attributes = Vec::with_capacity(USUAL);
    attributes.push(("state", s(record.phase.name())));
    let Counters { attempts, defers, crashes, paused_ms, .. } = record.counters;
    for (name, count) in [("attempts", attempts), ("defers", defers), ("crashes", crashes)] {
        if count > 0 {
            attributes.push((name, n(count)));
        }
    }
    attributes.extend((paused_ms > 0).then(|| ("paused_ms", n(paused_ms))));
    attributes.extend(encode_list("history", &record.history));
    attributes.extend(encode_list("journal", &record.journal));
    match &record.phase {
        Phase::Queued { .. } => {}
        Phase::Running { lease_until, .. } => attributes.push(("lease_until", ms(*lease_until))),
        Phase::Waiting { run_after, why, .. } | Phase::Parked { run_after, why, .. } => {
            attributes.extend([("run_after", ms(*run_after)), ("why", s(why))]);
        }
        Phase::Succeeded { at, result } => {
            attributes.extend([("ended_at", ms(*at)), ("result", s(result))]);
        }
        Phase::Dead { at, why } | Phase::Cancelled { at, why } | Phase::Quarantined { at, why } => {
            attributes.extend([("ended_at", ms(*at)), ("why", s(why))]);
        }
    }
    attributes.extend(record.cursor.as_ref().map(|cursor| ("cursor", s(cursor))));
    if let Some(provisional) = &record.provisional {
        let marked = ("provisional", AttributeValue::Bool(true));
        attributes.extend([("result", s(provisional)), marked]);
    }
    if let Some(Parking { since, gated, ends_at, paused_since }) = record.parking {
        attributes.push(("parked_since", ms(since)));
        attributes.extend(gated.then_some(("gated", AttributeValue::Bool(true))));
        attributes.extend(ends_at.map(|end| ("ends_at", ms(end))));
        if let Some(paused) = paused_since {
            let dependency = s(&record.work.dependency);
            attributes.extend([("paused_since", ms(paused)), ("dependency", dependency)]);
        }
    }
    if let Some(LastFailure { class, fingerprint, at }) = &record.last_failure {
        attributes.extend([("class", s(class)), ("fingerprint", s(fingerprint))]);
        attributes.extend((*at > Time::default()).then(|| ("failed_at", ms(*at))));
    }
    attributes.extend(record.due_entry().iter().flat_map(|entry| encode_due(record, entry)));
    attributes.extend(record.expires_at().map(|at| ("expires_at", n(at.as_secs_ceil()))));
    attributes
}

/// A list as JSON; nothing if it is empty.
fn encode_list<T: Serialize>(name: &'static str, list: &[T]) -> Option<Attribute> {
    if list.is_empty() {
        return None;
    }
    Some((name, s(serde_json::to_string(list).ok()?)))
}

/// Encodes a record's entry on the index `due`: its keys, and those projected attributes that a
/// record need not have otherwise.
pub(crate) fn encode_due(record: &Record, entry: &DueEntry) -> [Attribute; 4] {
    [
        ("due", s(&entry.partition)),
        ("due_at", ms(entry.due_at)),
        ("type", s(record.kind())),
        ("priority", s(record.priority())),
    ]
}

/// The attributes that the index `due` projects, besides the keys of table and index. An entry has
/// those that its record has. template.yaml lists the same.
pub const DUE_PROJECTION: [&str; 7] =
    ["state", "type", "class", "fingerprint", "group", "priority", "created_at"];

/// The attributes that the end of a run removes, unless [`encode_progress`] sets them.
pub(crate) const TRANSIENT: [&str; 13] = [
    "crashes",
    "lease_until",
    "run_after",
    "why",
    "due",
    "due_at",
    "result",
    "provisional",
    "cursor",
    "parked_since",
    "gated",
    "ends_at",
    "paused_since",
];

/// The other attributes that a record need not have. A write of the whole record removes those of both lists that
/// it does not set, and leaves all others: a newer version may have written them.
pub(crate) const OPTIONAL: [&str; 14] = [
    "ended_at",
    "failed_at",
    "attempts",
    "defers",
    "paused_ms",
    "history",
    "journal",
    "first_created_at",
    "deadline",
    "group",
    TRACE_HEADER,
    "class",
    "fingerprint",
    "expires_at",
];

/// The attribute of a trace.
const TRACE_HEADER: &str = "trace_header";

/// The newest format of records that this code reads. A record without the attribute `format` has the first one.
/// A version that adds attributes keeps the number, because older code leaves them alone; one that changes what an
/// attribute means raises it, so that older code leaves such records alone.
const FORMAT: u64 = 1;

/// The attribute of a trace, in the form in which messages pass it on.
pub(super) fn encode_trace(trace: Option<&Trace>) -> Option<Attribute> {
    trace.map(|trace| (TRACE_HEADER, s(trace.to_string())))
}

/// The trace of an item. One that is not valid counts as absent, as in a message.
pub(super) fn decode_trace(reader: &Reader<'_>) -> Option<Trace> {
    Trace::of_header(&reader.text(TRACE_HEADER).ok()?)
}

/// How long a lease that was not removed is kept for the sweeper.
const LEASE_RETENTION: Duration = Duration::from_hours(7 * 24);

/// The shard of a lease, below [`LEASE_SHARDS`].
pub(crate) fn lease_shard(lease: &Lease) -> u64 {
    lease.owner.bytes().map(u64::from).sum::<u64>() % u64::from(LEASE_SHARDS)
}

/// The key of a lease in the control table. Leases sort by their end within a shard.
pub(crate) fn lease_key(lease: &Lease) -> [Attribute; 2] {
    let shard = lease_shard(lease);
    [
        ("pk", s(format!("lease#{shard}"))),
        ("sk", s(format!("{:015}#{}", lease.until.as_millis(), lease.owner))),
    ]
}

/// A lease as an item of the control table.
pub(crate) fn encode_lease(lease: &Lease) -> Vec<Attribute> {
    let jobs = lease.jobs.iter().map(s).collect();
    let expires_at = (lease.until + LEASE_RETENTION).as_secs_ceil();
    let mut attributes = Vec::from(lease_key(lease));
    attributes.extend([("jobs", AttributeValue::L(jobs)), ("expires_at", n(expires_at))]);
    attributes
}

/// Decodes a record; the error names the attribute that is missing or wrong.
pub fn decode(item: &Item) -> Result<Record, String> {
    let reader = Reader(item);
    let format = if reader.has("format") { reader.number("format")? } else { FORMAT };
    if format > FORMAT {
        return Err(format!("format: {format}, expected at most {FORMAT}"));
    }
    Ok(Record {
        key: reader.text("pk")?,
        fence: reader.number("fence")?,
        owner: reader.text("owner")?,
        message_id: reader.text("message_id")?,
        counters: Counters {
            receives: reader.count("receives")?,
            claims: reader.count("claims")?,
            attempts: reader.count("attempts")?,
            defers: reader.count("defers")?,
            crashes: reader.count("crashes")?,
            paused_ms: if reader.has("paused_ms") { reader.number("paused_ms")? } else { 0 },
        },
        phase: phase(&reader)?,
        work: Work {
            payload: reader.text("payload")?,
            queue: reader.text("queue")?,
            dependency: reader.text("dependency")?,
            retention: Duration::from_secs(reader.number("retention_s")?),
            created_at: reader.time("created_at")?,
            first_created_at: reader
                .has("first_created_at")
                .then(|| reader.time("first_created_at"))
                .transpose()?,
            deadline: reader.has("deadline").then(|| reader.time("deadline")).transpose()?,
            group: reader.has("group").then(|| reader.text("group")).transpose()?,
            trace: decode_trace(&reader),
        },
        cursor: reader.has("cursor").then(|| reader.text("cursor")).transpose()?,
        provisional: reader.has("provisional").then(|| reader.text("result")).transpose()?,
        parking: if reader.has("parked_since") {
            let time = |name| reader.has(name).then(|| reader.time(name)).transpose();
            let (ends_at, paused_since) = (time("ends_at")?, time("paused_since")?);
            let (since, gated) = (reader.time("parked_since")?, reader.has("gated"));
            Some(Parking { since, gated, ends_at, paused_since })
        } else {
            None
        },
        last_failure: if reader.has("fingerprint") {
            let (class, fingerprint) = (reader.text("class")?, reader.text("fingerprint")?);
            let at = reader.has("failed_at").then(|| reader.time("failed_at")).transpose()?;
            Some(LastFailure { class, fingerprint, at: at.unwrap_or_default() })
        } else {
            None
        },
        history: list(&reader, "history")?,
        journal: list(&reader, "journal")?,
    })
}

/// A list that is kept as JSON; empty if the attribute is missing.
fn list<T: DeserializeOwned>(reader: &Reader<'_>, name: &str) -> Result<Vec<T>, String> {
    if !reader.has(name) {
        return Ok(Vec::new());
    }
    serde_json::from_str(&reader.text(name)?).map_err(|error| format!("{name}: {error}"))
}

fn phase(reader: &Reader<'_>) -> Result<Phase, String> {
    let (ended, why) = (|| reader.time("ended_at"), || reader.text("why"));
    let has_due = reader.has("due_at");
    let due_at = || if has_due { reader.time("due_at") } else { Ok(Time::default()) };
    Ok(match reader.text("state")?.as_str() {
        // The sweeper's audit restores a missing due entry. Until then the job counts as due.
        "queued" => Phase::Queued { due_at: due_at()? },
        "running" => Phase::Running {
            lease_until: reader.time("lease_until")?,
            lease_expiry_indexed: reader.has("due"),
        },
        "waiting" => {
            Phase::Waiting { run_after: reader.time("run_after")?, due_at: due_at()?, why: why()? }
        }
        "parked" => Phase::Parked { run_after: reader.time("run_after")?, why: why()? },
        "succeeded" => Phase::Succeeded { at: ended()?, result: reader.text("result")? },
        "dead" => Phase::Dead { at: ended()?, why: why()? },
        "cancelled" => Phase::Cancelled { at: ended()?, why: why()? },
        "quarantined" => Phase::Quarantined { at: ended()?, why: why()? },
        other => return Err(format!("state: {other:?} is none")),
    })
}

/// Reads an item attribute by attribute; errors name the attribute.
pub struct Reader<'a>(pub &'a Item);

impl Reader<'_> {
    /// Whether the item has the attribute.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A text; the error names the attribute.
    pub fn text(&self, name: &str) -> Result<String, String> {
        match self.0.get(name).map(AttributeValue::as_s) {
            Some(Ok(text)) => Ok(text.clone()),
            _ => Err(format!("{name}: expected a text")),
        }
    }

    /// A whole number; the error names the attribute.
    pub fn number(&self, name: &str) -> Result<u64, String> {
        match self.0.get(name).map(AttributeValue::as_n) {
            Some(Ok(text)) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| format!("{name}: expected a whole number"))
    }

    /// A counter; zero if it is absent.
    pub fn count(&self, name: &str) -> Result<u32, String> {
        if !self.has(name) {
            return Ok(0);
        }
        u32::try_from(self.number(name)?).map_err(|_| format!("{name}: too large"))
    }

    /// A time, in milliseconds since the epoch; the error names the attribute.
    pub fn time(&self, name: &str) -> Result<Time, String> {
        self.number(name).map(Time::from_millis)
    }

    /// A list of whole numbers; empty if it is absent.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<u64>, String> {
        let expected = || format!("{name}: expected a list of whole numbers");
        let Some(value) = self.0.get(name) else { return Ok(Vec::new()) };
        let list = value.as_l().map_err(|_| expected())?;
        let number = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
        list.iter().map(|value| number(value).ok_or_else(expected)).collect()
    }

    /// A map of names to times.
    pub(crate) fn times(&self, name: &str) -> Result<BTreeMap<String, Time>, String> {
        match self.0.get(name).map(AttributeValue::as_m) {
            Some(Ok(map)) => {
                let inner = Reader(map);
                map.keys().map(|key| Ok((key.clone(), inner.time(key)?))).collect()
            }
            _ => Err(format!("{name}: expected a map of times")),
        }
    }
}

#[cfg(test)]
#[path = "item_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "item_page_tests.rs"]
mod page_tests;
