//! Decides whether a container's checks of results can be trusted.

use std::time::Duration;

use crate::{base::time::Time, job::Soundness};

/// Checks within this time are counted together.
const HISTORY_SPAN: Duration = Duration::from_hours(1);

/// How many more results may be missing than were found before the checks themselves are suspect.
const MISSING: u32 = 5;

/// Counts of a container's latest checks. If no check finds its result, the checks are probably
/// wrong: for example, the workspace was changed, or the key belongs to another account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CheckHistory {
    since: Time,
    sound: u32,
    lost: u32,
    missing: u32,
}

impl CheckHistory {
    pub(super) fn note(&mut self, soundness: &Soundness, now: Time) {
        if now.since(self.since) >= HISTORY_SPAN {
            *self = Self { since: now, ..Self::default() };
        }
        match soundness {
            Soundness::Sound | Soundness::Changed(_) => self.sound += 1,
            Soundness::Lost(_) => self.lost += 1,
            Soundness::Missing(_) => self.missing += 1,
        }
    }

    /// Whether a result that was not found can be taken as lost.
    pub(super) fn lost_is_credible(self) -> bool {
        self.sound > 0 && self.lost <= self.sound + MISSING
    }

    /// Whether missing results may be created again. If most results are missing, the checks
    /// themselves are suspect.
    pub(super) fn missing_is_credible(self) -> bool {
        self.missing <= self.sound + MISSING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    #[test]
    fn checks_that_find_nothing_at_all_are_not_trusted() {
        let (sound, lost) = (Soundness::Sound, Soundness::Lost("gone".into()));
        let after = |checks: &[&Soundness]| {
            let mut all = CheckHistory::default();
            for soundness in checks {
                all.note(soundness, NOW);
            }
            all
        };
        assert!(!after(&[&lost]).lost_is_credible(), "the check itself may be wrong");
        assert!(after(&[&lost, &sound]).lost_is_credible());
        let mut many = after(&[&lost; 7]);
        many.note(&sound, NOW);
        assert!(!many.lost_is_credible(), "seven of eight are lost");
        many.note(&sound, NOW);
        assert!(many.lost_is_credible());
        many.note(&lost, NOW + HISTORY_SPAN);
        assert!(!many.lost_is_credible(), "counts older than an hour are dropped");
    }

    #[test]
    fn checks_that_find_most_results_missing_are_not_trusted() {
        let mut checks = CheckHistory::default();
        let missing = Soundness::Missing("no record".into());
        for _ in 0..MISSING {
            checks.note(&missing, NOW);
        }
        assert!(checks.missing_is_credible(), "a few results may be missing");
        checks.note(&missing, NOW);
        assert!(!checks.missing_is_credible());
        checks.note(&Soundness::Sound, NOW);
        assert!(checks.missing_is_credible());
    }
}
