use proptest::prelude::*;

use super::*;
use crate::{failure::QUOTA_SPENT, testing::POLICY};

const NOW: Time = Time::from_millis(1_000_000_000);

fn situation(counters: Counters, chance: f64) -> Situation<'static> {
    Situation {
        policy: &POLICY,
        counters,
        deadline: None,
        provisional: false,
        stands_in: false,
        first_failed_at: None,
        gives_up_at: NOW + Duration::from_hours(24),
        breaker_open: false,
        ends_if_gone: false,
        budget_spent: false,
        now: NOW,
        chance,
    }
}

fn after_attempts(attempts: u32) -> Counters {
    Counters { attempts, ..Counters::default() }
}

fn failure(class: Class) -> Failure {
    Failure::new(class, "code", "message")
}

fn retry(secs: u64, spends: Spends) -> Decision {
    Decision::Retry { after: Duration::from_secs(secs), spends }
}

fn parked(after: Duration) -> Decision {
    Decision::Park { after, spends: Spends::Deferral }
}

#[test]
fn the_retry_schedule() {
    let schedule: Vec<String> = (0..POLICY.max_attempts)
        .map(|failed| {
            let at = |chance| match decide(
                &failure(Class::Transient),
                &situation(after_attempts(failed), chance),
            ) {
                Decision::Retry { after, .. } => format!("{:.1}", after.as_secs_f64()),
                other => other.name().into(),
            };
            format!("{}: {} {} {}", failed + 1, at(0.0), at(0.5), at(0.999))
        })
        .collect();
    assert_eq!(
        schedule,
        ["1: 1.0 1.0 2.0", "2: 1.0 2.0 4.0", "3: 1.0 4.0 8.0", "4: dead dead dead"]
    );
}

#[test]
fn each_class_has_its_decision() {
    let fresh = |class| decide(&failure(class), &situation(Counters::default(), 0.0));
    assert_eq!(fresh(Class::Transient), retry(1, Spends::Attempt));
    assert_eq!(fresh(Class::Anomaly), retry(1, Spends::Attempt));
    assert_eq!(fresh(Class::Conflict), retry(1, Spends::Attempt));
    assert_eq!(fresh(Class::Throttled), retry(1, Spends::Deferral));
    assert_eq!(fresh(Class::Permanent), Decision::Bury(Cause::Permanent));
    assert_eq!(fresh(Class::Systemic), parked(SYSTEMIC_PAUSE));
    assert_eq!(fresh(Class::Unstarted), retry(1, Spends::Deferral));
    assert_eq!(fresh(Class::Contended), retry(1, Spends::Deferral));
    assert_eq!(fresh(Class::Crash), retry(1, Spends::Crash));
}

#[test]
fn a_crash_is_retried_soon_then_after_minutes_then_quarantined() {
    let after = |crashes| {
        let counters = Counters { crashes, ..Counters::default() };
        decide(&failure(Class::Crash), &situation(counters, 0.0))
    };
    assert_eq!(after(0), retry(1, Spends::Crash));
    assert_eq!(after(1), retry(180, Spends::Crash));
    assert_eq!(after(2), Decision::Quarantine);
}

#[test]
fn throttling_spends_no_attempt_and_parks_at_the_cap() {
    let after = |defers| {
        let counters = Counters { defers, ..after_attempts(3) };
        decide(&failure(Class::Throttled), &situation(counters, 0.0))
    };
    assert_eq!(after(2), retry(1, Spends::Deferral));
    assert_eq!(after(3), parked(SHORTEST_DELAY));
    assert_eq!(
        after(1000),
        parked(SHORTEST_DELAY),
        "earlier deferrals by gates do not lengthen the delay"
    );
}

#[test]
fn a_deferral_by_a_gate_parks_for_its_delay_and_never_buries() {
    let closed_for = |secs| {
        let deferred = failure(Class::Deferred).with_retry_after(Some(Duration::from_secs(secs)));
        let counters = Counters { defers: 1000, ..after_attempts(3) };
        decide(&deferred, &situation(counters, 0.5))
    };
    assert_eq!(closed_for(0), parked(SHORTEST_DELAY));
    assert_eq!(closed_for(45), parked(Duration::from_secs(45)));
    assert_eq!(closed_for(1_000_000), parked(LONGEST_PARK));
}

