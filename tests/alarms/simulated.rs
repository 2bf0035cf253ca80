//! What CloudWatch would know of a bench: what the sweeper tells, and what is derived from the simulated services.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use evenkeel::testing::{LogLines, Throttles, containers::Ends};
use serde_json::Value;

use super::{
    cases::Case,
    rules::{Data, Filter},
};
use crate::bench::{Bench, errands::errand, run::MINUTE};

/// The tables and the index, by their names here and in the rules.
const TABLES: [(&str, &str); 3] =
    [("jobs", "JobsTable"), ("due", "JobsTable/due"), ("control", "ControlTable")];

/// What CloudWatch would know, and what the counters of services were when they were looked at last.
#[derive(Default)]
pub(super) struct Known {
    pub(super) data: Data,
    /// The log of functions and sweeper, and how many of its lines the filters have seen.
    pub(super) log: LogLines,
    filters: BTreeSet<Filter>,
    seen: usize,
    ends: Ends,
    throttles: BTreeMap<String, Throttles>,
}

#[expect(clippy::cast_precision_loss, reason = "small counts")]
fn float(count: u64) -> f64 {
    count as f64
}

impl Known {
    /// Nothing is known yet. `filters` are the metric filters.
    pub(super) fn new(filters: BTreeSet<Filter>) -> Self {
        Self { filters, ..Self::default() }
    }

    /// Sends jobs in these minutes, and notes after each what the services would tell.
    pub(super) async fn minutes(&mut self, bench: &Bench, case: &Case, minutes: Range<usize>) {
        let (_, a_minute) = case.jobs;
        for minute in minutes {
            for n in 0..a_minute {
                bench.send(&body(bench, case, &format!("job-{minute}-{n}")));
                tokio::time::sleep(MINUTE / 10).await;
            }
            let so_far = MINUTE / 10 * u32::try_from(a_minute).unwrap();
            tokio::time::sleep(MINUTE.saturating_sub(so_far)).await;
            self.note_queues(bench);
            self.note_function(bench);
            self.note_tables(bench);
            self.note_lines(bench);
        }
    }

    /// Adds what CloudWatch has of the queues, read from the simulated ones.
    fn note_queues(&mut self, bench: &Bench) {
        let now = bench.now();
        for (arn, name) in [
            (bench.queue(), "test-errand"),
            (bench.high(), "test-errand-high"),
            (bench.dead(), "test-errand-dlq"),
        ] {
            let messages = bench.sqs.messages(arn);
            let visible = "ApproximateNumberOfMessagesVisible";
            self.data.add(visible, name, now, float(messages.len() as u64));
            let oldest = messages.iter().map(|message| now.since(message.sent_at).as_secs()).max();
            let age = float(oldest.unwrap_or_default());
            self.data.add("ApproximateAgeOfOldestMessage", name, now, age);
        }
    }

    /// Adds what CloudWatch has of the function, counted from the simulated containers.
    fn note_function(&mut self, bench: &Bench) {
        let (before, ends) = (self.ends, bench.containers().ends());
        let errors = |ends: Ends| ends.failed + ends.timed_out + ends.timed_out_frozen + ends.died;
        let (now, name) = (bench.now(), "test-errand");
        self.data.add("Errors", name, now, float(errors(ends) - errors(before)));
        self.data.add("Throttles", name, now, float(ends.throttled - before.throttled));
        self.ends = ends;
    }

    /// AWS/DynamoDB, simulated. It tells no zeros.
    fn note_tables(&mut self, bench: &Bench) {
        let (now, throttles) = (bench.now(), bench.store.throttles());
        for (table, name) in TABLES {
            let of =
                |all: &BTreeMap<String, Throttles>| all.get(table).copied().unwrap_or_default();
            let (before, after) = (of(&self.throttles), of(&throttles));
            let more = [
                ("ReadThrottleEvents", after.reads - before.reads),
                ("WriteThrottleEvents", after.writes - before.writes),
            ];
            for (metric, more) in more.into_iter().filter(|(_, more)| *more > 0) {
                self.data.add(metric, name, now, float(more));
            }
        }
        self.throttles = throttles;
    }

    /// The metric filters, simulated, on the lines that have come since the last time.
    fn note_lines(&mut self, bench: &Bench) {
        let text = self.log.text();
        for line in text.lines().skip(self.seen) {
            self.seen += 1;
            for filter in self.filters.iter().filter(|filter| filter.counts(line)) {
                self.data.add(&filter.metric, "", bench.now(), 1.0);
            }
        }
    }

    /// What the sweeper has told, as CloudWatch would have it.
    pub(super) fn note_told(&mut self, bench: &Bench) {
        for line in bench.told.borrow().iter() {
            let of = line.of.as_ref().map(|(_, value)| value.as_str()).unwrap_or_default();
            for (name, value, _) in &line.numbers {
                self.data.add(name, of, line.at, float(*value));
            }
        }
    }
}

/// The body of a message of the case.
fn body(bench: &Bench, case: &Case, name: &str) -> String {
    let (ends, _) = case.jobs;
    let mut body: Value = serde_json::from_str(&errand(name, 10, ends)).unwrap();
    if let Some(within) = case.deadline {
        body["deadline"] = (bench.now() + within).to_string().into();
    }
    body.to_string()
}
