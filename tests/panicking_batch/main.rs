//! A batch of three jobs of which one panics, on simulated services. Exits with an error unless the other
//! two succeed in the same batch and the panicking one alone is given back.
//!
//! `cargo xtask package` builds this program exactly as it builds the functions, and runs it. A `cargo
//! test` cannot show the same: it sets `panic = "unwind"` whatever the profile says.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::{process::ExitCode, sync::Arc, time::Duration};

use evenkeel::{
    failure::Failure,
    job::{Gate, Job, Progress, Run},
    payload::{Payload, Problems},
    policy::Policy,
    testing::{
        ARN, Faults, MemoryMappings, MemoryStore, SeededRandom, SimulatedSqs, TestClock, TestPorts,
        containers::{Containers, Function, FunctionSettings},
        mapping::{EventSourceMapping, MappingSettings},
    },
    worker::Worker,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Task {
    panics: bool,
}

impl Payload for Task {
    fn check(&mut self, _: &mut Problems) {}
}

struct MayPanic;

impl Job for MayPanic {
    const TYPE: &'static str = "may_panic";
    const POLICY: Policy = Policy { dependency: "nothing", ..Policy::DEFAULT }.checked();
    type Payload = Task;
    type Output = ();

    async fn run<G: Gate>(
        &self,
        task: &Task,
        _: &Run<'_, G>,
    ) -> Result<Progress<Self::Output>, Failure> {
        assert!(!task.panics, "this job panics");
        Ok(Progress::Done(()))
    }
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> ExitCode {
    let (tables, clock) = (MemoryStore::default(), TestClock::default());
    let sqs = SimulatedSqs::new(clock);
    let (store, queue) = (tables.clone(), sqs.clone());
    let start = move |_: &Faults| -> Box<dyn Function> {
        let (store, queue, random) = (store.clone(), queue.clone(), SeededRandom::new(1));
        Box::new(Worker::<_, TestPorts>::new(MayPanic, store, queue, clock, random))
    };
    let settings = FunctionSettings::with_timeout(Duration::from_secs(15));
    let function = Arc::new(Containers::new(settings, clock, Faults::default(), start));
    let settings = MappingSettings::new("normal", ARN);
    let mapping =
        EventSourceMapping::new(settings, sqs.clone(), MemoryMappings::default(), function);
    for (id, panics) in [("before", false), ("bomb", true), ("after", false)] {
        sqs.send(&format!(
            r#"{{"version":1,"type":"may_panic","id":"{id}","payload":{{"panics":{panics}}}}}"#
        ));
    }
    let failed = mapping.deliver().await.map_or(0, |delivery| delivery.failed.len());
    let state = |id: &str| {
        let record = tables.record(&format!("may_panic#g:{id}"));
        record.map_or("missing", |record| record.phase.name())
    };
    let states = [state("before"), state("bomb"), state("after")];
    println!("given back: {failed}, states: {}", states.join(", "));
    match (failed, states) {
        (1, ["succeeded", "waiting", "succeeded"]) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
