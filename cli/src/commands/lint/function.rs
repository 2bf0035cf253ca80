//! Rules for a `function.toml`: those that need no Rust policy. `cargo xtask check` compares it with the policy too.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::Deserialize;
use toml::{Spanned, de::DeTable};

use super::finding;
use crate::shapes::Finding;

/// Time-out of a function, in seconds: a process that dies is not noticed before.
const TIMEOUT_S: RangeInclusive<u64> = 1..=60;

/// Memory that Lambda gives a function, in MB.
const MEMORY_MB: RangeInclusive<u64> = 128..=10_240;

/// `MaximumConcurrency` of a mapping: SQS refuses 1.
const CONCURRENCY: RangeInclusive<u64> = 2..=1_000;

/// How long a batch that is not full may wait: Lambda's limit.
const BATCHING_WINDOW_S: RangeInclusive<u64> = 0..=300;

/// Weights in the division of slots.
const WEIGHT: RangeInclusive<u64> = 1..=4_294_967_295;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    timeout_s: Spanned<u64>,
    memory_mb: Spanned<u64>,
    hosts: Vec<Spanned<String>>,
    concurrency: Concurrency,
    batching_window_s: Option<Spanned<u64>>,
    #[serde(default)]
    dependency: Dependency,
    rate_per_second: Option<Spanned<String>>,
    weight: Option<Spanned<u64>>,
    #[serde(default)]
    variables: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    permissions: Vec<Permission>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Concurrency {
    normal: Spanned<u64>,
    high: Spanned<u64>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Dependency {
    #[default]
    Shared,
    PerHost,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permission {
    sid: Spanned<String>,
    actions: Spanned<Vec<String>>,
    resource: Spanned<String>,
    condition: Option<Spanned<String>>,
}

/// The findings of one file.
struct Report<'a> {
    text: &'a str,
    findings: Vec<Finding>,
}

impl Report<'_> {
    fn add<T>(&mut self, field: impl Into<String>, at: &Spanned<T>, rule: &str, message: String) {
        let line = line(self.text, at.span().start);
        self.findings.push(finding(line, field, rule, message));
    }

    fn range(
        &mut self,
        field: &str,
        rule: &str,
        value: &Spanned<u64>,
        range: &RangeInclusive<u64>,
    ) {
        if !range.contains(value.get_ref()) {
            let (least, most) = (range.start(), range.end());
            let message = format!("{}, expected {least} to {most}", value.get_ref());
            self.add(field, value, rule, message);
        }
    }

    fn name(&mut self, field: String, value: &Spanned<String>) {
        if value.get_ref().trim().is_empty() {
            self.add(field, value, "name", "expected a name of the template".to_owned());
        }
    }
}

/// The line of a place in a text.
fn line(text: &str, place: usize) -> u64 {
    let before = text.as_bytes().iter().take(place).filter(|byte| **byte == b'\n').count();
    u64::try_from(before).unwrap_or(u64::MAX).saturating_add(1)
}

