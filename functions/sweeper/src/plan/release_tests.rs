use evenkeel::record::Parking;
use proptest::prelude::*;

use super::*;
use crate::plan::test_records::{NOW, parked, record, seconds, waiting};

fn dependency(state: State, since: Time) -> Dependency {
    let breaker = Breaker { generation: 5, state, since, ..Breaker::default() };
    let limits = Limits {
        per_second: None,
        burst: None,
        limiter: None,
        per_minute: Some(480),
        per_hour: Some(18_000),
        closes_with: 3,
        noted_at: NOW.as_millis(),
    };
    Dependency { limits, breaker, limiter: Limiter::default(), draining_since: Some(since) }
}

fn open(retry_at: Time) -> State {
    State::Open { retry_at, wait: seconds(60) }
}

fn half_open(successes: u32) -> State {
    State::HalfOpen { probes: std::collections::BTreeMap::new(), successes, wait: seconds(60) }
}

/// The number of slots in each second from `NOW`.
fn by_second(way: &Way) -> Vec<usize> {
    let mut seconds = Vec::new();
    for slot in &way.slots {
        let second = usize::try_from(slot.since(NOW).as_secs()).unwrap();
        seconds.resize(seconds.len().max(second + 1), 0);
        seconds[second] += 1;
    }
    seconds
}

#[test]
fn after_a_breaker_has_closed_the_release_rate_starts_at_one_and_doubles_every_five_seconds() {
    let curve = by_second(&way(&dependency(State::Closed, NOW), NOW, NOW, TICK));
    assert_eq!(curve[..20], [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8]);
    assert_eq!((curve.len(), curve[59]), (60, 8), "the limiter's rate, to the end of the tick");
}

#[test]
fn the_ramp_begins_with_the_first_release_however_long_the_breaker_has_been_closed() {
    let mut closed = dependency(State::Closed, NOW.before(seconds(600)));
    closed.draining_since = None;
    assert_eq!(by_second(&way(&closed, NOW, NOW, TICK))[..6], [1, 1, 1, 1, 1, 2]);
}

#[test]
fn the_next_tick_continues_after_the_slots_of_the_last_one() {
    let closed = dependency(State::Closed, NOW.before(seconds(60)));
    let curve = by_second(&way(&closed, NOW + seconds(20), NOW, TICK));
    assert_eq!((curve[..20].iter().sum::<usize>(), curve[20]), (0, 8));
}

#[test]
fn a_breaker_that_was_never_open_releases_at_the_full_rate_immediately() {
    let never = Dependency {
        breaker: Breaker::default(),
        draining_since: None,
        ..dependency(State::Closed, NOW)
    };
    assert_eq!(by_second(&way(&never, NOW, NOW, TICK))[0], 8);
}

#[test]
fn jobs_that_wait_for_a_breaker_whose_item_was_deleted_are_a_recovery() {
    let never = Dependency {
        breaker: Breaker::default(),
        draining_since: None,
        ..dependency(State::Closed, NOW)
    };
    let gated = |gated| {
        let parking = Some(Parking { since: NOW, gated, ends_at: None, paused_since: None });
        Record { parking, ..record("job", parked(NOW)) }
    };
    assert!(recovers_unseen(&never, &[gated(false), gated(true)]));
    assert!(!recovers_unseen(&never, &[gated(false)]), "it waits for its own time");
    let draining = Dependency { draining_since: Some(NOW), ..never.clone() };
    assert!(!recovers_unseen(&draining, &[gated(true)]), "its ramp has begun");
    assert_eq!(by_second(&way(&draining, NOW, NOW, TICK))[..6], [1, 1, 1, 1, 1, 2]);
}

#[test]
fn a_used_up_hour_and_a_429_slow_the_release() {
    let mut closed = dependency(State::Closed, NOW.before(seconds(600)));
    closed.limiter.next_hourly_us = (NOW.as_millis() + 360_000) * 1_000;
    assert_eq!(by_second(&way(&closed, NOW, NOW, TICK))[30], 5, "the hourly rate");
    let mut slowed = dependency(State::Closed, NOW.before(seconds(600)));
    slowed.limiter.pace = 250;
    assert_eq!(by_second(&way(&slowed, NOW, NOW, TICK))[30], 2);
}

