//! The name of a stack. Queues, functions, log groups and the schedule carry it, so it can be too long.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// The name of a stack that is not given another.
pub const DEFAULT: &str = "evenkeel";

/// Longest name of a function, in characters ("CreateFunction", AWS Lambda API Reference). No other
/// name that the template gives has a lower limit; a test holds that.
const LONGEST_FUNCTION_NAME: usize = 64;

/// What stands in the template for the stack's name.
const PLACE: &str = "${AWS::StackName}";

/// The longest name with which every function of the template can be created, in characters. Fails if
/// a function's name is not made of the stack's.
pub fn longest(template: &Value) -> Result<usize> {
    let resources = template["Resources"].as_object().context("Resources: expected a mapping")?;
    let mut longest = LONGEST_FUNCTION_NAME;
    for (logical_id, resource) in resources {
        if resource["Type"] != "AWS::Serverless::Function" {
            continue;
        }
        let name = resource["Properties"]["FunctionName"]["Fn::Sub"].as_str();
        let ending = name.and_then(|name| name.strip_prefix(PLACE)).with_context(|| {
            format!("{logical_id}: expected a FunctionName that begins with {PLACE}")
        })?;
        longest = longest.min(LONGEST_FUNCTION_NAME.saturating_sub(ending.len()));
    }
    Ok(longest)
}

/// Fails unless a stack of the template can have this name: letters, digits and hyphens, a letter
/// first ("CreateStack", AWS CloudFormation API Reference), and no longer than [`longest`].
pub fn expect(template: &Value, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
    ensure!(
        starts_well && name.chars().all(plain),
        "stack name {name:?}: expected letters, digits and hyphens, a letter first"
    );
    let longest = longest(template)?;
    ensure!(
        name.len() <= longest,
        "stack name {name}: {} characters, expected at most {longest}, because the functions are \
         named after the stack and Lambda allows {LONGEST_FUNCTION_NAME}",
        name.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{expect, longest};

    fn template(name: &str) -> Value {
        let function = |name: &str| {
            let properties = json!({ "FunctionName": { "Fn::Sub": name } });
            json!({ "Type": "AWS::Serverless::Function", "Properties": properties })
        };
        let short = function("${AWS::StackName}-a");
        json!({ "Resources": { "Short": short, "Other": function(name), "Queue": {} } })
    }

    #[test]
    fn the_longest_function_name_limits_the_stacks() {
        let template = template("${AWS::StackName}-fifteen-letters");
        assert_eq!(longest(&template).expect("names"), 48);
        assert!(expect(&template, &"x".repeat(48)).is_ok());
        let error = expect(&template, &"x".repeat(49)).expect_err("one too many").to_string();
        assert!(error.contains("49 characters, expected at most 48"), "{error}");
    }

    #[test]
    fn a_name_has_the_characters_that_cloudformation_takes() {
        for bad in ["", "1a", "-a", "a_b", "a b", "ä"] {
            let error = expect(&template("${AWS::StackName}-b"), bad).expect_err(bad).to_string();
            assert!(error.contains("a letter first"), "{error}");
        }
    }

    #[test]
    fn a_function_of_a_fixed_name_is_refused() {
        let error = longest(&template("fixed")).expect_err("no place").to_string();
        assert!(error.starts_with("Other: expected a FunctionName"), "{error}");
    }
}
