//! The pulse: what the calls to a dependency came to, counted by the whole fleet in buckets of ten
//! seconds; and what the jobs of a type came to, in buckets of a minute.
//!
//! A container adds what it has counted to the present bucket, at most once a second, and is
//! answered with the fleet's totals. Breaker, time-outs, retry budget and prediction all read the
//! same numbers. Everything here is a plain function of them.

mod bucket;
mod calls;
mod histogram;
mod window;

use std::time::Duration;

pub(crate) use bucket::bins;
pub use bucket::{Bucket, BucketKey, Oldest};
pub use calls::{CallOutcome, Calls};
pub use histogram::{Histogram, LATENCY_BOUNDS_MS};
pub use window::Window;

use crate::base::time::{Time, millis};

/// Length of a bucket of a dependency's pulse.
pub const BUCKET: Duration = Duration::from_secs(10);

/// Length of a bucket of a job type's pulse.
pub const TYPE_BUCKET: Duration = Duration::from_secs(60);

/// What a breaker looks at: the rolling minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// What time-outs and the retry budget look at, and the oldest that a container remembers.
pub const MEMORY: Duration = Duration::from_secs(300);

/// How long a dependency's buckets are kept, for whoever looks into an incident.
pub const BUCKET_RETENTION: Duration = Duration::from_hours(2);

/// How long a type's buckets are kept, for reports of a week.
pub const TYPE_BUCKET_RETENTION: Duration = Duration::from_hours(8 * 24);

/// Writes to one bucket of ten seconds from which on a pulse counts as hot and is spread over
/// [`SHARDS`] partitions. A partition takes 10,000 in that time, other items of it included.
pub const HOT_WRITES: u64 = 1_000;

/// Partitions of a hot pulse.
pub const SHARDS: u8 = 4;

/// The moment itself, rounded down to the beginning of its bucket of `length`.
#[must_use]
pub const fn bucket_start(now: Time, length: Duration) -> Time {
    let length = millis(length);
    Time::from_millis(now.as_millis() / length * length)
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
