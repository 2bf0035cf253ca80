//! Schedules in memory. Groups are not told apart.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
};

use super::MemoryPorts;
use crate::ports::{Fault, Schedule, Schedules};

impl MemoryPorts {
    fn held(&self) -> MutexGuard<'_, BTreeMap<String, Schedule>> {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The schedules, by name.
    #[must_use]
    pub fn all_schedules(&self) -> Vec<Schedule> {
        self.held().values().cloned().collect()
    }
}

fn missing(name: &str) -> Fault {
    Fault::Missing(format!("no schedule {name}"))
}

impl Schedules for MemoryPorts {
    async fn schedules(&self, _: &str, most: usize) -> Result<Vec<String>, Fault> {
        Ok(self.held().keys().take(most).cloned().collect())
    }

    async fn schedule(&self, _: &str, name: &str) -> Result<Option<Schedule>, Fault> {
        Ok(self.held().get(name).cloned())
    }

    async fn create_schedule(&self, _: &str, _: &str, schedule: &Schedule) -> Result<(), Fault> {
        let mut held = self.held();
        if held.contains_key(&schedule.name) {
            return Err(Fault::Refused(format!("{} already exists", schedule.name)));
        }
        held.insert(schedule.name.clone(), schedule.clone());
        Ok(())
    }

    async fn replace_schedule(&self, _: &str, _: &str, schedule: &Schedule) -> Result<(), Fault> {
        let mut held = self.held();
        let place = held.get_mut(&schedule.name).ok_or_else(|| missing(&schedule.name))?;
        place.clone_from(schedule);
        Ok(())
    }

    async fn enable_schedule(&self, _: &str, name: &str, enabled: bool) -> Result<(), Fault> {
        self.held().get_mut(name).ok_or_else(|| missing(name))?.enabled = enabled;
        Ok(())
    }

    async fn delete_schedule(&self, _: &str, name: &str) -> Result<(), Fault> {
        self.held().remove(name);
        Ok(())
    }
}
