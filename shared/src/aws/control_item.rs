//! The items of the control table: encoding and decoding side by side.
//!
//! Attribute names are part of the format that operators read and write (docs/records.md).

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    change::Change,
    item::{Attribute, Item, Reader, ms, n, s},
};
use crate::{
    base::time::{Time, millis},
    dependency::{
        breaker::{Breaker, State},
        limiter::{Grant, Limiter},
        stats::{Bucket, BucketKey, ContainerCounts, Latest},
    },
    ports::{PortError, Seen, notes::NoteKey},
};

/// How long a breaker is kept that is no longer written.
const BREAKER_RETENTION: Duration = Duration::from_hours(7 * 24);

/// How long a limiter is kept that is no longer written: far longer than its values matter.
const LIMITER_RETENTION: Duration = Duration::from_hours(24);

/// Sort key of an item that is the only one in its partition.
const ONLY_ITEM: &str = "state";

pub(super) fn key(pk: String, sk: impl Into<String>) -> Vec<Attribute> {
    vec![("pk", s(pk)), ("sk", s(sk))]
}

/// The key of a dependency's breaker in the control table: `pk` and `sk`.
#[must_use]
pub fn breaker_key(dependency: &str) -> Vec<Attribute> {
    key(format!("breaker#{dependency}"), ONLY_ITEM)
}

/// The key of the limiter with this name in the control table: `pk` and `sk`.
#[must_use]
pub fn limiter_key(dependency: &str) -> Vec<Attribute> {
    key(format!("limiter#{dependency}"), ONLY_ITEM)
}

/// The partition key of one shard of a subject's statistics.
#[must_use]
pub fn bucket_partition(subject: &str, shard: u8) -> String {
    format!("stats#{subject}#{shard}")
}

pub(super) fn bucket_key(key: &BucketKey) -> Vec<Attribute> {
    let sort = bucket_sort(key.start, key.generation);
    self::key(bucket_partition(&key.subject, key.shard), sort)
}

/// The sort key of a bucket. Buckets sort by time, then by generation.
#[must_use]
pub fn bucket_sort(start: Time, generation: u64) -> String {
    format!("{:015}#{generation:010}", start.as_millis())
}

/// The attributes of a breaker that not every state has.
const BREAKER_OPTIONS: [&str; 8] = [
    "systemic",
    "stopped_until",
    "down_since",
    "retry_at",
    "wait_ms",
    "probes",
    "successes",
    "until",
];

pub(super) fn encode_breaker(dependency: &str, breaker: &Breaker) -> Change {
    let mut attributes = vec![
        ("state", s(breaker.state.name())),
        ("generation", n(breaker.generation)),
        ("since", ms(breaker.since)),
        ("why", s(&breaker.why)),
    ];
    if breaker.systemic {
        attributes.push(("systemic", AttributeValue::Bool(true)));
    }
    let mut until = breaker.since.max(breaker.stopped_until);
    if breaker.stopped_until > Time::default() {
        attributes.push(("stopped_until", ms(breaker.stopped_until)));
    }
    if breaker.down_since > Time::default() {
        attributes.push(("down_since", ms(breaker.down_since)));
    }
    match &breaker.state {
        State::Closed => {}
        State::Open { retry_at, wait } => {
            until = until.max(*retry_at);
            attributes.extend([("retry_at", ms(*retry_at)), ("wait_ms", n(millis(*wait)))]);
        }
        State::HalfOpen { probes, successes, wait } => {
            let probes = probes.iter().map(|(token, until)| (token.clone(), ms(*until)));
            attributes.extend([
                ("probes", AttributeValue::M(probes.collect())),
                ("successes", n(*successes)),
                ("wait_ms", n(millis(*wait))),
            ]);
        }
        State::Forced { until: end, .. } => {
            until = until.max(*end);
            attributes.push(("until", ms(*end)));
        }
    }
    attributes.push(("expires_at", n((until + BREAKER_RETENTION).as_secs_ceil())));
    Change::new(breaker_key(dependency), attributes, &BREAKER_OPTIONS)
}

