//! What a job's page says of it: what it waits for, and the one command that would help.

use evenkeel::record::Parking;

use super::*;

/// The part of a job's page that explains it.
fn explanation(page: &str) -> &str {
    let (_, rest) = page.split_once("<section id=\"explanation\"").unwrap();
    rest.split("</section>").next().unwrap()
}

/// The commands in a part of a page.
fn commands(part: &str) -> Vec<&str> {
    let texts = part.split("<pre ").skip(1).filter_map(|pre| pre.split_once("<bdi>"));
    texts.filter_map(|(_, rest)| rest.split("</bdi>").next()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_job_that_was_given_up_is_explained_with_the_command_that_lets_it_begin_anew() {
    let ports = ports().with_record(&record("1", "{}", "gone for good"));
    let text = page(&ports, "/job?id=1").await;
    let part = explanation(&text);
    assert!(part.contains("It was given up: gone for good."), "{part}");
    assert!(fact(part, "what helps").starts_with("Correct the cause"), "{part}");
    assert_eq!(commands(part), ["evenkeel jobs retry a#g:1 --reason WHY --stack s"]);
}

/// A job that waits until the breaker of `d` lets it go.
fn parked() -> Record {
    let run_after = NOW + Duration::from_secs(40);
    let ends_at = Some(NOW + Duration::from_hours(2));
    let parking = Parking {
        since: NOW.before(Duration::from_mins(2)),
        gated: true,
        ends_at,
        paused_since: None,
    };
    Record {
        phase: Phase::Parked { run_after, why: "the breaker is open".into() },
        parking: Some(parking),
        ..record("1", "{}", "d")
    }
}

/// A stack with that job, so many others before it, and this breaker.
fn behind(others: u64, systemic: bool) -> MemoryPorts {
    let job = parked();
    let partition = job.due_entry().unwrap().partition;
    let other = |n: u64| DueItem {
        key: format!("a#g:other-{n}"),
        partition: partition.clone(),
        due_at: NOW,
        state: "parked".into(),
        kind: "a".into(),
        ..DueItem::default()
    };
    let retry_at = NOW + Duration::from_secs(40);
    let state = BreakerState::Open { retry_at, wait: Duration::ZERO };
    let why = "9 of 10 calls failed".to_owned();
    let breaker = Breaker { generation: 4, state, why, systemic, ..Breaker::default() };
    ports().with_due((0..others).map(other)).with_record(&job).with_breaker("d", breaker)
}

#[tokio::test(start_paused = true)]
async fn a_parked_job_is_explained_with_its_gate_its_place_and_the_next_probe() {
    let text = page(&behind(7, false), "/job?id=1").await;
    let part = explanation(&text);
    assert!(part.contains("It is parked, without a message: the breaker is open."), "{part}");
    let gate = fact(part, "gate");
    assert!(gate.starts_with("breaker of d: open until in 40 s · "), "{gate}");
    assert!(gate.ends_with(" (9 of 10 calls failed)"), "{gate}");
    assert_eq!(fact(part, "before it"), "7");
    assert!(fact(part, "runs from").starts_with("in 40 s · "), "{part}");
    assert!(fact(part, "by what").starts_with("probes are let through then"), "{part}");
    assert_eq!(fact(part, "what helps"), "Nothing needs to be done.");
    assert_eq!(commands(part), Vec::<&str>::new());
    let text = page(&behind(101, false), "/job?id=1").await;
    assert_eq!(fact(explanation(&text), "before it"), "100+", "it was not counted further");
}

#[tokio::test(start_paused = true)]
async fn a_job_behind_what_only_an_operator_can_fix_is_explained_with_one_command() {
    let text = page(&behind(0, true), "/job?id=1").await;
    let part = explanation(&text);
    assert!(fact(part, "what helps").starts_with("Fix what d refuses, such as a revoked key"));
    assert_eq!(commands(part), ["evenkeel breaker show d --stack s"]);
}
