//! A deployed function: its queues, its containers and its event source mappings.

use std::{sync::Arc, time::Duration};

use evenkeel::testing::{
    Faults, TestClock,
    containers::{Containers, FunctionSettings},
    mapping::{EventSourceMapping, MappingSettings},
    sqs::QueueSettings,
};
use sweeper::config::{JobType, Source};

use super::{Kind, Shared, processes};

/// AWS asks for a visibility time-out of six function time-outs.
const TIMEOUTS_HIDDEN: u32 = 6;

/// The ARN of a queue with this name.
pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:eu-west-1:123456789012:{name}")
}

/// A function with its queues.
pub(crate) struct Deployed {
    pub(crate) job_type: JobType,
    pub(crate) containers: Arc<Containers<TestClock>>,
    /// The mapping of the queue of high priority, then that of the other one.
    pub(crate) mappings: [EventSourceMapping<TestClock>; 2],
}

impl Deployed {
    /// `change` changes how its mappings are set up.
    pub(crate) fn new(
        kind: Kind,
        shared: &Shared,
        faults: &Faults,
        change: fn(&mut MappingSettings),
    ) -> Self {
        let job_type = job_type(kind);
        let visibility = kind.timeout() * TIMEOUTS_HIDDEN;
        let settings = QueueSettings::with_dead_letters(&job_type.dead);
        shared.sqs.create(&job_type.dead, QueueSettings::default());
        for source in job_type.sources() {
            let settings = QueueSettings { visibility, ..settings.clone() };
            shared.sqs.create(&source.queue, settings);
            shared.mappings.put(&source.mapping, source.concurrency);
        }
        let start = {
            let shared = shared.clone();
            move |faults: &Faults| processes::start(kind, &shared, faults)
        };
        let settings = FunctionSettings::with_timeout(kind.timeout());
        let containers = Containers::new(settings, shared.clock, faults.clone(), start);
        let containers = Arc::new(containers);
        let mapping = |source: &Source, window| {
            let mut settings = MappingSettings::new(&source.mapping, &source.queue);
            settings.window = window;
            change(&mut settings);
            let (sqs, mappings) = (shared.sqs.clone(), shared.mappings.clone());
            EventSourceMapping::new(settings, sqs, mappings, Arc::clone(&containers))
        };
        let mappings =
            [mapping(&job_type.high, Duration::ZERO), mapping(&job_type.normal, kind.window())];
        Self { job_type, containers, mappings }
    }
}

fn job_type(kind: Kind) -> JobType {
    let short = kind.name().replace('_', "-");
    let [normal, high] = kind.concurrency();
    let source = |mapping: String, concurrency| Source {
        queue: arn(&format!("test-{mapping}")),
        mapping,
        concurrency,
    };
    JobType {
        kind: kind.name().to_owned(),
        dependency: kind.dependency().map(str::to_owned),
        per_second: kind.per_second(),
        weight: 1,
        normal: source(short.clone(), normal),
        high: source(format!("{short}-high"), high),
        dead: arn(&format!("test-{short}-dlq")),
    }
}
