//! Prune: what has expired and the time to live has not reached yet, on the pages of the audit's walk.

use evenkeel::{
    oversight::{Found, Oversight, Table},
    ports::PortError,
    time::Time,
};

use crate::records::together;

/// Whether an item is to go.
pub(super) fn is_expired(found: &Found, now: Time) -> bool {
    // An end on a record that has none by its state is an oddity and no reason to remove it.
    let alive = matches!(&found.record, Some(Ok(record)) if record.expires_at().is_none());
    !alive && found.expires_at.is_some_and(|at| at <= now)
}

/// Removes what has expired and the time to live has not reached yet. Answers with how many.
pub(super) async fn prune<S: Oversight>(
    store: &S,
    table: Table,
    expired: &[Found],
    now: Time,
) -> Result<usize, PortError> {
    let remove = expired.iter().map(|found| store.remove_expired(table, &found.key, now));
    let mut pruned = 0;
    for (_, removed) in together(remove.collect()).await {
        pruned += usize::from(removed?);
    }
    Ok(pruned)
}
