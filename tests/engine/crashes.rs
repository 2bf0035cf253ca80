//! Jobs that kill their processes, and processes that die for another reason.

use std::time::Duration;

use evenkeel::{
    ports::notes::{CRASH_STORM, CrashStorm},
    testing::{Fault, LogLines},
};
use proptest::prelude::*;

use crate::bench::{
    Bench,
    errands::{errand, key},
    run::MINUTE,
};

/// How long the table takes no writes; a settle is repeated for nearly as long as a function may run.
const OUTAGE: Duration = Duration::from_secs(16);

/// Claims land, and then no end can be written, in three windows. That is no fault of the jobs.
#[tokio::test(start_paused = true)]
async fn a_table_that_takes_no_ends_quarantines_no_job() {
    let bench = Bench::errands();
    let lines = LogLines::default();
    let _collecting = lines.collect();
    for n in 0..15 {
        bench.send(&errand(&format!("job-{n}"), 3_000, &[]));
    }
    let outage = async || {
        // The jobs are claimed, and run.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for call in ["settle", "replace", "replace_all"] {
            bench.faults.on(call, Fault::Before);
        }
        tokio::time::sleep(OUTAGE).await;
        bench.faults.clear();
    };
    let mut stormy = Vec::new();
    for _ in 0..4 {
        bench.run_while(outage()).await;
        tokio::time::advance(MINUTE).await;
        bench.tick().await.unwrap();
        // The functions learn it from a note, and people from an alarm.
        let notes = bench.store.all_notes(CRASH_STORM);
        let found = notes.iter().map(|(_, text)| serde_json::from_str(text).unwrap());
        stormy.push(found.filter(|storm: &CrashStorm| storm.excuses(bench.now())).count());
        // The jobs are due again when the next window begins.
        tokio::time::advance(MINUTE * 4).await;
    }
    bench.drain().await;
    for record in bench.store.records() {
        assert_eq!(record.phase.name(), "succeeded", "{record:?}");
    }
    assert_eq!(stormy[1..], [1, 1, 1], "from the second window on: {stormy:?}");
    let text = lines.text();
    let mut alarms = text.lines().filter(|line| line.contains(r#""code":"crash_storm""#));
    assert!(alarms.next().is_some_and(|line| line.contains(r#""outcome":"alarm""#)), "{text}");
}

/// The same while the functions find the crashes: their messages come back as the leases end, before any tick.
#[tokio::test(start_paused = true)]
async fn functions_that_find_the_crashes_tell_the_sweeper_of_them() {
    let bench = Bench::errands();
    for n in 0..30 {
        bench.send(&errand(&format!("job-{n}"), 3_000, &[]));
    }
    let outages = async {
        for _ in 0..6 {
            for call in ["settle", "replace", "replace_all"] {
                bench.faults.on(call, Fault::Before);
            }
            tokio::time::sleep(OUTAGE).await;
            bench.faults.clear();
            // Claims land, and the ends of their runs do not.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    };
    bench.run_while(outages).await;
    bench.drain().await;
    for record in bench.store.records() {
        assert_eq!(record.phase.name(), "succeeded", "{record:?}");
    }
}

/// A job that crashed once and came back is not quarantined for two crashes much later.
#[tokio::test(start_paused = true)]
async fn a_run_that_comes_back_ends_the_count_of_crashes() {
    let bench = Bench::errands();
    bench.send(&errand("shaky", 0, &["kill", "kill", "transient", "kill", "ok"]));
    bench.drain().await;
    let record = bench.store.record(&key("shaky")).unwrap();
    assert_eq!((record.phase.name(), record.counters.crashes), ("succeeded", 1), "{record:?}");
}

/// Lets a job that always kills its process run among others; `kills_too` of them do the same.
fn killers_end(others: u32, kills_too: u32, groups: u32) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let bench = Bench::errands();
        for n in 0..=kills_too {
            bench.send(&errand(&format!("killer-{n}"), 10, &["kill"]));
        }
        for n in 0..others {
            if n % 10 == 0 && n / 10 < groups {
                bench.run_for(MINUTE).await;
            }
            bench.send(&errand(&format!("other-{n}"), 10, &[]));
        }
        let began = bench.now();
        let have_ended = |bench: &Bench| {
            let killers = (0..=kills_too).map(|n| bench.state(&format!("killer-{n}")));
            let others = (0..others).map(|n| bench.state(&format!("other-{n}")));
            killers.chain(others).all(|state| matches!(state, "quarantined" | "succeeded"))
        };
        bench.until(have_ended).await;
        let took = bench.now().since(began);
        assert!(took <= Duration::from_hours(4), "{took:?}");
        for n in 0..=kills_too {
            let record = bench.store.record(&key(&format!("killer-{n}"))).unwrap();
            assert_eq!(record.phase.name(), "quarantined", "{record:?}");
            let runs = bench.journal.runs(&format!("killer-{n}"));
            assert!(runs <= 60, "{runs} processes were killed");
        }
        for n in 0..others {
            assert_eq!(bench.state(&format!("other-{n}")), "succeeded");
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_job_that_always_kills_its_process_is_quarantined_in_whatever_company(
        others in 0..60_u32,
        kills_too in 0..25_u32,
        groups in 0..4_u32,
    ) {
        killers_end(others, kills_too, groups);
    }
}
