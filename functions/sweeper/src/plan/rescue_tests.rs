use evenkeel::record::{
    Guard,
    claim_decision::{ClaimDecision, Claimant, claim},
};
use proptest::prelude::*;

use super::*;
use crate::plan::test_records::{NOW, QUEUE, parked, record, running, seconds, succeeded, waiting};

fn crashed(crashes: u32) -> Record {
    let mut record = record("errand#g:1", running(NOW));
    record.counters.crashes = crashes;
    record
}

#[test]
fn a_first_crash_is_retried_immediately_a_second_after_minutes_and_a_third_never() {
    let first = crash(&crashed(0), "sweeper", false, NOW).unwrap();
    assert_eq!(first.guard, Guard { state: "running", fence: 3 });
    assert_eq!(
        (first.record.fence, first.record.counters.crashes),
        (4, 1),
        "the new fence shuts out the crashed run"
    );
    assert_eq!(first.call, Some(Call { queue: QUEUE.into(), at: NOW }));
    let second = crash(&crashed(1), "sweeper", false, NOW).unwrap();
    assert_eq!(second.call.map(|call| call.at), Some(NOW + seconds(180)));
    let third = crash(&crashed(2), "sweeper", false, NOW).unwrap();
    assert!(matches!(third.record.phase, Phase::Quarantined { .. }), "{third:?}");
    assert_eq!(third.call, None);
    let why = third.record.history.last().map(|failed| failed.code.clone());
    assert_eq!(why.as_deref(), Some("lease_over"), "the history has the reason");
}

#[test]
fn a_retry_after_a_second_crash_waits_at_most_until_the_deadline() {
    let mut record = crashed(1);
    record.work.deadline = Some(NOW + seconds(60));
    let step = crash(&record, "sweeper", false, NOW).unwrap();
    assert_eq!(step.call.map(|call| call.at), Some(NOW + seconds(60)));
    record.provisional = Some("{}".into());
    let step = crash(&record, "sweeper", false, NOW).unwrap();
    assert_eq!(
        step.call.map(|call| call.at),
        Some(NOW + seconds(180)),
        "the deadline was met with the fallback"
    );
}

#[test]
fn only_running_jobs_with_an_expired_lease_are_rescued() {
    for phase in [running(NOW + seconds(1)), waiting(NOW), parked(NOW), succeeded(NOW)] {
        assert_eq!(crash(&record("errand#g:1", phase), "sweeper", false, NOW), None);
    }
}

#[test]
fn many_stuck_jobs_are_doubted_for_three_ticks_and_then_rescued_up_to_the_cap() {
    assert_eq!(caution(19, 19, 1, 500), Caution::Rescue(500), "two dead batches");
    assert_eq!(caution(20, 100, 1, 500), Caution::Rescue(500), "a fifth of the running jobs");
    let ticks: Vec<Caution> = (1..=4).map(|ticks| caution(21, 100, ticks, 500)).collect();
    let doubt = Caution::Doubt;
    assert_eq!(ticks, [doubt, doubt, doubt, Caution::Rescue(500)]);
}

#[test]
fn an_excused_crash_is_not_counted_and_the_job_waits_three_minutes() {
    let step = crash(&crashed(2), "sweeper", true, NOW).unwrap();
    assert_eq!(step.record.counters.crashes, 2);
    assert_eq!(step.call.unwrap().at, NOW + seconds(180));
}

#[test]
fn most_runs_of_five_minutes_that_crash_are_a_storm() {
    let storms = [(9, 9), (10, 19), (10, 20), (10, 10), (400, 900)];
    assert_eq!(
        storms.map(|(crashed, runs)| is_storm(crashed, runs)),
        [false, true, false, true, false]
    );
}

#[test]
fn the_journal_tells_a_rescue_from_a_message_that_was_sent_again() {
    let told = |step: Option<Step>| -> Vec<String> {
        step.unwrap().record.journal.into_iter().map(|entry| entry.what).collect()
    };
    let rescued = told(crash(&crashed(1), "sweeper", false, NOW));
    assert_eq!(rescued, ["crashed, due in 180 s: lease_over", WakeUp::Rescued.text()]);
    let stopped = told(crash(&crashed(2), "sweeper", false, NOW));
    assert_eq!(stopped, ["quarantined: lease_over"]);
    let lost = record("errand#g:1", waiting(NOW));
    let sent = told(send_again(&lost, QUEUE, NOW, "sweeper", NOW));
    assert_eq!(sent, [WakeUp::SentAgain.text()]);
}

/// Statistics with these ages of the oldest message received first, one a minute, the latest last.
fn received(ages_s: &[u64]) -> Vec<(Time, Time)> {
    let minutes = (1..=ages_s.len() as u64).rev();
    minutes
        .zip(ages_s)
        .map(|(ago, age)| (NOW.before(seconds(ago * 60 - 1)), NOW.before(seconds(*age))))
        .collect()
}

