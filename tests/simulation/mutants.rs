//! Runs seeds with a fault in the shipped code until one breaks a rule. A fault that is never found shows that the
//! simulation, or its oracle, is blind for something.

use std::{
    fmt::Write as _,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
};

use evenkeel::base::mutants::Mutant;

use super::{plan::Plan, world::run};

/// What has become of a fault: the seeds that it took, and the rule that was broken; `None` if none was.
type Fate = Option<(u64, &'static str)>;

/// Puts each of these faults into the code, one after the other, and runs seeds until it is found. Returns how many
/// seeds each took. The error names those that are not found within `most` seeds.
pub(crate) fn catch(mutants: &[Mutant], most: u64, threads: usize) -> Result<String, String> {
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(vec![None; mutants.len()]);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Relaxed);
                    let Some(mutant) = mutants.get(place) else { return };
                    let fate = fate(*mutant, most);
                    fates.lock().unwrap()[place] = fate;
                }
            });
        }
    });
    let fates = fates.into_inner().unwrap();
    let mut text = format!("{} faults, each in the code alone:", mutants.len());
    let mut missed = Vec::new();
    for (mutant, fate) in mutants.iter().zip(&fates) {
        let name = format!("{mutant:?}");
        if let Some((seeds, rule)) = fate {
            let _ = write!(text, "\n  {name:28} found after {seeds:5} seeds: {rule}");
        } else {
            let _ = write!(text, "\n  {name:28} not found in {most} seeds");
            missed.push(name);
        }
    }
    if missed.is_empty() { Ok(text) } else { Err(format!("{text}\nmissed: {}", missed.join(", "))) }
}

/// Runs seeds until the fault is found.
fn fate(mutant: Mutant, most: u64) -> Fate {
    (0..most).find_map(|seed| {
        let plan = Plan { mutant: Some(mutant), ..Plan::of(seed) };
        run(&plan).violation.map(|violation| (seed + 1, violation.rule))
    })
}
