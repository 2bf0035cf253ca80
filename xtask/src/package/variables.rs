//! Values for a function's variables with which it starts outside AWS, read from the template.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// What parameters without a default are given, and pseudo parameters.
const GIVEN: [(&str, &str); 7] = [
    ("AWS::AccountId", "123456789012"),
    ("AWS::Partition", "aws"),
    ("AWS::Region", "us-east-1"),
    ("AWS::StackName", "evenkeel"),
    ("OutboundContact", "https://www.example.com/bots"),
    ("RebrandlyApiKeySecretArn", "arn:aws:secretsmanager:us-east-1:123456789012:secret:key"),
    ("RebrandlyDomain", "links.example.com"),
];

/// The variables of a function. Fails at a value that is neither text nor a reference.
pub(super) fn of(template: &Value, logical_id: &str) -> Result<BTreeMap<String, String>> {
    let properties = &template["Resources"][logical_id]["Properties"];
    let none = Map::new();
    let variables = properties["Environment"]["Variables"].as_object().unwrap_or(&none);
    variables
        .iter()
        .map(|(name, value)| {
            let text = text(template, value);
            Ok((name.clone(), text.with_context(|| format!("{logical_id}: variable {name}"))?))
        })
        .collect()
}

fn text(template: &Value, value: &Value) -> Result<String> {
    if let Some(name) = value["Ref"].as_str() {
        return Ok(referred(template, name));
    }
    if let Some(name) = value["Fn::GetAtt"][0].as_str() {
        return Ok(format!("arn:aws:sqs:us-east-1:123456789012:{name}"));
    }
    if let Some(pattern) = value["Fn::Sub"].as_str() {
        let mut parts = pattern.split("${");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').context("expected a } after ${")?;
            text.push_str(&referred(template, name));
            text.push_str(rest);
        }
        return Ok(text);
    }
    Ok(value.as_str().context("expected text or a reference")?.to_owned())
}

/// A parameter's default, a given value, or the name of the resource itself.
fn referred(template: &Value, name: &str) -> String {
    let given = GIVEN.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    match (&template["Parameters"][name]["Default"], given) {
        (Value::String(default), None) => default.clone(),
        (Value::Null, None) => name.to_owned(),
        (_, Some(value)) => value.to_owned(),
        (default, None) => default.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::of;

    #[test]
    fn every_kind_of_value_becomes_text() {
        let variables = json!({
            "TABLE": { "Ref": "Jobs" }, "RATE": { "Ref": "Rate" }, "NAME": { "Ref": "Name" },
            "QUEUE_ARN": { "Fn::GetAtt": ["Queue", "Arn"] }, "PLAIN": "on",
            "TYPES": { "Fn::Sub": "[${Rate}, \"${AWS::StackName}-x\"]" },
        });
        let template = json!({
            "Parameters": { "Rate": { "Default": 8 }, "Name": { "Default": "a name" } },
            "Resources": { "F": { "Properties": { "Environment": { "Variables": variables } } } },
        });
        let found = of(&template, "F").expect("values");
        let expected = [
            ("NAME", "a name"),
            ("PLAIN", "on"),
            ("QUEUE_ARN", "arn:aws:sqs:us-east-1:123456789012:Queue"),
            ("RATE", "8"),
            ("TABLE", "Jobs"),
            ("TYPES", "[8, \"evenkeel-x\"]"),
        ];
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_value_of_another_kind_is_an_error_that_names_it() {
        let variables = json!({ "LIST": [1] });
        let properties = json!({ "Environment": { "Variables": variables } });
        let template = json!({ "Resources": { "F": { "Properties": properties } } });
        let error = format!("{:#}", of(&template, "F").expect_err("a list"));
        assert_eq!(error, "F: variable LIST: expected text or a reference");
    }
}
