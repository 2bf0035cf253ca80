//! Runs many seeds, spread over the cores.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use super::{
    gathered::Gathered,
    plan::Plan,
    report::{Tally, of_failure},
    shrink::shrink,
    world::{Course, run},
};

/// Seeds after which a line says how far it is, and what is gathered is saved.
const BLOCK: u64 = 1_000;

/// Which seeds to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) first: u64,
    pub(crate) count: u64,
    /// Settings of every plan, as NAME=NUMBER.
    pub(crate) set: Vec<String>,
    pub(crate) threads: usize,
    /// Where seeds of several runs are gathered: each run goes on after the last seed of the one before.
    pub(crate) gathered: Option<PathBuf>,
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
    /// The first seed that broke a rule.
    broken: Option<(Plan, Course)>,
}

/// Runs the seeds, until one breaks a rule, and returns what they say together. The error says which rule was broken
/// and how, or what is wrong with a setting, or that too little has happened.
#[expect(clippy::print_stdout, reason = "who runs many seeds wants to see how far it is")]
pub(crate) fn run_all(selection: &Selection) -> Result<String, String> {
    selection.plan(selection.first)?;
    let mut gathered = Gathered::open(selection.gathered.as_deref(), selection.first)?;
    let (mut tally, mut done) = (Tally::default(), 0);
    while done < selection.count {
        let first = gathered.next_seed();
        let end = first + BLOCK.min(selection.count - done);
        let found = run_some(selection, first..end);
        if let Some((plan, course)) = found.broken {
            let shrunk = shrink(&plan, &course).ok_or("a broken rule is one")?;
            return Err(of_failure(&shrunk));
        }
        done += end - first;
        gathered.add(end - first, &found.tally.coverage)?;
        tally.join(found.tally);
        if done < selection.count {
            println!("{done} seeds");
        }
    }
    let text = format!("{}{}", tally.text(), gathered.text());
    match tally.too_little(&selection.set).as_slice() {
        [] => Ok(text),
        little => Err(format!("{text}\ntoo little happens: {}", little.join("; "))),
    }
}

/// Runs these seeds.
fn run_some(selection: &Selection, seeds: Range<u64>) -> Found {
    let (next, stop) = (AtomicU64::new(seeds.start), AtomicBool::new(false));
    let found = Mutex::new(Found::default());
    thread::scope(|scope| {
        for _ in 0..selection.threads {
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let plan = selection.plan(seed).unwrap();
                    let course = run(&plan);
                    note(&mut found.lock().unwrap(), plan, course, &stop);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

fn note(found: &mut Found, plan: Plan, course: Course, stop: &AtomicBool) {
    found.tally.add(&plan, &course);
    let is_first = found.broken.as_ref().is_none_or(|(first, _)| plan.seed < first.seed);
    if course.violation.is_some() && is_first {
        found.broken = Some((plan, course));
        stop.store(true, Relaxed);
    }
}