#[test]
fn a_job_that_waits_for_its_quota_is_not_given_up_meanwhile() {
    let wait = Duration::from_hours(2);
    let spent = Failure::new(Class::Deferred, QUOTA_SPENT, "").with_retry_after(Some(wait));
    let near = Situation { gives_up_at: NOW, ..situation(Counters::default(), 0.0) };
    assert_eq!(decide(&spent, &near), parked(wait));
    let deadline = Some(NOW + Duration::from_hours(1));
    let dated = Situation { deadline, ..near };
    assert_eq!(decide(&spent, &dated), parked(Duration::from_hours(1)), "and ends there");
    let standing = Situation { provisional: true, ..dated };
    assert_eq!(decide(&spent, &standing), parked(wait));
    let month = spent.with_retry_after(Some(Duration::from_hours(20 * 24)));
    assert_eq!(decide(&month, &near), parked(LONGEST_PARK), "it looks again once a day");
}

#[test]
fn a_class_that_is_not_retryable_is_final() {
    let policy = Policy { retryable: &[Class::Conflict], ..POLICY };
    let situation = Situation { policy: &policy, ..situation(Counters::default(), 0.0) };
    let decided = |class| decide(&failure(class), &situation);
    assert_eq!(decided(Class::Transient), Decision::Bury(Cause::Permanent));
    assert_eq!(decided(Class::Conflict), retry(1, Spends::Attempt));
    assert_eq!(
        decided(Class::Throttled),
        retry(1, Spends::Deferral),
        "throttling spends no attempt"
    );
}

#[test]
fn only_the_deadline_ends_a_job_with_a_provisional_result() {
    let calm = situation(after_attempts(3), 0.0);
    let standing = Situation { provisional: true, ..calm };
    let failed = failure(Class::Transient);
    assert_eq!(decide(&failed, &calm), Decision::Bury(Cause::AttemptsSpent));
    assert_eq!(decide(&failed, &standing), parked(POLICY.backoff_cap));
    let over = Situation { deadline: Some(NOW), ..standing };
    assert_eq!(decide(&failed, &over), Decision::Bury(Cause::DeadlinePassed));
}

#[test]
fn spent_attempts_do_not_end_a_job_for_which_something_may_stand_in() {
    let last = Situation { stands_in: true, ..situation(after_attempts(3), 0.0) };
    let failed = failure(Class::Anomaly);
    let later = |after| Decision::Park { after, spends: Spends::Attempt };
    assert_eq!(decide(&failed, &last), later(LONGEST_WAIT));
    let asked = failed.clone().with_retry_after(Some(LONGEST_WAIT * 2));
    assert_eq!(decide(&asked, &last), later(LONGEST_WAIT * 2));
    let left = Duration::from_mins(3);
    let near = Situation { gives_up_at: NOW + left, ..last };
    assert_eq!(decide(&failed, &near), later(left), "once more at the end");
    let over = Situation { gives_up_at: NOW, ..last };
    assert_eq!(decide(&failed, &over), Decision::Bury(Cause::GaveUp));
    let dated = Situation { deadline: Some(NOW), ..last };
    assert_eq!(decide(&failed, &dated), Decision::Bury(Cause::DeadlinePassed));
}

