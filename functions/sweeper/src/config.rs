//! The sweeper's configuration: the job types and their queues, as template.yaml lists them.

use std::collections::BTreeSet;

use evenkeel::{
    aws::AuxiliaryTable,
    base::config::{Reader, Tables},
};
use serde::Deserialize;

/// Allowed values of `MaximumConcurrency`: SQS refuses 1.
const SLOTS: std::ops::RangeInclusive<u32> = 2..=1_000;

/// A queue and its event source mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// ARN of the queue.
    pub queue: String,
    /// Key of the event source mapping in the parameter that holds the mappings' ids.
    pub mapping: String,
    /// `MaximumConcurrency` as deployed. The sum over all queues is the total that `balance` shares
    /// out.
    pub concurrency: u32,
}

impl Source {
    /// The name of the queue.
    #[must_use]
    pub fn name(&self) -> &str {
        name(&self.queue)
    }
}

/// The name of a queue, from its ARN.
#[must_use]
pub fn name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

fn one() -> u32 {
    1
}

/// An entry of `JOB_TYPES`: what does not follow from the type's name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    dependency: Option<String>,
    #[serde(default)]
    per_second: Option<u32>,
    #[serde(default = "one")]
    weight: u32,
    /// `MaximumConcurrency` of the normal and of the high queue.
    concurrency: [u32; 2],
}

/// A job type and its queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobType {
    /// The name of the type.
    pub kind: String,
    /// The dependency, if all jobs of the type share one.
    pub dependency: Option<String>,
    /// Calls a second that its dependency allows, if that is limited.
    pub per_second: Option<u32>,
    /// Its weight in the division of slots while several types want more.
    pub weight: u32,
    /// The queue of ordinary priority.
    pub normal: Source,
    /// The queue of high priority.
    pub high: Source,
    /// ARN of the dead-letter queue, which both share.
    pub dead: String,
}

impl JobType {
    /// The type of an entry. Its queues are named `PREFIX` and the type's name with hyphens, with
    /// `-high` and `-dlq` for the other two.
    fn new(entry: Entry, prefix: &str) -> Result<Self, String> {
        let Entry { kind, dependency, per_second, weight, concurrency } = entry;
        let short = kind.replace('_', "-");
        let source = |mapping: String, concurrency| {
            let queue = format!("{prefix}{mapping}");
            if !SLOTS.contains(&concurrency) {
                let name = name(&queue);
                return Err(format!("{name}: concurrency {concurrency}, expected 2 to 1000"));
            }
            Ok(Source { queue, mapping, concurrency })
        };
        Ok(Self {
            normal: source(short.clone(), concurrency[0])?,
            high: source(format!("{short}-high"), concurrency[1])?,
            dead: format!("{prefix}{short}-dlq"),
            kind,
            dependency,
            per_second,
            weight,
        })
    }

    /// Both queues from which the type's function receives.
    #[must_use]
    pub fn sources(&self) -> [&Source; 2] {
        [&self.normal, &self.high]
    }
}

/// Reads the auxiliary table: its name, and the names of its two keys.
fn auxiliary_table(reader: &mut Reader<'_>) -> AuxiliaryTable {
    let name = reader.required("AUXILIARY_TABLE");
    let keys = reader.required("AUXILIARY_TABLE_KEYS");
    let (partition, sort) = keys.split_once(' ').unwrap_or_default();
    if sort.is_empty() && !keys.is_empty() {
        reader.problem("AUXILIARY_TABLE_KEYS", "is not two names with a space between them");
    }
    let key = [partition.to_owned(), sort.to_owned()];
    AuxiliaryTable { name, key }
}

/// The sweeper's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The job types (`JOB_TYPES`, JSON).
    pub types: Vec<JobType>,
    /// Whether slots move between queues (`BALANCE`, `on` or `off`).
    pub balance: bool,
    /// Namespace of the metrics (`METRICS_NAMESPACE`), which keeps two stacks apart.
    pub namespace: String,
}

impl Config {
    /// Reads the configuration, the names of the engine's tables, and the auxiliary table. Problems are
    /// reported to `reader`.
    pub fn read(reader: &mut Reader<'_>) -> (Self, Tables, AuxiliaryTable) {
        let tables = Tables::read(reader);
        let auxiliary = auxiliary_table(reader);
        let prefix = reader.required("QUEUE_ARN_PREFIX");
        let text = reader.required("JOB_TYPES");
        let types = match Self::types(&text, &prefix) {
            Ok(types) => types,
            Err(problem) => {
                if !text.is_empty() {
                    reader.problem("JOB_TYPES", &problem);
                }
                Vec::new()
            }
        };
        let balance = match reader.optional("BALANCE").as_deref() {
            None | Some("on") => true,
            Some("off") => false,
            Some(_) => {
                reader.problem("BALANCE", "is neither on nor off");
                false
            }
        };
        let namespace = reader.optional("METRICS_NAMESPACE").unwrap_or_else(|| "evenkeel".into());
        (Self { types, balance, namespace }, tables, auxiliary)
    }

