//! How much a tick reads and how long it takes, with many records that need nothing, and with
//! backlogs.

use std::time::Duration;

use evenkeel::{
    message::{OutgoingMessage, Woken},
    record::Phase,
    testing::ARN,
    worker::handle,
};

use super::{
    recovery::note_parked,
    world::{DEPENDENCY, HIGH, World, body},
};

/// Most items that a tick may read besides due records: a page of each table, counts and samples.
const CONSTANT: usize = 5_000;

/// Simulated duration of a port call.
const LATENCY: Duration = Duration::from_millis(10);

/// Stores 100,000 records and returns how many of them are due: 1,000 crashed, lost or parked ones.
async fn crowd(world: &World) -> usize {
    let now = world.now();
    for n in 0..99_000 {
        world.put(&format!("done-{n}"), Phase::Succeeded { at: now, result: "\"done\"".into() });
    }
    let late = now.before(Duration::from_secs(120));
    for n in 0..400 {
        let phase = Phase::Waiting { run_after: late, due_at: late, why: "http_503".into() };
        // The queue is empty, so these jobs have lost their messages.
        world.put(&format!("lost-{n}"), phase);
    }
    for n in 0..500 {
        world.park(&format!("parked-{n}"), late);
    }
    note_parked(world, DEPENDENCY).await;
    // Fewer than a fifth of the running jobs; with more, the sweeper would doubt its reads.
    for n in 0..100 {
        world.crash(&format!("crashed-{n}"), 0, Duration::from_secs(1)).await;
    }
    for n in 0..60 {
        use evenkeel::{ports::Store as _, record::lease::Lease};
        let jobs = (0..10).map(|job| format!("errand#g:alive-{n}-{job}")).collect();
        let until = now + Duration::from_secs(20);
        world.store.lease(&Lease { owner: format!("alive-{n}"), until, jobs }).await.unwrap();
    }
    1_000
}

