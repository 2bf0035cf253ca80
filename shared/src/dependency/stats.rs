//! Call statistics of a dependency, which the whole fleet counts in buckets of ten seconds; and
//! outcomes of the jobs of a type, in buckets of a minute.
//!
//! A container adds its counts to the current bucket, at most once a second, and the write returns
//! the fleet's totals. The breaker, time limits, the retry budget and load shedding all use the
//! same numbers. Everything here is a pure function of them.

mod bucket;
mod calls;
mod codes;
mod day;
mod histogram;
mod latest;
mod window;

use std::time::Duration;

pub(crate) use bucket::bins;
pub use bucket::{Bucket, BucketKey, ContainerCounts, Oldest};
pub use calls::{CallOutcome, Calls};
pub use codes::Codes;
pub use day::{DAY_RETENTION, Day, DayKind, date, day_start};
pub use histogram::{Histogram, LATENCY_BOUNDS_MS};
pub use latest::{LATEST_BYTES, LATEST_BYTES_OF_ALL, Latest};
pub use window::{Counted, Window};

use crate::base::time::{Time, millis};

/// Length of a bucket of a dependency's call statistics.
pub const BUCKET: Duration = Duration::from_secs(10);

/// Length of a bucket of a job type's outcomes.
pub const TYPE_BUCKET: Duration = Duration::from_secs(60);

/// The rolling window of the breaker.
pub const MINUTE: Duration = Duration::from_secs(60);

/// The window of time limits and the retry budget. A container keeps nothing older.
pub const MEMORY: Duration = Duration::from_secs(300);

/// Retention of a dependency's buckets: the sweeper rolls them up each hour, and makes up three missed days.
pub const BUCKET_RETENTION: Duration = Duration::from_hours(100);

/// Retention of what a container has counted of a job type in a minute. The sweeper adds it up within minutes, and
/// makes up three missed days of history.
pub const COUNTS_RETENTION: Duration = Duration::from_hours(100);

/// Partitions over which the containers of a job type spread what they count.
pub const COUNT_SHARDS: u8 = 16;

/// Retention of a job type's buckets, for weekly reports.
pub const TYPE_BUCKET_RETENTION: Duration = Duration::from_hours(8 * 24);

/// Writes to the current and the previous bucket from which the statistics of a dependency are hot,
/// and spread over [`SHARDS`] partitions. DynamoDB limits a partition to 1,000 writes a second, for
/// all its items together.
pub const HOT_WRITES: u64 = 1_000;

/// Partitions of hot call statistics.
pub const SHARDS: u8 = 4;

/// The start of the bucket of `length` that contains `now`.
#[must_use]
pub const fn bucket_start(now: Time, length: Duration) -> Time {
    let length = millis(length);
    Time::from_millis(now.as_millis() / length * length)
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
