//! Lets a bench run in virtual time.

use std::{future::Future, time::Duration};

use evenkeel::testing::mapping::{Delivery, Stop};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use sweeper::tick::Report;

use super::Bench;

pub(crate) const MINUTE: Duration = Duration::from_mins(1);

/// Time-out of the sweeper.
pub(super) const SWEEPER_TIMEOUT: Duration = Duration::from_secs(130);

/// How often it is checked whether anything is left to do.
const CHECK: Duration = Duration::from_millis(200);

/// Virtual time after which a system that is not done never will be.
const LONGEST: Duration = Duration::from_hours(24);

impl Bench {
    /// Lets the functions run, and with `scheduled` the sweeper each minute, until `main` ends and the
    /// last invocation is over.
    async fn run<T>(&self, scheduled: bool, main: impl Future<Output = T>) -> T {
        let stop = Stop::default();
        let mappings = self.functions.iter().flat_map(|function| &function.mappings);
        // Each is polled only after it was woken: most wakes are for something else.
        let mut running: FuturesUnordered<_> = mappings.map(|mapping| mapping.run(&stop)).collect();
        let polling = async { while running.next().await.is_some() {} };
        let schedule = async {
            let mut calls = FuturesUnordered::new();
            while scheduled && !(stop.is_set() && calls.is_empty()) {
                tokio::select! {
                    biased;
                    () = stop.told(), if calls.is_empty() => {}
                    () = self.tick_is_due(), if !stop.is_set() => calls.push(self.scheduled_tick(&stop)),
                    Some(_) = calls.next() => {}
                }
            }
        };
        let main = async {
            let result = main.await;
            stop.stop();
            result
        };
        tokio::join!(main, polling, schedule).0
    }

    /// Waits until the schedule fires.
    async fn tick_is_due(&self) {
        // It may be put off meanwhile.
        while self.now() < self.next_tick.get() {
            tokio::time::sleep(self.next_tick.get().since(self.now())).await;
        }
    }

    /// A call of the schedule, which may stay awake until `stop`. The next one comes a minute after this one
    /// began.
    fn scheduled_tick(&self, stop: &Stop) -> impl Future<Output = Option<Report>> {
        self.next_tick.set(self.now() + MINUTE);
        let stop = stop.clone();
        self.awake(async move { stop.told().await })
    }

    /// Lets the whole system run for this long.
    pub(crate) async fn run_for(&self, span: Duration) {
        self.run(true, tokio::time::sleep(span)).await;
    }

    /// Lets the functions run for this long, without the sweeper's schedule.
    pub(crate) async fn work(&self, span: Duration) {
        self.run(false, tokio::time::sleep(span)).await;
    }

    /// Lets the functions run while `main` happens, without the sweeper's schedule.
    pub(crate) async fn work_while<T>(&self, main: impl Future<Output = T>) -> T {
        self.run(false, main).await
    }

    /// Lets the whole system run while `main` happens.
    pub(crate) async fn run_while<T>(&self, main: impl Future<Output = T>) -> T {
        self.run(true, main).await
    }

    /// Lets the whole system run until it has nothing left to do.
    ///
    /// # Panics
    /// If that takes longer than a day.
    pub(crate) async fn drain(&self) {
        self.settle(LONGEST).await;
    }

    /// The same within `most`.
    pub(crate) async fn settle(&self, most: Duration) {
        self.run(true, self.quiet(most)).await;
    }

    /// Waits until nothing is left to do.
    pub(super) async fn quiet(&self, most: Duration) {
        let end = self.now() + most;
        while !self.is_quiet() {
            assert!(self.now() < end, "after {most:?}: {}", self.unfinished());
            tokio::time::sleep(CHECK).await;
        }
    }

    /// Lets the whole system run until this holds.
    ///
    /// # Panics
    /// If that takes longer than a day.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let end = self.now() + LONGEST;
        let main = async {
            while !holds(self) {
                assert!(self.now() < end, "it never holds: {}", self.unfinished());
                tokio::time::sleep(CHECK).await;
            }
        };
        self.run(true, main).await;
    }

    /// Keeps no trace of port calls, which nobody reads in days of virtual time.
    pub(crate) fn untraced(&self) {
        for faults in [&self.faults, &self.sweeper_faults] {
            faults.keep_only_a_hash();
        }
    }

    /// Counts no units of the tables either.
    pub(crate) fn unmetered(&self) {
        self.untraced();
        self.store.count_units(false);
    }

    /// Whether every job of the functions has ended, and none of their queues has a message.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_empty = |arn: &str| self.sqs.next_in(arn).is_none();
        let queues = self.functions.iter().all(|function| {
            let sources = function.job_type.sources();
            sources.iter().all(|source| is_empty(&source.queue))
                && is_empty(&function.job_type.dead)
        });
        queues && !self.store.any_open(|record| self.runs(record.kind()))
    }

    fn runs(&self, kind: &str) -> bool {
        self.functions.iter().any(|function| function.job_type.kind == kind)
    }

    fn unfinished(&self) -> String {
        let open = self.store.records().into_iter().filter(|r| r.phase.ended_at().is_none());
        let open: Vec<_> = open.map(|record| (record.key, record.phase)).take(10).collect();
        format!("{} messages left, open: {open:?}", self.sqs.len())
    }

    /// Delivers one batch of the first function's queue of ordinary priority, without anything else
    /// running. `None` if no message is visible.
    pub(crate) async fn poll(&self) -> Option<Delivery> {
        let [_, normal] = &self.function().mappings;
        normal.deliver().await
    }

    /// The same from the queue of high priority.
    pub(crate) async fn poll_high(&self) -> Option<Delivery> {
        let [high, _] = &self.function().mappings;
        high.deliver().await
    }

    /// The ids that the answer to one batch names as failed.
    pub(crate) async fn failed(&self) -> Vec<String> {
        self.poll().await.map(|delivery| delivery.failed).unwrap_or_default()
    }

    /// Waits until a message of the first function's queue of ordinary priority is visible, with the
    /// sweeper's schedule. Then delivers one batch.
    pub(crate) async fn next(&self) -> Option<Delivery> {
        let visible = self.sqs.visible(self.queue());
        tokio::pin!(visible);
        loop {
            tokio::select! {
                biased;
                () = &mut visible => return self.poll().await,
                () = self.tick_is_due() => {
                    self.next_tick.set(self.now() + MINUTE);
                    self.tick().await;
                }
            }
        }
    }
}
