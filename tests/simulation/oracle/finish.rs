//! What must hold in the end, when everything has been well for long enough.

use std::time::Duration;

use demo::accounts::{self, Fate};
use evenkeel::{
    base::time::Time,
    dependency::{breaker::State, limiter::Rates},
    ports::{Control as _, notes::CRASH_STORM},
};
use serde_json::Value;

use super::Oracle;
use crate::{
    bench::{Bench, errands::DEPENDENCY},
    simulation::{
        sent::{Kind, Sent},
        weather::PLANTED,
    },
};

/// Any this long span is looked at for calls over the rate.
const WINDOW: Duration = Duration::from_secs(10);

/// Seconds by which the calls of a window may be moved: slots that are used late, and clocks that differ.
const MOVED_S: u64 = 4;

/// Calls that may come together in a window besides.
const BESIDES: u64 = 6;

/// Calls of one process, which may all come late if it was frozen after it got their slots.
const CALLS_OF_A_PROCESS: u64 = 10;

impl Oracle {
    /// Whether the breakers of all dependencies are closed.
    pub(crate) async fn breakers_are_closed(&self, bench: &Bench) -> bool {
        for dependency in [DEPENDENCY, url_shortening::POLICY.dependency] {
            let seen = bench.store.breaker(dependency).await.unwrap();
            if !matches!(seen.value.at(bench.now()).state, State::Closed) {
                return false;
            }
        }
        true
    }

    /// Each message that was sent has become a job that has ended, was folded into one, or is kept as rejected.
    pub(crate) fn account_for(&self, sends: &[Sent], bench: &Bench) {
        let rejected = bench.store.rejected_messages();
        let sends: Vec<&Sent> = sends.iter().filter(|send| send.forgery.is_none()).collect();
        let fates = sends.iter().map(|send| match &send.key {
            Some(key) if has_ended(key, send, bench) => Fate::Ended(key),
            _ if rejected.iter().any(|kept| kept.head == send.body) => Fate::Rejected,
            _ => Fate::Lost,
        });
        for place in accounts::account(fates).lost {
            let send = sends[place];
            let about = send.key.as_deref().unwrap_or("no message");
            let what = format!("message {} is neither done nor kept", send.number);
            self.breaks("sent = ended + rejected + folded", bench.now(), about, what);
        }
    }

    /// A run that never came back counts as a crash of its job, unless most runs of its type crash.
    pub(crate) fn crashes_are_counted(&self, bench: &Bench) {
        let state = self.lock();
        let (uncounted, is_stormy) = (state.uncounted.clone(), state.is_stormy);
        drop(state);
        if let Some((at, key)) = uncounted
            && !is_stormy
            && bench.store.all_notes(CRASH_STORM).is_empty()
        {
            let what = "its run never came back".to_owned();
            self.breaks("a crash counts unless most runs crash", at, &key, what);
        }
    }

    /// Counts the messages that are kept as rejected.
    pub(crate) fn count_rejected(&self, bench: &Bench) {
        let mut state = self.lock();
        for kept in bench.store.rejected_messages() {
            state.coverage.rejected(kept.rejection.flaw.name());
        }
    }

    /// A car has at most one link that leads somewhere.
    pub(crate) async fn links_are_single(&self, bench: &Bench) {
        for (destination, count) in accounts::linked_more_than_once(&bench.links().await) {
            let what = format!("{count} live links");
            self.breaks("a car has at most one live link", bench.now(), destination, what);
        }
    }

    /// The calls of each kind stay within its rates. `frozen` is the number of times that a process was frozen.
    pub(crate) async fn rates_are_kept(
        &self,
        bench: &Bench,
        rates: [(Kind, Option<Rates>); 2],
        frozen: u64,
    ) {
        for (kind, rates) in rates {
            let Some(rates) = rates else { continue };
            let mut calls = match kind {
                Kind::Feed => continue,
                Kind::Errand => bench.journal.all_calls(),
                Kind::Link => {
                    let calls = bench.control().calls().await.unwrap();
                    let ours = calls.iter().filter(|call| call.visit.is_none());
                    ours.map(|call| Time::from_millis(call.at_ms)).collect()
                }
            };
            calls.sort_unstable();
            let per_second = u64::from(rates.per_minute) / 60;
            let most = per_second * (WINDOW.as_secs() + MOVED_S)
                + u64::from(rates.burst)
                + BESIDES
                + frozen * CALLS_OF_A_PROCESS;
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let over = calls
                .windows(most + 1)
                .find(|calls| calls.last().is_some_and(|last| last.since(calls[0]) < WINDOW));
            if let Some(calls) = over {
                let what = format!("more than {most} calls in {WINDOW:?}");
                self.breaks("calls stay within the rates", calls[0], &format!("{kind:?}"), what);
            }
        }
    }

    /// The account's key is in no record, no note, no rejected message and no log line.
    pub(crate) fn keys_are_nowhere(&self, bench: &Bench, logged: Option<String>) {
        let records = format!("{:?}", bench.store.records());
        let rejected = format!("{:?}", bench.store.rejected_messages());
        let notes =
            ["watched", "finding", "robots", "observe"].map(|kind| bench.store.all_notes(kind));
        let notes = format!("{notes:?}");
        let places = [("records", &records), ("rejected", &rejected), ("notes", &notes)];
        for (place, text) in places {
            if text.contains(PLANTED) {
                self.breaks("no key is kept", bench.now(), place, "it holds the key".into());
            }
        }
        if let Some(value) = logged {
            self.breaks("no key is logged", bench.now(), "log", value);
        }
    }
}

/// Whether the job of a message has ended, and not that of another message with the same key.
fn has_ended(key: &str, send: &Sent, bench: &Bench) -> bool {
    bench.store.record(key).is_some_and(|record| {
        let payload: Value = serde_json::from_str(&record.work.payload).unwrap();
        let is_its = send.takes_ms.is_none() || payload["takes_ms"].as_u64() == send.takes_ms;
        is_its && record.phase.ended_at().is_some()
    })
}