/// Decodes a breaker; the error names the attribute that is missing or wrong.
pub fn decode_breaker(item: &Item) -> Result<Breaker, String> {
    let reader = Reader(item);
    let wait = || reader.number("wait_ms").map(Duration::from_millis);
    let until = || reader.time("until");
    let state = match reader.text("state")?.as_str() {
        "closed" => State::Closed,
        "open" => State::Open { retry_at: reader.time("retry_at")?, wait: wait()? },
        "half_open" => State::HalfOpen {
            probes: reader.times("probes")?,
            successes: reader.count("successes")?,
            wait: wait()?,
        },
        "forced_open" => State::Forced { open: true, until: until()? },
        "forced_closed" => State::Forced { open: false, until: until()? },
        other => return Err(format!("state: {other:?} is none of a breaker's")),
    };
    // An operator who forces a breaker need not set `since`.
    let since = if reader.has("since") { reader.time("since")? } else { Time::default() };
    let why = if reader.has("why") { reader.text("why")? } else { String::new() };
    let (generation, systemic) = (reader.number("generation")?, reader.has("systemic"));
    let stopped_until =
        if reader.has("stopped_until") { reader.time("stopped_until")? } else { Time::default() };
    let down_since =
        if reader.has("down_since") { reader.time("down_since")? } else { Time::default() };
    Ok(Breaker { generation, state, since, why, systemic, stopped_until, down_since })
}

pub(super) fn encode_limiter(dependency: &str, limiter: &Limiter) -> Change {
    let next = Time::from_millis(limiter.next_us.max(limiter.next_hourly_us) / 1_000);
    let mut attributes = vec![
        ("next_us", n(limiter.next_us)),
        ("next_hourly_us", n(limiter.next_hourly_us)),
        ("pace", n(limiter.pace)),
        ("slowed_at", ms(limiter.slowed_at)),
        ("promised_us", n(limiter.promised_us)),
        ("promised_high_us", n(limiter.promised_high_us)),
        ("since_kept", n(limiter.since_kept)),
        ("expires_at", n((next + LIMITER_RETENTION).as_secs_ceil())),
    ];
    if !limiter.kept.is_empty() {
        let kept = limiter.kept.iter();
        let numbers = kept.flat_map(|g| [g.first_us, g.interval_us, g.count.into()]).map(n);
        attributes.push(("kept", AttributeValue::L(numbers.collect())));
    }
    Change::new(limiter_key(dependency), attributes, &["kept"])
}

/// Decodes a limiter; the error names the attribute that is missing or wrong.
pub fn decode_limiter(item: &Item) -> Result<Limiter, String> {
    let reader = Reader(item);
    let promised = |name| if reader.has(name) { reader.number(name) } else { Ok(0) };
    Ok(Limiter {
        next_us: reader.number("next_us")?,
        next_hourly_us: reader.number("next_hourly_us")?,
        pace: reader.count("pace")?,
        slowed_at: reader.time("slowed_at")?,
        kept: kept(&reader)?,
        since_kept: reader.count("since_kept")?,
        promised_us: promised("promised_us")?,
        promised_high_us: promised("promised_high_us")?,
    })
}

/// The kept slots of a limiter: time of the first, interval and count of each range.
pub(super) fn kept(reader: &Reader<'_>) -> Result<Vec<Grant>, String> {
    let ranges = reader.numbers("kept")?;
    let range = |range: &[u64]| match *range {
        [first_us, interval_us, count] if interval_us > 0 => {
            let count = u32::try_from(count).map_err(|_| "kept: a count is too large")?;
            Ok(Grant { first_us, interval_us, count })
        }
        _ => Err("kept: expected three numbers for each range, the second above zero".to_owned()),
    };
    ranges.chunks(3).map(range).collect()
}

