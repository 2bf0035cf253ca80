//! The active faults, and which calls they strike.

use std::collections::HashMap;

use crate::chance;
use crate::faults::{Fault, FaultKind, FaultReport};
use crate::subject::Subject;

/// The fault that strikes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) fault_id: u64,
    pub(crate) kind: FaultKind,
    pub(crate) after_work: bool,
}

/// The active faults, oldest first. A spent fault stays listed until it is removed.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    added: u64,
    in_place: Vec<InPlace>,
}

impl Faults {
    /// Adds a fault, and returns its number.
    pub(crate) fn add(&mut self, fault: Fault, now_ms: u64) -> u64 {
        self.added += 1;
        let id = self.added;
        self.in_place.push(InPlace {
            id,
            fault,
            added_ms: now_ms,
            struck: 0,
            asked: HashMap::new(),
        });
        id
    }

    /// Finds the fault that strikes a call, if any, and counts the strike.
    pub(crate) fn strike(&mut self, subject: &Subject, now_ms: u64) -> Option<Strike> {
        let struck =
            self.in_place.iter_mut().find_map(|one| one.strikes(subject, now_ms).then_some(one))?;
        let Fault { kind, after_work, .. } = struck.fault.clone();
        Some(Strike { fault_id: struck.id, kind, after_work })
    }

    pub(crate) fn list(&self, now_ms: u64) -> Vec<FaultReport> {
        self.in_place.iter().map(|in_place| in_place.report(now_ms)).collect()
    }

    /// Whether the fault has not been removed, spent or not.
    pub(crate) fn has(&self, id: u64) -> bool {
        self.in_place.iter().any(|in_place| in_place.id == id)
    }

    /// Removes a fault, and returns whether it was there.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.in_place.len();
        self.in_place.retain(|in_place| in_place.id != id);
        self.in_place.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.in_place.clear();
    }
}

#[derive(Debug)]
struct InPlace {
    id: u64,
    fault: Fault,
    added_ms: u64,
    struck: u64,
    /// How often each subject has been drawn for. Only a fault with a share makes draws.
    asked: HashMap<String, u64>,
}

impl InPlace {
    fn strikes(&mut self, subject: &Subject, now_ms: u64) -> bool {
        if self.spent(now_ms) || !self.fault.suits(subject) || !self.chosen(subject) {
            return false;
        }
        self.struck += 1;
        true
    }

    fn chosen(&mut self, subject: &Subject) -> bool {
        let Some(share) = self.fault.scope.share else { return true };
        let key = subject.key();
        let nth = self.asked.entry(key.clone()).or_default();
        let drawn = chance::fraction(self.fault.scope.seed.unwrap_or_default(), &key, *nth);
        *nth += 1;
        drawn < share
    }

    fn spent(&self, now_ms: u64) -> bool {
        let scope = &self.fault.scope;
        scope.calls.is_some_and(|calls| self.struck >= calls)
            || scope.for_ms.is_some_and(|for_ms| now_ms >= self.added_ms.saturating_add(for_ms))
    }

    fn report(&self, now_ms: u64) -> FaultReport {
        FaultReport {
            id: self.id,
            fault: self.fault.clone(),
            struck: self.struck,
            spent: self.spent(now_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::{Scope, Target};
    use crate::reply::Reply;

    fn fault(kind: FaultKind, scope: Scope) -> Fault {
        Fault { kind, on: Target::default(), scope, after_work: false }
    }

    fn about(slashtag: &str) -> Subject {
        Subject { slashtag: Some(slashtag.to_owned()), ..Subject::default() }
    }

    #[test]
    fn a_fault_strikes_its_number_of_calls_and_then_the_next_fault_applies() {
        let mut faults = Faults::default();
        faults.add(fault(FaultKind::Reset, Scope::calls(2)), 0);
        faults.add(fault(FaultKind::Hang, Scope::calls(1)), 0);
        let mut kind = || faults.strike(&about("a"), 0).map(|strike| strike.kind);
        assert_eq!(kind(), Some(FaultKind::Reset));
        assert_eq!(kind(), Some(FaultKind::Reset));
        assert_eq!(kind(), Some(FaultKind::Hang));
        assert_eq!(kind(), None);
        let reports = faults.list(0);
        assert!(reports.iter().all(|report| report.spent));
        assert_eq!(reports[0].struck, 2);
    }

    #[test]
    fn a_fault_can_be_limited_in_time() {
        let mut faults = Faults::default();
        faults.add(fault(FaultKind::Reset, Scope::for_ms(100)), 1_000);
        assert!(faults.strike(&about("a"), 1_099).is_some());
        assert!(faults.strike(&about("a"), 1_100).is_none());
    }

    #[test]
    fn a_share_strikes_the_same_calls_in_any_order() {
        let struck = |slashtags: &mut dyn Iterator<Item = usize>| {
            let mut faults = Faults::default();
            faults.add(fault(FaultKind::Reset, Scope::share(0.2, 7)), 0);
            let mut struck: Vec<usize> = slashtags
                .filter(|number| faults.strike(&about(&number.to_string()), 0).is_some())
                .collect();
            struck.sort_unstable();
            struck
        };
        let forwards = struck(&mut (0..1_000));
        assert_eq!(forwards, struck(&mut (0..1_000).rev()));
        assert!((150..250).contains(&forwards.len()), "{}", forwards.len());
    }

    #[test]
    fn a_share_does_not_strike_the_same_call_every_time() {
        let mut faults = Faults::default();
        faults.add(fault(FaultKind::Reset, Scope::share(0.5, 7)), 0);
        let strikes = (0..100).filter(|_| faults.strike(&about("a"), 0).is_some()).count();
        assert!((30..70).contains(&strikes), "{strikes}");
    }

    #[test]
    fn a_collapse_fault_is_spent_only_on_lists() {
        let mut faults = Faults::default();
        faults.add(fault(FaultKind::Collapse, Scope::calls(1)), 0);
        assert!(faults.strike(&about("a"), 0).is_none());
        let list = Subject { empty_list: Some(Reply::html(200, None)), ..about("a") };
        assert!(faults.strike(&list, 0).is_some());
        assert!(faults.strike(&list, 0).is_none());
    }

    #[test]
    fn removed_faults_are_gone_and_numbers_are_not_reused() {
        let mut faults = Faults::default();
        let first = faults.add(fault(FaultKind::Reset, Scope::calls(1)), 0);
        assert!(faults.remove(first));
        assert!(!faults.remove(first));
        assert_ne!(faults.add(fault(FaultKind::Reset, Scope::calls(1)), 0), first);
        faults.clear();
        assert_eq!(faults.list(0), []);
    }
}
