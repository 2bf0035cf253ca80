//! How much a tick reads and how long it takes, with many records that need nothing, and with
//! backlogs.

use std::time::Duration;

use evenkeel::{message::Purpose, record::Phase};

use crate::bench::{
    Bench,
    errands::{DEPENDENCY, body, dead_letter},
    run::MINUTE,
};

/// Most items that a tick may read besides due records: a page of each table, counts and samples.
const CONSTANT: usize = 5_000;

/// Simulated duration of a port call.
const LATENCY: Duration = Duration::from_millis(10);

/// Stores 100,000 records and returns how many of them are due: 1,000 crashed, lost or parked ones.
async fn crowd(bench: &Bench) -> usize {
    let now = bench.now();
    for n in 0..99_000 {
        bench.put(&format!("done-{n}"), Phase::Succeeded { at: now, result: "\"done\"".into() });
    }
    let late = now.before(Duration::from_secs(120));
    for n in 0..400 {
        let phase = Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() };
        // The queue is empty, so these jobs have lost their messages.
        bench.put(&format!("lost-{n}"), phase);
    }
    for n in 0..500 {
        bench.park(&format!("parked-{n}"), late);
    }
    bench.note_parked(DEPENDENCY, None).await;
    // Fewer than a fifth of the running jobs; with more, the sweeper would doubt its reads.
    for n in 0..100 {
        bench.crash(&format!("crashed-{n}"), 0, Duration::from_secs(1)).await;
    }
    for n in 0..60 {
        use evenkeel::{ports::Store as _, record::lease::Lease};
        let jobs = (0..10).map(|job| format!("errand#g:alive-{n}-{job}")).collect();
        let until = now + Duration::from_secs(20);
        bench.store.lease(&Lease { owner: format!("alive-{n}"), until, jobs }).await.unwrap();
    }
    1_000
}

