//! Recovery: a scenario with one job for every way in which a job can get stuck, and what the
//! sweeper does about it.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    message::{Flaw, Purpose},
    ports::Store as _,
    record::{Phase, lease::Lease},
};

use super::settle_by_minutes;
use crate::bench::{
    Bench,
    errands::{DEPENDENCY, body, dead_letter, key},
    run::MINUTE,
};

/// Names of the jobs that must succeed in the end after exactly one run.
pub(crate) const JOBS: [&str; 9] = [
    "crashed",
    "lease_expiry_indexed",
    "lost",
    "unsent",
    "parked",
    "unnoted",
    "alive",
    "good",
    "waits",
];

/// Stores one job for every way in which a job can get stuck.
pub(crate) async fn everything(bench: &Bench) {
    let now = bench.now();
    let late = now.before(MINUTE);
    // Its process died during the run and held the only message.
    bench.crash("crashed", 0, Duration::from_secs(5)).await;
    // The same, but the lease item was never written, and a copy of the message has put the record
    // on the due index at lease expiry.
    bench.put(
        "lease_expiry_indexed",
        Phase::Running { lease_until: late, lease_expiry_indexed: true },
    );
    // Its message was lost.
    bench.put("lost", Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() });
    // Its record was written, but its message was never sent.
    bench.put("unsent", Phase::Queued { due_at: late });
    // It is parked, and its breaker has closed again.
    bench.park("parked", late);
    bench.note_parked(DEPENDENCY, None).await;
    // It is parked on a dependency that is not registered.
    let mut unnoted = bench.park("unnoted", late);
    unnoted.work.dependency = "unregistered".into();
    bench.store.put(&unnoted);
    // Its run is alive and its batch has a lease, but its message is in the dead-letter queue.
    let until = now + Duration::from_secs(20);
    let mut alive =
        bench.record("alive", Phase::Running { lease_until: until, lease_expiry_indexed: false });
    alive.owner = "alive".into();
    bench.store.put(&alive);
    let lease = Lease { owner: "alive".into(), until, jobs: vec![key("alive")] };
    bench.store.lease(&lease).await.unwrap();
    bench.put("waits", Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() });
    bench.put("done", Phase::Succeeded { at: now, result: "\"done\"".into() });
    bench.put("old", Phase::Succeeded { at: Time::default(), result: "\"done\"".into() });
    for name in ["alive", "waits", "done", "good"] {
        bench.bury(dead_letter(body(name), Purpose::Work));
    }
    bench.bury(dead_letter("not a message".into(), Purpose::Work));
    let alien = body("alien").replace("errand", "parcel");
    bench.bury(dead_letter(alien, Purpose::Work));
    bench.bury(dead_letter(body("twice"), Purpose::Redrive));
}

/// Checks the end state of [`everything`], which must be the same with every fault.
pub(crate) fn check(bench: &Bench, case: &str) {
    for name in JOBS {
        assert_eq!(bench.state(name), "succeeded", "{case}: {name}");
        assert_eq!(bench.journal.runs(name), 1, "{case}: {name} was run once");
    }
    assert_eq!((bench.state("done"), bench.journal.runs("done")), ("succeeded", 0), "{case}");
    assert_eq!(bench.state("old"), "none", "{case}: the expired record is removed");
    let mut held: Vec<Flaw> =
        bench.store.rejected_messages().iter().map(|body| body.rejection.flaw).collect();
    held.sort_by_key(|flaw| flaw.name());
    assert_eq!(held, [Flaw::Alien, Flaw::Malformed, Flaw::Unacknowledged], "{case}");
    assert_eq!(bench.sqs.len(), 0, "{case}: every queue is empty");
    assert_eq!(bench.store.leases(), [], "{case}: no lease is left");
}

#[tokio::test(start_paused = true)]
async fn everything_is_recovered_by_two_ticks() {
    let bench = Bench::errands();
    everything(&bench).await;
    let report = bench.tick().await.unwrap();
    assert_eq!(report.cut_short, Vec::<&str>::new());
    let rescue = &report.done["rescue"];
    assert_eq!((rescue["crashed"], rescue["sent_again"]), (2, 3), "{report:?}");
    assert_eq!(report.done["release"]["released"], 1);
    let redrive = &report.done["redrive"];
    assert_eq!(
        (redrive["held"], redrive["sent_back"], redrive["lease_expiry_indexed"]),
        (2, 1, 1),
        "{report:?}"
    );
    let others = ["already_due", "ended", "waiting"].map(|name| redrive[name]);
    assert_eq!(others, [1, 1, 1], "{report:?}");
    assert_eq!(report.done["prune"]["removed"], 1);
    assert_eq!(report.done["audit"]["parked_unregistered"], 1);
    bench.work(MINUTE).await;
    bench.tick().await.unwrap();
    bench.work(MINUTE).await;
    check(&bench, "two ticks");
}

