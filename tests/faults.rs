//! Makes every port call fail before its work, fail after it with the answer lost, and die with its
//! process at either point. The harness counts the port calls of a bench without faults and then
//! repeats the bench with a fault at each call. New calls are therefore tested automatically.

use std::collections::BTreeMap;

use evenkeel::{
    message::Flaw,
    record::{Phase, Record},
    testing::{Fault, containers::Invocation, mapping::Delivery},
};
use sandbox::{FaultKind, Method, Scope, Target};
use url_shortening::result::{Shortened, Via};

use crate::bench::{
    Bench, Kind,
    third_parties::{preload, shortening},
};

const PLAIN: &str = "https://acme.example/plain";
const OURS: &str = "https://acme.example/ours";
const FOREIGN: &str = "https://acme.example/foreign";
const ISOLATED: &str = "https://acme.example/isolated";
const SHAKY: &str = "https://acme.example/shaky";

/// Sends one message of every kind: a plain job twice, a job whose slashtag is ours already, one
/// whose slashtag is another's, one whose first call fails after the link was created, one that is
/// suspected of having killed three processes and so runs isolated, and a body that is not a
/// message.
async fn everything(bench: &Bench) {
    let control = bench.control();
    let taken = [preload("acme-000002", OURS), preload("acme-000003", "https://other.example/")];
    control.preload(&taken).await.unwrap();
    let shaky = sandbox::Fault {
        kind: FaultKind::status(500),
        on: Target {
            method: Some(Method::Post),
            destination: Some(SHAKY.into()),
            ..Target::default()
        },
        scope: Scope::calls(1),
        after_work: true,
    };
    control.add_fault(&shaky).await.unwrap();
    bench.send(&shortening("1HGCM82633A000005", ISOLATED));
    bench.received_in_vain(3).await;
    bench.send(&shortening("1HGCM82633A000001", PLAIN));
    bench.send(&shortening("1HGCM82633A000001", PLAIN));
    bench.send(&shortening("1HGCM82633A000002", OURS));
    bench.send(&shortening("1HGCM82633A000003", FOREIGN));
    bench.send(&shortening("1HGCM82633A000004", SHAKY));
    bench.send("not a message");
}

/// Checks the end state of [`everything`], which must be the same with every fault.
async fn check(bench: &Bench, case: &str) {
    let results = results(&bench.store.records(), case);
    let candidate = |destination: &str| results[destination].candidate;
    assert_eq!(results[OURS].via, Via::Adopted, "{case}");
    let candidates = [PLAIN, OURS, FOREIGN, SHAKY, ISOLATED].map(candidate);
    assert_eq!(candidates, [1, 1, 2, 1, 1].map(Some), "{case}");
    for (place, destination) in [PLAIN, OURS, FOREIGN, SHAKY, ISOLATED].into_iter().enumerate() {
        let vin = format!("1HGCM82633A00000{}", place + 1);
        let kept =
            bench.vehicles.kept_link("acme", &vin).unwrap_or_else(|| panic!("{case}: {vin}"));
        assert_eq!(kept.link_id, results[destination].link_id, "{case}");
        assert!(kept.wanted == destination && kept.is_set(), "{case}: {kept:?}");
    }
    let links = bench.links().await;
    for (destination, result) in &results {
        let made: Vec<_> = links.iter().filter(|l| l.destination == *destination).collect();
        assert_eq!(made.len(), 1, "{case}: links to {destination}");
        assert_eq!(made[0].id, result.link_id, "{case}: the record names the link that exists");
    }
    let rejected = bench.store.rejected_messages();
    assert_eq!(rejected.len(), 1, "{case}");
    assert_eq!(rejected[0].rejection.flaw, Flaw::Malformed, "{case}");
}

/// The results of all jobs by destination. Panics unless all five have succeeded.
fn results(records: &[Record], case: &str) -> BTreeMap<String, Shortened> {
    let result = |record: &Record| match &record.phase {
        Phase::Succeeded { result, .. } => {
            let work: serde_json::Value = serde_json::from_str(&record.work.payload).unwrap();
            let destination = work["destination"].as_str().unwrap().to_owned();
            (destination, serde_json::from_str(result).unwrap())
        }
        other => panic!("{case}: {} is {other:?}", record.key),
    };
    let results: BTreeMap<_, _> = records.iter().map(result).collect();
    assert_eq!(results.len(), 5, "{case}");
    results
}

#[tokio::test(start_paused = true)]
async fn every_port_call_may_fail_in_every_way() {
    let calm = Bench::of(&[Kind::SHORTENING]);
    everything(&calm).await;
    calm.drain().await;
    check(&calm, "no fault").await;
    assert_eq!(calm.store.leases(), [], "no fault: every lease is released");
    let calls = calm.faults.calls();
    let store =
        ["insert", "settle", "release", "reject", "extend_visibility", "read", "replace", "fetch"];
    let gates = ["breaker", "limiter", "swap_limiter", "add_to_bucket", "buckets"];
    for call in store.into_iter().chain(gates) {
        assert!(calls.contains(&call), "the bench has no call {call}: {calls:?}");
    }

    for (number, call) in calls.iter().enumerate() {
        for fault in Fault::ALL {
            let case = format!("{fault:?} at call {number}, {call}");
            let bench = Bench::of(&[Kind::SHORTENING]);
            bench.faults.at(number, number, fault);
            everything(&bench).await;
            bench.drain().await;
            check(&bench, &case).await;
            let died = matches!(fault, Fault::DieBefore | Fault::DieAfter);
            for (record, calm) in bench.store.records().iter().zip(calm.store.records()) {
                assert!(record.counters.crashes <= u32::from(died), "{case}: {record:?}");
                if fault == Fault::AnswerLost && ["insert", "settle"].contains(call) {
                    assert_eq!(record.counters.claims, calm.counters.claims, "{case}: {record:?}");
                    assert_eq!(record.counters.attempts, calm.counters.attempts, "{case}");
                }
            }
        }
    }
}