#[test]
fn an_open_breaker_releases_as_many_as_can_close_it_when_its_wait_is_over() {
    let soon = way(&dependency(open(NOW + seconds(30)), NOW), NOW, NOW, TICK);
    assert_eq!(by_second(&soon)[30..], [0, 1, 0, 1, 0, 1]);
    let later = way(&dependency(open(NOW + seconds(60)), NOW), NOW, NOW, TICK);
    assert_eq!(later, Way { is_closed: false, is_stopped: false, slots: vec![] });
    let over = way(&dependency(open(NOW.before(seconds(500))), NOW), NOW, NOW, TICK);
    assert_eq!(
        by_second(&over),
        [1, 0, 1, 0, 1],
        "its wait is over and no call has been made since"
    );
    let forced = State::Forced { open: true, until: NOW + seconds(5) };
    assert_eq!(way(&dependency(forced, NOW), NOW, NOW, TICK).slots, []);
}

#[test]
fn a_half_open_breaker_releases_as_many_as_it_still_needs() {
    let slots = |successes| way(&dependency(half_open(successes), NOW), NOW, NOW, TICK).slots.len();
    assert_eq!([slots(0), slots(2), slots(3)], [3, 1, 1]);
}

/// An hour-long stop, at the limiter or in the breaker's item.
fn stopped(at_the_limiter: bool) -> Dependency {
    let calm = dependency(State::Closed, NOW.before(seconds(600)));
    if at_the_limiter {
        let rates = calm.limits.rates().unwrap();
        let limiter = calm.limiter.slowed(rates, seconds(3_600), NOW);
        return Dependency { limiter, ..calm };
    }
    let limits = Limits { per_minute: None, per_hour: None, ..calm.limits };
    let breaker = Breaker { stopped_until: NOW + seconds(3_600), ..calm.breaker };
    Dependency { limits, breaker, ..calm }
}

#[test]
fn a_stop_releases_nobody_before_its_end() {
    for (at_the_limiter, rate) in [(true, 5), (false, 10)] {
        let stopped = stopped(at_the_limiter);
        let at = |later| {
            let now = NOW + seconds(later);
            way(&stopped, now, now, TICK)
        };
        let is_stopped = Way { is_closed: true, is_stopped: true, slots: vec![] };
        assert_eq!(at(0), is_stopped, "limiter: {at_the_limiter}");
        assert_eq!(at(3_539), is_stopped, "limiter: {at_the_limiter}");
        let near = at(3_570);
        assert_eq!(near.slots.first(), Some(&(NOW + seconds(3_600))));
        let over = by_second(&at(3_600));
        assert_eq!((over[3_600], over[3_659]), (rate, rate), "limiter: {at_the_limiter}");
        for state in [half_open(0), open(NOW)] {
            let breaker = Breaker { state, ..stopped.breaker.clone() };
            let probed = Dependency { breaker, ..stopped.clone() };
            assert_eq!(way(&probed, NOW, NOW, TICK).slots, [], "nor a probe");
            let now = NOW + seconds(3_570);
            let first = way(&probed, now, now, TICK).slots[0];
            assert!(first >= NOW + seconds(3_600), "{first}");
        }
    }
}

/// Slots are reserved some seconds ahead while a service is busy: that is no stop.
#[test]
fn a_busy_limiter_is_no_stop() {
    let mut busy = dependency(State::Closed, NOW.before(seconds(600)));
    busy.limiter.next_us = (NOW + seconds(6)).as_millis() * 1_000;
    let way = way(&busy, NOW, NOW, TICK);
    assert_eq!((way.is_stopped, by_second(&way)[0]), (false, 8));
}

/// A stop ends within the hour. Only a job whose own end comes before goes, without a slot.
#[test]
fn during_a_stop_only_jobs_go_whose_end_has_come() {
    let way = way(&stopped(true), NOW, NOW, TICK);
    let mut overdue = gated(NOW);
    overdue.work.deadline = Some(NOW);
    let long_due = record("errand#g:1", parked(NOW.before(LONG_DUE)));
    let steps = let_go(&[long_due, overdue, gated(NOW)], &way, "sweeper", NOW);
    let times: Vec<Time> = steps.iter().filter_map(|step| Some(step.call.as_ref()?.at)).collect();
    assert_eq!(times, [NOW]);
}

fn gated(due_at: Time) -> Record {
    let (since, paused_since) = (NOW.before(seconds(100)), None);
    let parking = Some(Parking { since, gated: true, ends_at: None, paused_since });
    Record { parking, ..record("errand#g:1", parked(due_at)) }
}

#[test]
fn a_job_parked_by_the_breaker_need_not_be_due_and_any_other_must() {
    let later = NOW + seconds(500);
    assert!(may_go(&gated(later), NOW));
    assert!(!may_go(&record("errand#g:1", parked(later)), NOW));
    assert!(may_go(&record("errand#g:1", parked(NOW)), NOW));
    assert!(!may_go(&record("errand#g:1", waiting(NOW)), NOW));
}

