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
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// ARN of the queue.
    pub queue: String,
    /// Id of the event source mapping.
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

/// A job type and its queues.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobType {
    /// The name of the type.
    #[serde(rename = "type")]
    pub kind: String,
    /// The dependency, if all jobs of the type share one.
    #[serde(default)]
    pub dependency: Option<String>,
    /// Its weight in the division of slots while several types want more.
    #[serde(default = "one")]
    pub weight: u32,
    /// The queue of ordinary priority.
    pub normal: Source,
    /// The queue of high priority.
    pub high: Source,
    /// ARN of the dead-letter queue, which both share.
    pub dead: String,
}

impl JobType {
    /// Both queues from which the type's function receives.
    #[must_use]
    pub fn sources(&self) -> [&Source; 2] {
        [&self.normal, &self.high]
    }
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
    /// Reads the configuration, the names of the engine's tables, and that of the vehicles' table.
    /// Problems are reported to `reader`.
    pub fn read(reader: &mut Reader<'_>) -> (Self, Tables, AuxiliaryTable) {
        let tables = Tables::read(reader);
        let vehicles =
            AuxiliaryTable { name: reader.required("VEHICLES_TABLE"), key: ["dealer", "vin"] };
        let text = reader.required("JOB_TYPES");
        let types = match Self::types(&text) {
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
        (Self { types, balance, namespace }, tables, vehicles)
    }

    /// Parses the job types. The error is a sentence without its subject, such as `names no job
    /// type`.
    pub fn types(text: &str) -> Result<Vec<JobType>, String> {
        let types: Vec<JobType> =
            serde_json::from_str(text).map_err(|error| format!("is not as expected: {error}"))?;
        let mut queues = BTreeSet::new();
        for job in &types {
            for source in job.sources() {
                if !SLOTS.contains(&source.concurrency) {
                    let slots = source.concurrency;
                    return Err(format!(
                        "{}: concurrency {slots}, expected 2 to 1000",
                        source.name()
                    ));
                }
            }
            for queue in [&job.normal.queue, &job.high.queue, &job.dead] {
                if queue.split(':').count() != 6 || name(queue).is_empty() {
                    return Err(format!("{}: {queue:?} is not a queue ARN", job.kind));
                }
                if !queues.insert(queue) {
                    return Err(format!("{}: {} is listed twice", job.kind, name(queue)));
                }
            }
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

    /// Whether a function of this stack receives from the queue with this ARN.
    #[must_use]
    pub fn knows(&self, queue: &str) -> bool {
        self.types.iter().any(|job| job.sources().iter().any(|source| source.queue == queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> String {
        format!(
            r#"{{"queue":"arn:aws:sqs:eu-west-1:1:{name}","mapping":"m-{name}","concurrency":4}}"#
        )
    }

    fn job(kind: &str, more: &str) -> String {
        let (normal, high) = (queue(kind), queue(&format!("{kind}-high")));
        format!(
            r#"{{"type":"{kind}","normal":{normal},"high":{high},"dead":"arn:aws:sqs:eu-west-1:1:{kind}-dlq"{more}}}"#
        )
    }

    #[test]
    fn job_types_are_read_and_what_is_left_out_has_its_default() {
        let text = format!("[{},{}]", job("a", ""), job("b", r#","weight":3,"dependency":"d""#));
        let types = Config::types(&text).unwrap();
        assert_eq!((types[0].weight, types[0].dependency.as_deref()), (1, None));
        assert_eq!((types[1].weight, types[1].dependency.as_deref()), (3, Some("d")));
        assert_eq!(types[1].high.name(), "b-high");
        let config = Config { types, balance: true, namespace: String::new() };
        assert!(config.knows("arn:aws:sqs:eu-west-1:1:a-high"));
        assert!(!config.knows("arn:aws:sqs:eu-west-1:1:a-dlq"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let problem = |text: &str| Config::types(text).unwrap_err();
        assert_eq!(problem("[]"), "names no job type");
        assert!(problem("[{}]").contains("missing field `type`"), "{}", problem("[{}]"));
        let twice = format!("[{},{}]", job("a", ""), job("a", ""));
        assert_eq!(problem(&twice), "a: a is listed twice");
        let bad = job("a", "").replace("\"concurrency\":4", "\"concurrency\":1");
        assert_eq!(problem(&format!("[{bad}]")), "a: concurrency 1, expected 2 to 1000");
        let bad = job("a", "").replace("arn:aws:sqs:eu-west-1:1:a-dlq", "a-dlq");
        assert_eq!(problem(&format!("[{bad}]")), "a: \"a-dlq\" is not a queue ARN");
    }
}
