//! A model check: every interleaving of a few containers that share a breaker, with crashes and
//! clock skew.
//!
//! A container reads the item, later acts on what it read (a conditional write), runs, and then
//! ends or dies. Time passes in seconds. Worlds that differ only by a shift in time or in
//! generations count as one, so the number of worlds is finite and the search visits all that can
//! be reached.

use std::collections::{HashSet, VecDeque};

use super::*;
use crate::{
    base::{random::Random, time::CLOCK_SKEW},
    testing::SeededRandom,
};

/// A policy that allows this many concurrent probes.
const fn small(probes: u32) -> BreakerPolicy {
    BreakerPolicy {
        failures: 1,
        open_wait: Duration::from_secs(5),
        longest_wait: Duration::from_secs(10),
        probes,
        successes: 2,
    }
}

/// Longest run, in seconds.
const RUN_S: u64 = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Container {
    Idle,
    /// It has read the item and has not acted yet. `fresh` says that no container has written
    /// since.
    Looked {
        seen: Breaker,
        fresh: bool,
    },
    Running {
        generation: u64,
        probe: Option<String>,
        since_s: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    policy: BreakerPolicy,
    now_s: u64,
    breaker: Breaker,
    containers: Vec<Container>,
}

const START_S: u64 = 1_000;

impl World {
    /// The same world, shifted so that the time is [`START_S`] and the breaker's generation is 2.
    /// Older generations become 1, so they stay older.
    fn moved(&self) -> Self {
        let mut world = self.clone();
        let (late_s, latest) = (self.now_s - START_S, self.breaker.generation);
        // All times that have passed on every clock are equivalent.
        let time = |time: Time| {
            let moved = time.as_millis().saturating_sub(late_s * 1_000);
            Time::from_millis(moved.max((START_S - 1) * 1_000))
        };
        let generation = |generation: u64| (generation + 2).saturating_sub(latest).max(1);
        let breaker = |breaker: &mut Breaker| {
            breaker.generation = generation(breaker.generation);
            (breaker.since, breaker.why) = (Time::default(), String::new());
            match &mut breaker.state {
                State::Open { retry_at, .. } => *retry_at = time(*retry_at),
                State::HalfOpen { probes, .. } => {
                    for until in probes.values_mut() {
                        *until = time(*until);
                    }
                }
                _ => {}
            }
        };
        breaker(&mut world.breaker);
        for container in &mut world.containers {
            match container {
                Container::Looked { seen, .. } => breaker(seen),
                Container::Running { generation: of, since_s, .. } => {
                    *of = generation(*of);
                    *since_s -= late_s;
                }
                Container::Idle => {}
            }
        }
        world.now_s = START_S;
        world
    }

    fn clock(&self, container: usize, skews: &[u64]) -> Time {
        Time::from_millis((self.now_s + skews[container]) * 1_000)
    }

    fn live_probes(&self) -> usize {
        let probe =
            |container: &&Container| matches!(container, Container::Running { probe: Some(_), .. });
        self.containers.iter().filter(probe).count()
    }

    fn put(&self, container: usize, state: Container) -> Self {
        let mut next = self.clone();
        next.containers[container] = state;
        next
    }

    fn written(&self, breaker: Breaker) -> Self {
        let mut next = Self { breaker, ..self.clone() };
        for container in &mut next.containers {
            if let Container::Looked { fresh, .. } = container {
                *fresh = false;
            }
        }
        next
    }

    /// A token that no lease in the item has.
    fn token(&self, container: usize) -> String {
        let held = |token: &String| match &self.breaker.state {
            State::HalfOpen { probes, .. } => probes.contains_key(token),
            _ => false,
        };
        (0..9).map(|n| format!("{container}-{n}")).find(|token| !held(token)).unwrap()
    }

    /// The container acts on what it read.
    fn act(&self, container: usize, skews: &[u64]) -> Self {
        let Container::Looked { seen, fresh } = &self.containers[container] else {
            unreachable!("the container has not read the item")
        };
        let (now, token, since_s) =
            (self.clock(container, skews), self.token(container), self.now_s);
        let lease = Probe::lease(token.clone(), Duration::from_secs(RUN_S), now);
        match seen.admit(lease, &self.policy, now) {
            Admission::Wait(_) => self.put(container, Container::Idle),
            Admission::Permit => {
                let generation = seen.at(now).generation;
                self.put(container, Container::Running { generation, probe: None, since_s })
            }
            // The conditional write fails.
            Admission::Probe(_) if !fresh => self.put(container, Container::Idle),
            Admission::Probe(breaker) => {
                let (generation, probe) = (breaker.generation, Some(token));
                let run = Container::Running { generation, probe, since_s };
                self.written(breaker).put(container, run)
            }
        }
    }

    /// The container's run ends with `proof`. Checks the rules that must hold then.
    fn end(&self, container: usize, proof: ProbeResult, skews: &[u64]) -> Self {
        let Container::Running { generation, probe, .. } = &self.containers[container] else {
            unreachable!("the container is not running")
        };
        let moment = Moment { now: self.clock(container, skews), chance: EVEN };
        let before = &self.breaker;
        let after = match (probe, proof) {
            (Some(token), _) => {
                before.concluded(token, *generation, proof, "", &self.policy, moment)
            }
            (None, ProbeResult::Failed) => {
                before.tripped(*generation, &calls(0, 1, 0), None, &self.policy, moment)
            }
            (None, _) => None,
        };
        if let Some(after) = &after {
            assert_eq!(
                *generation, before.generation,
                "a result of an older generation has no effect"
            );
            if proof == ProbeResult::Neutral {
                assert_eq!(
                    after.state.name(),
                    before.state.name(),
                    "a neutral result changes no state"
                );
            }
        }
        let next = after.map_or_else(|| self.clone(), |breaker| self.written(breaker));
        next.put(container, Container::Idle)
    }

    fn successors(&self, skews: &[u64]) -> Vec<Self> {
        let (mut next, mut may_pass) = (Vec::new(), true);
        for container in 0..self.containers.len() {
            match &self.containers[container] {
                Container::Idle => {
                    let seen = self.breaker.clone();
                    next.push(self.put(container, Container::Looked { seen, fresh: true }));
                }
                Container::Looked { .. } => next.push(self.act(container, skews)),
                Container::Running { since_s, .. } => {
                    for proof in [ProbeResult::Succeeded, ProbeResult::Failed, ProbeResult::Neutral]
                    {
                        next.push(self.end(container, proof, skews));
                    }
                    // The process dies without reporting a result.
                    next.push(self.put(container, Container::Idle));
                    may_pass &= self.now_s < since_s + RUN_S;
                }
            }
        }
        if may_pass {
            next.push(Self { now_s: self.now_s + 1, ..self.clone() });
        }
        next
    }

    fn check(&self, probes: u32) {
        assert!(self.live_probes() <= probes as usize, "more probes than leases: {self:?}");
        assert!(self.closes(), "the breaker can never close: {self:?}");
    }

    /// Whether the breaker closes if all other containers are dead from now on and the dependency
    /// works.
    fn closes(&self) -> bool {
        let (mut breaker, mut now) = (self.breaker.clone(), self.clock(0, &[0]));
        for round in 0..10 {
            let token = format!("healthy-{round}");
            match breaker.admit(Probe::lease(token.clone(), SECOND, now), &self.policy, now) {
                Admission::Permit => return true,
                Admission::Wait(until) => now = until,
                Admission::Probe(next) => {
                    let moment = Moment { now, chance: EVEN };
                    let generation = next.generation;
                    let proven = next.concluded(
                        &token,
                        generation,
                        ProbeResult::Succeeded,
                        "",
                        &self.policy,
                        moment,
                    );
                    breaker = proven.unwrap();
                }
            }
        }
        false
    }
}

/// Visits every world that can be reached and returns their number.
fn explore(probes: u32, skews: &[u64]) -> usize {
    let start = start(probes, skews);
    let (mut seen, mut ahead) = (HashSet::from([start.clone()]), VecDeque::from([start]));
    while let Some(world) = ahead.pop_front() {
        world.check(probes);
        for next in world.successors(skews) {
            let next = next.moved();
            if seen.insert(next.clone()) {
                assert!(seen.len() < 2_000_000, "the search does not end");
                ahead.push_back(next);
            }
        }
    }
    seen.len()
}

fn start(probes: u32, skews: &[u64]) -> World {
    let containers = vec![Container::Idle; skews.len()];
    let breaker = Breaker::default();
    World { policy: small(probes), now_s: START_S, breaker, containers }.moved()
}

#[test]
fn every_interleaving_of_containers_keeps_the_rules() {
    let skew = CLOCK_SKEW.as_secs();
    for skews in [[0, 0], [0, skew], [skew, 0]] {
        let states = explore(1, &skews);
        assert!(states > 5_000, "the search visited only {states} states");
    }
}

/// Random walks with two concurrent probes and more containers than an exhaustive search can cover.
#[test]
fn random_walks_of_many_containers_keep_the_rules() {
    let skews = [0, CLOCK_SKEW.as_secs(), 1, 0];
    let (mut probing, random) = (0, SeededRandom::new(5));
    for _ in 0..1_000 {
        let mut world = start(2, &skews);
        for _ in 0..300 {
            world.check(2);
            probing += usize::from(world.live_probes() == 2);
            let next = world.successors(&skews);
            let choice = usize::try_from(random.bits() % next.len() as u64).unwrap();
            world = next[choice].moved();
        }
    }
    assert!(probing > 500, "only {probing} steps had both probes in flight");
}