#[test]
fn a_dependency_that_is_down_is_waited_out_until_the_job_is_given_up() {
    let down = Failure::new(Class::Transient, DEPENDENCY_DOWN, "503");
    let after = |failing: u64, chance| {
        let first_failed_at = Some(NOW.before(Duration::from_secs(failing)));
        let situation = Situation { first_failed_at, ..situation(after_attempts(3), chance) };
        match decide(&down, &situation) {
            Decision::Retry { after, spends: Spends::Deferral } => after.as_secs(),
            other => panic!("{other:?}"),
        }
    };
    let waits = [0, 10, 60, 600, 3_600].map(|failing| (after(failing, 0.0), after(failing, 1.0)));
    assert_eq!(waits, [(2, 2), (2, 5), (15, 30), (150, 300), (900, 900)]);
    let first_failed_at = Some(NOW.before(Duration::from_secs(60)));
    let calm = situation(after_attempts(3), 1.0);
    let open = Situation { first_failed_at, breaker_open: true, ..calm };
    assert_eq!(decide(&down, &open), parked(Duration::from_secs(30)), "until it closes");
    let late = |left| {
        let gives_up_at = NOW + Duration::from_secs(left);
        let first_failed_at = Some(NOW.before(Duration::from_hours(1)));
        let calm = situation(after_attempts(1), 1.0);
        decide(&down, &Situation { first_failed_at, gives_up_at, ..calm })
    };
    assert_eq!(late(60), retry(60, Spends::Deferral), "once more at the end");
    assert_eq!(late(0), Decision::Bury(Cause::GaveUp));
}

#[test]
fn a_job_that_ends_if_its_dependency_stays_down_comes_back_to_see_that() {
    let refused = Failure::new(Class::Deferred, BREAKER_OPEN, "open");
    let refused = refused.with_retry_after(Some(Duration::from_hours(1)));
    let down = Failure::new(Class::Transient, DEPENDENCY_DOWN, "503");
    for failure in [&refused, &down] {
        let after = |chance| {
            let ends_if_gone =
                Situation { ends_if_gone: true, ..situation(after_attempts(3), chance) };
            decide(failure, &Situation { breaker_open: true, ..ends_if_gone })
        };
        assert_eq!(after(0.0), retry(225, Spends::Deferral), "{failure:?}");
        assert_eq!(after(1.0), retry(900, Spends::Deferral), "{failure:?}");
        let waits = Situation { breaker_open: true, ..situation(after_attempts(3), 1.0) };
        assert!(matches!(decide(failure, &waits), Decision::Park { .. }), "{failure:?}");
    }
    let ends_if_gone = Situation { ends_if_gone: true, ..situation(Counters::default(), 1.0) };
    let asked = |seconds| down.clone().with_retry_after(Some(Duration::from_secs(seconds)));
    let soonest = Situation { chance: 0.0, ..ends_if_gone };
    assert_eq!(decide(&asked(600), &soonest), retry(600, Spends::Deferral), "as long as asked");
    let long = Decision::Park { after: Duration::from_secs(3_600), spends: Spends::Deferral };
    assert_eq!(decide(&asked(3_600), &soonest), long, "longer than a message can wait");
    let left = Duration::from_secs(20);
    let near = Situation { gives_up_at: NOW + left, ..ends_if_gone };
    assert_eq!(decide(&refused, &near), retry(20, Spends::Deferral));
    let other = Failure::new(Class::Deferred, RATE_LIMIT, "full");
    assert_eq!(
        decide(&other, &ends_if_gone),
        retry(1, Spends::Deferral),
        "the limiter is no outage"
    );
}

proptest! {
    #[test]
    fn no_job_lives_beyond_the_time_when_it_is_given_up(
        class in proptest::sample::select(&Class::ALL[..]),
        left_s in 0..100_000_u64,
        asked_s in proptest::option::of(0..u64::MAX),
        defers in 0..40_u32,
        chance in 0.0..1.0_f64,
    ) {
        let gives_up_at = NOW + Duration::from_secs(left_s);
        let counters = Counters { defers, ..Counters::default() };
        let situation = Situation { gives_up_at, ..situation(counters, chance) };
        let asked = failure(class).with_retry_after(asked_s.map(Duration::from_secs));
        match decide(&asked, &situation) {
            Decision::Retry { after, .. } | Decision::Park { after, .. } => {
                prop_assert!(left_s > 0 && NOW + after <= gives_up_at);
            }
            _ => {}
        }
    }
}

