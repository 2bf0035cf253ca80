//! When parked jobs go: behind a breaker, in their turn, and after a stop.

use super::*;

#[test]
fn a_parked_job_names_the_state_of_its_breaker() {
    let job = parked(after(40), true);
    let probes = BTreeMap::from([("t".to_owned(), after(9))]);
    let half_open = State::HalfOpen { probes, successes: 1, wait: Duration::from_secs(60) };
    let forced = State::Forced { open: true, until: after(600) };
    let cases = [
        (open(), "open", Some(after(40)), false),
        (half_open, "half_open", None, false),
        (forced, "forced_open", Some(after(600)), true),
    ];
    for (state, name, until, has_advice) in cases {
        let told = explain(&job, &behind(state, false), NOW);
        let gate = told.gate.unwrap();
        assert_eq!(
            (gate.kind, gate.of.as_str(), gate.state.as_str()),
            (GateKind::Breaker, "shop", name)
        );
        assert_eq!(gate.until, until.map(Time::as_millis), "{name}");
        assert_eq!(gate.why.as_deref(), Some("5 of 6 calls failed"));
        assert_eq!(
            (told.since, told.ends_at),
            (Some(ago(120).as_millis()), Some(after(9_000).as_millis()))
        );
        assert_eq!(told.expected.unwrap().from, Some(until.unwrap_or(NOW).as_millis()), "{name}");
        assert_eq!(told.advice.is_some(), has_advice, "{name}");
    }
    let systemic = explain(&job, &behind(open(), true), NOW);
    assert!(systemic.advice.unwrap().text.contains("Fix what shop refuses"));
}

#[test]
fn a_parked_job_behind_a_closed_breaker_goes_in_its_turn() {
    let first = explain(&parked(after(40), true), &facts(), NOW);
    assert_eq!((first.gate, first.expected.unwrap().until), (None, Some(after(120).as_millis())));
    let ahead = Some(Ahead { count: 100, at_least: true });
    let limiter =
        Limiter { next_us: after(30).as_millis() * 1_000, pace: 500, ..Limiter::default() };
    let busy = Facts { ahead, limiter: Some(limiter), ..behind(State::Closed, false) };
    let later = explain(&parked(ago(10), false), &busy, NOW);
    let gate = later.gate.unwrap();
    assert_eq!(
        (gate.kind, gate.state.as_str(), gate.until),
        (GateKind::Limiter, "slowed", Some(after(30).as_millis()))
    );
    assert_eq!((later.ahead, later.expected.unwrap().until), (ahead, None));
    let expired = State::Forced { open: true, until: ago(1) };
    assert_eq!(
        explain(&parked(after(40), true), &behind(expired, false), NOW).gate,
        None,
        "it has expired"
    );
}

#[test]
fn a_parked_job_goes_when_those_before_it_have_gone() {
    let limits = Limits { per_minute: Some(480), per_hour: Some(18_000), ..Limits::default() };
    let slowed = Limiter { pace: 500, ..Limiter::default() };
    let told = |count, at_least, parked| {
        let facts = Facts {
            ahead: Some(Ahead { count, at_least }),
            parked,
            limits: limits.clone(),
            limiter: Some(slowed.clone()),
            ..facts()
        };
        let expected = explain(&parked_record(), &facts, NOW).expected.unwrap();
        assert!(expected.how.contains("at most 240 a minute"), "{}", expected.how);
        (expected.from.unwrap(), expected.until)
    };
    let tick = 120;
    let at = |seconds| after(seconds).as_millis();
    // 240 a minute at half the pace. The 16 shards take turns: 16 * 61 - 1 jobs at most.
    assert_eq!(told(60, false, None), (at(15), Some(after(tick).as_millis() + 243_750)));
    assert_eq!(told(60, false, Some(121)), (at(15), Some(at(30 + tick))), "120 others in all");
    assert_eq!(told(100, true, Some(961)), (at(25), Some(at(240 + tick))));
    assert_eq!(told(100, true, None), (at(25), None), "nobody has counted them");
    let host = Facts { ahead: Some(Ahead { count: 600, at_least: false }), ..facts() };
    let mut of_host = parked_record();
    of_host.work.dependency = "page/www.example.com".into();
    let expected = explain(&of_host, &host, NOW).expected.unwrap();
    assert_eq!(expected.until, Some(at(60 + tick)), "a host has one shard, and ten go a second");
}

#[test]
fn a_parked_job_waits_for_the_end_of_a_stop_at_its_limiter() {
    let limits = Limits { per_minute: Some(480), per_hour: Some(18_000), ..Limits::default() };
    let rates = limits.rates().unwrap();
    let limiter = Limiter::default().slowed(rates, Duration::from_secs(300), NOW);
    let told = |record: &Record, state| {
        let (limits, limiter) = (limits.clone(), Some(limiter.clone()));
        let told = explain(record, &Facts { limiter, limits, ..behind(state, false) }, NOW);
        let gate = told.gate.unwrap();
        (gate.kind, gate.state, gate.until, told.expected.unwrap().from)
    };
    let [soon, end, own] = [40, 300, 900].map(|seconds| Some(after(seconds).as_millis()));
    let stopped = (GateKind::Limiter, "stopped".to_owned(), end, end);
    assert_eq!(told(&parked_record(), State::Closed), stopped);
    let open_too = (GateKind::Breaker, "open".to_owned(), soon, end);
    assert_eq!(told(&parked_record(), open()), open_too, "no probe goes before");
    let later = (GateKind::Pause, "waiting".to_owned(), own, own);
    assert_eq!(told(&parked(after(900), false), State::Closed), later, "its own time is later");
}

#[test]
fn a_parked_job_that_waits_for_a_time_is_released_then() {
    let told = explain(&parked(after(300), false), &facts(), NOW);
    assert_eq!(told.gate.unwrap().kind, GateKind::Pause);
    assert_eq!(told.expected.unwrap().from, Some(after(300).as_millis()));
    let asked = Breaker { stopped_until: after(50), ..Breaker::default() };
    let stopped = Facts { breaker: Some(asked), ..facts() };
    let gate = explain(&parked(ago(1), false), &stopped, NOW).gate.unwrap();
    assert_eq!((gate.state.as_str(), gate.until), ("stopped", Some(after(50).as_millis())));
    let failure = LastFailure { class: "systemic".into(), fingerprint: "f".into(), at: ago(60) };
    let own = Record { last_failure: Some(failure), ..parked(after(30), false) };
    assert!(
        explain(&own, &facts(), NOW)
            .advice
            .unwrap()
            .text
            .contains("fix what it refuses about this one")
    );
}

/// A parked job that waits for its breaker only, which is closed.
fn parked_record() -> Record {
    parked(ago(10), true)
}