/// Checks a `function.toml`. Fails if it is no TOML. A field that is missing, unknown or of another type is a finding,
/// and hides the others.
pub(super) fn check(text: &str) -> Result<Vec<Finding>, String> {
    DeTable::parse(text).map_err(|error| first_line(error.message()))?;
    let function: Function = match toml::from_str(text) {
        Ok(function) => function,
        Err(error) => {
            let at = line(text, error.span().map_or(0, |span| span.start));
            return Ok(vec![finding(at, "function", "fields", first_line(error.message()))]);
        }
    };
    let mut report = Report { text, findings: Vec::new() };
    check_numbers(&function, &mut report);
    check_names(&function, &mut report);
    for (place, permission) in function.permissions.iter().enumerate() {
        check_permission(place, permission, &mut report);
    }
    Ok(report.findings)
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn check_numbers(function: &Function, report: &mut Report<'_>) {
    report.range("timeout_s", "timeout", &function.timeout_s, &TIMEOUT_S);
    report.range("memory_mb", "memory", &function.memory_mb, &MEMORY_MB);
    let Concurrency { normal, high } = &function.concurrency;
    report.range("concurrency.normal", "concurrency", normal, &CONCURRENCY);
    report.range("concurrency.high", "concurrency", high, &CONCURRENCY);
    if let Some(window) = &function.batching_window_s {
        report.range("batching_window_s", "batching_window", window, &BATCHING_WINDOW_S);
    }
    if let Some(weight) = &function.weight {
        report.range("weight", "weight", weight, &WEIGHT);
    }
}

fn check_names(function: &Function, report: &mut Report<'_>) {
    for host in &function.hosts {
        if host.get_ref().contains(['/', ':', ' ']) {
            let message = format!("{:?}, expected the name of a host, or *", host.get_ref());
            report.add("hosts", host, "hosts", message);
        }
    }
    if let Some(rate) = &function.rate_per_second {
        report.name("rate_per_second".to_owned(), rate);
        if function.dependency == Dependency::PerHost {
            let message = "expected only with a shared dependency".to_owned();
            report.add("rate_per_second", rate, "rate", message);
        }
    }
    for (name, value) in &function.variables {
        report.name(format!("variables.{name}"), value);
        if name.ends_with("_KEY") {
            let message = "expected no key in a variable, but its secret's ARN".to_owned();
            report.add(format!("variables.{name}"), value, "no_key", message);
        }
    }
}

fn check_permission(place: usize, permission: &Permission, report: &mut Report<'_>) {
    let field = |name: &str| format!("permissions[{place}].{name}");
    let is_action = |action: &String| {
        let named = action.split_once(':').is_some_and(|(_, name)| !name.is_empty());
        named && !action.contains('*')
    };
    let actions = permission.actions.get_ref();
    if actions.is_empty() || !actions.iter().all(is_action) {
        let message =
            "expected IAM actions such as dynamodb:GetItem, without a wildcard".to_owned();
        report.add(field("actions"), &permission.actions, "permissions", message);
    }
    if permission.resource.get_ref().contains('*') {
        let message = "expected one resource of the template, without a wildcard".to_owned();
        report.add(field("resource"), &permission.resource, "permissions", message);
    }
    report.name(field("sid"), &permission.sid);
    report.name(field("resource"), &permission.resource);
    if let Some(condition) = &permission.condition {
        report.name(field("condition"), condition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
timeout_s = 60
memory_mb = 256
hosts = [\"*\"]
[concurrency]
normal = 4
high = 2
[variables]
TABLE = \"Table\"
[[permissions]]
sid = \"Table\"
actions = [\"dynamodb:GetItem\"]
resource = \"Table.Arn\"
";

    fn found(text: &str) -> Vec<String> {
        let findings = check(text).unwrap();
        let told = |found: &Finding| format!("{} {} {}", found.line, found.field, found.rule);
        findings.iter().map(told).collect()
    }

    #[test]
    fn each_broken_rule_is_named_with_its_line_and_field() {
        assert_eq!(found(GOOD), [""; 0]);
        for (good, bad, expected) in [
            ("timeout_s = 60", "timeout_s = 61", "1 timeout_s timeout"),
            ("memory_mb = 256", "memory_mb = 64", "2 memory_mb memory"),
            ("\"*\"", "\"https://a.example\"", "3 hosts hosts"),
            ("high = 2", "high = 1", "6 concurrency.high concurrency"),
            ("TABLE", "API_KEY", "8 variables.API_KEY no_key"),
            ("GetItem", "*", "11 permissions[0].actions permissions"),
            ("Table.Arn", "*", "12 permissions[0].resource permissions"),
            ("memory_mb", "memory", "2 function fields"),
            ("high = 2", "high = \"2\"", "6 function fields"),
        ] {
            let found = found(&GOOD.replacen(good, bad, 1));
            assert_eq!(found, [expected], "{bad}");
        }
        let rate = format!("rate_per_second = \"R\"\ndependency = \"per_host\"\n{GOOD}");
        assert_eq!(found(&rate), ["1 rate_per_second rate"]);
        assert!(check("timeout_s = ").is_err());
    }
}
