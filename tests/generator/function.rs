//! `function.toml`: what is particular about the function of a job type.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use evenkeel::{
    dependency::limiter::HIGH_HORIZON,
    policy::{BATCH_SIZE, Policy},
};
use serde::Deserialize;

use crate::{JobType, linked::Linked};

/// Longest time-out of a function, in seconds: a process that dies is not noticed before.
const LONGEST_TIMEOUT_S: u64 = 60;

/// Memory that Lambda gives a function, in MB.
const MEMORY_MB: std::ops::RangeInclusive<u64> = 128..=10_240;

/// `MaximumConcurrency` of a mapping: SQS refuses 1.
const CONCURRENCY: std::ops::RangeInclusive<u32> = 2..=1_000;

/// What `function.toml` may say. A key that is not here is refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Time-out of the function, in seconds: more than its policy's longest run, at most 60.
    pub timeout_s: u64,
    /// Its memory, in MB.
    pub memory_mb: u64,
    /// The hosts outside AWS that it calls; `*` for hosts that messages name.
    pub hosts: Vec<String>,
    /// Batches at work at the same time, by queue.
    pub concurrency: Concurrency,
    /// How long a batch that is not full waits for more messages, in seconds: for jobs that nobody waits for, and of
    /// which several together cost less.
    #[serde(default)]
    pub batching_window_s: u64,
    /// Whether its jobs share one dependency.
    #[serde(default)]
    pub dependency: Dependency,
    /// The parameter of the template that says how many calls a second its dependency allows, if that is
    /// limited.
    #[serde(default)]
    pub rate_per_second: Option<String>,
    /// Its weight in the division of slots while several types want more.
    #[serde(default = "one")]
    pub weight: u32,
    /// Environment variables besides those of every function: a parameter or resource of the template
    /// (`!Ref`), or an attribute of a resource (`!GetAtt`) if there is a dot. A function may send to the
    /// queues that its variables ending in `_QUEUE_ARN` name.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// What its role allows besides what every role of a job type does.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// Batches of a queue that are at work at the same time, unless the deployment's parameter differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Concurrency {
    pub normal: u32,
    pub high: u32,
}

/// What the jobs of a type depend on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// One third party, which the policy names.
    #[default]
    Shared,
    /// Each host on its own.
    PerHost,
}

/// One statement of a role.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Its name in the policy.
    pub sid: String,
    /// IAM actions, such as `dynamodb:GetItem`; no wildcard.
    pub actions: Vec<String>,
    /// A parameter of the template (`!Ref`), or an attribute of a resource (`!GetAtt`).
    pub resource: String,
    /// The condition of the template under which the role has it; always if there is none.
    #[serde(default)]
    pub condition: Option<String>,
}

const fn one() -> u32 {
    1
}

/// Reads and checks the `function.toml` of a job type. The error is `file: key: what was expected`.
pub(crate) fn read(root: &Path, linked: &Linked) -> Result<JobType, String> {
    let file = format!("functions/{}/function.toml", linked.folder);
    let text = fs::read_to_string(root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
    let function = parse(&text, &linked.policy).map_err(|problem| format!("{file}: {problem}"))?;
    let shared = function.dependency == Dependency::Shared;
    Ok(JobType {
        folder: linked.folder.to_owned(),
        kind: linked.kind.to_owned(),
        dependency: shared.then(|| linked.policy.dependency.to_owned()),
        function,
    })
}

fn parse(text: &str, policy: &Policy) -> Result<Function, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| first_line(&error))?;
    let function: Function = serde_path_to_error::deserialize(table).map_err(|error| {
        let path = error.path().to_string();
        let problem = first_line(error.inner());
        if path == "." { problem } else { format!("{path}: {problem}") }
    })?;
    check(&function, policy)?;
    Ok(function)
}