#[tokio::test(start_paused = true)]
async fn one_tick_catches_up_after_a_schedule_was_missed_for_ten_minutes() {
    let bench = Bench::errands();
    everything(&bench).await;
    tokio::time::sleep(MINUTE * 10).await;
    bench.tick().await.unwrap();
    bench.work(MINUTE).await;
    let late =
        ["crashed", "lease_expiry_indexed", "lost", "unsent", "parked", "alive", "waits", "good"];
    for name in late {
        assert_eq!(bench.state(name), "succeeded", "{name}");
    }
    settle_by_minutes(&bench, 2).await;
    check(&bench, "ten minutes later");
}

#[tokio::test(start_paused = true)]
async fn crashes_are_counted_retried_after_minutes_and_quarantined() {
    let bench = Bench::errands();
    bench.crash("second", 1, Duration::ZERO).await;
    bench.crash("third", 2, Duration::ZERO).await;
    let began = bench.now();
    bench.tick().await.unwrap();
    bench.work(MINUTE).await;
    assert_eq!((bench.state("second"), bench.state("third")), ("waiting", "quarantined"));
    settle_by_minutes(&bench, 4).await;
    assert_eq!(bench.state("second"), "succeeded");
    let took = bench.store.record(&key("second")).unwrap().phase.ended_at().unwrap().since(began);
    assert!((180..190).contains(&took.as_secs()), "{took:?}");
    assert_eq!(bench.journal.runs("third"), 0);
}

