//! Properties of a tick, for any records.

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    message::Purpose,
    ports::Store as _,
    record::{Phase, Record, lease::Lease},
};
use proptest::prelude::*;

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, body, dead_letter},
};

/// A record in any state, with or without a lease and a dead letter.
#[derive(Clone, Debug)]
struct Thing {
    state: u8,
    /// Seconds since the record was due; negative if it is not due yet.
    late_s: i64,
    crashes: u32,
    leased: bool,
    dead_letter: bool,
    deadline_s: Option<i64>,
}

prop_compose! {
    fn things()(
        state in 0_u8..8,
        late_s in -120_i64..4_000,
        crashes in 0_u32..3,
        leased in any::<bool>(),
        dead_letter in proptest::bool::weighted(0.2),
        deadline_s in proptest::option::of(-500_i64..5_000),
    ) -> Thing {
        Thing { state, late_s, crashes, leased, dead_letter, deadline_s }
    }
}

fn moment(now: Time, late_s: i64) -> Time {
    let span = Duration::from_secs(late_s.unsigned_abs());
    if late_s < 0 { now + span } else { now.before(span) }
}

impl Thing {
    fn phase(&self, due: Time) -> Phase {
        let why = "http_503".to_owned();
        match self.state {
            0 => Phase::Queued { due_at: due },
            1 => Phase::Running { lease_until: due, lease_expiry_indexed: !self.leased },
            2 => Phase::Waiting { run_after: due, due_at: due, why },
            3 | 4 => Phase::Parked { run_after: due, why },
            5 => Phase::Succeeded { at: due, result: "\"done\"".into() },
            6 => Phase::Dead { at: due, why },
            _ => Phase::Quarantined { at: due, why },
        }
    }

    async fn put(&self, bench: &Bench, name: &str) {
        let due = moment(bench.now(), self.late_s);
        let mut record = bench.record(name, self.phase(due));
        record.counters.crashes = self.crashes;
        record.work.deadline = self.deadline_s.map(|late_s| moment(bench.now(), late_s));
        if let Phase::Running { lease_until, lease_expiry_indexed: false } = record.phase {
            record.owner = format!("batch-{name}");
            let jobs = vec![record.key.clone()];
            let lease = Lease { owner: record.owner.clone(), until: lease_until, jobs };
            bench.store.lease(&lease).await.unwrap();
        }
        bench.store.put(&record);
        if self.dead_letter {
            bench.bury(dead_letter(body(name), Purpose::Work));
        }
    }
}

/// Whether a record has ended or the sweeper can find it: on the due index, or through the lease of
/// its batch.
fn can_be_found(record: &Record, leases: &[Lease]) -> bool {
    record.phase.ended_at().is_some()
        || record.due_entry().is_some()
        || leases
            .iter()
            .any(|lease| lease.owner == record.owner && lease.jobs.contains(&record.key))
}

async fn check(things: &[Thing], busy: bool) {
    let bench = Bench::errands();
    for (n, thing) in things.iter().enumerate() {
        thing.put(&bench, &format!("job-{n}")).await;
    }
    bench.note_parked(DEPENDENCY, None).await;
    if busy {
        bench.send(&body("another"));
    }
    let before: BTreeMap<String, Record> =
        bench.store.records().into_iter().map(|record| (record.key.clone(), record)).collect();
    bench.tick().await.unwrap();
    let mut changed = bench.store.changed();
    let times = changed.len();
    changed.sort();
    changed.dedup();
    assert_eq!(changed.len(), times, "a record was written twice in one tick");
    let leases = bench.store.leases();
    for record in bench.store.records() {
        let old = &before[&record.key];
        assert!(
            can_be_found(&record, &leases),
            "not on the due index and without a lease: {old:?} {record:?}"
        );
        let moved = record.phase.name() != old.phase.name();
        let ended = record.phase.ended_at().is_some();
        let crashed = record.counters.crashes > old.counters.crashes;
        assert!(
            !moved || !ended || crashed,
            "the sweeper ended a job that had not crashed: {record:?}"
        );
        assert!(
            old.phase.ended_at().is_none() || record == *old,
            "an ended record was changed: {record:?}"
        );
    }
    assert!(before.keys().all(|key| {
        let kept = bench.store.record(key).is_some();
        kept || before[key].expires_at().is_some_and(|end| end <= bench.now())
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_tick_writes_no_record_twice_and_leaves_each_where_it_can_be_found(
        things in proptest::collection::vec(things(), 0..40),
        busy in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(check(&things, busy));
    }
}
