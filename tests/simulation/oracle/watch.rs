//! What must hold at any time between two events.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    dependency::breaker::{BreakerPolicy, State},
    ports::{Control as _, notes::CRASH_STORM},
    testing::POLICY,
};

use super::{Oracle, key_of};
use crate::bench::{Bench, errands::DEPENDENCY};

/// Virtual time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// The dependencies of the job types of a simulation, with the policies of their breakers.
pub(super) const DEPENDENCIES: [(&str, BreakerPolicy); 2] = [
    (DEPENDENCY, POLICY.breaker),
    (url_shortening::POLICY.dependency, url_shortening::POLICY.breaker),
];

impl Oracle {
    /// Looks at the system every few seconds. Returns once a rule is broken.
    pub(crate) async fn watch(&self, bench: &Bench) {
        while !self.is_broken() {
            tokio::time::sleep(EVERY).await;
            self.answers_come_in_time(bench);
            self.lock().is_stormy |= !bench.store.all_notes(CRASH_STORM).is_empty();
            self.every_open_job_is_found(bench);
            self.probes_have_leases(bench).await;
        }
    }

    fn answers_come_in_time(&self, bench: &Bench) {
        for function in &bench.functions {
            let late = function.containers.ends().timed_out;
            if late > 0 {
                let what = format!("{late} invocations of processes that were never frozen");
                let about = &function.job_type.kind;
                self.breaks("each answer comes before the deadline", bench.now(), about, what);
            }
        }
    }

    /// A job that has not ended has a message, an entry on the due index, or the lease of its batch.
    fn every_open_job_is_found(&self, bench: &Bench) {
        let mut lost = Vec::new();
        let _ = bench.store.all(|record| {
            if record.phase.ended_at().is_none() && record.due_entry().is_none() {
                lost.push(record.key.clone());
            }
            true
        });
        lost.retain(|key| !bench.store.is_leased(key));
        if lost.is_empty() {
            return;
        }
        let queues = bench.sqs.queues();
        let messages = queues.iter().flat_map(|queue| bench.sqs.messages(queue));
        let have: BTreeSet<String> = messages.filter_map(|message| key_of(&message)).collect();
        for key in lost.iter().filter(|key| !have.contains(*key)) {
            let what = format!("it is {}", bench.phase(key));
            self.breaks("each open job can be found", bench.now(), key, what);
        }
    }

    async fn probes_have_leases(&self, bench: &Bench) {
        for (dependency, policy) in DEPENDENCIES {
            // The tables may be limited: then another look will tell.
            let Ok(seen) = bench.store.breaker(dependency).await else { continue };
            let State::HalfOpen { probes, .. } = &seen.value.state else { continue };
            let most = usize::try_from(policy.probes).unwrap_or_default();
            if probes.len() > most {
                let what = format!("{} probes, expected at most {most}", probes.len());
                self.breaks(
                    "a breaker has no more probes than leases",
                    bench.now(),
                    dependency,
                    what,
                );
            }
        }
    }
}
