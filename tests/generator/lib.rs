//! The parts of `template.yaml` and of `docs/` that follow from the job types.
//!
//! A job type is a folder in `functions/` with a `function.toml`, which says what is particular about
//! its function. That file and the type's Rust policy give its block of `template.yaml`, its entries in
//! the sweeper's lists, and the JSON Schema of its messages. Everything else in `template.yaml` is
//! written by hand: only the lines between two marker lines are generated.
//!
//! `cargo xtask template` writes what is generated, and `cargo xtask check` fails where it differs.

mod alarms;
mod block;
mod dashboard;
mod function;
mod linked;
mod markers;
mod policies;
mod sweeper;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use function::{Concurrency, Dependency, Function, Permission};
pub use linked::{Linked, job_types};

/// A job type with what its `function.toml` says.
#[derive(Clone, Debug)]
pub struct JobType {
    /// Its folder in `functions/`, package and binary, such as `url-shortening`. All its names in AWS
    /// are the stack's name, a hyphen and this.
    pub folder: String,
    /// Its name in messages and records, such as `url_shortening`.
    pub kind: String,
    /// The dependency that all its jobs share; `None` if each host is one.
    pub dependency: Option<String>,
    /// Its `function.toml`.
    pub function: Function,
}

impl JobType {
    /// A name within the template: the type's name in camel case, and `ending`.
    #[must_use]
    pub fn logical_id(&self, ending: &str) -> String {
        let words = self.kind.split('_').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        });
        words.collect::<String>() + ending
    }
}

/// A file whose generated parts follow from the job types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its path from the root of the repository.
    pub path: PathBuf,
    /// What it should hold.
    pub text: String,
}

/// Every job type with its `function.toml`, in the order of their folders. `root` is that of the
/// repository. Fails with the file, the key and what was expected.
pub fn read(root: &Path) -> Result<Vec<JobType>, String> {
    job_types().into_iter().map(|linked| function::read(root, &linked)).collect()
}

/// Both templates and the schemas as they should be.
///
/// Fails if a `function.toml` is wrong or the template lacks a marker line.
pub fn generate(root: &Path) -> Result<Vec<Generated>, String> {
    let types = read(root)?;
    let name = "template.yaml";
    let template =
        fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
    let text = template_of(&template, &types)?;
    let monitoring = "infra/monitoring.yaml";
    let found = fs::read_to_string(root.join(monitoring))
        .map_err(|error| format!("{monitoring}: {error}"))?;
    let monitoring = Generated { path: monitoring.into(), text: monitoring_of(&found, &types)? };
    let schemas = job_types().into_iter().map(|linked| Generated {
        path: format!("docs/{}.schema.json", linked.kind).into(),
        text: linked.schema,
    });
    let templates = [Generated { path: name.into(), text }, monitoring];
    Ok(templates.into_iter().chain(schemas).collect())
}

/// `template` with everything between its marker lines generated from `types`.
pub fn template_of(template: &str, types: &[JobType]) -> Result<String, String> {
    let mut text = template.to_owned();
    let per_type = |part: fn(&JobType) -> String| types.iter().map(part).collect::<String>();
    for (name, lines) in [
        ("parameters", per_type(block::parameters)),
        ("job types", types.iter().map(block::resources).collect::<Vec<_>>().join("\n")),
        ("queues of the sweeper", per_type(sweeper::queues)),
        ("dead-letter queues of the sweeper", per_type(sweeper::dead_letter_queues)),
        ("mappings of the sweeper", per_type(sweeper::mappings)),
        ("mapping ids", sweeper::mapping_ids(types)),
        ("job types of the sweeper", sweeper::job_types(types)),
        ("queues of the operator", per_type(sweeper::queues)),
        ("mappings of the operator", per_type(sweeper::mappings)),
        ("job types of the operator", sweeper::job_types(types)),
        ("queues that people see", per_type(policies::queue_patterns)),
        ("functions that people see", per_type(policies::functions)),
        ("queues that people send to", per_type(policies::queues)),
        ("outputs", per_type(block::outputs)),
    ] {
        text = markers::replace(&text, name, &lines)?;
    }
    Ok(text)
}

/// `infra/monitoring.yaml` with everything between its marker lines generated from `types`.
pub fn monitoring_of(template: &str, types: &[JobType]) -> Result<String, String> {
    let of_types: String = types.iter().map(alarms::of_type).collect();
    let text = markers::replace(template, "alarms of job types", &of_types)?;
    let text = markers::replace(&text, "dashboard of job types", &dashboard::variables(types))?;
    markers::replace(&text, "alarms of dependencies", &alarms::of_dependencies(types))
}

/// The files that are not as they should be.
#[must_use]
pub fn stale(root: &Path, generated: Vec<Generated>) -> Vec<Generated> {
    let differs = |file: &Generated| {
        fs::read_to_string(root.join(&file.path)).is_ok_and(|found| found == file.text)
    };
    generated.into_iter().filter(|file| !differs(file)).collect()
}

/// Writes files below `root`.
pub fn write(root: &Path, files: &[Generated]) -> io::Result<()> {
    files.iter().try_for_each(|file| fs::write(root.join(&file.path), &file.text))
}
