//! Runs many seeds, spread over the cores.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use super::{
    plan::Plan,
    report::{Tally, of_failure},
    shrink::shrink,
    world::{Course, run},
};

/// Seeds after which a line says how far it is.
const TOLD_EVERY: u64 = 1_000;

/// Which seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// Settings of every plan, as NAME=NUMBER.
    pub(crate) set: Vec<String>,
    pub(crate) threads: usize,
}

impl Selection {
    /// The plan of a seed with these settings. Fails with a sentence if one is wrong.
    fn plan(&self, seed: u64) -> Result<Plan, String> {
        let mut plan = Plan::of(seed);
        self.set.iter().try_for_each(|setting| plan.set(setting))?;
        Ok(plan)
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Found {
    tally: Tally,
    done: u64,
    /// The first seed that broke a rule.
    broken: Option<(Plan, Course)>,
}

/// Runs the seeds, until one breaks a rule, and returns what they say together. The error says which rule was broken
/// and how, or what is wrong with a setting, or that too little has happened.
pub(crate) fn run_all(selection: &Selection) -> Result<String, String> {
    selection.plan(selection.first)?;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let found = Mutex::new(Found::default());
    thread::scope(|scope| {
        for _ in 0..selection.threads {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= selection.count {
                        return;
                    }
                    let plan = selection.plan(selection.first + number).unwrap();
                    let course = run(&plan);
                    note(&mut found.lock().unwrap(), plan, course, &stop);
                }
            });
        }
    });
    let Found { tally, broken, .. } = found.into_inner().unwrap();
    if let Some((plan, course)) = broken {
        let shrunk = shrink(&plan, &course).ok_or("a broken rule is one")?;
        return Err(of_failure(&shrunk));
    }
    match tally.too_little(&selection.set).as_slice() {
        [] => Ok(tally.text()),
        little => Err(format!("{}\ntoo little happens: {}", tally.text(), little.join("; "))),
    }
}

#[expect(clippy::print_stdout, reason = "who runs many seeds wants to see how far it is")]
fn note(found: &mut Found, plan: Plan, course: Course, stop: &AtomicBool) {
    found.tally.add(&plan, &course);
    found.done += 1;
    if found.done.is_multiple_of(TOLD_EVERY) {
        println!("{} seeds", found.done);
    }
    let is_first = found.broken.as_ref().is_none_or(|(first, _)| plan.seed < first.seed);
    if course.violation.is_some() && is_first {
        found.broken = Some((plan, course));
        stop.store(true, Relaxed);
    }
}
