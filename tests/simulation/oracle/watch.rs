//! What must hold at any time between two events.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    dependency::breaker::{BreakerPolicy, State},
    ports::notes::CRASH_STORM,
    testing::POLICY,
};

use super::{Oracle, key_of};
use crate::bench::Bench;

/// Virtual time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// The policy of a dependency's breaker. Sites have one for each host, such as `page/www.acme.example`.
fn breaker_policy(dependency: &str) -> BreakerPolicy {
    let name = dependency.split('/').next().unwrap_or_default();
    let policies = [
        &POLICY,
        &url_shortening::POLICY,
        &dealer_com_feed::POLICY,
        &product_detail_scraping::POLICY,
    ];
    policies.into_iter().find(|policy| policy.dependency == name).unwrap_or(&POLICY).breaker
}

impl Oracle {
    /// Looks at the system every few seconds. Returns once a rule is broken.
    pub(crate) async fn watch(&self, bench: &Bench) {
        while !self.is_broken() {
            tokio::time::sleep(EVERY).await;
            self.answers_come_in_time(bench);
            self.lock().is_stormy |= !bench.store.all_notes(CRASH_STORM).is_empty();
            self.every_open_job_is_found(bench);
            self.probes_have_leases(bench);
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
        // Whatever a write has not exposed is safe, so most looks have nothing to look at.
        let mut lost: Vec<String> = self.lock().exposed.iter().cloned().collect();
        lost.retain(|key| !bench.store.is_leased(key) && bench.store.record(key).is_some());
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

    fn probes_have_leases(&self, bench: &Bench) {
        for (dependency, breaker) in bench.store.all_breakers() {
            let State::HalfOpen { probes, .. } = &breaker.state else { continue };
            let policy = breaker_policy(&dependency);
            let most = usize::try_from(policy.probes).unwrap_or_default();
            if probes.len() > most {
                let what = format!("{} probes, expected at most {most}", probes.len());
                self.breaks(
                    "a breaker has no more probes than leases",
                    bench.now(),
                    &dependency,
                    what,
                );
            }
        }
    }
}
