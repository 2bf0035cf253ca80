use proptest::prelude::*;

use super::*;
use crate::testing::POLICY;

const RULES: BreakerPolicy = POLICY.breaker;
const NOW: Time = Time::from_millis(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
/// The draw that adds no jitter.
const EVEN: f64 = 0.0;

fn at(now: Time) -> Moment {
    Moment { now, chance: EVEN }
}

fn calls(ok: u64, failed: u64, slow: u64) -> Calls {
    Calls { ok, failed, slow, ..Calls::default() }
}

fn probe(token: &str, now: Time) -> Probe {
    Probe::lease(token.into(), SECOND * 5, now)
}

fn opened() -> Breaker {
    let closed = Breaker::default();
    closed.tripped(0, &calls(0, 5, 0), None, &RULES, at(NOW)).unwrap()
}

/// Admits `token` as a probe.
fn admitted(breaker: &Breaker, token: &str, now: Time) -> Breaker {
    match breaker.admit(probe(token, now), &RULES, now) {
        Admission::Probe(next) => next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn enough_failed_or_slow_calls_trip_it() {
    let trips = |ok, failed, slow| {
        Breaker::default().tripped(0, &calls(ok, failed, slow), None, &RULES, at(NOW)).is_some()
    };
    assert_eq!([trips(0, 4, 0), trips(0, 5, 0)], [false, true], "the threshold");
    assert_eq!([trips(6, 5, 0), trips(5, 5, 0)], [false, true], "half of the calls");
    assert_eq!([trips(5, 0, 4), trips(6, 0, 5), trips(5, 0, 5)], [false, true, true], "slow calls");
    assert!(!trips(100, 0, 79), "below eight tenths");
    let breaker = opened();
    assert_eq!(breaker.state, State::Open { retry_at: NOW + SECOND * 60, wait: SECOND * 60 });
    assert_eq!(
        (breaker.generation, breaker.why.as_str()),
        (NOW.as_secs_ceil(), "5 of 5 calls failed within a minute"),
        "the first generation is the time, so that an item that is made anew has a new one"
    );
}

#[test]
fn the_cause_names_the_code_of_failed_calls_and_not_of_slow_ones() {
    let why = |calls: Calls| {
        let tripped = Breaker::default().tripped(0, &calls, Some("http_503"), &RULES, at(NOW));
        tripped.unwrap().why
    };
    let failed = "6 of 7 calls failed within a minute, most often with http_503";
    assert_eq!(why(calls(1, 6, 0)), failed);
    assert_eq!(why(calls(9, 1, 9)), "9 of 10 calls were slow within a minute");
}

#[test]
fn only_a_closed_breaker_of_the_same_generation_trips() {
    let open = opened();
    assert_eq!(open.tripped(1, &calls(0, 9, 0), None, &RULES, at(NOW)), None);
    let closed = Breaker { generation: 3, ..Breaker::default() };
    assert_eq!(
        closed.tripped(2, &calls(0, 9, 0), None, &RULES, at(NOW)),
        None,
        "an older generation"
    );
    assert_eq!(closed.opened_systemically(2, "401".into(), &RULES, at(NOW)), None);
    let opened = closed.opened_systemically(3, "401".into(), &RULES, at(NOW)).unwrap();
    assert!(opened.systemic && opened.state.name() == "open");
}

#[test]
fn for_ten_minutes_probes_are_frequent_and_then_the_wait_doubles_up_to_its_cap() {
    let mut breaker = opened();
    let (mut waits, mut probed_at) = (Vec::new(), NOW);
    while waits.len() < 50 {
        let State::Open { retry_at, wait } = breaker.state else { panic!("{breaker:?}") };
        waits.push(wait.as_secs());
        let early = breaker.admit(probe("early", NOW), &RULES, retry_at.before(SECOND));
        assert_eq!(early, Admission::Wait(retry_at));
        // Each probe takes a second.
        probed_at = retry_at + SECOND;
        let half = admitted(&breaker, "a", retry_at);
        let failed = ProbeResult::Failed;
        breaker =
            half.concluded("a", half.generation, failed, "500", &RULES, at(probed_at)).unwrap();
        assert_eq!((breaker.state.name(), breaker.down_since), ("open", NOW));
    }
    let often = waits.iter().filter(|wait| **wait == 15).count();
    assert_eq!((waits[0], often), (60, 600_usize.div_ceil(16)));
    assert_eq!(waits[often + 1..], [30, 60, 120].into_iter().chain([240; 8]).collect::<Vec<_>>());
    assert!(probed_at > NOW);
}

#[test]
fn three_successful_probes_close_it_and_the_next_outage_begins_anew() {
    let State::Open { retry_at, .. } = opened().state else { panic!("open") };
    let mut breaker = opened();
    for token in ["a", "b", "c"] {
        breaker = admitted(&breaker, token, retry_at);
        let generation = breaker.generation;
        breaker = breaker
            .concluded(token, generation, ProbeResult::Succeeded, "", &RULES, at(retry_at))
            .unwrap();
    }
    assert_eq!((breaker.state.name(), breaker.why.as_str()), ("closed", "3 probes worked"));
    let later = retry_at + Duration::from_hours(1);
    let again =
        breaker.tripped(breaker.generation, &calls(0, 5, 0), None, &RULES, at(later)).unwrap();
    assert_eq!((breaker.down_since, again.down_since), (Time::default(), later));
}

#[test]
fn a_probe_is_a_lease_that_expires() {
    let State::Open { retry_at, .. } = opened().state else { panic!("open") };
    let two = admitted(&admitted(&opened(), "a", retry_at), "b", retry_at);
    let end = retry_at + SECOND * 5 + LEASE_GRACE;
    assert_eq!(two.admit(probe("c", retry_at), &RULES, retry_at), Admission::Wait(end));
    // Both processes died: their leases expire.
    let three = admitted(&two, "c", end);
    assert!(matches!(&three.state, State::HalfOpen { probes, .. } if probes.len() == 1));
    let late = three.concluded("a", three.generation, ProbeResult::Succeeded, "", &RULES, at(end));
    assert_eq!(late, None, "its lease has expired");
    let neutral =
        two.concluded("a", two.generation, ProbeResult::Neutral, "", &RULES, at(retry_at));
    let State::HalfOpen { probes, successes, .. } = neutral.unwrap().state else { panic!() };
    assert_eq!(
        (probes.len(), successes),
        (1, 0),
        "the lease is returned and no success is counted"
    );
}

#[test]
fn an_operator_may_force_a_state_until_a_given_time() {
    let until = NOW + SECOND * 60;
    let forced = |open| Breaker {
        generation: 4,
        state: State::Forced { open, until },
        ..Breaker::default()
    };
    let admit = |open, now| forced(open).admit(probe("a", now), &RULES, now);
    assert_eq!(admit(true, NOW), Admission::Wait(until));
    assert_eq!(admit(false, NOW), Admission::Permit);
    assert_eq!([admit(true, until), admit(false, until)], [Admission::Permit, Admission::Permit]);
    let many = calls(0, 99, 0);
    assert_eq!(forced(false).tripped(4, &many, None, &RULES, at(NOW)), None, "the override holds");
    let tripped = forced(false).tripped(5, &many, None, &RULES, at(until)).unwrap();
    assert_eq!((tripped.state.name(), tripped.generation), ("open", 6));
}

#[test]
fn it_stays_systemic_until_a_probe_shows_otherwise() {
    let State::Open { retry_at, .. } = opened().state else { panic!("open") };
    let half = admitted(&opened(), "a", retry_at);
    let conclude = |breaker: &Breaker, proof| {
        breaker.concluded("a", breaker.generation, proof, "401", &RULES, at(retry_at)).unwrap()
    };
    let revoked = conclude(&half, ProbeResult::FailedSystemically);
    assert!(revoked.systemic, "the probe met a revoked key");
    let State::Open { retry_at: later, .. } = revoked.state else { panic!("open") };
    let half = admitted(&revoked, "a", later);
    assert!(half.systemic, "still systemic while it probes");
    let down = half.concluded("a", half.generation, ProbeResult::Failed, "503", &RULES, at(later));
    assert!(!down.unwrap().systemic);
    let works = half
        .concluded("a", half.generation, ProbeResult::Succeeded, "", &RULES, at(later))
        .unwrap();
    let again = admitted(&works, "b", later);
    let two = again
        .concluded("b", again.generation, ProbeResult::Succeeded, "", &RULES, at(later))
        .unwrap();
    let three = admitted(&two, "c", later);
    let closed = three
        .concluded("c", three.generation, ProbeResult::Succeeded, "", &RULES, at(later))
        .unwrap();
    assert_eq!((closed.state.name(), closed.systemic), ("closed", false));
}

#[test]
fn no_wait_is_longer_than_named() {
    let retry_at = |chance| {
        let moment = Moment { now: NOW, chance };
        match Breaker::default().opened(0, String::new(), &RULES, moment).unwrap().state {
            State::Open { retry_at, .. } => retry_at.since(NOW).as_secs(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([retry_at(0.0), retry_at(0.5), retry_at(1.0)], [60, 58, 57]);
}

/// A naive reference of the same rules: one list of events in one process, without generations.
#[derive(Debug, Default)]
struct Reference {
    open_until: Option<Time>,
    half: bool,
    wait: Duration,
    tripped_at: Time,
    leases: Vec<(String, Time)>,
    worked: u32,
}

impl Reference {
    fn name(&self) -> &'static str {
        match (self.half, self.open_until) {
            (true, _) => "half_open",
            (false, Some(_)) => "open",
            (false, None) => "closed",
        }
    }

    fn enters(&mut self, token: &str, now: Time) -> bool {
        if self.open_until.is_some_and(|until| now >= until) {
            (self.open_until, self.half, self.worked) = (None, true, 0);
            self.leases.clear();
        }
        if self.half {
            self.leases.retain(|(_, until)| *until > now);
            if self.leases.len() == 2 {
                return false;
            }
            self.leases.push((token.to_owned(), now + SECOND * 5 + LEASE_GRACE));
            return true;
        }
        self.open_until.is_none()
    }

    fn ends(&mut self, token: &str, proof: ProbeResult, now: Time) {
        let held = self.leases.iter().position(|(lease, until)| lease == token && *until > now);
        let (true, Some(place)) = (self.half, held) else { return };
        match proof {
            ProbeResult::Neutral => {}
            ProbeResult::Succeeded => self.worked += 1,
            ProbeResult::Failed | ProbeResult::FailedSystemically => {
                self.wait = if now < self.tripped_at + SECOND * 660 {
                    SECOND * 15
                } else {
                    (self.wait * 2).min(SECOND * 240)
                };
                (self.half, self.open_until) = (false, Some(now + self.wait));
                return;
            }
        }
        if self.worked == 3 {
            self.half = false;
        } else {
            self.leases.remove(place);
        }
    }

    fn trips(&mut self, now: Time) {
        if self.name() == "closed" {
            self.tripped_at = now;
            (self.wait, self.open_until) = (SECOND * 60, Some(now + SECOND * 60));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Pass(u64),
    Enter(usize),
    End(usize, ProbeResult),
    Trip,
}

fn events() -> impl Strategy<Value = Event> {
    let proofs = prop_oneof![
        Just(ProbeResult::Succeeded),
        Just(ProbeResult::Failed),
        Just(ProbeResult::Neutral)
    ];
    prop_oneof![
        (0..90_000_u64).prop_map(Event::Pass),
        (0..4_usize).prop_map(Event::Enter),
        (0..4_usize, proofs).prop_map(|(token, proof)| Event::End(token, proof)),
        Just(Event::Trip),
    ]
}

proptest! {
    #[test]
    fn it_behaves_like_the_reference(events in proptest::collection::vec(events(), 0..60)) {
        let (mut breaker, mut reference, mut now) = (Breaker::default(), Reference::default(), NOW);
        // The token of the latest admission of each run, with its generation.
        let mut runs: [Option<(String, u64)>; 4] = Default::default();
        for (number, event) in events.into_iter().enumerate() {
            match event {
                Event::Pass(ms) => now = now + Duration::from_millis(ms),
                Event::Enter(run) => {
                    let token = format!("{run}-{number}");
                    let admission = breaker.admit(probe(&token, now), &RULES, now);
                    let enters = !matches!(admission, Admission::Wait(_));
                    prop_assert_eq!(enters, reference.enters(&token, now));
                    if let Admission::Probe(next) = admission {
                        prop_assert!(next.generation >= breaker.generation);
                        breaker = next;
                    }
                    if enters {
                        runs[run] = Some((token, breaker.generation));
                    }
                }
                Event::End(run, proof) => {
                    let Some((token, generation)) = runs[run].take() else { continue };
                    let next =
                        breaker.concluded(&token, generation, proof, "", &RULES, at(now));
                    breaker = next.unwrap_or(breaker);
                    reference.ends(&token, proof, now);
                }
                Event::Trip => {
                    let minute = calls(0, 5, 0);
                    let next = breaker.tripped(breaker.generation, &minute, None, &RULES, at(now));
                    breaker = next.unwrap_or(breaker);
                    reference.trips(now);
                }
            }
            prop_assert_eq!(breaker.state.name(), reference.name());
        }
    }
}

#[path = "breaker_extremes_tests.rs"]
mod extremes;
#[path = "breaker_model_tests.rs"]
mod model;
