//! What a container caches about one dependency.

use std::{sync::Arc, time::Duration};

use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::{Limit, Limiter},
        stats::{Codes, Window},
    },
    gates::{quota::CachedQuota, slots::Blocks},
    ports::Seen,
};

/// The cached state of one dependency.
#[derive(Debug, Default)]
pub(super) struct DependencyCache {
    /// The last use, for eviction.
    pub(super) used_at: Time,
    /// The breaker as last read; closed if it was never read.
    pub(super) breaker: Seen<Breaker>,
    /// Held while `breaker` is read, so that the runs of one container share a read.
    pub(super) reading: Arc<tokio::sync::Mutex<()>>,
    /// How often `breaker` was learned by a read or a write.
    pub(super) learned: u64,
    /// Until when `breaker` may be used without reading it again.
    pub(super) fresh_until: Time,
    /// The call statistics of the last minutes.
    pub(super) window: Window,
    /// With which codes this container's calls have failed lately.
    pub(super) codes: Codes,
    /// When call statistics were last written to the table.
    pub(super) sent_at: Time,
    /// When the fleet's buckets were last read.
    pub(super) read_at: Time,
    /// How its calls are limited.
    pub(super) limit: Option<Limit>,
    /// Held while slots are reserved, so that the runs of one container do not race each other.
    pub(super) reserving: Arc<tokio::sync::Mutex<()>>,
    /// The limiter as last read.
    pub(super) limiter: Option<Seen<Limiter>>,
    /// When the limiter was last read or written.
    pub(super) limiter_known_at: Time,
    /// Reserved slots that are not used yet.
    pub(super) blocks: Blocks,
    /// How much its jobs may make, and what the container has reserved of that.
    pub(super) quota: CachedQuota,
    /// Successful calls since the limiter was last written.
    pub(super) worked: u32,
    /// The longest pause that a 429 asked for and that is not yet written to the limiter: zero if
    /// it asked for none, `None` if there was no such 429.
    pub(super) throttled: Option<Duration>,
    /// When the dependency was last registered for the sweeper.
    pub(super) registered_at: Time,
    /// Until when a 429 forbids calls, even those that have a slot.
    pub(super) stopped_until: Time,
}
