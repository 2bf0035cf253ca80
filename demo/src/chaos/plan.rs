//! What strikes, when, and for how long: a function of the seed and the length alone.

use std::time::Duration;

use crate::incident::chance::Chance;

/// Seconds between two strikes.
const PAUSE_S: (u64, u64) = (2, 7);

/// Something that strikes the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Killed,
    Stopped,
    TablesRefuse,
    TablesHang,
    TablesLoseAnswers,
    QueuesRefuse,
    QueuesHang,
    QueuesLoseAnswers,
    Reset,
    Hang,
    Hold,
    Html,
    Challenge,
    Collapse,
    Latency,
    Throttled,
    ServerError,
    ClientError,
    KeyRevoked,
    Doubled,
    Dropped,
    Deployed,
}

impl Fault {
    /// All that are drawn. A deployment is not: it comes once, in the middle.
    pub(super) const DRAWN: [Self; 21] = [
        Self::Killed,
        Self::Stopped,
        Self::TablesRefuse,
        Self::TablesHang,
        Self::TablesLoseAnswers,
        Self::QueuesRefuse,
        Self::QueuesHang,
        Self::QueuesLoseAnswers,
        Self::Reset,
        Self::Hang,
        Self::Hold,
        Self::Html,
        Self::Challenge,
        Self::Collapse,
        Self::Latency,
        Self::Throttled,
        Self::ServerError,
        Self::ClientError,
        Self::KeyRevoked,
        Self::Doubled,
        Self::Dropped,
    ];

    /// What the report calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Killed => "a function's process is killed",
            Self::Stopped => "a function's process is stopped for a time",
            Self::TablesRefuse => "the tables refuse all calls",
            Self::TablesHang => "the tables do not answer",
            Self::TablesLoseAnswers => "the tables' answers are lost",
            Self::QueuesRefuse => "the queues refuse all calls",
            Self::QueuesHang => "the queues do not answer",
            Self::QueuesLoseAnswers => "the queues' answers are lost",
            Self::Reset => "third party: connections are reset",
            Self::Hang => "third party: calls hang, and have no effect",
            Self::Hold => "third party: calls hang after their effect",
            Self::Html => "third party: a firewall's page",
            Self::Challenge => "third party: a challenge for robots",
            Self::Collapse => "third party: an empty inventory",
            Self::Latency => "third party: slow answers",
            Self::Throttled => "third party: 429 with Retry-After",
            Self::ServerError => "third party: 500 to 504",
            Self::ClientError => "third party: 400 to 422",
            Self::KeyRevoked => "Rebrandly's key is revoked for a time",
            Self::Doubled => "a message is sent again",
            Self::Dropped => "messages of recorded jobs are deleted",
            Self::Deployed => "all functions are deployed again",
        }
    }

    /// The fewest and the most seconds that it lasts. What is over at once lasts none.
    const fn lasts_s(self) -> (u64, u64) {
        match self {
            Self::Killed | Self::Doubled | Self::Deployed => (0, 0),
            // Longer than some leases and time-outs, and shorter than others.
            Self::Stopped => (2, 60),
            Self::TablesRefuse
            | Self::TablesHang
            | Self::TablesLoseAnswers
            | Self::QueuesRefuse
            | Self::QueuesHang
            | Self::QueuesLoseAnswers => (3, 15),
            Self::KeyRevoked => (10, 30),
            Self::Dropped => (4, 10),
            Self::Reset
            | Self::Hang
            | Self::Hold
            | Self::Html
            | Self::Challenge
            | Self::Collapse
            | Self::Latency
            | Self::Throttled
            | Self::ServerError
            | Self::ClientError => (5, 25),
        }
    }
}

/// A fault that strikes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    pub(super) fault: Fault,
    /// Since the beginning.
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    /// Decides what it strikes, and how, where there is a choice.
    pub(super) pick: u64,
}

/// The beginning or the end of a strike, which has this place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) at: Duration,
    pub(super) strike: usize,
    pub(super) is_end: bool,
}