/// The same for a batch of jobs that have records: the sweeper has released them.
#[tokio::test(start_paused = true)]
async fn every_port_call_of_claims_that_share_calls_may_fail_in_every_way() {
    let woken = async |bench: &Bench| {
        let (run_after, due_at) = (bench.now(), bench.now());
        for n in 0..4 {
            let phase = Phase::Waiting { run_after, due_at, why: "released".into() };
            bench.wake(&bench.put(&format!("job-{n}"), phase));
        }
        bench.drain().await;
    };
    let calm = Bench::errands();
    woken(&calm).await;
    let calls = calm.faults.calls();
    for call in ["read_all", "replace_all"] {
        assert!(calls.contains(&call), "the bench has no call {call}: {calls:?}");
    }
    for (number, call) in calls.iter().enumerate() {
        for fault in Fault::ALL {
            let case = format!("{fault:?} at call {number}, {call}");
            let bench = Bench::errands();
            bench.faults.at(number, number, fault);
            woken(&bench).await;
            let died = matches!(fault, Fault::DieBefore | Fault::DieAfter);
            for (record, calm) in bench.store.records().iter().zip(calm.store.records()) {
                assert_eq!(record.phase.name(), "succeeded", "{case}: {record:?}");
                assert!(record.counters.crashes <= u32::from(died), "{case}: {record:?}");
                if fault == Fault::AnswerLost && *call == "replace_all" {
                    assert_eq!(record.counters.claims, calm.counters.claims, "{case}: {record:?}");
                }
            }
            assert_eq!(bench.journal.errands(), 4, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_loses_nothing() {
    for first in 0..12 {
        for fault in [Fault::Before, Fault::AnswerLost] {
            let case = format!("{fault:?} at calls {first} to {}", first + 6);
            let bench = Bench::of(&[Kind::SHORTENING]);
            bench.faults.at(first, first + 6, fault);
            everything(&bench).await;
            bench.drain().await;
            check(&bench, &case).await;
            let struck = bench.faults.calls().len() > first;
            assert!(struck, "{case}: no call fell into the outage");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_kills_every_process_is_quarantined_and_leaves_one_link() {
    let bench = Bench::of(&[Kind::SHORTENING]);
    bench.send(&shortening("1HGCM82633A000001", PLAIN));
    for _ in 0..10 {
        // The work is done, and the process dies just before it settles. Each strikes once.
        bench.faults.on("settle", Fault::DieBefore);
    }
    bench.drain().await;
    let record = bench.only();
    let deaths = bench.faults.calls().iter().filter(|call| **call == "settle").count();
    assert_eq!((record.phase.name(), deaths), ("quarantined", 3), "{record:?}");
    assert_eq!(bench.links().await.len(), 1);
}

/// A copy of a message whose job runs in another process may be acknowledged only if the record is
/// on the due index at lease expiry, so that the sweeper finds the job if its process is dead.
#[tokio::test(start_paused = true)]
async fn a_copy_of_a_running_jobs_message_is_acknowledged_only_once_lease_expiry_is_indexed() {
    let died = |delivery: Option<Delivery>| delivery.unwrap().invocation == Invocation::Died;
    let live = async |plan: &dyn Fn(&Bench)| {
        let bench = Bench::of(&[Kind::SHORTENING]);
        // The first process claims the job and dies before it has finished.
        bench.send(&shortening("1HGCM82633A000001", PLAIN));
        bench.faults.on("fetch", Fault::DieBefore);
        assert!(died(bench.poll().await));
        let before = bench.faults.calls().len();
        bench.send(&shortening("1HGCM82633A000001", PLAIN));
        plan(&bench);
        let lived = !died(bench.poll().await);
        let record = bench.only();
        assert_eq!((record.phase.name(), record.counters.claims), ("running", 1));
        let gone = bench.sqs.len() == 1;
        assert!(!gone || record.due_entry().is_some(), "{:?}", bench.faults.calls());
        assert!(lived || !gone, "a dead process acknowledges nothing");
        let calls = bench.faults.calls();
        (gone, before, calls)
    };
    let (gone, first, calls) = live(&|_| {}).await;
    assert!(gone, "the copy is acknowledged");
    assert!(calls[first..].contains(&"index_lease_expiry"), "{calls:?}");
    for number in first..calls.len() {
        for fault in Fault::ALL {
            live(&|bench| bench.faults.at(number, number, fault)).await;
        }
    }
}

/// The claim fails or its answer is lost, and the call that writes the lease again fails as well.
#[tokio::test(start_paused = true)]
async fn a_failed_write_of_the_lease_stops_no_job() {
    for insert in [Fault::AnswerLost, Fault::Before, Fault::Throttled] {
        for lease in Fault::ALL {
            let case = format!("{insert:?} at insert, {lease:?} at lease");
            let bench = Bench::of(&[Kind::SHORTENING]);
            bench.faults.on("lease", lease);
            bench.faults.on("insert", insert);
            everything(&bench).await;
            bench.poll().await;
            assert!(bench.faults.calls().contains(&"lease"), "{case}");
            bench.faults.clear();
            bench.drain().await;
            check(&bench, &case).await;
        }
    }
}
