//! What a pass cannot read or write is left out, and all else is done in the same tick.

use evenkeel::testing::{Fault, TracedCall};

use crate::bench::{Bench, run::MINUTE};

const SITES: [&str; 3] = ["site-0", "site-1", "site-2"];

/// Each of three dependencies has five parked jobs.
async fn parked() -> Bench {
    let bench = Bench::errands();
    for site in SITES {
        bench.note_parked(site, None).await;
        for n in 0..5 {
            let mut record = bench.park(&format!("{site}-{n}"), bench.now());
            site.clone_into(&mut record.work.dependency);
            bench.store.put(&record);
        }
    }
    bench
}

/// How many jobs of each dependency are still parked.
fn left(bench: &Bench) -> [usize; 3] {
    SITES.map(|site| {
        let names = (0..5).map(|n| format!("{site}-{n}"));
        names.filter(|name| bench.state(name) == "parked").count()
    })
}

/// The number of the first call of a tick that is meant, if the calls with the numbers `struck` fail.
async fn number(struck: &[(usize, Fault)], meant: impl Fn(&[TracedCall], usize) -> bool) -> usize {
    let bench = parked().await;
    strike(&bench, struck);
    bench.tick().await.unwrap();
    let trace = bench.sweeper_faults.trace();
    (0..trace.len()).find(|place| meant(&trace, *place)).unwrap()
}

fn strike(bench: &Bench, struck: &[(usize, Fault)]) {
    for (number, fault) in struck {
        bench.sweeper_faults.at(*number, *number, *fault);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dependency_that_cannot_be_read_and_a_failed_write_of_the_memory_stop_no_other_release() {
    let reads_site = |trace: &[TracedCall], place: usize| {
        trace[place].name == "breaker" && trace[place].about == SITES[1]
    };
    let unreadable = (number(&[], reads_site).await, Fault::Unreadable);
    // The last write of the memory before the first job is released.
    let notes = |trace: &[TracedCall], place: usize| {
        let mut rest = trace[place + 1..].iter();
        let next = rest.find(|call| ["swap_note", "replace"].contains(&call.name));
        trace[place].name == "swap_note" && next.is_some_and(|call| call.name == "replace")
    };
    let failed = (number(&[unreadable], notes).await, Fault::Before);
    for struck in [vec![unreadable], vec![unreadable, failed]] {
        let bench = parked().await;
        strike(&bench, &struck);
        let report = bench.tick().await.unwrap();
        let done = &report.done["release"];
        assert_eq!((done["released"], done["unseen"]), (10, 1), "{struck:?}: {report:?}");
        assert_eq!((left(&bench), report.cut_short), ([0, 5, 0], vec![]), "{struck:?}");
        bench.sweeper_faults.clear();
        tokio::time::advance(MINUTE).await;
        bench.tick().await.unwrap();
        assert_eq!(left(&bench), [0, 0, 0], "{struck:?}: in the next tick");
    }
}
