//! Every port call fails before its work, after it with the answer lost, and with the process dying
//! at either point. The harness counts the calls of a run without faults and then takes each in
//! turn, so a call that is added tomorrow is tested tomorrow.

use std::collections::BTreeMap;

use evenkeel::{
    http::transport,
    message::Flaw,
    record::{Phase, Record},
    testing::Fault,
};
use sandbox::{FaultKind, Method, Sandbox, Scope, Target};
use url_shortening::job::{Shortened, Via};

use crate::scenario::{Scenario, message, open_sandbox, preload};

const PLAIN: &str = "https://acme.example/plain";
const OURS: &str = "https://acme.example/ours";
const FOREIGN: &str = "https://acme.example/foreign";
const ALONE: &str = "https://acme.example/alone";
const SHAKY: &str = "https://acme.example/shaky";

/// A bit of everything: a plain job twice, a slashtag that is ours already, one that is another's,
/// one whose first call fails after the link was made, one that may have killed three processes and
/// so runs alone, and a body that is no message.
async fn everything(sandbox: &Sandbox, scenario: &Scenario) {
    let control = sandbox.client();
    let taken = [
        preload(&scenario.domain, "acme-000002", OURS),
        preload(&scenario.domain, "acme-000003", "https://other.example/"),
    ];
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
    scenario.queue.send(&message("1HGCM82633A000005", ALONE));
    for _ in 0..3 {
        scenario.queue.receive(10);
        scenario.queue.show_all();
    }
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    scenario.queue.send(&message("1HGCM82633A000002", OURS));
    scenario.queue.send(&message("1HGCM82633A000003", FOREIGN));
    scenario.queue.send(&message("1HGCM82633A000004", SHAKY));
    scenario.queue.send("not a message");
}

/// What must be true of [`everything`] in the end, whatever went wrong on the way.
async fn check(sandbox: &Sandbox, scenario: &Scenario, case: &str) {
    let results = results(&scenario.store.records(), case);
    let candidate = |destination: &str| results[destination].candidate;
    assert_eq!(results[OURS].via, Via::Adopted, "{case}");
    assert_eq!([PLAIN, OURS, FOREIGN, SHAKY, ALONE].map(candidate), [1, 1, 2, 1, 1], "{case}");
    let links = scenario.links(sandbox).await;
    for (destination, result) in &results {
        let made: Vec<_> = links.iter().filter(|l| l.destination == *destination).collect();
        assert_eq!(made.len(), 1, "{case}: links to {destination}");
        assert_eq!(made[0].id, result.link_id, "{case}: the recorded link is the link");
    }
    let rejected = scenario.store.rejected_messages();
    assert_eq!(rejected.len(), 1, "{case}");
    assert_eq!(rejected[0].rejection.flaw, Flaw::Malformed, "{case}");
}

/// The result of every job by its destination; all of them must have succeeded.
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

