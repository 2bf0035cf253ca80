//! The saved queries of Logs Insights: what they search by and show stands in log lines.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    dependency::quota::{Quota, Usage},
    failure::{Class, Failure},
    message::{Flaw, RejectedMessage, Rejection},
    ports::PortError,
    record::{
        Phase,
        decision::{Cause, Decision},
    },
    telemetry,
    testing::{self, LogLines},
};
use regex_lite::Regex;
use serde_json::Value;

use super::{load, text};

/// A line of each kind that the queries are about.
fn lines() -> Vec<Value> {
    let said = LogLines::default();
    let collected = said.collect();
    let phase = Phase::Queued { due_at: Time::default() };
    let record = testing::record("errand#g:1", phase);
    let failure = Failure::new(Class::Permanent, "refused", "no");
    telemetry::job(&record, Decision::Bury(Cause::Permanent), &failure);
    telemetry::job(&record, Decision::Quarantine, &failure);
    let rejection = Rejection::new(Flaw::Malformed, "not JSON");
    let queue = "arn:aws:sqs:r:1:q";
    let message = RejectedMessage::new("errand", queue, "m", "{", &rejection, Time::default());
    telemetry::rejected(&message);
    let why = || "why".to_owned();
    for error in [PortError::Broken(why()), PortError::Unreadable(why()), PortError::Invalid(why())]
    {
        telemetry::port_failed("read", &error);
    }
    let quota = Quota { what: "creations", most: 10, month_begins: 1 };
    telemetry::quota("d", quota, &Usage::default());
    telemetry::swept(&["nothing"], &["survey"], Duration::from_secs(1));
    telemetry::forecast("clears", "q", Some(60), "why");
    drop(collected);
    let text = said.text();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 9, "{text}");
    lines
}

/// A condition on a field.
enum Condition {
    /// It is one of these.
    In(String, Vec<String>),
    /// It is there; what it is like is for the reader to fill in.
    Present(String),
}

impl Condition {
    /// Reads a condition of the forms that the queries have.
    fn read(condition: &str) -> Self {
        let matched = |pattern: &str| {
            let found = Regex::new(pattern).unwrap().captures(condition)?;
            let part = |n: usize| found.get(n).map(|part| part.as_str().to_owned());
            Some((part(1)?, part(2).unwrap_or_default()))
        };
        if let Some((field, values)) = matched(r"^(\w+) in \[(.+)\]$") {
            let values = values.split(", ").map(|value| value.trim_matches('\'').to_owned());
            return Self::In(field, values.collect());
        }
        if let Some((field, value)) = matched(r"^(\w+) = '(\w+)'$") {
            return Self::In(field, vec![value]);
        }
        let present = matched(r"^ispresent\((\w+)\)$").or_else(|| matched(r"^(\w+) like '.+'$"));
        let (field, _) = present.unwrap_or_else(|| panic!("{condition}: a form of its own"));
        Self::Present(field)
    }

    fn holds(&self, line: &Value) -> bool {
        match self {
            Self::In(field, values) => values.iter().any(|value| line[field] == value.as_str()),
            Self::Present(field) => !line[field].is_null(),
        }
    }
}

/// The fields that a command of a query reads.
fn fields(command: &str) -> Vec<String> {
    let latest = Regex::new(r"latest\((\w+)\)").unwrap();
    let listed = match command.split_once(' ') {
        Some(("fields", list)) => list,
        Some(("stats", list)) => list.split_once(" by ").map_or("", |(_, by)| by),
        _ => return Vec::new(),
    };
    let listed = listed.split(", ").filter(|field| !field.starts_with('@')).map(str::to_owned);
    let latest = latest.captures_iter(command).map(|found| found[1].to_owned());
    listed.chain(latest).collect()
}

#[test]
fn the_saved_queries_search_by_what_stands_in_log_lines() {
    let lines = lines();
    let template = load();
    let resources = template["Resources"].as_object().unwrap().values();
    let queries = resources.filter(|found| found["Type"] == "AWS::Logs::QueryDefinition");
    let queries: Vec<&str> =
        queries.map(|found| text(&found["Properties"]["QueryString"])).collect();
    assert!(queries.len() >= 5, "{queries:?}");
    for query in queries {
        let commands: Vec<&str> = query.split(" | ").collect();
        let filters = commands.iter().filter_map(|command| command.strip_prefix("filter "));
        let filters: Vec<Condition> = filters.map(Condition::read).collect();
        assert!(!filters.is_empty(), "{query}");
        for filter in &filters {
            let Condition::In(field, values) = filter else { continue };
            for value in values {
                let is_said = lines.iter().any(|line| line[field] == value.as_str());
                assert!(is_said, "{query}: no line has {field} {value:?}");
            }
        }
        let found: Vec<&Value> =
            lines.iter().filter(|line| filters.iter().all(|filter| filter.holds(line))).collect();
        for field in commands.iter().flat_map(|command| fields(command)) {
            let is_shown = found.iter().any(|line| !line[&field].is_null());
            assert!(is_shown, "{query}: no line that it finds has {field}");
        }
    }
}
