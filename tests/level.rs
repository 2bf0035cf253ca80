//! What a flood does to others: how fast it is worked off, what it costs, and who waits for it.

mod parked;

use std::{collections::BTreeMap, time::Duration};

use evenkeel::{
    base::time::Time,
    dependency::{
        limiter::Rates,
        stats::{Calls, ContainerCounts},
    },
    message::OutgoingMessage,
    record::Parking,
    record::outcomes::{BUSY_MS, JOBS},
    testing::sqs::Habits,
};

use crate::bench::{
    Bench, Kind,
    errands::{DEPENDENCY, errand, errand_of, key},
};

/// The limits of the template's defaults.
const RATES: Rates = Rates::each_second(8, 18_000);

/// Milliseconds of a call.
const CALL_MS: u64 = 300;

/// How long a call of AWS takes. If it took no time, one container could do the work of two.
const CALL_OF_AWS: Duration = Duration::from_millis(4);

fn send(bench: &Bench, name: &str, group: &str) {
    let group = Some(group.to_owned());
    let message = OutgoingMessage::new(errand(name, CALL_MS, &[]), None, group);
    bench.sqs.send_to(bench.queue(), message);
}

fn ended_at(bench: &Bench, name: &str) -> Option<Time> {
    bench.store.record(&key(name))?.phase.ended_at()
}

/// Calls in each second since `began`.
fn by_second(calls: &[Time], began: Time) -> BTreeMap<u64, usize> {
    let mut seconds = BTreeMap::new();
    for at in calls {
        *seconds.entry(at.since(began).as_secs()).or_default() += 1;
    }
    seconds
}