/// The strikes of a seed, in the order in which they begin. All are over when the time is.
pub(super) fn strikes(seed: u64, length: Duration) -> Vec<Strike> {
    let mut chance = Chance::of(seed);
    let mut strikes = Vec::new();
    let mut deck = Vec::new();
    let mut at = seconds(&mut chance, PAUSE_S);
    while at < length {
        // Every fault once, in random order, before any comes again.
        if deck.is_empty() {
            deck = chance.shuffled(0..Fault::DRAWN.len());
        }
        let drawn = deck.pop().and_then(|place| Fault::DRAWN.get(place).copied());
        let Some(fault) = drawn else { break };
        let lasts = seconds(&mut chance, fault.lasts_s()).min(length.saturating_sub(at));
        strikes.push(Strike { fault, at, lasts, pick: chance.bits() });
        at += seconds(&mut chance, PAUSE_S);
    }
    let (fault, lasts, pick) = (Fault::Deployed, Duration::ZERO, chance.bits());
    strikes.push(Strike { fault, at: length / 2, lasts, pick });
    strikes.sort_by_key(|strike| strike.at);
    strikes
}

/// When each strike begins and ends, in the order of time.
pub(super) fn moments(strikes: &[Strike]) -> Vec<Moment> {
    let both = strikes.iter().enumerate().flat_map(|(strike, Strike { at, lasts, .. })| {
        let begins = Moment { at: *at, strike, is_end: false };
        [begins, Moment { at: *at + *lasts, is_end: true, ..begins }]
    });
    let mut moments: Vec<Moment> = both.collect();
    moments.sort_unstable();
    moments
}

fn seconds(chance: &mut Chance, (fewest, most): (u64, u64)) -> Duration {
    Duration::from_secs(fewest + chance.below(most - fewest + 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn the_same_seed_has_the_same_plan_and_another_has_another() {
        assert_eq!(strikes(7, 10 * MINUTE), strikes(7, 10 * MINUTE));
        assert_ne!(strikes(7, 10 * MINUTE), strikes(8, 10 * MINUTE));
    }

    #[test]
    fn twenty_short_seeds_have_every_fault() {
        let found: BTreeSet<Fault> =
            (0..20).flat_map(|seed| strikes(seed, MINUTE)).map(|strike| strike.fault).collect();
        let all: BTreeSet<Fault> = Fault::DRAWN.into_iter().chain([Fault::Deployed]).collect();
        assert_eq!(found, all);
    }

    #[test]
    fn ten_minutes_have_every_fault_several_times() {
        for seed in 0..20 {
            let strikes = strikes(seed, 10 * MINUTE);
            for fault in Fault::DRAWN {
                let count = strikes.iter().filter(|strike| strike.fault == fault).count();
                assert!(count >= 3, "seed {seed}: {fault:?} {count} times");
            }
            let deployed: Vec<_> =
                strikes.iter().filter(|strike| strike.fault == Fault::Deployed).collect();
            assert_eq!(deployed.len(), 1, "seed {seed}");
            assert_eq!(deployed[0].at, 5 * MINUTE);
        }
    }

    #[test]
    fn every_strike_ends_after_it_has_begun_and_within_the_time() {
        let strikes = strikes(3, 2 * MINUTE);
        let moments = moments(&strikes);
        assert_eq!(moments.len(), 2 * strikes.len());
        assert!(moments.is_sorted_by_key(|moment| moment.at));
        for (place, strike) in strikes.iter().enumerate() {
            let own: Vec<_> = moments.iter().filter(|moment| moment.strike == place).collect();
            assert!(matches!(own.as_slice(), [begins, ends] if !begins.is_end && ends.is_end));
            assert!(own[1].at <= 2 * MINUTE, "{strike:?}");
        }
    }

    #[test]
    fn names_of_faults_differ() {
        let names: BTreeSet<&str> = Fault::DRAWN.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), Fault::DRAWN.len());
    }
}
