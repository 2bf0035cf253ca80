//! How far a container's checks of results may be believed.

use std::time::Duration;

use crate::{base::time::Time, job::Soundness};

/// For how long a container's looks count together.
const HISTORY_SPAN: Duration = Duration::from_hours(1);

/// Results that may be missing beyond as many as were found, before looking itself is doubted.
const MISSING: u32 = 5;

/// What a container's latest looks came to. Whoever finds nothing at all looks in the wrong place: a
/// workspace that was changed, a key of another account.
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

    /// Whether a result that was not found may be believed to be gone.
    pub(super) fn are_believed(self) -> bool {
        self.sound > 0 && self.lost <= self.sound + MISSING
    }

    /// Whether results that are missing may be made again: if most of them are, what looks is wrong.
    pub(super) fn may_be_missing(self) -> bool {
        self.missing <= self.sound + MISSING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    #[test]
    fn who_finds_nothing_at_all_is_not_believed() {
        let (sound, lost) = (Soundness::Sound, Soundness::Lost("gone".into()));
        let after = |checks: &[&Soundness]| {
            let mut all = CheckHistory::default();
            for soundness in checks {
                all.note(soundness, NOW);
            }
            all
        };
        assert!(!after(&[&lost]).are_believed(), "perhaps the wrong place");
        assert!(after(&[&lost, &sound]).are_believed());
        let mut many = after(&[&lost; 7]);
        many.note(&sound, NOW);
        assert!(!many.are_believed(), "seven of eight");
        many.note(&sound, NOW);
        assert!(many.are_believed());
        many.note(&lost, NOW + HISTORY_SPAN);
        assert!(!many.are_believed(), "that was an hour ago");
    }

    #[test]
    fn what_finds_everything_missing_is_wrong_itself() {
        let mut checks = CheckHistory::default();
        let missing = Soundness::Missing("no record".into());
        for _ in 0..MISSING {
            checks.note(&missing, NOW);
        }
        assert!(checks.may_be_missing(), "a few may be");
        checks.note(&missing, NOW);
        assert!(!checks.may_be_missing());
        checks.note(&Soundness::Sound, NOW);
        assert!(checks.may_be_missing());
    }
}
