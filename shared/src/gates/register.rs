//! Telling the sweeper which dependencies to watch.

use std::collections::BTreeSet;

use crate::{
    base::time::Clock,
    dependency::stats::MINUTE,
    gates::Gates,
    ports::{
        Control, PortError, Ports,
        notes::{Limits, NOTED_FOR, NoteKey, WATCHED, WATCHED_RETENTION},
    },
    record::{Phase, Record},
    telemetry,
};

/// Calls of the last minute that failed or were slow from which on a dependency is watched.
const TROUBLED: u64 = 2;

impl<P: Ports> Gates<P> {
    /// Notes the dependencies of the parked among these records, before they are written: nobody
    /// else would look for them.
    pub(crate) async fn note_parked(&self, records: &[Record]) -> Result<(), PortError> {
        let parked = records.iter().filter(|record| matches!(record.phase, Phase::Parked { .. }));
        let dependencies: BTreeSet<&str> =
            parked.map(|record| record.work.dependency.as_str()).collect();
        for dependency in dependencies {
            self.watch(dependency).await?;
        }
        Ok(())
    }

    /// Notes a dependency whose calls are in trouble, so that somebody can foretell more.
    pub(super) async fn note_trouble(&self, dependency: &str) {
        let now = self.clock.now();
        let minute = self.cache(dependency, |cache| cache.window.last(MINUTE, now, None));
        if minute.failed + minute.slow >= TROUBLED
            && let Err(error) = self.watch(dependency).await
        {
            telemetry::port_failed("put_note", &error);
        }
    }

    async fn watch(&self, dependency: &str) -> Result<(), PortError> {
        let now = self.clock.now();
        if self.cache(dependency, |cache| now.since(cache.noted_at)) < NOTED_FOR {
            return Ok(());
        }
        let limits = Limits {
            per_second: self.rules.rates.map(|rates| rates.per_second),
            per_hour: self.rules.rates.map(|rates| rates.per_hour),
            closes_with: self.rules.breaker.successes,
            noted_at: now.as_millis(),
        };
        let text =
            serde_json::to_string(&limits).map_err(|error| PortError::Broken(error.to_string()))?;
        self.control
            .put_note(&NoteKey::new(WATCHED, dependency), &text, now + WATCHED_RETENTION)
            .await?;
        self.cache(dependency, |cache| cache.noted_at = now);
        Ok(())
    }
}
