//! Rules for messages: JSON, the schema of their type, and what the engine itself refuses of an envelope.

use evenkeel::message::key_of;
use serde_json::Value;

use super::finding;
use crate::{
    schema::{self, FieldProblem, Schema},
    shapes::Finding,
};

/// A message, with its line and what its fields begin with.
struct Found {
    line: u64,
    prefix: String,
    value: Value,
}

/// Checks messages: JSON lines, one JSON object, or a list of them. `kind` is the job type of those that do not name
/// theirs. Fails if there is none, or if a file that is no JSON lines is no JSON.
pub(super) fn check(text: &str, kind: Option<&str>) -> Result<Vec<Finding>, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err("expected at least one message".to_owned());
    }
    let mut findings = Vec::new();
    for found in read(text, &mut findings)? {
        let problems = of_message(&found.value, kind);
        findings.extend(problems.into_iter().map(|(rule, FieldProblem { field, problem })| {
            finding(found.line, format!("{}{field}", found.prefix), rule, problem)
        }));
    }
    Ok(findings)
}

/// The messages of a text. Lines that are no JSON are findings.
fn read(text: &str, findings: &mut Vec<Finding>) -> Result<Vec<Found>, String> {
    let alone = |value: Value| Found { line: 1, prefix: String::new(), value };
    let error = match serde_json::from_str(text) {
        Ok(Value::Array(values)) => {
            let of = |(place, value): (usize, Value)| Found {
                line: 1,
                prefix: format!("[{place}]."),
                value,
            };
            return Ok(values.into_iter().enumerate().map(of).collect());
        }
        Ok(value) => return Ok(vec![alone(value)]),
        Err(error) => error,
    };
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let mut messages = Vec::new();
    let mut bad = Vec::new();
    for (line, text) in lines {
        match serde_json::from_str(text) {
            Ok(value) => messages.push(Found { line, prefix: String::new(), value }),
            Err(error) => bad.push(finding(line, "body", "json", format!("no JSON: {error}"))),
        }
    }
    // Neither a document nor lines of them.
    if messages.is_empty() {
        return Err(format!("no JSON: {error}"));
    }
    findings.append(&mut bad);
    Ok(messages)
}

/// The problems of a message, each with its rule.
fn of_message(message: &Value, kind: Option<&str>) -> Vec<(&'static str, FieldProblem)> {
    let problem = |field: &str, problem: String| FieldProblem { field: field.to_owned(), problem };
    let named = message.get("type").and_then(Value::as_str);
    let Some(kind) = named.or(kind) else {
        let known: Vec<&str> = schema::kinds().collect();
        let text = format!("missing, expected one of {}; or name it with --type", known.join(", "));
        return vec![("type", problem("type", text))];
    };
    let Some(schema) = Schema::of(kind) else {
        let known: Vec<&str> = schema::kinds().collect();
        return vec![(
            "type",
            problem("type", format!("{kind:?}, expected one of {}", known.join(", "))),
        )];
    };
    let problems = schema.problems(message);
    if !problems.is_empty() {
        return problems.into_iter().map(|problem| ("schema", problem)).collect();
    }
    let body = message.to_string();
    match key_of(kind, &body) {
        Ok(_) => Vec::new(),
        Err(rejection) => {
            let reason = rejection.reason;
            let (field, why) = reason.split_once(": ").unwrap_or(("body", &reason));
            vec![("envelope", problem(field, why.to_owned()))]
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message() -> Value {
        json!({ "version": 1, "type": "url_shortening", "payload": {
            "destination": "https://www.example.com/", "dealer_slug": "a", "vin": "1M8GDM9AXKP042788" } })
    }

    fn found(text: &str) -> Vec<String> {
        let findings = check(text, None).unwrap();
        let told = |found: &Finding| format!("{} {} {}", found.line, found.field, found.rule);
        findings.iter().map(told).collect()
    }

    #[test]
    fn a_document_a_list_and_lines_are_read() {
        let good = message();
        assert_eq!(found(&good.to_string()), [""; 0]);
        assert_eq!(found(&serde_json::to_string_pretty(&good).unwrap()), [""; 0]);
        let mut bad = message();
        bad["payload"]["vin"] = 7.into();
        assert_eq!(found(&json!([good, bad]).to_string()), ["1 [1].payload.vin schema"]);
        let lines = format!("{good}\n\nnot json\n{bad}\n");
        assert_eq!(found(&lines), ["3 body json", "4 payload.vin schema"]);
    }

    #[test]
    fn what_is_wrong_is_named_by_its_rule() {
        let mut message = message();
        message["id"] = " ".into();
        assert_eq!(found(&message.to_string()), ["1 id envelope"]);
        message["type"] = "letter".into();
        assert_eq!(found(&message.to_string()), ["1 type type"]);
        assert!(check("{", None).is_err() && check(" \n", None).is_err());
    }
}
