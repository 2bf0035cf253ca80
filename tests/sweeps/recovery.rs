//! Recovery: a scenario with one job for every way in which a job can get stuck, and what the
//! sweeper does about it.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    message::{Flaw, Purpose},
    ports::Store as _,
    record::{Phase, lease::Lease},
    testing::ARN,
};

use super::world::{DEAD, DEPENDENCY, World, body, dead_letter, key};

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

const MINUTE: Duration = Duration::from_secs(60);

/// Stores one job for every way in which a job can get stuck.
pub(crate) async fn everything(world: &World) {
    let now = world.now();
    let late = now.before(MINUTE);
    // Its process died during the run and held the only message.
    world.crash("crashed", 0, Duration::from_secs(5)).await;
    // The same, but the lease item was never written, and a copy of the message has put the record
    // on the due index at lease expiry.
    world.put(
        "lease_expiry_indexed",
        Phase::Running { lease_until: late, lease_expiry_indexed: true },
    );
    // Its message was lost.
    world.put("lost", Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() });
    // Its record was written, but its message was never sent.
    world.put("unsent", Phase::Queued { due_at: late });
    // It is parked, and its breaker has closed again.
    world.park("parked", late);
    note_parked(world, DEPENDENCY).await;
    // It is parked on a dependency that is not registered.
    let mut unnoted = world.park("unnoted", late);
    unnoted.work.dependency = "unregistered".into();
    world.store.put(&unnoted);
    // Its run is alive and its batch has a lease, but its message is in the dead-letter queue.
    let until = now + Duration::from_secs(20);
    let mut alive =
        world.record("alive", Phase::Running { lease_until: until, lease_expiry_indexed: false });
    alive.owner = "alive".into();
    world.store.put(&alive);
    let lease = Lease { owner: "alive".into(), until, jobs: vec![key("alive")] };
    world.store.lease(&lease).await.unwrap();
    world.put("waits", Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() });
    world.put("done", Phase::Succeeded { at: now, result: "\"done\"".into() });
    world.put("old", Phase::Succeeded { at: Time::default(), result: "\"done\"".into() });
    for name in ["alive", "waits", "done", "good"] {
        world.queue.bury(DEAD, ARN, dead_letter(body(name), Purpose::Work));
    }
    world.queue.bury(DEAD, ARN, dead_letter("not a message".into(), Purpose::Work));
    let alien = body("alien").replace("errand", "parcel");
    world.queue.bury(DEAD, ARN, dead_letter(alien, Purpose::Work));
    world.queue.bury(DEAD, ARN, dead_letter(body("twice"), Purpose::Redrive));
}

pub(crate) async fn note_parked(world: &World, dependency: &str) {
    use evenkeel::ports::{
        Control as _,
        notes::{Limits, NoteKey, WATCHED},
    };
    let limits = Limits { closes_with: 3, noted_at: world.now().as_millis(), ..Limits::default() };
    let text = serde_json::to_string(&limits).unwrap();
    let note = NoteKey::new(WATCHED, dependency);
    world.store.put_note(&note, &text, world.now() + MINUTE * 600).await.unwrap();
}

/// Checks the end state of [`everything`], which must be the same with every fault.
pub(crate) fn check(world: &World, case: &str) {
    for name in JOBS {
        assert_eq!(world.state(name), "succeeded", "{case}: {name}");
        assert_eq!(world.journal.runs(name), 1, "{case}: {name} was run once");
    }
    assert_eq!((world.state("done"), world.journal.runs("done")), ("succeeded", 0), "{case}");
    assert_eq!(world.state("old"), "none", "{case}: the expired record is removed");
    let mut held: Vec<Flaw> =
        world.store.rejected_messages().iter().map(|body| body.rejection.flaw).collect();
    held.sort_by_key(|flaw| flaw.name());
    assert_eq!(held, [Flaw::Alien, Flaw::Malformed, Flaw::Unacknowledged], "{case}");
    assert_eq!(world.queue.len(), 0, "{case}: every queue is empty");
    assert_eq!(world.store.leases(), [], "{case}: no lease is left");
}

#[tokio::test(start_paused = true)]
async fn everything_is_recovered_by_two_ticks() {
    let world = World::new();
    everything(&world).await;
    let report = world.tick().await.unwrap();
    assert_eq!(report.cut_short, Vec::<&str>::new());
    let rescue = &report.done["rescue"];
    assert_eq!((rescue["crashed"], rescue["sent_again"]), (2, 3), "{report:?}");
    assert_eq!(report.done["release"]["released"], 1);
    let redrive = &report.done["redrive"];
    assert_eq!(
        (redrive["held"], redrive["sent_back"], redrive["lease_expiry_indexed"]),
        (3, 1, 1),
        "{report:?}"
    );
    assert_eq!((redrive["already_due"], redrive["ended"]), (1, 1), "{report:?}");
    assert_eq!(report.done["prune"]["removed"], 1);
    assert_eq!(report.done["audit"]["parked_unregistered"], 1);
    world.work(60).await;
    world.tick().await.unwrap();
    world.work(60).await;
    check(&world, "two ticks");
}