/// A thousand jobs at once, if each call of AWS takes this long.
async fn a_thousand_jobs(call_of_aws: Duration) {
    let bench = Bench::errands_at(RATES);
    bench.faults.slow(call_of_aws);
    let began = bench.now();
    (0..1_000).for_each(|n| send(&bench, &format!("job-{n}"), "acme"));
    bench.drain().await;
    let took = bench.now().since(began);
    let calls = bench.journal.calls();
    let seconds = by_second(&calls, began);
    let last = *seconds.keys().max().unwrap();
    let silent: Vec<u64> = (0..last).filter(|second| !seconds.contains_key(second)).collect();
    assert_eq!((calls.len(), silent), (1_000, vec![]), "no second without a call");
    assert!(took <= Duration::from_secs(137), "{took:?}");
    let writes = bench.store.units().writes;
    let received = bench.sqs.received();
    assert!(writes <= 3_000, "{writes} write units");
    assert!(received <= 2_500, "{received} receives");
    // A job that was parked once has a deferral more, also after its end.
    let deferred = bench.store.records().iter().filter(|record| record.counters.defers > 0).count();
    assert_eq!(deferred, 0, "none was parked, nor claimed without a slot");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_at_once_use_every_second_and_cost_little() {
    a_thousand_jobs(Duration::ZERO).await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_at_once_cost_little_too_while_calls_of_aws_take_their_time() {
    a_thousand_jobs(CALL_OF_AWS).await;
}

/// More concurrency would only make more jobs wait for their slots.
#[tokio::test(start_paused = true)]
async fn waits_for_slots_count_neither_as_busy_time_nor_as_latency_nor_as_run_time() {
    let bench = Bench::errands_at(RATES);
    (0..100).for_each(|n| send(&bench, &format!("job-{n}"), "acme"));
    bench.drain().await;
    let (mut jobs, mut busy_ms, mut runs, mut calls) = (0, 0, 0, 0);
    for (key, bucket) in bench.store.all_buckets() {
        if key.subject == ContainerCounts::subject("errand") {
            jobs += bucket.count(JOBS);
            busy_ms += bucket.count(BUSY_MS);
            let took = bucket.histogram('w');
            runs += took.total();
            let longest = took.quantile(1.0).unwrap_or_default();
            assert!(longest <= Duration::from_millis(2 * CALL_MS), "a run took {longest:?}");
        } else if key.subject == DEPENDENCY {
            let latency = Calls::from(&bucket).latency;
            calls += latency.total();
            let slowest = latency.quantile(1.0).unwrap_or_default();
            assert!(slowest <= Duration::from_millis(2 * CALL_MS), "{slowest:?}");
        }
    }
    assert!(jobs >= 50 && runs >= 50, "{jobs} jobs, {runs} runs");
    assert!(calls >= 50, "{calls} calls");
    // The four runs of a batch that go together take a slot each; three rounds are a batch.
    assert!(busy_ms / jobs <= CALL_MS / 2, "{busy_ms} ms for {jobs} jobs");
}

#[tokio::test(start_paused = true)]
async fn a_job_of_high_priority_overtakes_ten_thousand_others() {
    let bench = Bench::errands_at(RATES);
    (0..10_000).for_each(|n| send(&bench, &format!("job-{n}"), "acme"));
    bench.run_for(Duration::from_secs(60)).await;
    let sent_at = bench.now();
    let message = OutgoingMessage::new(errand("urgent", CALL_MS, &[]), None, None);
    bench.sqs.send_to(bench.high(), message);
    bench.until(|bench| ended_at(bench, "urgent").is_some()).await;
    let took = bench.now().since(sent_at);
    assert!(took <= Duration::from_secs(15), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn twenty_jobs_of_one_dealer_overtake_the_five_thousand_of_another_in_the_queue() {
    let bench = Bench::errands_at(RATES);
    bench.sqs.behave(Habits { is_fair: true, ..Habits::default() }, 1);
    (0..5_000).for_each(|n| send(&bench, &format!("a-{n}"), "dealer-a"));
    bench.run_for(Duration::from_secs(30)).await;
    let sent_at = bench.now();
    (0..20).for_each(|n| send(&bench, &format!("b-{n}"), "dealer-b"));
    let all = |bench: &Bench| (0..20).all(|n| ended_at(bench, &format!("b-{n}")).is_some());
    bench.until(all).await;
    let took = bench.now().since(sent_at);
    assert!(took <= Duration::from_secs(60), "{took:?}");
}

/// They wait for their slots one after the other, and do not all come back for the same one.
#[tokio::test(start_paused = true)]
async fn many_jobs_of_high_priority_are_received_few_times() {
    let bench = Bench::errands_at(Rates::each_second(1, 3_600));
    bench.faults.slow(CALL_OF_AWS);
    for n in 0..300 {
        let message = OutgoingMessage::new(errand(&format!("job-{n}"), CALL_MS, &[]), None, None);
        bench.sqs.send_to(bench.high(), message);
    }
    bench.drain().await;
    assert_eq!(bench.journal.calls().len(), 300);
    let received = bench.sqs.received();
    assert!(received <= 900, "{received} receives");
}

/// A message cannot be hidden for ever: one whose slot is over a minute ahead is claimed and parked.
#[tokio::test(start_paused = true)]
async fn jobs_whose_slots_are_over_a_minute_ahead_are_parked() {
    let bench = Bench::errands_at(Rates::each_second(1, 3_600));
    (0..150).for_each(|n| send(&bench, &format!("job-{n}"), "acme"));
    bench.run_for(Duration::from_secs(30)).await;
    let records = bench.store.records();
    let parked = records.iter().filter(|record| record.phase.name() == "parked").count();
    // A minute's slots are promised, and those of the horizon reserved.
    assert!((60..=100).contains(&parked), "{parked}");
    bench.drain().await;
    assert_eq!(bench.journal.calls().len(), 150);
}

fn park(bench: &Bench, name: &str, group: &str, is_high: bool, due_at: Time) {
    let mut record = bench.park(name, due_at);
    record.work.group = Some(group.to_owned());
    // It waits for a slot, not for a breaker.
    record.parking = record.parking.map(|parking| Parking { gated: false, ..parking });
    if is_high {
        bench.high().clone_into(&mut record.work.queue);
    }
    bench.store.put(&record);
}

#[tokio::test(start_paused = true)]
async fn parked_jobs_of_high_priority_go_first_and_those_of_each_dealer_in_turn() {
    let bench = Bench::errands_at(RATES);
    let began = bench.now();
    bench.note_parked(DEPENDENCY, Some(RATES)).await;
    (0..5_000).for_each(|n| park(&bench, &format!("a-{n}"), "dealer-a", false, began));
    // They were parked last.
    let later = began + Duration::from_secs(1);
    (0..20).for_each(|n| park(&bench, &format!("b-{n}"), "dealer-b", false, later));
    (0..5).for_each(|n| park(&bench, &format!("urgent-{n}"), "dealer-a", true, later));
    tokio::time::advance(Duration::from_secs(1)).await;
    bench.tick().await.unwrap();
    let released = bench.now();
    let done = |bench: &Bench, kind: &str, count: usize| {
        (0..count).all(|n| ended_at(bench, &format!("{kind}-{n}")).is_some())
    };
    bench.until(|bench| done(bench, "urgent", 5)).await;
    let took = bench.now().since(released);
    assert!(took <= Duration::from_secs(5), "of high priority: {took:?}");
    bench.until(|bench| done(bench, "b", 20)).await;
    let took = bench.now().since(released);
    assert!(took <= Duration::from_secs(15), "of the other dealer: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn further_calls_waste_no_slots_of_others() {
    let bench = Bench::errands_at(RATES);
    let began = bench.now();
    let (mut calls, mut n) = (0, 0);
    while calls < 2_400 {
        let of = if n % 5 == 0 { 10 } else { 1 };
        bench.send(&errand_of(&format!("job-{n}"), of));
        (calls, n) = (calls + of, n + 1);
    }
    bench.drain().await;
    let made = bench.journal.all_calls();
    let took = bench.now().since(began).as_secs_f64();
    let slots = took * f64::from(RATES.per_minute) / 60.0;
    let useful = f64::from(calls) / slots;
    assert!(useful >= 0.9, "{useful:.2} of {slots:.0} slots in {took:.0} s, {} calls", made.len());
    let wasted = made.len() - usize::try_from(calls).unwrap();
    assert!(wasted <= made.len() / 20, "{wasted} calls were made again");
}

const CONTAINERS: u32 = 1_000;
const HOSTS: u64 = 5_000;

/// The network goes down for a minute and a half under a large fleet, comes back, and the backlog is worked off. Of `jobs`,
/// most are for one of many hosts; each of the `shared` ones has the same dependency. No partition of a table comes near
/// what DynamoDB serves in a second (1,000 write units, 3,000 read units), and no control item grows large. Returns how
/// many containers were started.
async fn survives_an_outage(bench: &Bench, [jobs, shared]: [u64; 2]) -> u64 {
    bench.untraced();
    bench.mappings.put(&bench.function().job_type.normal.mapping, CONTAINERS);
    bench.configure(|config| {
        config.types[0].normal.concurrency = CONTAINERS;
        config.balance = false;
    });
    let call_of_aws = Duration::from_millis(5);
    bench.faults.slow(call_of_aws);
    bench.sweeper_faults.slow(call_of_aws);
    bench.journal.go_down(bench.now() + Duration::from_secs(90));
    for n in 0..jobs {
        // The shared ones are spread evenly among the others, of which no two run out of time alike.
        let is_shared = (n + 1) * shared / jobs > n * shared / jobs;
        let takes_ms = if is_shared { CALL_MS } else { 1_000 + (n * 7_919) % 3_000 };
        let name = if is_shared { "shared".into() } else { format!("at-host-{}", n % HOSTS) };
        bench.send(&errand(&format!("{name}/{n}"), takes_ms, &[]));
    }
    bench.settle(Duration::from_mins(90)).await;
    let records = bench.store.records();
    let failed = records.iter().find(|record| record.phase.name() != "succeeded");
    assert_eq!(failed, None);
    for (partition, peak) in bench.store.peaks() {
        assert!(peak.writes <= 500, "{partition}: {} write units in a second", peak.writes);
        assert!(peak.half_reads <= 3_000, "{partition}: {} halves of a read", peak.half_reads);
    }
    let (partition, bytes) = bench.store.largest_control_item();
    assert!(bytes <= 32 * 1_024, "{partition}: {bytes} bytes");
    bench.containers().started()
}

#[tokio::test(start_paused = true)]
async fn a_fleet_in_an_outage_overloads_no_partition() {
    let started = survives_an_outage(&Bench::errands(), [6_000, 0]).await;
    assert!(started > 900, "{started}");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_with_a_limiter_for_each_host_overloads_no_partition() {
    let bench = Bench::errands_at(Rates::each_minute(120, 2));
    let started = survives_an_outage(&bench, [10_000, 0]).await;
    assert!(started > 900, "{started}");
}

/// The dependency that 7,400 jobs share takes two calls a second. The mapping begins with five pollers, and adds five
/// only after a second in which all are busy and none ends a batch. So there are twenty containers before the first
/// batches end, and not the thousand at once of the two tests above.
#[tokio::test(start_paused = true)]
async fn an_hour_of_backlog_beside_an_outage_overloads_no_partition() {
    let kinds = [Kind::LongErrands(Some(Rates::each_minute(120, 2)))];
    let bench = Bench::with_mappings(&kinds, |mapping| mapping.scales_up = true);
    let began = bench.now();
    let started = survives_an_outage(&bench, [14_800, 7_400]).await;
    assert!(started >= 20, "{started}");
    assert!(bench.now().since(began) >= Duration::from_mins(60));
}