#[tokio::test(start_paused = true)]
async fn a_tick_reads_in_proportion_to_the_due_records_and_ends_in_time() {
    let bench = Bench::errands();
    let due = crowd(&bench).await;
    bench.sweeper_faults.slow(LATENCY);
    let (before, began) = (bench.store.reads(), bench.now());
    let report = bench.tick().await.unwrap();
    let (reads, took) = (bench.store.reads() - before, bench.now().since(began));
    assert_eq!(report.cut_short, Vec::<&str>::new(), "{took:?}");
    // Each due record is read on the index and in the table. A crashed one is read again before its
    // lease is removed.
    assert!(reads <= 3 * due + CONSTANT, "{reads} items read for {due} due records");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(report.done["rescue"]["crashed"], 100);
    assert_eq!(
        report.done["rescue"]["sent_again"], 200,
        "the limit of a tick; the others are sent at the next one"
    );
    // A minute's slots, less those that the ramp leaves out.
    assert!(report.done["release"]["released"] >= 470, "{report:?}");

    let (before, began) = (bench.store.reads(), bench.now());
    bench.tick().await.unwrap();
    bench.tick().await.unwrap();
    let quiet = bench.store.reads();
    bench.tick().await.unwrap();
    let quiet = bench.store.reads() - quiet;
    assert!(quiet <= CONSTANT, "{quiet} items read when nothing is due");
    assert!(bench.store.reads() > before && bench.now() > began);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_only_wait_in_a_backlog_are_neither_read_nor_sent_again() {
    let bench = Bench::errands();
    // Long overdue at the first tick, but not long enough to count as aged at the last one.
    let due_at = bench.now();
    for n in 0..20_000 {
        let name = format!("job-{n}");
        let record = bench.put(&name, Phase::Queued { due_at });
        bench.wake(&record);
    }
    for minute in 0..8 {
        // One batch per second, so the backlog shrinks slowly.
        for _ in 0..60 {
            bench.poll().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let before = bench.store.reads();
        let report = bench.tick().await.unwrap();
        assert!(bench.store.reads() - before <= CONSTANT, "minute {minute}");
        let rescue = report.done.get("rescue").cloned().unwrap_or_default();
        assert_eq!((rescue.get("sent_again"), rescue.get("aged")), (None, None), "{report:?}");
    }
    assert_eq!(bench.sqs.len(), 20_000 - 8 * 600, "no message was sent in addition");
}

/// One message is lost behind a backlog. It is found because only messages that were sent later
/// have been received for minutes.
#[tokio::test(start_paused = true)]
async fn a_message_lost_behind_a_backlog_is_found_by_the_messages_that_overtake_it() {
    let bench = Bench::errands();
    let lost_at = bench.now();
    bench.put("lost", Phase::Waiting { run_after: lost_at, due_at: lost_at, why: "later".into() });
    let mut sent = 0;
    let mut minutes = 0;
    while bench.state("lost") != "succeeded" && minutes < 15 {
        for _ in 0..60 {
            // Twelve messages are sent for each ten that are received, so the backlog grows.
            for _ in 0..12 {
                bench.send(&body(&format!("job-{sent}")));
                sent += 1;
            }
            bench.poll().await;
            bench.poll_high().await;
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        bench.tick().await.unwrap();
        minutes += 1;
    }
    assert_eq!((bench.state("lost"), bench.journal.runs("lost")), ("succeeded", 1));
    assert!((6..12).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn an_aged_job_behind_a_backlog_is_copied_to_the_high_queue() {
    let bench = Bench::errands();
    for n in 0..500 {
        bench.send(&body(&format!("other-{n}")));
    }
    let due_at = bench.now().before(Duration::from_secs(20 * 60));
    for n in 0..30 {
        bench.put(&format!("old-{n}"), Phase::Queued { due_at });
    }
    let report = bench.tick().await.unwrap();
    assert_eq!(report.done["rescue"]["aged"], 20, "the limit of a tick");
    assert_eq!(bench.sqs.bodies(bench.high()).len(), 20);
    let report = bench.tick().await.unwrap();
    assert_eq!(report.done["rescue"].get("aged"), None, "the high queue is not empty");
}

#[tokio::test(start_paused = true)]
async fn concurrency_moves_to_the_busy_queue_also_after_a_deployment_has_reset_it() {
    let bench = Bench::errands();
    let set = |normal, high| {
        bench.mappings.put("errand", normal);
        bench.mappings.put("errand-high", high);
    };
    set(4, 10);
    for n in 0..3_000 {
        bench.send(&body(&format!("job-{n}")));
    }
    let mut slots = Vec::new();
    for _ in 0..8 {
        bench.tick().await.unwrap();
        let all = bench.mappings.all();
        assert!(all["errand"] + all["errand-high"] <= 14, "the total is exceeded: {all:?}");
        slots.push(all["errand"]);
        tokio::time::sleep(MINUTE).await;
    }
    assert_eq!(slots[0], 4, "a single tick moves nothing");
    assert!(slots.windows(2).all(|pair| pair[1] <= pair[0] + pair[0].div_ceil(4)), "{slots:?}");
    assert!(slots[7] >= 9, "{slots:?}");
    set(4, 10);
    for _ in 0..8 {
        bench.tick().await.unwrap();
    }
    assert!(bench.mappings.all()["errand"] >= 9, "balance starts from the deployed values");
}

#[tokio::test(start_paused = true)]
async fn balance_that_is_off_restores_the_deployed_numbers_and_a_paused_mapping_is_left_out() {
    let bench = Bench::errands();
    bench.mappings.put("errand", 3);
    bench.configure(|config| config.balance = false);
    let report = bench.tick().await.unwrap();
    assert_eq!(report.done["balance"]["put_back"], 1);
    assert_eq!(bench.mappings.all()["errand"], 10);

    bench.configure(|config| {
        config.balance = true;
        config.types[0].high.mapping = "paused".into();
    });
    for n in 0..3_000 {
        bench.send(&body(&format!("job-{n}")));
    }
    for _ in 0..3 {
        let report = bench.tick().await.unwrap();
        assert_eq!(report.done["balance"]["left_out"], 1);
    }
    assert_eq!(
        bench.mappings.all()["errand"],
        10,
        "the queue keeps its own slots and gets no others"
    );
}

/// A queue was given slots of others, and its mapping is still being changed: they do not count twice.
#[tokio::test(start_paused = true)]
async fn slots_of_a_mapping_that_is_being_changed_are_not_given_to_others() {
    let bench = Bench::errands();
    let all = bench.mappings.all();
    let total: u32 = all.values().sum();
    bench.mappings.put("errand", all["errand"] + 2);
    bench.mappings.put("errand-high", all["errand-high"] - 2);
    bench.mappings.change("errand", true);
    for n in 0..500 {
        bench.sqs.send_to(bench.high(), dead_letter(body(&format!("job-{n}")), Purpose::Work));
    }
    for _ in 0..6 {
        bench.tick().await.unwrap();
        tokio::time::sleep(MINUTE).await;
        let used: u32 = bench.mappings.all().values().sum();
        assert!(used <= total, "{:?}", bench.mappings.all());
    }
}

#[tokio::test(start_paused = true)]
async fn observations_and_forecasts_are_noted_for_tools() {
    use serde_json::Value;
    let bench = Bench::errands();
    for n in 0..900 {
        bench.send(&body(&format!("job-{n}")));
    }
    let late = bench.now().before(MINUTE);
    let parked = bench.park("parked", late + Duration::from_secs(10_000));
    let mut other = parked.clone();
    other.key = "errand#g:behind-another".into();
    other.work.dependency = "site".into();
    other.parking =
        other.parking.map(|parking| evenkeel::record::Parking { gated: false, ..parking });
    bench.store.put(&other);
    bench.note_parked("site", None).await;
    for _ in 0..6 {
        for _ in 0..10 {
            bench.poll().await;
        }
        bench.tick().await.unwrap();
        tokio::time::sleep(MINUTE).await;
    }
    let notes = bench.store.all_notes("observe");
    let now: Value = serde_json::from_str(&notes[0].1).unwrap();
    assert_eq!(
        now["queues"]["test-errand"]["visible"], 301,
        "300 messages and that of the parked job: {now}"
    );
    assert_eq!(now["types"]["errand"]["succeeded"], 100, "successes of the last complete minute");
    let site = &now["dependencies"]["site"];
    assert_eq!((&site["parked"], &site["breaker"]), (&1.into(), &"closed".into()), "{site}");
    assert!(site["longest_parked_s"].as_u64().is_some_and(|age| age >= 300), "{site}");
    let clears = now["forecasts"].as_array().unwrap().iter().find(|said| said["what"] == "clears");
    let clears = clears.unwrap_or_else(|| panic!("{now}"));
    assert_eq!(clears["about"], "test-errand");
    let in_s = clears["in_s"].as_u64().unwrap();
    assert!((150..=200).contains(&in_s), "300 messages at 100 a minute: {clears}");
    assert_eq!(bench.store.all_notes("history").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_idle_system_returns_to_the_deployed_numbers() {
    let bench = Bench::errands();
    bench.mappings.put("errand", 4);
    for _ in 0..12 {
        bench.tick().await.unwrap();
    }
    let all = bench.mappings.all();
    assert!((9..=10).contains(&all["errand"]) && all["errand-high"] == 4, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn the_audit_walks_the_whole_table_one_page_per_tick() {
    use evenkeel::base::time::Time;
    let bench = Bench::errands();
    for n in 0..450 {
        let at = bench.now();
        bench.put(&format!("a-{n}"), Phase::Succeeded { at, result: "\"done\"".into() });
    }
    let at = Time::default();
    bench.put("z-last", Phase::Succeeded { at, result: "\"done\"".into() });
    let mut states = Vec::new();
    for _ in 0..3 {
        bench.tick().await.unwrap();
        states.push(bench.state("z-last"));
    }
    assert_eq!(states, ["succeeded", "succeeded", "none"], "a page has two hundred records");
    let now: serde_json::Value =
        serde_json::from_str(&bench.store.all_notes("observe")[0].1).unwrap();
    assert_eq!(now["states"]["succeeded"], 450, "the count of the whole walk");
}