#[tokio::test(start_paused = true)]
async fn one_tick_catches_up_after_a_schedule_was_missed_for_ten_minutes() {
    let world = World::new();
    everything(&world).await;
    tokio::time::sleep(MINUTE * 10).await;
    world.tick().await.unwrap();
    world.work(60).await;
    let late =
        ["crashed", "lease_expiry_indexed", "lost", "unsent", "parked", "alive", "waits", "good"];
    for name in late {
        assert_eq!(world.state(name), "succeeded", "{name}");
    }
    world.settle(2).await;
    check(&world, "ten minutes later");
}

#[tokio::test(start_paused = true)]
async fn crashes_are_counted_retried_after_minutes_and_quarantined() {
    let world = World::new();
    world.crash("second", 1, Duration::ZERO).await;
    world.crash("third", 2, Duration::ZERO).await;
    let began = world.now();
    world.tick().await.unwrap();
    world.work(60).await;
    assert_eq!((world.state("second"), world.state("third")), ("waiting", "quarantined"));
    world.settle(4).await;
    assert_eq!(world.state("second"), "succeeded");
    let took = world.store.record(&key("second")).unwrap().phase.ended_at().unwrap().since(began);
    assert!((180..190).contains(&took.as_secs()), "{took:?}");
    assert_eq!(world.journal.runs("third"), 0);
}

#[tokio::test(start_paused = true)]
async fn if_most_running_jobs_seem_stuck_rescue_pauses_for_three_ticks() {
    let world = World::new();
    for n in 0..30 {
        world.crash(&format!("j{n}"), 0, Duration::ZERO).await;
    }
    let mut crashed = Vec::new();
    for _ in 0..4 {
        let report = world.tick().await.unwrap();
        let rescue = report.done.get("rescue").cloned().unwrap_or_default();
        crashed.push(rescue.get("crashed").copied().unwrap_or_default());
        world.work(60).await;
    }
    assert_eq!(crashed, [0, 0, 0, 30]);
    world.settle(1).await;
}

#[tokio::test(start_paused = true)]
async fn only_one_of_two_sweepers_leads_and_a_dead_leader_is_replaced_within_a_minute() {
    use evenkeel::testing::Fault;
    let world = World::new();
    everything(&world).await;
    // The first sweeper dies when it reads the leases.
    world.faults.on("read_all", Fault::DieBefore);
    assert!(world.tick().await.is_none(), "the sweeper died");
    assert!(world.tick().await.unwrap().another_leads, "the dead leader's lease is not over");
    world.work(60).await;
    assert!(!world.tick().await.unwrap().another_leads);
    world.settle(3).await;
    check(&world, "after another one");
}

