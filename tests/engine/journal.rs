//! What the journal of a record says of decisions and wake-ups, and that it is part of writes that happen anyway.

use std::time::Duration;

use evenkeel::{
    message::Purpose,
    record::{Phase, Record, journal::WakeUp},
};

use crate::bench::{
    Bench,
    errands::{body, dead_letter, errand, key},
    run::MINUTE,
};

fn record(bench: &Bench, name: &str) -> Record {
    bench.store.record(&key(name)).unwrap()
}

fn texts(record: &Record) -> Vec<&str> {
    record.journal.iter().map(|entry| entry.what.as_str()).collect()
}

/// How often the record of a job was written.
fn writes(bench: &Bench, name: &str) -> usize {
    bench.store.changed().iter().filter(|changed| **changed == key(name)).count()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_job_has_no_journal() {
    let bench = Bench::errands();
    bench.send(&errand("job", 20, &[]));
    let long = errand("long", 20, &[]).replace("\"takes_ms\"", "\"steps\":2,\"takes_ms\"");
    bench.send(&long);
    bench.drain().await;
    for (name, runs) in [("job", 1), ("long", 3)] {
        let record = record(&bench, name);
        assert_eq!((record.phase.name(), bench.journal.runs(name)), ("succeeded", runs));
        assert_eq!(record.journal, [], "{name}");
        assert_eq!(writes(&bench, name), 2 * runs, "{name}: a claim and an end for each run");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_and_an_end_are_told_with_the_end_of_their_run() {
    let bench = Bench::errands();
    bench.send(&errand("twice", 0, &["transient", "ok"]));
    bench.send(&errand("hopeless", 0, &["permanent"]));
    bench.drain().await;
    assert_eq!(texts(&record(&bench, "hopeless")), ["dead, failed for good: code"]);
    let twice = record(&bench, "twice");
    let [retried] = texts(&twice)[..] else { panic!("{twice:?}") };
    assert!(retried.starts_with("retried, due in ") && retried.ends_with(" s: code"), "{retried}");
    assert_eq!((writes(&bench, "twice"), writes(&bench, "hopeless")), (4, 2));
}

#[tokio::test(start_paused = true)]
async fn a_parked_job_and_its_release_are_told_in_writes_that_happen_anyway() {
    let bench = Bench::errands();
    bench.send(&errand("job", 0, &["systemic", "ok"]));
    bench.drain().await;
    let record = record(&bench, "job");
    assert_eq!(record.phase.name(), "succeeded");
    let (woken, decided): (Vec<&str>, Vec<&str>) =
        texts(&record).into_iter().partition(|text| text.starts_with("woken: "));
    let counted = |count: usize| u32::try_from(count).unwrap();
    assert!(woken[0].starts_with(WakeUp::Released.text()), "a probe, or not: {woken:?}");
    assert!(decided[0].starts_with("parked, due in "), "{decided:?}");
    assert_eq!(counted(decided.len()), record.counters.defers, "{record:?}");
    assert_eq!(counted(woken.len()), record.counters.claims - 1, "{record:?}");
    let runs = usize::try_from(record.counters.claims).unwrap();
    assert_eq!(writes(&bench, "job"), 2 * runs + woken.len(), "none only for the journal");
}

#[tokio::test(start_paused = true)]
async fn the_sweeper_tells_how_it_has_woken_a_job() {
    let bench = Bench::errands();
    let late = bench.now().before(MINUTE);
    bench.crash("crashed", 0, Duration::from_secs(5)).await;
    bench.put("lost", Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() });
    bench.bury(dead_letter(body("redriven"), Purpose::Work));
    bench.tick().await.unwrap();
    bench.work(MINUTE).await;
    for (name, expected) in [
        ("crashed", vec!["crashed, due in 0 s: lease_over", WakeUp::Rescued.text()]),
        ("lost", vec![WakeUp::SentAgain.text()]),
        ("redriven", vec![WakeUp::Redriven.text()]),
    ] {
        let record = record(&bench, name);
        assert_eq!((record.phase.name(), texts(&record)), ("succeeded", expected));
    }
}
