//! Crashes that are not counted, since most runs of the type crash.

use super::*;

/// The lease of the run is over, and another container meets that.
fn met(excuses_crashes: bool, record: &Record, now: Time) -> ClaimDecision {
    let ids = ids("n");
    let other = if record.owner == "b" { "d" } else { "b" };
    let by = Claimant { excuses_crashes, ..claimant(other, &ids, now) };
    try_claim(Some(record), &by)
}

#[test]
fn a_function_that_meets_an_excused_crash_does_not_count_it_and_lets_the_job_wait() {
    let mut record = running();
    // However many there are: the third would quarantine it.
    for n in 0..5 {
        let Phase::Running { lease_until, .. } = record.phase else { panic!("{record:?}") };
        let met = met(true, &record, lease_until);
        let ClaimDecision::Write(waiting, Some(at)) = met else { panic!("crash {n}: {met:?}") };
        assert_eq!(waiting.counters.crashes, 0, "crash {n}");
        assert_eq!(at, lease_until + CRASH_PAUSE, "crash {n}");
        assert!(matches!(waiting.phase, Phase::Waiting { run_after, .. } if run_after == at));
        assert_eq!(CRASH_PAUSE, SECOND * 180);
        let ids = ids("n");
        record = taken(try_claim(Some(&waiting), &claimant("c", &ids, at)));
    }
}

#[test]
fn the_same_crashes_quarantine_a_job_where_nothing_excuses_them() {
    let mut record = running();
    for crash in 1..=3 {
        let Phase::Running { lease_until, .. } = record.phase else { panic!("{record:?}") };
        let (ids, now) = (ids("n"), lease_until);
        record = match (crash, met(false, &record, now)) {
            // The first one lets it run again at once.
            (1, ClaimDecision::Take { record, isolated: true })
            | (3, ClaimDecision::Write(record, None)) => record,
            (2, ClaimDecision::Write(waiting, Some(at))) => {
                assert_eq!((waiting.counters.crashes, at), (2, now + CRASH_PAUSE));
                taken(try_claim(Some(&waiting), &claimant("c", &ids, at)))
            }
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(record.phase.name(), "quarantined");
}
