//! How soon everything is done after a dependency was down.

mod short;
mod stops;
mod watch;

use std::{future::pending, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::{
        breaker::{Breaker, State},
        limiter::Rates,
    },
    ports::{Control as _, notes::NoteKey},
    record::Phase,
    testing::{Fault as PortFault, POLICY},
};
use sandbox::{Fault, FaultKind, Scope, Target};

use crate::bench::{
    Bench, Kind,
    errands::{DEPENDENCY, errand},
    run::MINUTE,
    third_parties::shortening,
};

/// The limits of the template's defaults.
const RATES: Rates = Rates::each_second(8, 18_000);

/// How long all is well before an outage.
const HEALTHY: Duration = Duration::from_secs(20);

fn second(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What an outage was like.
#[derive(Debug)]
struct Outage {
    /// From its end until the last job is done that came before it ended.
    recovered: Duration,
    /// Calls in its first three minutes.
    calls: usize,
    /// When it ended.
    ended: Time,
    /// The breaker at that time.
    breaker: Breaker,
}

/// One job comes each second, and the service is down for `down`. `begins` is when, within the sweeper's minute.
async fn outage(begins: Duration, down: Duration) -> Outage {
    let bench = Bench::of(&[Kind::Shortening(RATES)]);
    tokio::time::advance(begins).await;
    let began = bench.now() + HEALTHY;
    let ended = began + down;
    let jobs = (HEALTHY + down).as_secs();
    let happens = async {
        let mut breaker = Breaker::default();
        for n in 0..jobs + 120 {
            let car = format!("https://www.acme.example/car/{n}");
            bench.send(&shortening(&format!("1HGCM82633A{n:06}"), &car));
            if n == HEALTHY.as_secs() {
                let fault = Fault {
                    kind: FaultKind::status(503),
                    on: Target::default(),
                    scope: Scope::share(1.0, 0),
                    after_work: false,
                };
                bench.control().add_fault(&fault).await.unwrap();
            }
            if n == jobs {
                bench.control().clear_faults().await.unwrap();
                let dependency = url_shortening::POLICY.dependency;
                breaker = bench.store.breaker(dependency).await.unwrap().value;
            }
            tokio::time::sleep(second(1)).await;
        }
        breaker
    };
    let breaker = bench.run_while(happens).await;
    bench.drain().await;
    let records = bench.store.records();
    let waited = records.iter().filter(|record| record.work.created_at < ended);
    let last = waited.map(|record| record.phase.ended_at().unwrap()).max().unwrap();
    let calls = bench.control().calls().await.unwrap();
    let early = |at: Time| at >= began && at < began + second(180).min(down);
    let calls = calls.iter().filter(|call| early(Time::from_millis(call.at_ms))).count();
    Outage { recovered: last.since(ended), calls, ended, breaker }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_minutes_is_over_for_all_jobs_within_a_minute() {
    for begins in [0, 13, 29, 47] {
        for down in [90, 180] {
            let outage = outage(second(begins), second(down)).await;
            assert!(outage.recovered <= second(60), "{down} s, from {begins}: {outage:?}");
            assert!(outage.calls <= 30, "{down} s, from {begins}: {outage:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_ten_minutes_is_over_for_all_jobs_soon() {
    for begins in [7, 41] {
        let outage = outage(second(begins), second(600)).await;
        assert!(outage.recovered <= second(150), "{outage:?}");
        assert!(outage.calls <= 30, "{outage:?}");
    }
}

/// Opens the breaker of a dependency, which may be probed soon.
async fn open_breaker(bench: &Bench, dependency: &str) {
    let (now, wait) = (bench.now(), second(60));
    let state = State::Open { retry_at: now + second(10), wait };
    let breaker =
        Breaker { generation: 1, state, since: now, down_since: now, ..Breaker::default() };
    bench.store.swap_breaker(dependency, &breaker, 0).await.unwrap();
}

/// A bench whose only dependency recovers, so that the sweeper stays awake.
async fn recovering() -> Bench {
    let bench = Bench::errands();
    open_breaker(&bench, DEPENDENCY).await;
    bench.note_parked(DEPENDENCY, None).await;
    for n in 0..500 {
        bench.park(&format!("job-{n}"), bench.now());
    }
    bench
}

/// Scheduler calls at least once a minute, which may mean 119 seconds from one call to the next.
#[tokio::test(start_paused = true)]
async fn the_next_call_gets_the_lead_within_seconds_and_the_one_before_ends() {
    for gap in [1, 61, 119] {
        let bench = recovering().await;
        let began = bench.now();
        let first = async {
            let report = bench.awake(pending()).await.unwrap();
            (report, bench.now().since(began))
        };
        let next = async {
            tokio::time::sleep(second(gap)).await;
            let report = bench.tick().await.unwrap();
            (report, bench.now().since(began))
        };
        let ((first, first_ended), (next, next_ended)) = tokio::join!(first, next);
        assert!(!first.another_leads && !next.another_leads, "{gap} s: each of them led");
        assert!(first_ended >= second(gap), "{gap} s: it stayed awake: {first_ended:?}");
        assert!(next_ended <= second(gap + 5), "{gap} s: {next_ended:?}");
        assert!(first_ended <= next_ended, "{gap} s: {first_ended:?}, {next_ended:?}");
        let looks = first.done.get("watch").map_or(0, |done| done["looks"]);
        assert!(looks + 2 >= gap / 3, "{gap} s: {looks} looks");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_while_it_is_awake_is_replaced_by_the_next_call() {
    let bench = recovering().await;
    let dies = async {
        tokio::time::sleep(second(60)).await;
        bench.sweeper_faults.on("swap_note", PortFault::DieBefore);
    };
    let (report, ()) = tokio::join!(bench.awake(pending()), dies);
    assert!(report.is_none(), "it died");
    bench.sweeper_faults.clear();
    let began = bench.now();
    let report = bench.tick().await.unwrap();
    let waited = bench.now().since(began);
    assert!(!report.another_leads && waited <= second(20), "{waited:?}: {report:?}");
    assert!(waited >= second(5), "the lease has to end first: {waited:?}");
}

/// A platform with thousands of hosts is gone for good. That must not keep the sweeper awake for ever.
#[tokio::test(start_paused = true)]
async fn hosts_that_are_down_do_not_keep_the_sweeper_awake() {
    let bench = Bench::errands();
    for n in 0..5_000 {
        let host = format!("page/host-{n}.example");
        open_breaker(&bench, &host).await;
        bench.note_parked(&host, None).await;
        let mut record = bench.park(&format!("at-host-{n}.example"), bench.now());
        record.work.dependency = host;
        bench.store.put(&record);
    }
    let began = bench.now();
    let report = bench.awake(pending()).await.unwrap();
    let took = bench.now().since(began);
    assert!(took < MINUTE && !report.done.contains_key("watch"), "{took:?}: {report:?}");
}

/// The lead is passed on to a call that has died.
#[tokio::test(start_paused = true)]
async fn if_the_call_that_asked_for_the_lead_has_died_the_next_one_finds_it_free() {
    let bench = recovering().await;
    let asks = async {
        // Between two looks of the leader.
        tokio::time::sleep(second(31)).await;
        bench.sweeper_faults.on("swap_note", PortFault::DieAfter);
        assert!(bench.tick().await.is_none(), "it died");
        bench.sweeper_faults.clear();
    };
    let (report, ()) = tokio::join!(bench.awake(pending()), asks);
    assert!(!report.unwrap().another_leads);
    let began = bench.now();
    assert!(!bench.tick().await.unwrap().another_leads);
    assert_eq!(bench.now(), began, "it need not wait");
}

/// A leader that cannot renew its lease loses it to the next call. It must not end that one's lease, nor overwrite what
/// that one remembers.
#[tokio::test(start_paused = true)]
async fn a_leader_that_has_lost_its_lease_leaves_its_successor_alone() {
    let bench = recovering().await;
    // Only the first process: its renewals fail from now on.
    let first = async {
        let cut_off = async {
            tokio::time::sleep(second(20)).await;
            bench.sweeper_faults.on("swap_note", PortFault::Before);
            tokio::time::sleep(second(18)).await;
            bench.sweeper_faults.clear();
        };
        tokio::join!(bench.awake(pending()), cut_off).0
    };
    let successor = async {
        tokio::time::sleep(second(38)).await;
        bench.awake(tokio::time::sleep(second(40))).await
    };
    let third = async {
        tokio::time::sleep(second(55)).await;
        let asked = bench.now();
        let report = bench.tick().await;
        (report, bench.now().since(asked))
    };
    let (first, successor, (third, waited)) = tokio::join!(first, successor, third);
    let leads =
        |report: &Option<sweeper::tick::Report>| report.as_ref().is_some_and(|r| !r.another_leads);
    assert!(leads(&first) && leads(&successor) && leads(&third));
    // The third asks the second for the lead; if the first had ended its lease, it would have found it free.
    assert!(waited >= second(1), "{waited:?}");
    assert_eq!(successor.unwrap().cut_short, Vec::<&str>::new());
}

/// A dependency has more parked jobs than a minute's slots, and was registered long ago. While the sweeper looks at it
/// again and again, it must not be forgotten.
#[tokio::test(start_paused = true)]
async fn a_watched_dependency_with_a_backlog_stays_registered() {
    let bench = Bench::errands();
    bench.note_parked(DEPENDENCY, None).await;
    tokio::time::advance(MINUTE * 45).await;
    let now = bench.now();
    let state = State::Closed;
    let breaker = Breaker { generation: 3, state, since: now, ..Breaker::default() };
    bench.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
    for n in 0..1_500 {
        bench.park(&format!("job-{n}"), now);
    }
    bench.awake(tokio::time::sleep(second(50))).await.unwrap();
    let note = bench.store.note(&NoteKey::watched(DEPENDENCY)).await.unwrap();
    assert!(note.value.is_some());
    bench.settle(MINUTE * 10).await;
}

/// An operator deletes the item of an open breaker. The jobs behind it are released as slowly as after any outage.
#[tokio::test(start_paused = true)]
async fn jobs_behind_a_breaker_whose_item_was_deleted_are_released_in_a_ramp() {
    let bench = Bench::errands_at(RATES);
    bench.note_parked(DEPENDENCY, Some(RATES)).await;
    for n in 0..200 {
        bench.park(&format!("job-{n}"), bench.now());
    }
    bench.tick().await.unwrap();
    bench.run_for(second(8)).await;
    let calls = bench.journal.calls().len();
    // One a second for five seconds, then two; at the full rate there would be sixty.
    assert!((5..=15).contains(&calls), "{calls} calls");
    bench.settle(MINUTE * 3).await;
    assert_eq!(bench.journal.calls().len(), 200);
}

/// A dependency that never comes back gets ever fewer probes. All its jobs end in time nevertheless.
#[tokio::test(start_paused = true)]
async fn jobs_parked_behind_a_breaker_that_never_closes_are_given_up_in_time() {
    for is_forced in [false, true] {
        let bench = Bench::errands();
        let begun = bench.now();
        for n in 0..60 {
            bench.send(&errand(&format!("job-{n}"), 100, &["transient"]));
        }
        if is_forced {
            let state = State::Forced { open: true, until: begun + POLICY.give_up_after * 9 };
            let breaker = Breaker { generation: 1, state, ..Breaker::default() };
            bench.store.swap_breaker(DEPENDENCY, &breaker, 0).await.unwrap();
        }
        // One that a 429 had parked before.
        let asked = Phase::Parked { run_after: begun + MINUTE, why: "http_429".into() };
        bench.put("asked-to-wait", asked);
        bench.note_parked(DEPENDENCY, None).await;
        bench.run_for(POLICY.give_up_after + MINUTE * 3).await;
        let records = bench.store.records();
        assert_eq!(records.len(), 61);
        let dead = records.iter().filter(|record| record.phase.name() == "dead").count();
        assert_eq!(dead, 61, "forced: {is_forced}");
        let given_up = records.iter().filter(
            |record| matches!(&record.phase, Phase::Dead { why, .. } if why.contains("gave up")),
        );
        assert!(given_up.count() > 50, "forced: {is_forced}: {records:?}");
    }
}
