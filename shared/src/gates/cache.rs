//! What a container knows of one dependency.

use std::time::Duration;

use crate::{
    base::time::Time,
    dependency::{
        breaker::Breaker,
        limiter::{Block, Limiter},
        stats::Window,
    },
    ports::Seen,
};

/// One dependency's desk.
#[derive(Debug, Default)]
pub(super) struct DependencyCache {
    /// When it was used last.
    pub(super) used_at: Time,
    /// The breaker as it was seen last; closed if it never was.
    pub(super) breaker: Seen<Breaker>,
    /// Until when that may be believed.
    pub(super) believed_until: Time,
    /// The last minutes.
    pub(super) window: Window,
    /// When the pulse was written last.
    pub(super) sent_at: Time,
    /// When the fleet's buckets were read last.
    pub(super) read_at: Time,
    /// The limiter as it was seen last.
    pub(super) limiter: Option<Seen<Limiter>>,
    /// Slots that are not used yet.
    pub(super) block: Block,
    /// Whether the last block was used up.
    pub(super) used_up: bool,
    /// Calls that have worked since the limiter was written last.
    pub(super) worked: u32,
    /// The longest pause that a 429 asked for, not passed on yet; nothing if it asked for none.
    pub(super) throttled: Option<Duration>,
    /// When the dependency was noted last as one to watch.
    pub(super) noted_at: Time,
    /// Until when a 429 wants nobody to call, slots or not.
    pub(super) stopped_until: Time,
}
