//! Registers dependencies in the control table, so that the sweeper watches them.

use std::collections::BTreeSet;

use crate::{
    base::time::{Clock, Time},
    dependency::stats::MINUTE,
    gates::Gates,
    ports::{
        Control, PortError, Ports,
        notes::{Limits, NOTED_FOR, NoteKey, OPENED_RETENTION, Opened, WATCHED_RETENTION},
    },
    record::{Phase, Record},
    telemetry,
};

/// Number of failed or slow calls in the last minute from which on a dependency is registered.
const TROUBLED: u64 = 2;

impl<P: Ports> Gates<P> {
    /// Registers the dependencies of the records that are about to be parked. Call it before the
    /// records are written: otherwise the sweeper could not find the parked jobs.
    pub(crate) async fn register_parked(&self, records: &[Record]) -> Result<(), PortError> {
        let parked = records.iter().filter(|record| matches!(record.phase, Phase::Parked { .. }));
        let dependencies: BTreeSet<&str> =
            parked.map(|record| record.work.dependency.as_str()).collect();
        for dependency in dependencies {
            self.register(dependency).await?;
        }
        Ok(())
    }

    /// Registers a dependency whose calls fail or are slow, so that the sweeper can forecast
    /// trouble.
    pub(super) async fn register_troubled(&self, dependency: &str) {
        let now = self.clock.now();
        let minute = self.cache(dependency, |cache| cache.window.last(MINUTE, now, None));
        if minute.failed + minute.slow >= TROUBLED
            && let Err(error) = self.register(dependency).await
        {
            telemetry::port_failed("put_note", &error);
        }
    }

    /// Notes that a dependency's breaker has opened at `since`, and registers the dependency: one failure may open a
    /// breaker, and jobs with a stand-in for their result never park for it.
    pub(super) async fn register_opened(&self, dependency: &str, since: Time) {
        let opened = Opened { dependency: dependency.to_owned(), at: since.as_millis() };
        if let Err(error) = self.note_opened(&opened).await {
            telemetry::port_failed("put_note", &error);
        }
        if let Err(error) = self.register(dependency).await {
            telemetry::port_failed("put_note", &error);
        }
    }

    async fn note_opened(&self, opened: &Opened) -> Result<(), PortError> {
        let text =
            serde_json::to_string(opened).map_err(|error| PortError::Broken(error.to_string()))?;
        let until = self.clock.now() + OPENED_RETENTION;
        self.control.put_note(&opened.note_key(), &text, until).await
    }

    async fn register(&self, dependency: &str) -> Result<(), PortError> {
        let now = self.clock.now();
        if self.cache(dependency, |cache| now.since(cache.registered_at)) < NOTED_FOR {
            return Ok(());
        }
        let limit = self.limit(dependency);
        let limits = Limits {
            per_minute: limit.as_ref().map(|limit| limit.rates.per_minute),
            per_second: None,
            per_hour: limit.as_ref().map(|limit| limit.rates.per_hour),
            burst: limit.as_ref().map(|limit| limit.rates.burst),
            limiter: limit.map(|limit| limit.name).filter(|name| name != dependency),
            closes_with: self.rules.breaker.successes,
            noted_at: now.as_millis(),
        };
        let text =
            serde_json::to_string(&limits).map_err(|error| PortError::Broken(error.to_string()))?;
        self.control
            .put_note(&NoteKey::watched(dependency), &text, now + WATCHED_RETENTION)
            .await?;
        self.cache(dependency, |cache| cache.registered_at = now);
        Ok(())
    }
}
