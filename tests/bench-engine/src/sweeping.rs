//! A tick of the sweeper against the size of the table, on tables in memory: what the tables do for it counts, too.

use std::{future::ready, time::Duration};

use evenkeel::{
    base::time::Clock as _,
    record::Record,
    testing::{
        MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock, sqs::QueueSettings,
    },
};
use sweeper::{Ports, Sweep, call, config::Config};

use crate::{case::Case, decisions::ended};

/// Records of the tables, none of which needs anything.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Ticks of the shorter run.
const TICKS: u32 = 5;

const MINUTE: Duration = Duration::from_mins(1);

/// Time-out of the sweeper.
const TIMEOUT: Duration = Duration::from_secs(130);

/// What the ARN of every queue begins with.
const PREFIX: &str = "arn:aws:sqs:eu-west-1:123456789012:test-";

struct InMemory;

impl Ports for InMemory {
    type Store = MemoryStore;
    type Queue = SimulatedSqs<TestClock>;
    type Mappings = MemoryMappings;
    type Clock = TestClock;
    type Random = SeededRandom;
}

pub(crate) fn cases() -> Vec<Case> {
    SIZES.into_iter().map(of_size).collect()
}

fn of_size(records: usize) -> Case {
    let name = format!("tick of the sweeper, {} k records", records / 1_000);
    Case::of_future(&name, "tick", TICKS, move |times| ticks(records, times))
}

async fn ticks(records: usize, times: u32) {
    let sweep = sweep();
    for n in 0..records {
        let record: Record = ended(n);
        sweep.store.put(&record);
    }
    for _ in 0..times {
        let deadline = sweep.clock.now() + TIMEOUT;
        let report = call::tick(&sweep, deadline, ready(())).await.expect("it leads");
        assert!(report.cut_short.is_empty(), "{report:?}");
        tokio::time::advance(MINUTE).await;
    }
}

/// The sweeper of a stack with one job type.
fn sweep() -> Sweep<InMemory> {
    let clock = TestClock::default();
    let (queue, mappings) = (SimulatedSqs::new(clock), MemoryMappings::default());
    let types = r#"[{"type":"url_shortening","dependency":"rebrandly","concurrency":[10,4]}]"#;
    let types = Config::types(types, PREFIX).expect("a job type");
    for job_type in &types {
        queue.create(&job_type.dead, QueueSettings::default());
        for source in job_type.sources() {
            queue.create(&source.queue, QueueSettings::with_dead_letters(&job_type.dead));
            mappings.put(&source.mapping, source.concurrency);
        }
    }
    let config = Config { types, balance: true, namespace: "bench".to_owned() };
    let (store, random) = (MemoryStore::default(), SeededRandom::new(1));
    Sweep { store, queue, mappings, clock, random, config }
}
