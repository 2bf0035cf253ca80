//! Replaces the references in linked data by what they refer to: `{"@id": "#offer"}` stands for the object with that id
//! elsewhere in the same block (JSON-LD 1.1, section 3.3), or in another one of the page.

use std::collections::BTreeMap;

use inventory::budget::Budget;
use serde_json::{Map, Value};

use super::weight::weight;

/// Deepest chain of references that is followed.
const MAX_CHAIN: usize = 3;

/// Most nodes visited.
const MAX_NODES: usize = 20_000;

/// Most bytes of texts and names created, where each node counts as some more.
const MAX_BYTES: usize = 1024 * 1024;
const NODE_BYTES: usize = 32;

/// Most bytes kept of the objects that other blocks may refer to, by their weight.
const MAX_SHARED_BYTES: usize = 128 * 1024;

/// The objects with an id in all blocks of a page.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    named: BTreeMap<String, Map<String, Value>>,
    bytes: usize,
}

impl Shared {
    /// Keeps the objects with an id in a block, the first of each id, up to a limit. The budget pays for each node.
    pub fn add(&mut self, block: &Value, budget: &Budget) {
        let mut named = BTreeMap::new();
        let mut left = MAX_NODES;
        collect(block, &mut named, &mut left);
        budget.step((MAX_NODES - left) * NODE_BYTES);
        for (id, object) in named {
            let bytes: usize =
                object.iter().map(|(key, value)| key.len() + weight(value, budget)).sum();
            if self.named.contains_key(id) || self.bytes + bytes > MAX_SHARED_BYTES {
                continue;
            }
            if !budget.step(bytes) || !budget.keep(bytes) {
                return;
            }
            self.bytes += bytes;
            self.named.insert(id.to_owned(), object.clone());
        }
    }
}

/// The value with its references replaced, those to `shared` objects of other blocks included. The budget pays for each
/// node.
#[must_use]
pub fn resolved(value: Value, shared: &Shared, budget: &Budget) -> Value {
    let mut named: BTreeMap<&str, &Map<String, Value>> = BTreeMap::new();
    let mut left = MAX_NODES;
    collect(&value, &mut named, &mut left);
    budget.step((MAX_NODES - left) * NODE_BYTES);
    for (id, object) in &shared.named {
        named.entry(id).or_insert(object);
    }
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
        super::resolved(value, &Shared::default(), &Budget::unlimited())
    }

    #[test]
    fn a_reference_may_lead_into_another_block() {
        let budget = Budget::unlimited();
        let mut shared = Shared::default();
        shared.add(&json!({"@id": "#offer", "price": 1}), &budget);
        shared.add(&json!({"@id": "#offer", "price": 2}), &budget);
        let car = json!({"@id": "#car", "offers": {"@id": "#offer"}});
        let resolved = super::resolved(car, &shared, &budget);
        assert_eq!(resolved["offers"], json!({"@id": "#offer", "price": 1}));
        let long = "x".repeat(4_000);
        for number in 0..1_000 {
            shared.add(&json!({"@id": number.to_string(), "name": long}), &budget);
        }
        assert!(shared.bytes <= MAX_SHARED_BYTES && shared.named.len() < 100);
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