/// Decodes an item together with its revision.
pub(super) fn seen<T: Default>(
    item: Option<&Item>,
    decode: impl Fn(&Item) -> Result<T, String>,
) -> Result<Seen<T>, PortError> {
    let Some(item) = item else { return Ok(Seen::default()) };
    // An item that an operator wrote by hand may have no revision.
    let revision =
        if item.contains_key("revision") { Reader(item).number("revision") } else { Ok(0) };
    let read = revision.and_then(|revision| Ok(Seen { value: decode(item)?, revision }));
    read.map_err(PortError::Unreadable)
}

/// The partition key of the notes of a kind.
pub(super) fn note_partition(kind: &str) -> String {
    format!("note#{kind}")
}

pub(super) fn note_key(place: &NoteKey) -> Vec<Attribute> {
    key(note_partition(place.kind), place.name.as_str())
}

pub(super) fn encode_note(place: &NoteKey, text: &str, until: Time) -> Change {
    let attributes = vec![("text", s(text)), ("expires_at", n(until.as_secs_ceil()))];
    Change::new(note_key(place), attributes, &[])
}

/// Encodes what a container has counted, without its key.
pub(super) fn encode_counts(counts: &ContainerCounts) -> Vec<(String, AttributeValue)> {
    let Bucket { counts: counters, oldest, samples, latest } = &counts.bucket;
    let mut attributes: Vec<_> =
        counters.iter().map(|(name, count)| (name.clone(), n(*count))).collect();
    if !oldest.is_empty() {
        let oldest = oldest.iter().map(ToString::to_string).collect();
        attributes.push(("received".to_owned(), AttributeValue::Ss(oldest)));
    }
    let samples = samples.iter().map(|(name, text)| (format!("{SAMPLE}{name}"), s(text)));
    attributes.extend(samples);
    if !latest.is_empty() {
        attributes.push((LATEST.to_owned(), AttributeValue::Ss(latest.texts().collect())));
    }
    attributes.push(("expires_at".to_owned(), n(counts.expires_at.as_secs_ceil())));
    attributes
}

/// The name of an attribute that holds a sample is this and the fingerprint.
const SAMPLE: &str = "sample_";

/// The attribute that holds the newest jobs that have succeeded.
const LATEST: &str = "latest";

/// Decodes a bucket: every numeric attribute but `expires_at` is a counter.
#[must_use]
pub fn decode_bucket(item: &Item) -> Bucket {
    let number = |value: &AttributeValue| value.as_n().ok()?.parse().ok();
    let counts = item.iter().filter(|(name, _)| *name != "expires_at");
    let counts = counts.filter_map(|(name, value)| Some((name.clone(), number(value)?)));
    let oldest = item.get("received").and_then(|set| set.as_ss().ok());
    let oldest = oldest.map(|set| set.iter().filter_map(|text| text.parse().ok()).collect());
    let samples = item.iter().filter_map(|(name, value)| {
        Some((name.strip_prefix(SAMPLE)?.to_owned(), value.as_s().ok()?.clone()))
    });
    let latest = item.get(LATEST).and_then(|set| set.as_ss().ok());
    Bucket {
        counts: counts.collect(),
        oldest: oldest.unwrap_or_default(),
        samples: samples.collect(),
        latest: latest.map(Latest::read).unwrap_or_default(),
    }
}

pub(super) fn note(item: Option<&Item>) -> Seen<Option<String>> {
    let Some(item) = item else { return Seen::default() };
    let reader = Reader(item);
    Seen {
        value: reader.text("text").ok(),
        revision: reader.number("revision").unwrap_or_default(),
    }
}

