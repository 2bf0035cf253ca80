//! Telling the sweeper where parked jobs are: their records stand under their dependency, of which
//! there may be thousands.

use std::collections::BTreeSet;

use super::Gates;
use crate::{
    parking::{KEPT_FOR, Limits, NOTED_FOR, PARKED},
    ports::{Control, Place, PortError},
    random::Random,
    record::{Phase, Record},
    time::Clock,
};

impl<S: Control, C: Clock, R: Random> Gates<S, C, R> {
    /// Notes the dependencies of the parked among these records, before they are written: nobody
    /// else would look for them.
    pub(crate) async fn note_parked(&self, records: &[Record]) -> Result<(), PortError> {
        let parked = records.iter().filter(|record| matches!(record.phase, Phase::Parked { .. }));
        let dependencies: BTreeSet<&str> =
            parked.map(|record| record.work.dependency.as_str()).collect();
        for dependency in dependencies {
            let now = self.clock.now();
            if self.desk(dependency, |desk| now.since(desk.parked_noted_at)) < NOTED_FOR {
                continue;
            }
            let limits = Limits {
                per_second: self.rules.rates.map(|rates| rates.per_second),
                per_hour: self.rules.rates.map(|rates| rates.per_hour),
                closes_with: self.rules.breaker.successes,
                noted_at: now.as_millis(),
            };
            let text = serde_json::to_string(&limits)
                .map_err(|error| PortError::Broken(error.to_string()))?;
            self.control.put_note(&Place::new(PARKED, dependency), &text, now + KEPT_FOR).await?;
            self.desk(dependency, |desk| desk.parked_noted_at = now);
        }
        Ok(())
    }
}
