//! The shrinker: makes a plan that breaks a rule as small as it can, while it still breaks that rule. Each part is
//! taken away alone, and the others stay as they are, since each decision is drawn by itself.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::testing::BEGINNING;

use super::{
    load,
    plan::Plan,
    strikes::Strike,
    world::{Course, run},
};
use crate::bench::processes::SWEEPER;

/// Simulations that a shrinker runs at most.
const MOST_RUNS: usize = 400;

/// Time kept after the one at which the rule was broken, so that what broke it has happened.
const AFTER: Duration = Duration::from_secs(1);

/// A plan that breaks a rule, and its course.
pub(crate) struct Shrunk {
    pub(crate) plan: Plan,
    pub(crate) course: Course,
    pub(crate) runs: usize,
}

struct Shrinker {
    rule: &'static str,
    best: Plan,
    course: Course,
    runs: usize,
}

impl Shrinker {
    /// Takes `plan` if it breaks the same rule.
    fn takes(&mut self, plan: Plan) -> bool {
        if self.runs >= MOST_RUNS || plan == self.best {
            return false;
        }
        self.runs += 1;
        let course = run(&plan);
        let same = course.violation.as_ref().is_some_and(|broken| broken.rule == self.rule);
        if same {
            (self.best, self.course) = (plan, course);
        }
        same
    }

    /// Leaves out all that comes after the rule was broken.
    fn cut(&mut self) {
        let Some(violation) = &self.course.violation else { return };
        let until = violation.at.since(BEGINNING) + AFTER;
        if until < self.best.until {
            self.takes(Plan { until, ..self.best.clone() });
        }
    }

    fn features(&mut self) {
        for name in self.best.features.on() {
            let features = self.best.features.without(name);
            self.takes(Plan { features, ..self.best.clone() });
        }
    }

    /// Writes down which port calls failed, and leaves out those that need not.
    fn strikes(&mut self) {
        let struck = self.course.struck.clone();
        if !self.takes(Plan { strikes: Some(struck.clone()), ..self.best.clone() }) {
            return;
        }
        reduced(&struck, |some| {
            self.takes(Plan { strikes: Some(some.to_vec()), ..self.best.clone() })
        });
    }

    /// Tries the one call that must fail in the course of the broken job alone. It is named by the calls before it,
    /// and most other messages may be needed only to make those.
    fn alone(&mut self) {
        let Some(&[strike]) = self.best.strikes.as_deref() else { return };
        let Some(about) = self.course.violation.as_ref().map(|of| of.about.clone()) else { return };
        if strike.process >= SWEEPER {
            return;
        }
        let sends = load::load(&self.best).into_iter();
        let its = sends.filter(|send| send.key.as_ref() == Some(&about));
        let its: BTreeSet<u64> = its.map(|send| send.number).collect();
        for (process, nth) in [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)] {
            let strikes = Some(vec![Strike { process, nth, ..strike }]);
            let sends = Some(its.clone());
            if self.takes(Plan { sends, strikes, ..self.best.clone() }) {
                return;
            }
        }
    }

    fn sends(&mut self) {
        let sends: Vec<u64> = load::load(&self.best).iter().map(|send| send.number).collect();
        reduced(&sends, |some| {
            self.takes(Plan { sends: Some(some.iter().copied().collect()), ..self.best.clone() })
        });
    }
}

/// Shrinks a plan whose course has broken a rule; `None` if it has not.
pub(crate) fn shrink(plan: &Plan, course: &Course) -> Option<Shrunk> {
    let rule = course.violation.as_ref()?.rule;
    let mut shrinker = Shrinker { rule, best: plan.clone(), course: course.clone(), runs: 0 };
    shrinker.cut();
    shrinker.features();
    shrinker.strikes();
    shrinker.alone();
    shrinker.sends();
    shrinker.features();
    shrinker.cut();
    let Shrinker { best: plan, course, runs, .. } = shrinker;
    Some(Shrunk { plan, course, runs })
}

/// A smallest part of `items` that still fails: without any one of its items, it does not ("Simplifying and Isolating
/// Failure-Inducing Input", Zeller and Hildebrandt 2002).
fn reduced<T: Clone>(items: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut rest = items.to_vec();
    let mut parts = 2;
    while !rest.is_empty() {
        let size = rest.len().div_ceil(parts);
        let without = |at: usize| {
            let end = (at + size).min(rest.len());
            [&rest[..at], &rest[end..]].concat()
        };
        let less = (0..rest.len()).step_by(size).map(without).find(|less| fails(less));
        match less {
            Some(less) => {
                rest = less;
                parts = parts.saturating_sub(1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(rest.len()),
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_is_needed() {
        let items: Vec<u32> = (0..100).collect();
        let mut runs = 0;
        let needed = reduced(&items, |some| {
            runs += 1;
            some.contains(&7) && some.contains(&63)
        });
        assert_eq!(needed, [7, 63]);
        assert!(runs < 150, "{runs}");
        assert_eq!(reduced(&items, |_| true), Vec::<u32>::new());
        assert_eq!(reduced(&items[..3], |_| false), [0, 1, 2]);
    }
}