#[test]
fn behind_an_empty_queue_every_overdue_message_counts_as_lost() {
    let empty = Depth { delayed: 50, ..Depth::default() };
    assert_eq!(lost_before(empty, &[], NOW), Some(NOW.before(GRACE)));
    let hidden = Depth { in_flight: 10, ..empty };
    let waits = GRACE + PROMISE_HORIZON;
    assert_eq!(lost_before(hidden, &[], NOW), Some(NOW.before(waits)), "for its slot");
}

#[test]
fn behind_a_backlog_only_messages_overtaken_for_five_minutes_count_as_lost() {
    let deep = Depth { visible: 20_000, ..Depth::default() };
    assert_eq!(lost_before(deep, &[], NOW), None, "nothing is received");
    assert_eq!(
        lost_before(deep, &received(&[100, 100]), NOW),
        None,
        "overtaken for only two minutes"
    );
    let stalled: Vec<_> = received(&[900; 7]).into_iter().take(3).collect();
    assert_eq!(lost_before(deep, &stalled, NOW), None, "nothing has been received lately");
    let steady = received(&[1_260, 1_200, 1_140, 1_080, 1_020, 960]);
    let until = lost_before(deep, &steady, NOW);
    assert_eq!(until, Some(NOW.before(seconds(1_260 + 60))), "earlier by the width of a bucket");
}

#[test]
fn each_message_sent_again_moves_due_at_twice_as_far() {
    let mut record = record("errand#g:1", waiting(NOW.before(seconds(60))));
    let (mut now, mut spans) = (NOW, Vec::new());
    for _ in 0..8 {
        let step = send_again(&record, QUEUE, now, "sweeper", now).unwrap();
        let Phase::Waiting { run_after, due_at, .. } = step.record.phase else {
            panic!("the job is not waiting")
        };
        assert_eq!((run_after, step.call.unwrap().at), (now, now));
        spans.push(due_at.since(now).as_secs() / 60);
        record = step.record;
        now = due_at;
    }
    assert_eq!(spans, [1, 2, 4, 8, 16, 32, 60, 60]);
}

#[test]
fn only_overdue_queued_and_waiting_jobs_get_a_message_again() {
    let sent =
        |phase| send_again(&record("errand#g:1", phase), QUEUE, NOW, "sweeper", NOW).is_some();
    assert!(sent(waiting(NOW)) && sent(Phase::Queued { due_at: NOW }));
    assert!(!sent(waiting(NOW + seconds(1))), "the job is not due yet");
    assert!(!sent(parked(NOW)) && !sent(running(NOW)) && !sent(succeeded(NOW)));
}

fn phases() -> impl Strategy<Value = Phase> {
    let times = || (0..4_000_u64).prop_map(|s| NOW.before(seconds(2_000)) + seconds(s));
    prop_oneof![
        times().prop_map(|due_at| Phase::Queued { due_at }),
        times().prop_map(running),
        times().prop_map(waiting),
        times().prop_map(parked),
        times().prop_map(succeeded),
        times().prop_map(|at| Phase::Dead { at, why: "no".into() }),
    ]
}

proptest! {
    #[test]
    fn every_planned_step_leaves_a_due_entry_and_a_message_that_can_be_claimed(
        phase in phases(),
        crashes in 0_u32..3,
    ) {
        let mut record = record("errand#g:1", phase);
        record.counters.crashes = crashes;
        let steps = [crash(&record, "sweeper", false, NOW), send_again(&record, QUEUE, NOW, "sweeper", NOW)];
        prop_assert!(steps.iter().flatten().count() <= 1, "at most one pass plans a step");
        for step in steps.into_iter().flatten() {
            prop_assert_eq!(&step.guard, &record.guard());
            prop_assert!(step.record.due_entry().is_some(), "the record is on the due index");
            let Some(call) = step.call else { continue };
            let ids = ["wake".to_owned()];
            let by = Claimant {
                owner: "next",
                message_ids: &ids,
                sent_at: NOW,
                may_kill: false,
        excuses_crashes: false,
                wakes: Some(step.record.fence),
                stray: false,
                redriven: false,
                dedup_window: Duration::ZERO,
                fallback: None,
                stands_in: false,
                give_up_after: Duration::ZERO,
                // The claimant's clock is two seconds behind.
                now: call.at.before(seconds(2)),
                lease_until: call.at + seconds(20),
            };
            let decision = claim(Some(&step.record), &record.key, &record.work, &by);
            prop_assert!(matches!(decision, ClaimDecision::Take { .. }), "{decision:?}");
        }
    }
}
