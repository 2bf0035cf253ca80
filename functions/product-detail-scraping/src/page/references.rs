//! Replaces the references in linked data by what they refer to: `{"@id": "#offer"}` stands for the object with that id
//! elsewhere in the same block (JSON-LD 1.1, section 3.3).

use std::collections::BTreeMap;

use inventory::budget::Budget;
use serde_json::{Map, Value};

/// Deepest chain of references that is followed.
const MAX_CHAIN: usize = 3;

/// Most nodes visited.
const MAX_NODES: usize = 20_000;

/// Most bytes of texts and names created, where each node counts as some more.
const MAX_BYTES: usize = 1024 * 1024;
const NODE_BYTES: usize = 32;

/// The value with its references replaced. The budget pays for each node.
#[must_use]
pub fn resolved(value: Value, budget: &Budget) -> Value {
    let mut named = BTreeMap::new();
    let mut left = MAX_NODES;
    collect(&value, &mut named, &mut left);
    budget.step((MAX_NODES - left) * NODE_BYTES);
    if named.is_empty() {
        return value;
    }
    let mut left = MAX_BYTES;
    let resolved = filled(&value, &named, 0, &mut left);
    let copied = MAX_BYTES - left;
    if budget.step(copied) { resolved } else { value }
}

/// The properties of a reference.
fn is_reference(object: &Map<String, Value>) -> bool {
    object.len() <= 2
        && object.contains_key("@id")
        && object.keys().all(|key| key == "@id" || key == "@type")
}

/// Collects the objects with an id. The recursion is bounded, because the parsers refuse deep nesting.
fn collect<'v>(
    value: &'v Value,
    named: &mut BTreeMap<&'v str, &'v Map<String, Value>>,
    left: &mut usize,
) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, named, left)),
        Value::Object(object) => {
            if let Some(id) = object.get("@id").and_then(Value::as_str)
                && !is_reference(object)
            {
                named.entry(id).or_insert(object);
            }
            object.values().for_each(|value| collect(value, named, left));
        }
        _ => {}
    }
}

fn filled(
    value: &Value,
    named: &BTreeMap<&str, &Map<String, Value>>,
    chain: usize,
    left: &mut usize,
) -> Value {
    let bytes = NODE_BYTES + value.as_str().map_or(0, str::len);
    let Some(rest) = left.checked_sub(bytes) else { return Value::Null };
    *left = rest;
    match value {
        Value::Array(values) => {
            values.iter().map(|value| filled(value, named, chain, left)).collect()
        }
        Value::Object(object) => {
            let id = object.get("@id").and_then(Value::as_str).filter(|_| is_reference(object));
            let target = id.and_then(|id| named.get(id).copied()).filter(|_| chain < MAX_CHAIN);
            let chain = chain + usize::from(target.is_some());
            let properties = target.unwrap_or(object).iter();
            let entry = |(key, value): (&String, &Value)| {
                *left = left.saturating_sub(key.len());
                (key.clone(), filled(value, named, chain, left))
            };
            Value::Object(properties.map(entry).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(value: Value) -> Value {
        super::resolved(value, &Budget::unlimited())
    }

    #[test]
    fn a_reference_is_replaced_by_its_object() {
        let value = json!({"@graph": [
            {"@type": "Car", "offers": {"@id": "#offer"}, "brand": {"@id": "#none"}},
            {"@id": "#offer", "price": 1, "seller": {"@id": "#dealer"}},
            {"@id": "#dealer", "name": "Acme"},
        ]});
        let offer =
            json!({"@id": "#offer", "price": 1, "seller": {"@id": "#dealer", "name": "Acme"}});
        let resolved = resolved(value);
        assert_eq!(resolved["@graph"][0]["offers"], offer);
        assert_eq!(resolved["@graph"][0]["brand"], json!({"@id": "#none"}));
    }

    #[test]
    fn circles_and_floods_of_references_end() {
        let circle = json!([{"@id": "a", "x": 1, "y": {"@id": "b"}}, {"@id": "b", "x": 1, "y": {"@id": "a"}}]);
        assert!(resolved(circle).to_string().len() < 1_000);
        let many: Vec<Value> = (0..300).map(|_| json!({"@id": "a"})).collect();
        let flood = json!([{"@id": "a", "x": many}, many]);
        assert!(resolved(flood).to_string().len() < 1_000_000);
    }
}