#[test]
fn a_spent_budget_doubles_the_delays() {
    let calm = situation(after_attempts(1), 0.5);
    let spent = Situation { budget_spent: true, ..calm };
    let decided = |situation| decide(&failure(Class::Transient), situation);
    assert_eq!(decided(&calm), retry(2, Spends::Attempt));
    assert_eq!(decided(&spent), retry(4, Spends::Attempt));
}

#[test]
fn a_systemic_failure_never_buries() {
    for defers in [0, 1, 5, 1000] {
        let counters = Counters { defers, ..after_attempts(100) };
        let decision = decide(&failure(Class::Systemic), &situation(counters, 0.5));
        assert_eq!(decision, parked(SYSTEMIC_PAUSE), "even after many deferrals by gates");
    }
}

#[test]
fn a_long_retry_after_parks() {
    let asked = failure(Class::Throttled).with_retry_after(Some(Duration::from_secs(3600)));
    let decision = decide(&asked, &situation(Counters::default(), 0.0));
    assert_eq!(decision, parked(Duration::from_hours(1)));
    let transient = failure(Class::Transient).with_retry_after(Some(Duration::from_hours(1)));
    let decision = decide(&transient, &situation(Counters::default(), 0.0));
    let spends = Spends::Attempt;
    assert_eq!(decision, Decision::Park { after: Duration::from_hours(1), spends });
}

#[test]
fn jobs_with_the_same_retry_after_do_not_return_together() {
    let asked = failure(Class::Throttled).with_retry_after(Some(Duration::from_secs(30)));
    let after = |chance| match decide(&asked, &situation(Counters::default(), chance)) {
        Decision::Retry { after, .. } => after.as_millis(),
        other => panic!("{other:?}"),
    };
    assert_eq!([0.0, 0.5, 0.75].map(after), [30_000, 31_000, 31_500]);
}

#[test]
fn no_retry_comes_after_the_deadline() {
    let asked = failure(Class::Throttled).with_retry_after(Some(Duration::from_secs(30)));
    let mut situation = situation(Counters::default(), 0.5);
    situation.deadline = Some(NOW + Duration::from_secs(10));
    assert_eq!(decide(&asked, &situation), retry(10, Spends::Deferral));
    situation.now = NOW + Duration::from_secs(10);
    assert_eq!(decide(&asked, &situation), Decision::Bury(Cause::DeadlinePassed));
}

proptest! {
    #[test]
    fn delays_are_bounded_and_no_shorter_than_retry_after(
        class in 0..Class::ALL.len(),
        attempts in 0_u32..40,
        defers in 0_u32..40,
        crashes in 0_u32..5,
        asked in proptest::option::of(prop_oneof![any::<u64>(), Just(u64::MAX)]),
        chance in 0.0..1.0_f64,
    ) {
        let asked = asked.map(Duration::from_secs);
        let failure = failure(Class::ALL[class]).with_retry_after(asked);
        let counters = Counters { attempts, defers, crashes, ..Counters::default() };
        match decide(&failure, &situation(counters, chance)) {
            Decision::Retry { after, .. } => {
                prop_assert!(after >= SHORTEST_DELAY && after <= LONGEST_WAIT);
                prop_assert!(after >= asked.unwrap_or_default());
            }
            Decision::Park { after, .. } => {
                prop_assert!(after >= SHORTEST_DELAY && after <= LONGEST_PARK);
                prop_assert!(after >= asked.unwrap_or_default().min(LONGEST_PARK));
            }
            Decision::Succeed | Decision::Continue => {
                prop_assert!(false, "a failure cannot lead to success");
            }
            Decision::Bury(_) | Decision::Quarantine => {}
        }
    }

    #[test]
    fn retries_end_when_the_attempts_are_spent(chance in 0.0..1.0_f64) {
        let mut counters = Counters::default();
        let mut rounds = 0;
        while let Decision::Retry { .. } =
            decide(&failure(Class::Transient), &situation(counters, chance))
        {
            counters.attempts += 1;
            rounds += 1;
            prop_assert!(rounds < POLICY.max_attempts);
        }
        prop_assert_eq!(rounds, POLICY.max_attempts - 1);
    }
}
