//! The stack as its sweeper's configuration describes it: tables, job types, queues.
//!
//! The sweeper refuses a configuration that it does not know. This reader is lenient: an operator's command must still
//! read a stack of a newer version, so it ignores what it does not know.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    exit::{Exit, Failure},
    ports::FunctionFacts,
    text::quoted,
};

/// How the name of a stack's sweeper ends.
pub(crate) const SWEEPER: &str = "-sweeper";

/// The option that names the stack that `cargo xtask up` holds up.
pub(crate) const LOCAL: &str = "--local";

/// A job type and its queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobType {
    pub(crate) kind: String,
    /// The dependency, if all jobs of the type share one.
    pub(crate) dependency: Option<String>,
    /// Its name with hyphens: the key of its normal mapping, and a part of the names of its function and queues.
    pub(crate) short: String,
    /// ARN of the queue of normal priority.
    pub(crate) normal: String,
    /// ARN of the queue of high priority.
    pub(crate) high: String,
    /// ARN of the dead-letter queue of both.
    pub(crate) dead_letters: String,
}

impl JobType {
    fn new(entry: Entry, prefix: &str) -> Self {
        let short = entry.kind.replace('_', "-");
        Self {
            normal: format!("{prefix}{short}"),
            high: format!("{prefix}{short}-high"),
            dead_letters: format!("{prefix}{short}-dlq"),
            kind: entry.kind,
            dependency: entry.dependency,
            short,
        }
    }

    /// The keys of its two mappings in the parameter, each with the ARN of its queue.
    pub(crate) fn sources(&self) -> [(String, &str); 2] {
        [(self.short.clone(), &*self.normal), (format!("{}-high", self.short), &*self.high)]
    }
}

/// An entry of `JOB_TYPES`, as far as the commands use it.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    dependency: Option<String>,
}

/// Everything that the commands must know of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// The stack's name.
    pub(crate) name: String,
    /// The options by which a command for the shell names this stack.
    pub(crate) options: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// The table of job records.
    pub(crate) jobs: String,
    /// The table of breakers, limiters and notes.
    pub(crate) control: String,
    /// The table of a job type's own items, with the names of its two keys.
    pub(crate) auxiliary: Option<(String, [String; 2])>,
    /// The SSM parameter that holds the ids of the event source mappings.
    pub(crate) mappings: Option<String>,
    pub(crate) types: Vec<JobType>,
}

impl Deployment {
    /// Reads the configuration of the sweeper of the stack `name`. Fails if a variable is missing or wrong, and names
    /// every such variable.
    pub(crate) fn read(name: &str, sweeper: &FunctionFacts) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let variables = &sweeper.variables;
        let jobs = required(variables, "JOBS_TABLE", &mut problems);
        let control = required(variables, "CONTROL_TABLE", &mut problems);
        let prefix = required(variables, "QUEUE_ARN_PREFIX", &mut problems);
        let types = required(variables, "JOB_TYPES", &mut problems);
        let parsed = serde_json::from_str::<Vec<Entry>>(&types);
        if let Err(error) = &parsed
            && !types.is_empty()
        {
            problems.push(format!("JOB_TYPES: expected a list of job types: {error}"));
        }
        let parts: Vec<&str> = sweeper.arn.split(':').collect();
        let &[_, _, _, region, account, ..] = parts.as_slice() else {
            let message = format!("{}: expected the ARN of a function", sweeper.arn);
            return Err(Failure::new(Exit::Unreachable, "bad_configuration", message));
        };
        if !problems.is_empty() {
            let message = format!("the function {name}{SWEEPER}: {}", problems.join("; "));
            let hint =
                "deploy the stack again with its template; `evenkeel doctor` checks the rest";
            return Err(Failure::new(Exit::Unreachable, "bad_configuration", message).hint(hint));
        }
        let entries = parsed.unwrap_or_default();
        Ok(Self {
            name: name.to_owned(),
            options: format!("--stack {}", quoted(name)),
            account: account.to_owned(),
            region: region.to_owned(),
            jobs,
            control,
            auxiliary: auxiliary(variables),
            mappings: variables.get("MAPPINGS_PARAMETER").cloned(),
            types: entries.into_iter().map(|entry| JobType::new(entry, &prefix)).collect(),
        })
    }

    /// The job type with this name. Fails with the names that there are.
    pub(crate) fn job_type(&self, kind: &str) -> Result<&JobType, Failure> {
        self.types.iter().find(|job| job.kind == kind).ok_or_else(|| {
            let known: Vec<&str> = self.types.iter().map(|job| job.kind.as_str()).collect();
            let known = known.join(", ");
            Failure::usage(format!("type: {kind:?}, expected one of {known}"))
        })
    }

    /// The job types to look at: the one that is named, or all.
    pub(crate) fn chosen(&self, kind: Option<&str>) -> Result<Vec<&JobType>, Failure> {
        match kind {
            Some(kind) => Ok(vec![self.job_type(kind)?]),
            None => Ok(self.types.iter().collect()),
        }
    }

    /// Whether it is the stack that `cargo xtask up` holds up.
    pub(crate) fn is_local(&self) -> bool {
        self.options == LOCAL
    }

    /// The name of the function of a job type.
    pub(crate) fn function(&self, job: &JobType) -> String {
        format!("{}-{}", self.name, job.short)
    }

    /// The name of the sweeper.
    pub(crate) fn sweeper(&self) -> String {
        format!("{}{SWEEPER}", self.name)
    }

    /// The name of the operators' function.
    pub(crate) fn operator(&self) -> String {
        format!("{}-operator", self.name)
    }

    /// Whom a command asks, in a line for people.
    pub(crate) fn introduction(&self) -> String {
        format!("stack {} in {} of account {}", self.name, self.region, self.account)
    }
}

