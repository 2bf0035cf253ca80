//! Two versions of a job type side by side, over one table and one queue: the newer one has a field more in its
//! payload, with a default.

use std::{
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::Duration,
};

use evenkeel::{
    base::time::Clock as _,
    failure::{Class, Failure},
    job::{Gate, Job, Progress, Run},
    payload::{Payload, Problems},
    policy::Policy,
    testing::{ARN, MemoryStore, POLICY, SeededRandom, SimulatedSqs, TestClock, TestPorts},
    worker::{Worker, handle},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

type Runs = Arc<Mutex<Vec<String>>>;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OldParcel {
    name: String,
}

/// The field is left out of the normal form while it has its default. So the key of a message without an id is the
/// same in both versions.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NewParcel {
    name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    express: bool,
}

trait Parcel: Payload + 'static {
    fn name(&self) -> &str;
}

impl Payload for OldParcel {
    fn check(&mut self, _: &mut Problems) {}
}

impl Payload for NewParcel {
    fn check(&mut self, _: &mut Problems) {}
}

impl Parcel for OldParcel {
    fn name(&self) -> &str {
        &self.name
    }
}

impl Parcel for NewParcel {
    fn name(&self) -> &str {
        &self.name
    }
}

/// Delivers parcels as one of the versions knows them. Each parcel's first run fails.
struct Delivery<P>(Runs, PhantomData<fn() -> P>);

impl<P: Parcel> Delivery<P> {
    fn new(runs: &Runs) -> Self {
        Self(runs.clone(), PhantomData)
    }
}

impl<P: Parcel> Job for Delivery<P> {
    const TYPE: &'static str = "parcel";
    const POLICY: Policy = POLICY;
    type Payload = P;
    type Output = ();

    async fn run<G: Gate>(&self, parcel: &P, _: &Run<'_, G>) -> Result<Progress<()>, Failure> {
        let mut runs = self.0.lock().unwrap();
        let is_first = !runs.iter().any(|run| run == parcel.name());
        runs.push(parcel.name().to_owned());
        if is_first {
            return Err(Failure::new(Class::Transient, "http_503", "as asked"));
        }
        Ok(Progress::Done(()))
    }
}

/// Handles what is visible, and deletes what the function acknowledges.
async fn poll<J: Job>(worker: &Worker<J, TestPorts>, sqs: &SimulatedSqs<TestClock>) {
    let messages = sqs.receive(10);
    if messages.is_empty() {
        return;
    }
    let deadline = worker.clock.now() + Duration::from_secs(20);
    let failed = handle(worker, messages.clone(), deadline).await.unwrap();
    let done =
        messages.iter().filter(|message| !failed.contains(message.message_id.as_ref().unwrap()));
    sqs.remove(ARN, &done.filter_map(|message| message.receipt.clone()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn each_version_goes_on_with_the_jobs_of_the_other() {
    for old_first in [true, false] {
        let (clock, store, runs) = (TestClock::default(), MemoryStore::default(), Runs::default());
        let sqs = SimulatedSqs::new(clock);
        let random = SeededRandom::new(5);
        let old = Worker::<_, TestPorts>::new(
            Delivery::<OldParcel>::new(&runs),
            store.clone(),
            sqs.clone(),
            clock,
            random.clone(),
        );
        let new = Worker::<_, TestPorts>::new(
            Delivery::<NewParcel>::new(&runs),
            store.clone(),
            sqs.clone(),
            clock,
            random,
        );
        let send = |n: u32, with_id: bool| {
            let mut body =
                json!({"version": 1, "type": "parcel", "payload": {"name": format!("p-{n}")}});
            if with_id {
                body["id"] = format!("id-{n}").into();
            }
            sqs.send(&body.to_string());
        };
        (0..8).for_each(|n| send(n, n % 2 == 0));
        let mut turn = old_first;
        for round in 0..20 {
            if turn {
                poll(&old, &sqs).await;
            } else {
                poll(&new, &sqs).await;
            }
            turn = !turn;
            // The same work once more, while its job waits for the other version.
            if round == 0 {
                (0..8).for_each(|n| send(n, n % 2 == 0));
            }
            tokio::time::advance(Duration::from_secs(30)).await;
        }
        let records = store.records();
        assert_eq!((records.len(), store.rejected_messages().len()), (8, 0), "{old_first}");
        assert!(records.iter().all(|record| record.phase.name() == "succeeded"), "{records:?}");
        assert_eq!(runs.lock().unwrap().len(), 16, "each failed once and worked once");
    }
}
