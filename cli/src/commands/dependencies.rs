//! The dependencies of a stack: those that all jobs of a type share, and those that functions have noted because jobs
//! are parked on them or their calls fail.

use std::collections::BTreeMap;

use evenkeel::ports::notes::{Limits, WATCHED};
use futures_util::{StreamExt, stream};

use crate::{
    deployment::Deployment,
    exit::Failure,
    ports::{Note, Ports, Read},
};

/// Notes that are read of each kind.
const NOTES_A_KIND: usize = 1_000;

/// The dependencies that are known.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The shared ones first, in the order of the job types; then the others by name.
    pub(crate) names: Vec<String>,
    /// How many of these are shared by all jobs of a type.
    pub(crate) shared: usize,
    /// What the functions have noted of those that they watch.
    pub(crate) limits: BTreeMap<String, Limits>,
    /// DynamoDB's read units.
    pub(crate) units: f64,
}

impl Known {
    /// The shared dependencies and the first `most` others, and how many are left out.
    pub(crate) fn first(&self, most: usize) -> (&[String], usize) {
        let shown = self.names.len().min(self.shared + most);
        (&self.names[..shown], self.names.len() - shown)
    }

    /// The name of the limiter of a dependency.
    pub(crate) fn limiter(&self, dependency: &str) -> String {
        let noted = self.limits.get(dependency).and_then(|limits| limits.limiter.clone());
        noted.unwrap_or_else(|| dependency.to_owned())
    }
}

/// Reads which dependencies there are.
pub(crate) async fn known<P: Ports>(ports: &P, stack: &Deployment) -> Result<Known, Failure> {
    let reads = WATCHED.iter().map(|kind| ports.notes(&stack.control, kind, NOTES_A_KIND));
    let reads: Vec<Result<Read<Vec<Note>>, _>> =
        stream::iter(reads).buffer_unordered(WATCHED.len()).collect().await;
    let mut known = Known::default();
    for read in reads {
        let Read { value, units } = read?;
        known.units += units;
        let limits = |note: Note| (note.name, Limits::read(Some(&note.text)));
        known.limits.extend(value.into_iter().map(limits));
    }
    for shared in stack.types.iter().filter_map(|job| job.dependency.clone()) {
        if !known.names.contains(&shared) {
            known.names.push(shared);
        }
    }
    known.shared = known.names.len();
    let others = known.limits.keys().filter(|name| !known.names.contains(name));
    let others: Vec<String> = others.cloned().collect();
    known.names.extend(others);
    Ok(known)
}