#[test]
fn a_job_past_its_deadline_is_released_behind_an_open_breaker_without_a_probe_slot() {
    let probe = NOW + seconds(9);
    let way = Way { is_closed: false, is_stopped: false, slots: vec![probe] };
    let mut overdue = gated(NOW);
    overdue.work.deadline = Some(NOW);
    let moments = |records: &[Record]| -> Vec<Time> {
        let steps = let_go(records, &way, "sweeper", NOW);
        steps.into_iter().filter_map(|step| Some(step.call?.at)).collect()
    };
    assert_eq!(moments(&[overdue.clone(), overdue.clone(), gated(NOW)]), [NOW, NOW, probe]);
    overdue.provisional = Some("{}".into());
    assert_eq!(moments(&[overdue.clone(), overdue]), [probe], "the job has its fallback already");
    let mut given_up = gated(NOW);
    given_up.parking = given_up.parking.map(|parking| Parking { ends_at: Some(NOW), ..parking });
    let asked = |ago| record("errand#g:1", parked(NOW.before(ago)));
    let long_ago = [given_up, asked(LONG_DUE), asked(LONG_DUE / 2)];
    assert_eq!(moments(&long_ago), [NOW, NOW, probe]);
}

#[test]
fn the_journal_tells_a_probe_from_a_release() {
    let told = |record: Record, is_closed| {
        let way = Way { is_closed, is_stopped: false, slots: vec![NOW] };
        let [step] = &let_go(&[record], &way, "sweeper", NOW)[..] else { panic!("one goes") };
        step.record.journal.last().unwrap().what.clone()
    };
    let mut at_its_end = gated(NOW);
    at_its_end.work.deadline = Some(NOW);
    assert_eq!(told(gated(NOW), true), WakeUp::Released.text());
    assert_eq!(told(gated(NOW), false), WakeUp::Probe.text());
    assert_eq!(told(at_its_end, false), WakeUp::Released.text(), "the breaker will refuse it");
}

proptest! {
    #[test]
    fn no_second_has_more_slots_than_the_rate_limit_and_slots_are_in_order(
        per_second in 1_u32..40,
        pace in 100_u32..=1_000,
        since in 0_u64..400,
        from in 0_u64..90,
    ) {
        let mut closed = dependency(State::Closed, NOW.before(seconds(since)));
        closed.limits.per_minute = Some(60 * per_second);
        closed.limits.per_hour = Some(1_000_000);
        closed.limiter.pace = pace;
        let way = way(&closed, NOW + seconds(from), NOW, TICK);
        prop_assert!(way.slots.is_sorted());
        let most = usize::try_from(per_second).unwrap();
        prop_assert!(by_second(&way).iter().all(|count| *count <= most));
        // Also below one a second: at most what the pace allows, and one.
        let minute = usize::try_from(60 * per_second * pace / 1_000).unwrap();
        prop_assert!(way.slots.len() <= minute + 1, "{} of {minute}", way.slots.len());
        prop_assert!(way.slots.iter().all(|at| *at >= NOW + seconds(from) && *at < NOW + TICK));
    }

    #[test]
    fn each_released_job_has_a_slot_of_its_own_and_a_due_entry(
        due in proptest::collection::vec((0_u64..200, any::<bool>()), 0..40),
        slots in 0_u64..20,
    ) {
        let records: Vec<Record> = due
            .iter()
            .enumerate()
            .map(|(n, (due, is_gated))| {
                let base = if *is_gated { gated(NOW + seconds(*due)) } else { record("", parked(NOW + seconds(*due))) };
                Record { key: format!("errand#g:{n}"), ..base }
            })
            .collect();
        let way = Way { is_closed: true, is_stopped: false, slots: (0..slots).map(|n| NOW + seconds(n)).collect() };
        let steps = let_go(&records, &way, "sweeper", NOW);
        prop_assert!(steps.len() <= way.slots.len());
        let mut taken: Vec<Time> = steps.iter().filter_map(|step| Some(step.call.as_ref()?.at)).collect();
        let count = taken.len();
        taken.dedup();
        prop_assert_eq!((taken.len(), count), (steps.len(), steps.len()), "no slot is used twice");
        for step in steps {
            prop_assert!(step.record.due_entry().is_some_and(|entry| entry.partition.starts_with("waiting#")));
        }
    }
}
