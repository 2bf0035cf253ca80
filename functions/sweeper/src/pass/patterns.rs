//! Error patterns: which of them are new.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::stats::{Bucket, date},
    ports::{Control as _, PortError, notes::NoteKey},
    record::outcomes::{OF_PATTERN, OTHER},
    telemetry,
};
use serde::{Deserialize, Serialize};

use crate::{
    metrics,
    ports::{Ports, Sweep},
    tick::Tick,
};

/// Kind of the notes about known error patterns. Their names are `TYPE#FINGERPRINT`.
const PATTERN: &str = "pattern";

/// A pattern that was not seen for so long is new.
const NEW_AFTER: Duration = Duration::from_hours(30 * 24);

/// How often the note of a pattern is renewed that goes on. Its note is kept for so long beyond [`NEW_AFTER`].
const RENEWED_EVERY: Duration = Duration::from_hours(5 * 24);

/// Patterns of a minute of a type that are looked up.
const MOST_LOOKED_UP: usize = 20;

/// Patterns of a type that are noted in a day; the others are not told as new.
const MOST_A_DAY: usize = 200;

/// What is known of an error pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pattern {
    /// When it was seen first, and when this note was renewed last, in milliseconds since the epoch.
    first_at: u64,
    last_at: u64,
    /// What its failures have in common.
    sample: String,
}

/// Notes the error patterns of a minute of a job type, and tells how many of them are new.
pub(super) async fn look<P: Ports>(sweep: &Sweep<P>, tick: &mut Tick, kind: &str, bucket: &Bucket) {
    let today = date(tick.now);
    if tick.memory.patterns_on != today {
        (tick.memory.patterns_on, tick.memory.patterns) = (today, BTreeMap::new());
    }
    let mut new = 0;
    let seen = bucket.counts_of(OF_PATTERN).filter(|(name, _)| *name != OTHER);
    let mut seen: Vec<&str> = seen.map(|(fingerprint, _)| fingerprint).collect();
    // Another part each minute: while there are many, a new one must not always stand behind the known ones.
    let minute = usize::try_from(tick.now.as_millis() / 60_000).unwrap_or_default();
    let parts = seen.len().div_ceil(MOST_LOOKED_UP).max(1);
    seen.rotate_left(minute % parts * MOST_LOOKED_UP);
    for fingerprint in seen.into_iter().take(MOST_LOOKED_UP) {
        let noted = tick.memory.patterns.get(kind).copied().unwrap_or_default();
        if noted >= MOST_A_DAY {
            break;
        }
        let sample = bucket.samples.get(fingerprint).map(String::as_str).unwrap_or_default();
        match note(sweep, kind, fingerprint, sample, tick.now).await {
            Ok(Noted::New) => {
                new += 1;
                tick.memory.patterns.insert(kind.to_owned(), noted + 1);
            }
            Ok(Noted::Known) => {}
            Err(error) => telemetry::port_failed("pattern", &error),
        }
    }
    tick.tell(&sweep.config, metrics::new_patterns(kind, new, tick.now));
}

/// What the failures of a known error pattern have in common; empty if that is not known.
pub(super) async fn sample<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    fingerprint: &str,
) -> Result<String, PortError> {
    let text = sweep.store.note(&key(kind, fingerprint)).await?.value;
    let known: Option<Pattern> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(known.unwrap_or_default().sample)
}

fn key(kind: &str, fingerprint: &str) -> NoteKey {
    NoteKey::new(PATTERN, format!("{kind}#{fingerprint}"))
}

enum Noted {
    New,
    Known,
}

/// Notes that a pattern was seen, unless that is known.
async fn note<P: Ports>(
    sweep: &Sweep<P>,
    kind: &str,
    fingerprint: &str,
    sample: &str,
    now: Time,
) -> Result<Noted, PortError> {
    let key = key(kind, fingerprint);
    let text = sweep.store.note(&key).await?.value;
    let known: Option<Pattern> = text.and_then(|text| serde_json::from_str(&text).ok());
    // The note may outlive its time: DynamoDB removes it when it likes.
    let last = |known: &Pattern| Time::from_millis(known.last_at);
    let known = known.filter(|known| last(known) + NEW_AFTER + RENEWED_EVERY > now);
    let is_new = known.is_none();
    let before = known.unwrap_or_default();
    let lacks_sample = before.sample.is_empty() && !sample.is_empty();
    let goes_on = last(&before) + RENEWED_EVERY <= now;
    if is_new || lacks_sample || goes_on {
        let first_at = if is_new { now.as_millis() } else { before.first_at };
        let sample = if sample.is_empty() { before.sample } else { sample.to_owned() };
        let next = Pattern { first_at, last_at: now.as_millis(), sample };
        let text = serde_json::to_string(&next).unwrap_or_default();
        sweep.store.put_note(&key, &text, now + NEW_AFTER + RENEWED_EVERY).await?;
    }
    Ok(if is_new { Noted::New } else { Noted::Known })
}