#[tokio::test(start_paused = true)]
async fn a_tick_reads_in_proportion_to_the_due_records_and_ends_in_time() {
    let world = World::new();
    let due = crowd(&world).await;
    world.faults.slow(LATENCY);
    let (before, began) = (world.store.reads(), world.now());
    let report = world.tick().await.unwrap();
    let (reads, took) = (world.store.reads() - before, world.now().since(began));
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
    assert!(report.done["release"]["released"] >= 480, "{report:?}");

    let (before, began) = (world.store.reads(), world.now());
    world.tick().await.unwrap();
    world.tick().await.unwrap();
    let quiet = world.store.reads();
    world.tick().await.unwrap();
    let quiet = world.store.reads() - quiet;
    assert!(quiet <= CONSTANT, "{quiet} items read when nothing is due");
    assert!(world.store.reads() > before && world.now() > began);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_only_wait_in_a_backlog_are_neither_read_nor_sent_again() {
    let world = World::new();
    // Long overdue at the first tick, but not long enough to count as aged at the last one.
    let due_at = world.now();
    for n in 0..20_000 {
        let name = format!("job-{n}");
        let record = world.put(&name, Phase::Queued { due_at });
        let woken = Woken { key: record.key, fence: record.fence };
        world.queue.send_to(ARN, OutgoingMessage::new(body(&name), Some(woken), None));
    }
    for minute in 0..8 {
        // One batch per second, so the backlog shrinks slowly.
        for _ in 0..60 {
            let event = world.queue.receive_from(ARN, 10);
            let deadline = world.now() + Duration::from_secs(15);
            let failed = handle(&world.function, event.clone(), deadline).await.unwrap();
            world.queue.acknowledge(&event, &failed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let before = world.store.reads();
        let report = world.tick().await.unwrap();
        assert!(world.store.reads() - before <= CONSTANT, "minute {minute}");
        let rescue = report.done.get("rescue").cloned().unwrap_or_default();
        assert_eq!((rescue.get("sent_again"), rescue.get("aged")), (None, None), "{report:?}");
    }
    assert_eq!(world.queue.len(), 20_000 - 8 * 600, "no message was sent in addition");
}

/// One message is lost behind a backlog. It is found because only messages that were sent later
/// have been received for minutes.
#[tokio::test(start_paused = true)]
async fn a_message_lost_behind_a_backlog_is_found_by_the_messages_that_overtake_it() {
    let world = World::new();
    let lost_at = world.now();
    world.put("lost", Phase::Waiting { run_after: lost_at, due_at: lost_at, why: "later".into() });
    let mut sent = 0;
    let mut minutes = 0;
    while world.state("lost") != "succeeded" && minutes < 15 {
        for _ in 0..60 {
            // Twelve messages are sent for each ten that are received, so the backlog grows.
            for _ in 0..12 {
                world.queue.send(&body(&format!("job-{sent}")));
                sent += 1;
            }
            let event = world.queue.receive_from(ARN, 10);
            let deadline = world.now() + Duration::from_secs(15);
            let failed = handle(&world.function, event.clone(), deadline).await.unwrap();
            world.queue.acknowledge(&event, &failed);
            let high = world.queue.receive_from(HIGH, 10);
            let failed = handle(&world.function, high.clone(), deadline).await.unwrap();
            world.queue.acknowledge(&high, &failed);
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        world.tick().await.unwrap();
        minutes += 1;
    }
    assert_eq!((world.state("lost"), world.journal.runs("lost")), ("succeeded", 1));
    assert!((6..12).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn an_aged_job_behind_a_backlog_is_copied_to_the_high_queue() {
    let world = World::new();
    for n in 0..500 {
        world.queue.send(&body(&format!("other-{n}")));
    }
    let due_at = world.now().before(Duration::from_secs(20 * 60));
    for n in 0..30 {
        world.put(&format!("old-{n}"), Phase::Queued { due_at });
    }
    let report = world.tick().await.unwrap();
    assert_eq!(report.done["rescue"]["aged"], 20, "the limit of a tick");
    assert_eq!(world.queue.bodies(HIGH).len(), 20);
    let report = world.tick().await.unwrap();
    assert_eq!(report.done["rescue"].get("aged"), None, "the high queue is not empty");
}

#[tokio::test(start_paused = true)]
async fn concurrency_moves_to_the_busy_queue_also_after_a_deployment_has_reset_it() {
    let world = World::new();
    let set = |normal, high| {
        world.mappings.put("normal", normal);
        world.mappings.put("high", high);
    };
    set(4, 10);
    for n in 0..3_000 {
        world.queue.send(&body(&format!("job-{n}")));
    }
    let mut slots = Vec::new();
    for _ in 0..8 {
        world.tick().await.unwrap();
        let all = world.mappings.all();
        assert!(all["normal"] + all["high"] <= 14, "the total is exceeded: {all:?}");
        slots.push(all["normal"]);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(slots[0], 4, "a single tick moves nothing");
    assert!(slots.windows(2).all(|pair| pair[1] <= pair[0] + pair[0].div_ceil(4)), "{slots:?}");
    assert!(slots[7] >= 9, "{slots:?}");
    set(4, 10);
    for _ in 0..8 {
        world.tick().await.unwrap();
    }
    assert!(world.mappings.all()["normal"] >= 9, "balance starts from the deployed values");
}

#[tokio::test(start_paused = true)]
async fn balance_that_is_off_restores_the_deployed_numbers_and_a_paused_mapping_is_left_out() {
    let mut world = World::new();
    world.mappings.put("normal", 3);
    world.sweeper.config.balance = false;
    let report = world.tick().await.unwrap();
    assert_eq!(report.done["balance"]["put_back"], 1);
    assert_eq!(world.mappings.all()["normal"], 10);

    world.sweeper.config.balance = true;
    world.sweeper.config.types[0].high.mapping = "paused".into();
    for n in 0..3_000 {
        world.queue.send(&body(&format!("job-{n}")));
    }
    for _ in 0..3 {
        let report = world.tick().await.unwrap();
        assert_eq!(report.done["balance"]["left_out"], 1);
    }
    assert_eq!(
        world.mappings.all()["normal"],
        10,
        "the queue keeps its own slots and gets no others"
    );
}

#[tokio::test(start_paused = true)]
async fn observations_and_forecasts_are_noted_for_tools() {
    use serde_json::Value;
    let world = World::new();
    for n in 0..900 {
        world.queue.send(&body(&format!("job-{n}")));
    }
    let late = world.now().before(Duration::from_secs(60));
    let parked = world.park("parked", late + Duration::from_secs(10_000));
    let mut other = parked.clone();
    other.key = "errand#g:behind-another".into();
    other.work.dependency = "site".into();
    other.parking =
        other.parking.map(|parking| evenkeel::record::Parking { gated: false, ..parking });
    world.store.put(&other);
    note_parked(&world, "site").await;
    for _ in 0..6 {
        for _ in 0..10 {
            let event = world.queue.receive_from(ARN, 10);
            let deadline = world.now() + Duration::from_secs(15);
            let failed = handle(&world.function, event.clone(), deadline).await.unwrap();
            world.queue.acknowledge(&event, &failed);
        }
        world.tick().await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let notes = world.store.all_notes("observe");
    let now: Value = serde_json::from_str(&notes[0].1).unwrap();
    assert_eq!(
        now["queues"]["test-url-shortening"]["visible"], 301,
        "300 messages and that of the parked job: {now}"
    );
    assert_eq!(now["types"]["errand"]["succeeded"], 100, "successes of the last complete minute");
    let site = &now["dependencies"]["site"];
    assert_eq!((&site["parked"], &site["breaker"]), (&1.into(), &"closed".into()), "{site}");
    assert!(site["longest_parked_s"].as_u64().is_some_and(|age| age >= 300), "{site}");
    let clears = now["forecasts"].as_array().unwrap().iter().find(|said| said["what"] == "clears");
    let clears = clears.unwrap_or_else(|| panic!("{now}"));
    assert_eq!(clears["about"], "test-url-shortening");
    let in_s = clears["in_s"].as_u64().unwrap();
    assert!((150..=200).contains(&in_s), "300 messages at 100 a minute: {clears}");
    assert_eq!(world.store.all_notes("history").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_idle_system_returns_to_the_deployed_numbers() {
    let world = World::new();
    world.mappings.put("normal", 4);
    for _ in 0..12 {
        world.tick().await.unwrap();
    }
    let all = world.mappings.all();
    assert!((9..=10).contains(&all["normal"]) && all["high"] == 4, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn the_audit_walks_the_whole_table_one_page_per_tick() {
    use evenkeel::base::time::Time;
    let world = World::new();
    for n in 0..450 {
        let at = world.now();
        world.put(&format!("a-{n}"), Phase::Succeeded { at, result: "\"done\"".into() });
    }
    let at = Time::default();
    world.put("z-last", Phase::Succeeded { at, result: "\"done\"".into() });
    let mut states = Vec::new();
    for _ in 0..3 {
        world.tick().await.unwrap();
        states.push(world.state("z-last"));
    }
    assert_eq!(states, ["succeeded", "succeeded", "none"], "a page has two hundred records");
    let now: serde_json::Value =
        serde_json::from_str(&world.store.all_notes("observe")[0].1).unwrap();
    assert_eq!(now["states"]["succeeded"], 450, "the count of the whole walk");
}
