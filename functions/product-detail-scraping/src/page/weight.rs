//! How much there is to read in a value of JSON. What reads it pays that many steps from the page's budget.

use inventory::budget::Budget;
use serde_json::Value;

/// Most bytes that are read of one text.
const MAX_TEXT_BYTES: usize = 4 * 1024;

/// What a value weighs beside its text.
const NODE_WEIGHT: usize = 16;

/// The bytes of text in a value, and some more for each value in it. Weighing itself takes a step for each. The
/// recursion is bounded, because the parsers refuse deep nesting.
pub(crate) fn weight(value: &Value, budget: &Budget) -> usize {
    if !budget.step(1) {
        return 0;
    }
    let inner: usize = match value {
        Value::String(text) => text.len().min(MAX_TEXT_BYTES),
        Value::Array(values) => values.iter().map(|value| weight(value, budget)).sum(),
        Value::Object(object) => {
            object.iter().map(|(key, value)| key.len() + weight(value, budget)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    NODE_WEIGHT + inner
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_value_and_every_text_counts() {
        let budget = Budget::unlimited();
        let value = json!({"ab": ["cde", 1, null], "f": {"g": true}});
        assert_eq!(weight(&value, &budget), 7 * NODE_WEIGHT + 7);
        assert_eq!(budget.steps_taken(), 7);
        let long = json!("x".repeat(MAX_TEXT_BYTES * 2));
        assert_eq!(weight(&long, &budget), NODE_WEIGHT + MAX_TEXT_BYTES);
    }
}