#[tokio::test]
async fn every_port_call_may_fail_in_every_way() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    let calm = Scenario::new(&sandbox, &http);
    everything(&sandbox, &calm).await;
    calm.drain().await;
    check(&sandbox, &calm, "no fault").await;
    assert_eq!(calm.store.leases(), [], "no fault: every lease is released");
    let places = calm.faults.calls();
    let store =
        ["insert", "settle", "release", "reject", "extend_visibility", "read", "replace", "fetch"];
    let gates = ["breaker", "limiter", "swap_limiter", "add_to_bucket", "buckets"];
    for call in store.into_iter().chain(gates) {
        assert!(places.contains(&call), "the scenario has a {call}: {places:?}");
    }

    for (number, call) in places.iter().enumerate() {
        for fault in Fault::INSTANT {
            let case = format!("{fault:?} at call {number}, {call}");
            let scenario = Scenario::new(&sandbox, &http);
            scenario.faults.at(number, number, fault);
            everything(&sandbox, &scenario).await;
            scenario.drain().await;
            check(&sandbox, &scenario, &case).await;
            let died = matches!(fault, Fault::DieBefore | Fault::DieAfter);
            for (record, calm) in scenario.store.records().iter().zip(calm.store.records()) {
                assert!(record.counters.crashes <= u32::from(died), "{case}: {record:?}");
                if fault == Fault::AnswerLost && ["insert", "settle"].contains(call) {
                    assert_eq!(record.counters.claims, calm.counters.claims, "{case}: {record:?}");
                    assert_eq!(record.counters.attempts, calm.counters.attempts, "{case}");
                }
            }
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_store_that_is_gone_for_a_while_loses_nothing() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    for first in 0..12 {
        for fault in [Fault::Before, Fault::AnswerLost] {
            let case = format!("{fault:?} at calls {first} to {}", first + 6);
            let scenario = Scenario::new(&sandbox, &http);
            scenario.faults.at(first, first + 6, fault);
            everything(&sandbox, &scenario).await;
            scenario.drain().await;
            check(&sandbox, &scenario, &case).await;
            let struck = scenario.faults.calls().len() > first;
            assert!(struck, "{case}: the outage met nobody");
        }
    }
    sandbox.shutdown().await;
}

#[tokio::test]
async fn a_job_that_kills_every_process_is_quarantined_and_leaves_one_link() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    let scenario = Scenario::new(&sandbox, &http);
    scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
    let mut deaths = 0;
    while scenario.wait() {
        // The work is done, and the process dies as it is about to say so.
        scenario.faults.on("settle", Fault::DieBefore);
        if !scenario.poll().await {
            deaths += 1;
        }
        assert!(deaths <= 3, "it is never given up");
    }
    let record = &scenario.store.records()[0];
    assert_eq!((record.phase.name(), deaths), ("quarantined", 3), "{record:?}");
    assert_eq!(scenario.links(&sandbox).await.len(), 1);
    sandbox.shutdown().await;
}

/// A copy of a message whose job is running elsewhere: it may go only if somebody will look.
#[tokio::test(start_paused = true)]
async fn a_copy_that_meets_a_live_run_is_acknowledged_only_once_the_lease_expiry_is_indexed() {
    let http = transport::client().unwrap();
    let live = async |plan: &dyn Fn(&Scenario)| {
        let scenario = Scenario::offline(&http);
        // The first process claims the job, and dies with the work in hand.
        scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
        scenario.faults.on("fetch", Fault::DieBefore);
        assert!(!scenario.poll().await);
        let before = scenario.faults.calls().len();
        scenario.queue.send(&message("1HGCM82633A000001", PLAIN));
        plan(&scenario);
        let lived = scenario.poll().await;
        let [record] = &scenario.store.records()[..] else { panic!("one job") };
        assert_eq!((record.phase.name(), record.counters.claims), ("running", 1));
        let gone = scenario.queue.len() == 1;
        assert!(!gone || record.due_entry().is_some(), "{:?}", scenario.faults.calls());
        assert!(lived || !gone, "a process that died acknowledges nothing");
        let calls = scenario.faults.calls();
        (gone, before, calls)
    };
    let (gone, first, calls) = live(&|_| {}).await;
    assert!(gone, "the copy is acknowledged");
    assert!(calls[first..].contains(&"index_lease_expiry"), "{calls:?}");
    for number in first..calls.len() {
        for fault in Fault::ALL {
            live(&|scenario| scenario.faults.at(number, number, fault)).await;
        }
    }
}

/// The claim's answer is lost, and what writes the lease again fails as well.
#[tokio::test]
async fn a_lease_that_cannot_be_written_stops_no_job() {
    let (sandbox, http) = (open_sandbox().await, transport::client().unwrap());
    for insert in [Fault::AnswerLost, Fault::Before, Fault::Throttled] {
        for lease in Fault::INSTANT {
            let case = format!("{insert:?} at insert, {lease:?} at lease");
            let scenario = Scenario::new(&sandbox, &http);
            scenario.faults.on("lease", lease);
            scenario.faults.on("insert", insert);
            everything(&sandbox, &scenario).await;
            scenario.poll().await;
            assert!(scenario.faults.calls().contains(&"lease"), "{case}");
            scenario.faults.revive();
            scenario.drain().await;
            check(&sandbox, &scenario, &case).await;
        }
    }
    sandbox.shutdown().await;
}