/// Decodes the key of a bucket; `None` if its sort key is not one of a bucket.
#[must_use]
pub fn decode_key(subject: &str, shard: u8, item: &Item) -> Option<BucketKey> {
    let (start, generation) = item.get("sk")?.as_s().ok()?.split_once('#')?;
    let start = Time::from_millis(start.parse().ok()?);
    Some(BucketKey {
        subject: subject.to_owned(),
        start,
        generation: generation.parse().ok()?,
        shard,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn times() -> impl Strategy<Value = Time> {
        (0..1_u64 << 45).prop_map(Time::from_millis)
    }

    fn waits() -> impl Strategy<Value = Duration> {
        (0..1_u64 << 40).prop_map(Duration::from_millis)
    }

    fn states() -> impl Strategy<Value = State> {
        let probes = proptest::collection::btree_map("[0-9a-f]{4}", times(), 0..4);
        prop_oneof![
            Just(State::Closed),
            (times(), waits()).prop_map(|(retry_at, wait)| State::Open { retry_at, wait }),
            (probes, 0..9_u32, waits()).prop_map(|(probes, successes, wait)| State::HalfOpen {
                probes,
                successes,
                wait
            }),
            (any::<bool>(), times()).prop_map(|(open, until)| State::Forced { open, until }),
        ]
    }

    proptest! {
        #[test]
        fn every_breaker_round_trips_through_its_item(
            generation in any::<u64>(),
            state in states(),
            since in times(),
            why in ".{0,20}",
            systemic in any::<bool>(),
            revision in any::<u64>(),
        ) {
            let stopped_until = Time::default();
            let down_since = since;
            let value =
                Breaker { generation, state, since, why, systemic, stopped_until, down_since };
            let mut item = crate::aws::item::owned(encode_breaker("elsewhere", &value).item());
            item.insert("revision".into(), n(revision));
            prop_assert_eq!(seen(Some(&item), decode_breaker), Ok(Seen { value, revision }));
        }

        #[test]
        fn every_limiter_round_trips_through_its_item(
            next_us in any::<u64>(),
            next_hourly_us in any::<u64>(),
            pace in any::<u32>(),
            slowed_at in times(),
            (promised_us, promised_high_us) in any::<(u64, u64)>(),
            since_kept in any::<u32>(),
            kept in proptest::collection::vec((any::<u64>(), 1..u64::MAX, any::<u32>()), 0..4),
        ) {
            let range = |(first_us, interval_us, count)| Grant { first_us, interval_us, count };
            let kept = kept.into_iter().map(range).collect();
            let value = Limiter {
                next_us,
                next_hourly_us,
                pace,
                slowed_at,
                kept,
                since_kept,
                promised_us,
                promised_high_us,
            };
            let item = crate::aws::item::owned(encode_limiter("elsewhere", &value).item());
            prop_assert_eq!(seen(Some(&item), decode_limiter), Ok(Seen { value, revision: 0 }));
        }
    }

    #[test]
    fn counts_and_samples_round_trip_through_their_item() {
        let bucket = Bucket {
            counts: BTreeMap::from([("dead".to_owned(), 7), ("pattern_0a".to_owned(), 7)]),
            samples: BTreeMap::from([("0a".to_owned(), "permanent http_404: *".to_owned())]),
            latest: [(Time::from_millis(7), "errand#g:1".to_owned())].into_iter().collect(),
            ..Bucket::default()
        };
        let counts = ContainerCounts::new("errand", 1, Time::default(), bucket.clone());
        let item: Item = encode_counts(&counts).into_iter().collect();
        assert_eq!(decode_bucket(&item), bucket);
    }

    #[test]
    fn a_breaker_forced_by_hand_needs_only_state_generation_and_end() {
        let item: BTreeMap<&str, AttributeValue> = BTreeMap::from([
            ("state", s("forced_open")),
            ("generation", n(1_u32)),
            ("until", n(5_u32)),
        ]);
        let item = item.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let state = State::Forced { open: true, until: Time::from_millis(5) };
        let value = Breaker { generation: 1, state, ..Breaker::default() };
        assert_eq!(seen(Some(&item), decode_breaker), Ok(Seen { value, revision: 0 }));
        let nonsense = Item::from([("state".to_owned(), s("ajar"))]);
        let unreadable = PortError::Unreadable(r#"state: "ajar" is none of a breaker's"#.into());
        assert_eq!(seen(Some(&nonsense), decode_breaker), Err(unreadable));
    }
}