    /// Parses the job types: `text` is that of `JOB_TYPES`, and the ARN of every queue begins with
    /// `prefix`. The error is a sentence without its subject, such as `names no job type`.
    pub fn types(text: &str, prefix: &str) -> Result<Vec<JobType>, String> {
        if prefix.split(':').count() != 6 {
            return Err(format!("QUEUE_ARN_PREFIX {prefix:?} does not begin the ARN of a queue"));
        }
        let entries: Vec<Entry> =
            serde_json::from_str(text).map_err(|error| format!("is not as expected: {error}"))?;
        let mut kinds = BTreeSet::new();
        let mut types = Vec::with_capacity(entries.len());
        for entry in entries {
            if !kinds.insert(entry.kind.clone()) {
                return Err(format!("{} is listed twice", entry.kind));
            }
            types.push(JobType::new(entry, prefix)?);
        }
        if types.is_empty() {
            return Err("names no job type".to_owned());
        }
        Ok(types)
    }

    /// Finds a job type by its name.
    #[must_use]
    pub fn job_type(&self, kind: &str) -> Option<&JobType> {
        self.types.iter().find(|job| job.kind == kind)
    }

    /// Whether all jobs of a type depend on the dependency with this name.
    #[must_use]
    pub fn is_shared(&self, dependency: &str) -> bool {
        self.types.iter().any(|job| job.dependency.as_deref() == Some(dependency))
    }

    /// Whether a function of this stack receives from the queue with this ARN.
    #[must_use]
    pub fn knows(&self, queue: &str) -> bool {
        self.types.iter().any(|job| job.sources().iter().any(|source| source.queue == queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIX: &str = "arn:aws:sqs:eu-west-1:1:stack-";

    fn types(text: &str) -> Result<Vec<JobType>, String> {
        Config::types(text, PREFIX)
    }

    #[test]
    fn job_types_are_read_and_what_is_left_out_has_its_default() {
        let first = r#"{"type":"a_b","concurrency":[10,4]}"#;
        let second =
            r#"{"type":"c","dependency":"d","per_second":8,"weight":3,"concurrency":[2,2]}"#;
        let types = types(&format!("[{first},{second}]")).unwrap();
        assert_eq!((types[0].weight, types[0].dependency.as_deref()), (1, None));
        assert_eq!((types[1].weight, types[1].dependency.as_deref()), (3, Some("d")));
        assert_eq!([types[0].per_second, types[1].per_second], [None, Some(8)]);
        let [normal, high] = types[0].sources();
        assert_eq!([normal.name(), high.name()], ["stack-a-b", "stack-a-b-high"]);
        assert_eq!([&*normal.mapping, &*high.mapping], ["a-b", "a-b-high"]);
        assert_eq!([normal.concurrency, high.concurrency], [10, 4]);
        assert_eq!(types[0].dead, format!("{PREFIX}a-b-dlq"));
        let config = Config { types, balance: true, namespace: String::new() };
        assert!(config.knows(&format!("{PREFIX}a-b-high")));
        assert!(!config.knows(&format!("{PREFIX}a-b-dlq")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |text: &str| types(text).unwrap_err();
        assert_eq!(problem("[]"), "names no job type");
        assert!(problem("[{}]").contains("missing field `type`"), "{}", problem("[{}]"));
        let one = r#"{"type":"c","concurrency":[2,2]}"#;
        assert_eq!(problem(&format!("[{one},{one}]")), "c is listed twice");
        let low = one.replace("[2,2]", "[2,1]");
        assert_eq!(problem(&format!("[{low}]")), "stack-c-high: concurrency 1, expected 2 to 1000");
        let bad = Config::types(&format!("[{one}]"), "stack-").unwrap_err();
        assert_eq!(bad, "QUEUE_ARN_PREFIX \"stack-\" does not begin the ARN of a queue");
        let environment = [
            ("AUXILIARY_TABLE".to_owned(), "t".to_owned()),
            ("AUXILIARY_TABLE_KEYS".to_owned(), "k".to_owned()),
        ]
        .into_iter()
        .collect();
        let mut reader = Reader::new(&environment);
        auxiliary_table(&mut reader);
        let problem = reader.finish(()).unwrap_err().to_string();
        assert!(problem.contains("AUXILIARY_TABLE_KEYS is not two names"), "{problem}");
    }
}
