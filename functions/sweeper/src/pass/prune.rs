//! Prune: removes expired items on the pages of the audit's walk. DynamoDB's time to live may take
//! days to remove them.

use evenkeel::{
    base::time::Time,
    ports::{
        PortError,
        maintenance::{ScannedItem, Table, TableMaintenance},
    },
};

use crate::records::together;

/// Whether an item is to be removed.
pub(super) fn is_expired(found: &ScannedItem, now: Time) -> bool {
    // A record whose state does not expire is kept: its expiry is an inconsistency, which the audit
    // reports.
    let alive = matches!(&found.record, Some(Ok(record)) if record.expires_at().is_none());
    !alive && found.expires_at.is_some_and(|at| at <= now)
}

/// Removes expired items, and returns how many.
pub(super) async fn prune<S: TableMaintenance>(
    store: &S,
    table: Table,
    expired: &[ScannedItem],
    now: Time,
) -> Result<usize, PortError> {
    let remove = expired.iter().map(|found| store.remove_expired(table, &found.key, now));
    let mut pruned = 0;
    for (_, removed) in together(remove.collect()).await {
        pruned += usize::from(removed?);
    }
    Ok(pruned)
}