#[tokio::test(start_paused = true)]
async fn two_sweepers_that_both_act_as_leader_wake_a_job_once() {
    use sweeper::{plan::rescue::send_again, step};
    let world = World::new();
    let late = world.now().before(MINUTE);
    let record = world.put("lost", Phase::Queued { due_at: late });
    let now = world.now();
    let plan = |owner| send_again(&record, ARN, late, owner, now).unwrap();
    let (one, other) = (plan("one"), plan("other"));
    let first = step::take(&world.store, &world.queue, std::slice::from_ref(&one), now).await;
    let second = step::take(&world.store, &world.queue, &[other], now).await;
    assert_eq!((first.written.len(), second.written.len(), second.refused), (1, 0, 1));
    // The first one repeats its step because the answer was lost, and recognises its own write.
    let again = step::take(&world.store, &world.queue, &[one], now).await;
    assert_eq!(
        (again.written.len(), world.queue.len()),
        (1, 2),
        "at worst one message is sent twice"
    );
    world.settle(1).await;
    assert_eq!(world.journal.runs("lost"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_result_is_produced_again() {
    let world = World::new();
    let at = world.now().before(MINUTE * 120);
    for (name, result) in [("empty", "{}"), ("other", "\"else\""), ("sound", "\"done\"")] {
        world.put(name, Phase::Succeeded { at, result: result.into() });
    }
    let report = world.tick().await.unwrap();
    assert_eq!((report.done["audit"]["no_result"], report.done["audit"]["checks"]), (1, 3));
    world.work(60).await;
    world.settle(3).await;
    for (name, runs) in [("empty", 1), ("other", 1), ("sound", 0)] {
        assert_eq!((world.state(name), world.journal.runs(name)), ("succeeded", runs), "{name}");
    }
    let findings: Vec<String> =
        world.store.all_notes("finding").into_iter().map(|(name, _)| name).collect();
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
    let world = World::new();
    let now = world.now();
    let state = State::Forced { open: true, until: now + MINUTE * 600 };
    let breaker = Breaker { generation: 1, state, since: now, ..Breaker::default() };
    world.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
    note_parked(&world, DEPENDENCY).await;
    for n in 0..1_000 {
        let mut record = world.park(&format!("tomorrow-{n}"), now.before(MINUTE));
        record.work.deadline = Some(now + MINUTE * 1_440);
        world.store.put(&record);
    }
    let mut record = world.park("now", now + MINUTE);
    record.work.deadline = Some(now);
    world.store.put(&record);
    let report = world.tick().await.unwrap();
    assert_eq!(report.done["release"]["released"], 1, "{report:?}");
    world.work(5).await;
    assert_eq!(world.state("now"), "dead", "a job without a fallback ends at its deadline");
    assert_eq!(world.state("tomorrow-0"), "parked");
}

/// A deployment has changed the type's payload, so that the payload in the record is no longer in
/// its normal form, or is invalid.
#[tokio::test(start_paused = true)]
async fn a_recorded_payload_in_an_old_form_is_still_run_and_an_invalid_one_ends_the_job() {
    let world = World::new();
    let late = world.now().before(MINUTE);
    let mut spaced = world.put("spaced", Phase::Queued { due_at: late });
    spaced.work.payload = r#"{ "name" : "spaced" }"#.into();
    world.store.put(&spaced);
    let mut refused = world.put("refused", Phase::Queued { due_at: late });
    refused.work.payload = r#"{"title":"refused"}"#.into();
    world.store.put(&refused);
    world.settle(2).await;
    assert_eq!((world.state("spaced"), world.journal.runs("spaced")), ("succeeded", 1));
    let Phase::Dead { why, .. } = world.store.record(&key("refused")).unwrap().phase else {
        panic!("expected a dead job")
    };
    assert!(why.starts_with("its type no longer takes its payload: invalid: payload"), "{why}");
}

/// Many dealers' sites, each with more parked jobs than its share of a tick, and one dependency
/// that all jobs of a type have in common.
#[tokio::test(start_paused = true)]
async fn no_dependency_starves_behind_others() {
    let world = World::new();
    let late = world.now().before(MINUTE);
    let sites: Vec<String> = (0..8).map(|n| format!("a-site-{n}")).collect();
    for site in &sites {
        note_parked(&world, site).await;
        for n in 0..700 {
            let mut record = world.park(&format!("{site}-{n}"), late);
            record.work.dependency.clone_from(site);
            world.store.put(&record);
        }
    }
    note_parked(&world, DEPENDENCY).await;
    world.park("the-type's-own", late);
    world.tick().await.unwrap();
    assert_eq!(
        world.state("the-type's-own"),
        "waiting",
        "the dependency of a whole type comes first"
    );
    let waiting = |site: &str| {
        let records = world.store.records().into_iter();
        records.filter(|r| r.work.dependency == site && r.phase.name() == "waiting").count()
    };
    let before: Vec<bool> = sites.iter().map(|site| waiting(site) > 0).collect();
    assert!(
        before.contains(&false),
        "expected more parked jobs than one tick releases: {before:?}"
    );
    tokio::time::sleep(MINUTE).await;
    world.tick().await.unwrap();
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
    let world = World::new();
    let (now, late) = (world.now(), world.now().before(MINUTE));
    let state = State::Open { retry_at: now + MINUTE * 60, wait: MINUTE };
    let breaker = Breaker { generation: 1, state, since: now, ..Breaker::default() };
    for n in 0..600 {
        let site = format!("site-{n:03}");
        note_parked(&world, &site).await;
        if n != 500 {
            world.store.swap_breaker(&site, &breaker, 0).await.unwrap();
        }
        let mut record = world.park(&site, late);
        record.work.dependency = site;
        world.store.put(&record);
    }
    note_parked(&world, DEPENDENCY).await;
    world.park("the-type's-own", late);
    world.faults.slow(Duration::from_millis(25));
    let mut ticks = 0;
    while world.state("site-500") == "parked" && ticks < 5 {
        world.tick().await.unwrap();
        assert_eq!(world.state("the-type's-own"), "waiting", "released in the first tick");
        tokio::time::sleep(MINUTE).await;
        ticks += 1;
    }
    assert!(ticks < 5, "dependencies left out in one tick come first in the next");
}