/// What the TOML reader says, without the excerpt of the file below it.
fn first_line(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

fn check(function: &Function, policy: &Policy) -> Result<(), String> {
    let Function { timeout_s, memory_mb, concurrency, .. } = function;
    // A run may have to wait for its slot.
    let is_limited =
        function.rate_per_second.is_some() || function.dependency == Dependency::PerHost;
    let slot = if is_limited { HIGH_HORIZON } else { Duration::ZERO };
    let longest_run = (policy.longest_run() + slot).as_secs();
    if *timeout_s <= longest_run || *timeout_s > LONGEST_TIMEOUT_S {
        return Err(format!(
            "timeout_s: {timeout_s}, expected more than {longest_run} (the policy's longest_run) and \
             at most {LONGEST_TIMEOUT_S}"
        ));
    }
    if !MEMORY_MB.contains(memory_mb) {
        return Err(format!("memory_mb: {memory_mb}, expected 128 to 10240"));
    }
    for (key, value) in [("normal", concurrency.normal), ("high", concurrency.high)] {
        if !CONCURRENCY.contains(&value) {
            return Err(format!("concurrency.{key}: {value}, expected 2 to 1000"));
        }
    }
    if policy.concurrency > BATCH_SIZE {
        return Err(format!(
            "policy: concurrency {}, expected at most {BATCH_SIZE}",
            policy.concurrency
        ));
    }
    if function.weight == 0 {
        return Err("weight: 0, expected at least 1".to_owned());
    }
    if function.rate_per_second.is_some() && function.dependency == Dependency::PerHost {
        return Err("rate_per_second: expected only with a shared dependency".to_owned());
    }
    if let Some(name) = function.variables.keys().find(|name| name.ends_with("_KEY")) {
        return Err(format!(
            "variables.{name}: expected no key in a variable, but its secret's ARN"
        ));
    }
    for (place, permission) in function.permissions.iter().enumerate() {
        let named =
            |action: &String| action.split_once(':').is_some_and(|(_, name)| !name.is_empty());
        if permission.actions.is_empty()
            || !permission.actions.iter().all(|action| named(action) && !action.contains('*'))
        {
            return Err(format!(
                "permissions[{place}].actions: expected IAM actions such as dynamodb:GetItem, without \
                 a wildcard"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "timeout_s = 60\nmemory_mb = 256\nhosts = []\n[concurrency]\nnormal = 4\nhigh = 2\n";

    fn problem(text: &str) -> String {
        parse(text, &Policy::DEFAULT).unwrap_err()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let function = parse(GOOD, &Policy::DEFAULT).unwrap();
        assert_eq!((function.weight, function.dependency), (1, Dependency::Shared));
        assert!(function.variables.is_empty() && function.permissions.is_empty());
    }

    #[test]
    fn an_error_names_the_key_and_what_was_expected() {
        let unknown = problem(&GOOD.replace("memory_mb", "memory"));
        assert!(
            unknown.starts_with("memory: unknown field `memory`, expected one of"),
            "{unknown}"
        );
        assert_eq!(problem(&GOOD.replace("memory_mb = 256\n", "")), "missing field `memory_mb`");
        let short = problem(&GOOD.replace("timeout_s = 60", "timeout_s = 1"));
        let run = Policy::DEFAULT.longest_run().as_secs();
        assert_eq!(
            short,
            format!(
                "timeout_s: 1, expected more than {run} (the policy's longest_run) and at most 60"
            )
        );
        let one = problem(&GOOD.replace("high = 2", "high = 1"));
        assert_eq!(one, "concurrency.high: 1, expected 2 to 1000");
        let nested = problem(&GOOD.replace("high = 2", "high = 2\nlow = 2"));
        assert!(nested.starts_with("concurrency.low: unknown field `low`"), "{nested}");
        let text = problem(&GOOD.replace("memory_mb = 256", "memory_mb = \"256\""));
        assert!(text.starts_with("memory_mb: invalid type: string"), "{text}");
        let wildcard = format!(
            "{GOOD}[[permissions]]\nsid = \"All\"\nactions = [\"dynamodb:*\"]\nresource = \"JobsTable.Arn\"\n"
        );
        assert!(problem(&wildcard).starts_with("permissions[0].actions: expected IAM actions"));
        let key = format!("{GOOD}[variables]\nREBRANDLY_API_KEY = \"Key\"\n");
        assert!(problem(&key).starts_with("variables.REBRANDLY_API_KEY: expected no key"));
        assert!(problem("timeout_s = ").contains("expected"), "{}", problem("timeout_s = "));
    }
}