/// The value of a variable. If it is missing or blank, this adds a problem and returns an empty text.
fn required(
    variables: &BTreeMap<String, String>,
    name: &str,
    problems: &mut Vec<String>,
) -> String {
    let value = variables.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    if value.is_empty() {
        problems.push(format!("{name} is not set"));
    }
    value
}

fn auxiliary(variables: &BTreeMap<String, String>) -> Option<(String, [String; 2])> {
    let table = variables.get("AUXILIARY_TABLE")?;
    let (partition, sort) = variables.get("AUXILIARY_TABLE_KEYS")?.split_once(' ')?;
    Some((table.clone(), [partition.to_owned(), sort.to_owned()]))
}

/// The name of a queue, from its ARN.
pub(crate) fn queue_name(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweeper(change: impl Fn(&mut BTreeMap<String, String>)) -> FunctionFacts {
        let variables = [
            ("JOBS_TABLE", "j"),
            ("CONTROL_TABLE", "c"),
            ("AUXILIARY_TABLE", "v"),
            ("AUXILIARY_TABLE_KEYS", "dealer vin"),
            ("MAPPINGS_PARAMETER", "/s/mappings"),
            ("QUEUE_ARN_PREFIX", "arn:aws:sqs:eu-west-1:1:s-"),
            (
                "JOB_TYPES",
                r#"[{"type":"a_b","dependency":"d","concurrency":[2,2],"novelty":1},{"type":"c"}]"#,
            ),
        ];
        let mut variables = variables.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        change(&mut variables);
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:s-sweeper".to_owned();
        FunctionFacts { arn, variables, ..FunctionFacts::default() }
    }

    #[test]
    fn a_stack_is_read_from_its_sweeper_and_what_is_unknown_is_ignored() {
        let stack = Deployment::read("s", &sweeper(|_| {})).unwrap();
        assert_eq!((&*stack.region, &*stack.account), ("eu-west-1", "123456789012"));
        assert_eq!((&*stack.jobs, &*stack.control), ("j", "c"));
        let keys = ["dealer".to_owned(), "vin".to_owned()];
        assert_eq!(stack.auxiliary, Some(("v".to_owned(), keys)));
        let job = stack.job_type("a_b").unwrap();
        assert_eq!(job.dependency.as_deref(), Some("d"));
        assert_eq!(job.high, "arn:aws:sqs:eu-west-1:1:s-a-b-high");
        assert_eq!(
            job.sources().map(|(key, arn)| (key, queue_name(arn).to_owned())),
            [
                ("a-b".to_owned(), "s-a-b".to_owned()),
                ("a-b-high".to_owned(), "s-a-b-high".to_owned()),
            ]
        );
        assert_eq!(stack.function(job), "s-a-b");
        let unknown = stack.job_type("x").unwrap_err();
        assert_eq!(unknown.message, "type: \"x\", expected one of a_b, c");
    }

    #[test]
    fn every_missing_variable_is_named() {
        let facts = sweeper(|variables| {
            variables.remove("JOBS_TABLE");
            variables.insert("JOB_TYPES".into(), "{}".into());
        });
        let failure = Deployment::read("s", &facts).unwrap_err();
        assert_eq!(failure.exit(), Exit::Unreachable);
        let message = &failure.message;
        assert!(
            message
                .starts_with("the function s-sweeper: JOBS_TABLE is not set; JOB_TYPES: expected"),
            "{message}"
        );
    }
}