#[tokio::test(start_paused = true)]
async fn if_most_running_jobs_seem_stuck_rescue_pauses_for_three_ticks() {
    let bench = Bench::errands();
    for n in 0..30 {
        bench.crash(&format!("j{n}"), 0, Duration::ZERO).await;
    }
    let mut crashed = Vec::new();
    for _ in 0..4 {
        let report = bench.tick().await.unwrap();
        let rescue = report.done.get("rescue").cloned().unwrap_or_default();
        crashed.push(rescue.get("crashed").copied().unwrap_or_default());
        bench.work(MINUTE).await;
    }
    assert_eq!(crashed, [0, 0, 0, 30]);
    settle_by_minutes(&bench, 5).await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_replaced_once_its_lease_is_over() {
    use evenkeel::testing::Fault;
    let bench = Bench::errands();
    everything(&bench).await;
    // The first sweeper dies when it reads the leases.
    bench.sweeper_faults.on("read_all", Fault::DieBefore);
    assert!(bench.tick().await.is_none(), "the sweeper died");
    let began = bench.now();
    assert!(!bench.tick().await.unwrap().another_leads);
    let waited = bench.now().since(began);
    assert!((10..=20).contains(&waited.as_secs()), "until the lease is over: {waited:?}");
    settle_by_minutes(&bench, 3).await;
    check(&bench, "after another one");
}

#[tokio::test(start_paused = true)]
async fn two_sweepers_that_both_act_as_leader_wake_a_job_once() {
    use sweeper::{plan::rescue::send_again, step};
    let bench = Bench::errands();
    let late = bench.now().before(MINUTE);
    let record = bench.put("lost", Phase::Queued { due_at: late });
    let now = bench.now();
    let plan = |owner| send_again(&record, bench.queue(), late, owner, now).unwrap();
    let (one, other) = (plan("one"), plan("other"));
    let first = step::take(&bench.store, &bench.sqs, std::slice::from_ref(&one), now).await;
    let second = step::take(&bench.store, &bench.sqs, &[other], now).await;
    assert_eq!((first.written.len(), second.written.len(), second.refused), (1, 0, 1));
    // The first one repeats its step because the answer was lost, and recognises its own write.
    let again = step::take(&bench.store, &bench.sqs, &[one], now).await;
    assert_eq!(
        (again.written.len(), bench.sqs.len()),
        (1, 2),
        "at worst one message is sent twice"
    );
    settle_by_minutes(&bench, 1).await;
    assert_eq!(bench.journal.runs("lost"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_result_is_produced_again() {
    let bench = Bench::errands();
    let at = bench.now().before(MINUTE * 120);
    for (name, result) in [("empty", "{}"), ("other", "\"else\""), ("sound", "\"done\"")] {
        bench.put(name, Phase::Succeeded { at, result: result.into() });
    }
    let report = bench.tick().await.unwrap();
    assert_eq!((report.done["audit"]["no_result"], report.done["audit"]["checks"]), (1, 3));
    bench.work(MINUTE).await;
    settle_by_minutes(&bench, 3).await;
    for (name, runs) in [("empty", 1), ("other", 1), ("sound", 0)] {
        assert_eq!((bench.state(name), bench.journal.runs(name)), ("succeeded", runs), "{name}");
    }
    let findings: Vec<String> =
        bench.store.all_notes("finding").into_iter().map(|(name, _)| name).collect();
    assert_eq!(findings, [key("empty"), key("other")]);
}

/// The breaker is forced open. A thousand jobs with a deadline tomorrow were parked before one
/// whose deadline is now.
#[tokio::test(start_paused = true)]
async fn a_job_at_its_deadline_is_released_behind_an_open_breaker_and_before_others() {
    use evenkeel::{
        dependency::breaker::{Breaker, State},
        ports::Control as _,
    };
    let bench = Bench::errands();
    let now = bench.now();
    let state = State::Forced { open: true, until: now + MINUTE * 600 };
    let breaker = Breaker { generation: 1, state, since: now, ..Breaker::default() };
    bench.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
    bench.note_parked(DEPENDENCY, None).await;
    for n in 0..1_000 {
        let mut record = bench.park(&format!("tomorrow-{n}"), now.before(MINUTE));
        record.work.deadline = Some(now + MINUTE * 1_440);
        bench.store.put(&record);
    }
    let mut record = bench.park("now", now + MINUTE);
    record.work.deadline = Some(now);
    bench.store.put(&record);
    let report = bench.tick().await.unwrap();
    assert_eq!(report.done["release"]["released"], 1, "{report:?}");
    bench.work(Duration::from_secs(5)).await;
    assert_eq!(bench.state("now"), "dead", "a job without a fallback ends at its deadline");
    assert_eq!(bench.state("tomorrow-0"), "parked");
}

/// A deployment has changed the type's payload, so that the payload in the record is no longer in
/// its normal form, or is invalid.
#[tokio::test(start_paused = true)]
async fn a_recorded_payload_in_an_old_form_is_still_run_and_an_invalid_one_ends_the_job() {
    let bench = Bench::errands();
    let late = bench.now().before(MINUTE);
    let mut spaced = bench.put("spaced", Phase::Queued { due_at: late });
    spaced.work.payload = r#"{ "name" : "spaced" }"#.into();
    bench.store.put(&spaced);
    let mut refused = bench.put("refused", Phase::Queued { due_at: late });
    refused.work.payload = r#"{"title":"refused"}"#.into();
    bench.store.put(&refused);
    settle_by_minutes(&bench, 2).await;
    assert_eq!((bench.state("spaced"), bench.journal.runs("spaced")), ("succeeded", 1));
    let Phase::Dead { why, .. } = bench.store.record(&key("refused")).unwrap().phase else {
        panic!("expected a dead job")
    };
    assert!(why.starts_with("its type no longer takes its payload: invalid: payload"), "{why}");
}

/// Many dealers' sites, each with more parked jobs than its share of a tick, and one dependency
/// that all jobs of a type have in common.
#[tokio::test(start_paused = true)]
async fn no_dependency_starves_behind_others() {
    let bench = Bench::errands();
    let late = bench.now().before(MINUTE);
    let sites: Vec<String> = (0..8).map(|n| format!("a-site-{n}")).collect();
    for site in &sites {
        bench.note_parked(site, None).await;
        for n in 0..700 {
            let mut record = bench.park(&format!("{site}-{n}"), late);
            record.work.dependency.clone_from(site);
            bench.store.put(&record);
        }
    }
    bench.note_parked(DEPENDENCY, None).await;
    bench.park("the-type's-own", late);
    bench.tick().await.unwrap();
    assert_eq!(
        bench.state("the-type's-own"),
        "waiting",
        "the dependency of a whole type comes first"
    );
    let waiting = |site: &str| {
        let records = bench.store.records().into_iter();
        records.filter(|r| r.work.dependency == site && r.phase.name() == "waiting").count()
    };
    let before: Vec<bool> = sites.iter().map(|site| waiting(site) > 0).collect();
    assert!(
        before.contains(&false),
        "expected more parked jobs than one tick releases: {before:?}"
    );
    tokio::time::sleep(MINUTE).await;
    bench.tick().await.unwrap();
    assert!(
        sites.iter().all(|site| waiting(site) > 0),
        "the sites that the first tick left out come first in the second"
    );
}

/// A platform is down: hundreds of hosts have open breakers, and each read takes its time. Jobs of
/// the dependency that all jobs of a type have in common, and of the one host whose breaker is
/// closed, are released nevertheless.
#[tokio::test(start_paused = true)]
async fn hundreds_of_open_breakers_do_not_delay_the_release_of_others() {
    use evenkeel::{
        dependency::breaker::{Breaker, State},
        ports::Control as _,
    };
    let bench = Bench::errands();
    let (now, late) = (bench.now(), bench.now().before(MINUTE));
    let state = State::Open { retry_at: now + MINUTE * 60, wait: MINUTE };
    let breaker = Breaker { generation: 1, state, since: now, ..Breaker::default() };
    for n in 0..600 {
        let site = format!("site-{n:03}");
        bench.note_parked(&site, None).await;
        if n != 500 {
            bench.store.swap_breaker(&site, &breaker, 0).await.unwrap();
        }
        let mut record = bench.park(&site, late);
        record.work.dependency = site;
        bench.store.put(&record);
    }
    bench.note_parked(DEPENDENCY, None).await;
    bench.park("the-type's-own", late);
    bench.sweeper_faults.slow(Duration::from_millis(25));
    let mut ticks = 0;
    while bench.state("site-500") == "parked" && ticks < 5 {
        bench.tick().await.unwrap();
        assert_eq!(bench.state("the-type's-own"), "waiting", "released in the first tick");
        tokio::time::sleep(MINUTE).await;
        ticks += 1;
    }
    assert!(ticks < 5, "dependencies left out in one tick come first in the next");
}
