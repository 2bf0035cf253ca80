//! Whole lives of jobs: runs that end in any way, one after the other, until the job has ended.

use proptest::prelude::*;

use super::*;
use crate::{
    failure::DEPENDENCY_DOWN,
    record::retry::{Situation, decide},
    testing::POLICY,
};

/// How a run ends.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// There is more to do.
    More,
    /// It fails in this class, and the dependency asks for a delay of so many seconds.
    Fails(Class, Option<u64>),
    /// It fails, and so do the calls of all other jobs.
    Down,
    /// The quota is used up, for so many seconds.
    Spent(u64),
}

/// A run: how it ends, how long it takes, and how late it begins, in seconds.
#[derive(Clone, Copy, Debug)]
struct Run {
    ends: Ends,
    took: u64,
    late: u64,
    breaker_open: bool,
    chance: f64,
}

impl Run {
    /// The same run while there is quota left.
    fn with_quota_left(self) -> Self {
        match self.ends {
            Ends::Spent(_) => Self { ends: Ends::Down, ..self },
            _ => self,
        }
    }
}

/// Longest time of a run, and by how much it can be late: messages and sweeper take their time.
const TOOK: u64 = 20;
const LATE: u64 = 120;

/// Delays in seconds.
fn delays() -> impl Strategy<Value = u64> {
    prop_oneof![0..90_000_u64, Just(u64::MAX)]
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    let class = proptest::sample::select(&Class::ALL[..]);
    let asked = proptest::option::weighted(0.3, delays());
    let fails = (class, asked).prop_map(|(class, asked)| Ends::Fails(class, asked));
    let spent = delays().prop_map(Ends::Spent);
    let ends = prop_oneof![1 => Just(Ends::More), 1 => Just(Ends::Down), 1 => spent, 3 => fails];
    let run = (ends, 0..=TOOK, 0..=LATE, any::<bool>(), 0.0..1.0_f64);
    let run = run.prop_map(|(ends, took, late, breaker_open, chance)| Run {
        ends,
        took,
        late,
        breaker_open,
        chance,
    });
    proptest::collection::vec(run, 1..60)
}

/// The job and its type.
#[derive(Clone, Copy, Debug)]
struct Kind {
    deadline: Option<u64>,
    fallback: Option<&'static str>,
    stands_in: bool,
}

/// The record after the run of `record` has ended at `now`, as a container settles it.
fn settled(record: &Record, run: Run, kind: Kind, [began, now]: [Time; 2]) -> Record {
    let give_up_after = POLICY.give_up_after;
    let is_over = record.ends_at(give_up_after).is_some_and(|end| end <= began);
    let mut record = record.clone();
    record.fall_back(kind.fallback, now);
    let failure = match run.ends {
        _ if is_over => Failure::new(Class::Deferred, "deadline", "its deadline is over"),
        Ends::More if !record.is_over(give_up_after, now) => {
            return record.settled(Decision::Continue, None, "cursor".into(), now);
        }
        Ends::More => Failure::new(Class::Deferred, "deadline", "there is more to do"),
        Ends::Down => Failure::new(Class::Transient, DEPENDENCY_DOWN, "as drawn")
            .with_breaker(run.breaker_open),
        Ends::Spent(asked) => Failure::new(Class::Deferred, QUOTA_SPENT, "as drawn")
            .with_retry_after(Some(Duration::from_secs(asked)))
            .parked_under("elsewhere/creations".to_owned()),
        Ends::Fails(class, asked) => {
            let failure = Failure::new(class, "code", "as drawn");
            failure.with_retry_after(asked.map(Duration::from_secs)).with_breaker(run.breaker_open)
        }
    };
    let situation = Situation {
        policy: &POLICY,
        counters: record.counters,
        deadline: record.ends_at(give_up_after),
        provisional: record.provisional.is_some(),
        stands_in: kind.stands_in,
        first_failed_at: record.history.first().map(|first| Time::from_millis(first.at)),
        gives_up_at: record.gives_up_at(give_up_after),
        breaker_open: run.breaker_open,
        ends_if_gone: kind.stands_in,
        budget_spent: false,
        now,
        chance: run.chance,
    };
    let decision = decide(&failure, &situation);
    let mut record = record.settled(decision, Some(&failure), String::new(), now);
    record.end_at(situation.deadline.unwrap_or(situation.gives_up_at));
    record
}

/// A job that has ended.
struct Life {
    record: Record,
    /// How long it was parked for its quota.
    stood_still: Duration,
    /// The same with the runs that have found the quota used up: such a run gives no job up.
    waited: Duration,
}

/// The job after it has ended. While its quota is used up it never ends, so there is some left after the first round
/// of `runs`.
fn life(runs: &[Run], kind: Kind) -> Life {
    let mut record = running();
    record.work.deadline = kind.deadline.map(|after| NOW + Duration::from_secs(after));
    let work = record.work.clone();
    let (mut stood_still, mut waited) = (Duration::ZERO, Duration::ZERO);
    let mut now = NOW;
    let first = runs.iter().copied();
    let later = first.clone().cycle().map(Run::with_quota_left);
    for run in first.chain(later).take(100_000) {
        let (began, ended) = (now, now + Duration::from_secs(run.took));
        record = settled(&record, run, kind, [began, ended]);
        let (Phase::Waiting { run_after, .. } | Phase::Parked { run_after, .. }) = record.phase
        else {
            return Life { record, stood_still, waited };
        };
        now = run_after.max(ended + SECOND) + Duration::from_secs(run.late);
        if record.is_paused() {
            stood_still += now.since(ended);
            waited += now.since(began);
        }
        let ids = ids("n");
        let by = Claimant {
            fallback: kind.fallback,
            stands_in: kind.stands_in,
            give_up_after: POLICY.give_up_after,
            ..claimant("b", &ids, now)
        };
        record = match claim(Some(&record), &record.key, &work, &by) {
            ClaimDecision::Take { record, .. } => record,
            ClaimDecision::Write(record, None) => return Life { record, stood_still, waited },
            other => panic!("{other:?}"),
        };
    }
    panic!("it never ends: {record:?}")
}

proptest! {
    /// While it waits for its quota, its time stands still (docs/error-handling.md).
    #[test]
    fn no_job_lives_beyond_the_time_when_it_is_given_up(
        runs in runs(),
        deadline in proptest::option::of(0..7_200_u64),
        has_fallback in any::<bool>(),
        stands_in in any::<bool>(),
    ) {
        let fallback = has_fallback.then_some("{}");
        let Life { record, stood_still, waited } =
            life(&runs, Kind { deadline, fallback, stands_in });
        let give_up_after = POLICY.give_up_after;
        let end = match record.work.deadline {
            Some(deadline) if record.provisional.is_some() => deadline + give_up_after + waited,
            Some(deadline) => deadline,
            None => NOW + give_up_after + waited,
        };
        let ended = record.phase.ended_at().unwrap_or(Time::MAX);
        let latest = end + Duration::from_secs(TOOK + LATE) + SECOND;
        prop_assert!(ended <= latest, "{} after it: {record:?}", ended.since(end).as_secs());
        if let Phase::Dead { why, .. } = &record.phase
            && why.starts_with(Cause::GaveUp.text())
        {
            let earliest = NOW + give_up_after + stood_still;
            let early = earliest.since(ended).as_secs();
            prop_assert!(ended >= earliest, "{early} s early: {record:?}");
        }
    }
}
