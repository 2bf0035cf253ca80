//! Times at the ends of what can be stored: items, headers and clocks may name any.

use super::*;

/// Every way in which a probe can end.
const PROOFS: [ProbeResult; 4] = [
    ProbeResult::Succeeded,
    ProbeResult::Failed,
    ProbeResult::FailedSystemically,
    ProbeResult::Neutral,
];

/// Times at both ends of what can be stored, and any between them.
fn times() -> impl Strategy<Value = Time> {
    let ms = prop_oneof![0..100_000_u64, u64::MAX - 100_000..=u64::MAX, any::<u64>()];
    ms.prop_map(Time::from_millis)
}

/// Delays as an item or a header may name them.
fn spans() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::MAX),
        (0..10_000_u64).prop_map(Duration::from_secs),
        any::<u64>().prop_map(Duration::from_millis),
        prop_oneof![Just(u64::MAX), any::<u64>()].prop_map(Duration::from_secs),
    ]
}

fn breakers() -> impl Strategy<Value = Breaker> {
    let states = prop_oneof![
        Just(State::Closed),
        (times(), spans()).prop_map(|(retry_at, wait)| State::Open { retry_at, wait }),
        (times(), spans(), 0..3_u32).prop_map(|(until, wait, successes)| {
            let probes = BTreeMap::from([("earlier".to_owned(), until)]);
            State::HalfOpen { probes, successes, wait }
        }),
        (any::<bool>(), times()).prop_map(|(open, until)| State::Forced { open, until }),
    ];
    let of = (0..3_u64, states, times(), times(), times());
    of.prop_map(|(generation, state, since, stopped_until, down_since)| Breaker {
        generation,
        state,
        since,
        stopped_until,
        down_since,
        ..Breaker::default()
    })
}

/// A breaker that has just opened is probed within its policy's longest wait.
fn opens_for_a_while(breaker: Option<&Breaker>, now: Time) -> Result<(), TestCaseError> {
    if let Some(Breaker { state: State::Open { retry_at, wait }, .. }) = breaker {
        prop_assert!(*wait <= RULES.longest_wait, "{breaker:?}");
        prop_assert!(*retry_at >= now && retry_at.since(now) <= *wait, "{breaker:?}");
    }
    Ok(())
}

proptest! {
    /// Items, headers and clocks may name any time.
    #[test]
    fn no_time_overflows_and_no_stop_is_longer_than_an_hour(
        breaker in breakers(),
        now in times(),
        asked in spans(),
        longest in spans(),
        chance in 0.0..1.0_f64,
        proof in proptest::sample::select(&PROOFS[..]),
    ) {
        let moment = Moment { now, chance };
        if let Some(stopped) = breaker.stopped(asked, now) {
            let stopped_for = stopped.stopped_until.since(now);
            prop_assert!(stopped.stopped_until >= now, "{stopped:?}");
            prop_assert!(stopped_for <= Duration::from_hours(1), "{stopped_for:?}");
        }
        let generation = breaker.at(now).generation;
        let tripped = breaker.tripped(generation, &calls(0, 5, 0), None, &RULES, moment);
        opens_for_a_while(tripped.as_ref(), now)?;
        let revoked = breaker.opened_systemically(generation, "401".into(), &RULES, moment);
        opens_for_a_while(revoked.as_ref(), now)?;
        match breaker.admit(Probe::lease("probe".into(), longest, now), &RULES, now) {
            Admission::Permit => prop_assert!(!breaker.at(now).state.refuses_calls()),
            Admission::Wait(until) => prop_assert!(until > now, "{until}"),
            Admission::Probe(next) => {
                prop_assert!(next.has_probe("probe"), "{next:?}");
                let generation = next.generation;
                let ended = next.concluded("probe", generation, proof, "", &RULES, moment);
                opens_for_a_while(ended.as_ref(), now)?;
            }
        }
    }
}
