//! Finds the cars in the JSON-LD scripts of a page.

use serde_json::Value;

use super::{
    record::Details,
    references::{self, Shared},
    repair::{Repair, unwrapped},
    schema_org::{self, Object},
    script::{MAX_VALUE_BYTES, isolate},
    sighting::{Role, Sightings},
    weight::weight,
};

/// Most JSON values read of one script. Some sites put several into one script.
const MAX_VALUES: usize = 8;

/// Most scripts whose objects others may refer to.
const MAX_SHARING: usize = 16;

/// Most nodes visited of one JSON value.
const MAX_NODES: usize = 10_000;

/// Steps that a node takes beside those for its texts.
const NODE_STEPS: usize = 16;

/// The property that leads from an offer to its item.
const ITEM_OFFERED: &str = "itemOffered";

/// The properties whose values are searched for cars. Similar cars stand in other properties.
const CHILDREN: [&str; 8] =
    ["@graph", "mainEntity", LIST, "item", ITEM_OFFERED, "offers", "makesOffer", VARIANTS];

/// The properties whose values are some of many: a car in them may be another than the page's.
const LIST: &str = "itemListElement";
const VARIANTS: &str = "hasVariant";

/// Steps for each byte of a script that is parsed once more.
const PARSE_STEPS: usize = 2;

/// The objects that several scripts of a page may refer to. Scripts with a syntax error have none.
pub fn shared<'s>(scripts: impl Iterator<Item = &'s str>, seen: &Sightings<'_>) -> Shared {
    let with_ids = scripts.filter(|script| seen.pay(script.len()) && script.contains("\"@id\""));
    let scripts: Vec<&str> = with_ids.take(MAX_SHARING).collect();
    let mut shared = Shared::default();
    if scripts.len() < 2 {
        return shared;
    }
    for script in scripts {
        let is_paid = script.len() <= MAX_VALUE_BYTES && seen.pay(script.len() * PARSE_STEPS);
        if let Ok(block) = serde_json::from_str(if is_paid { script } else { "" }) {
            shared.add(&block, seen.budget());
        }
    }
    shared
}

/// Reads the cars in a JSON-LD script, whose references may lead to `shared` objects.
pub fn read(script: &str, shared: &Shared, seen: &mut Sightings<'_>) {
    if !seen.pay(script.len()) {
        return;
    }
    let mut rest = unwrapped(script);
    if rest.len() < script.trim_start().len() {
        seen.repaired(Repair::Wrapping);
    }
    for _ in 0..MAX_VALUES {
        let Some(start) = rest.find(['{', '[']) else { return };
        let length = if let Some((value, length)) = seen.parse(&rest[start..]) {
            walk(&references::resolved(value, shared, seen.budget()), Role::Main, seen);
            length
        } else {
            let Some(block) = isolate(&rest[start..]) else { return };
            block.len()
        };
        rest = &rest[start + length..];
    }
    if rest.contains(['{', '[']) {
        seen.skipped("values");
    }
}

/// Reads the cars in a JSON value with this place on the page, in document order.
pub(crate) fn walk(root: &Value, role: Role, seen: &mut Sightings<'_>) {
    // Every node is visited at most once, and its VIN is looked for in what stands directly in it.
    if !seen.pay(weight(root, seen.budget())) {
        return;
    }
    // Nodes still to visit, each with its place and with the offer whose item it is.
    let mut open: Vec<(&Value, Role, Option<&Object>)> = vec![(root, role, None)];
    for _ in 0..MAX_NODES {
        let Some((node, role, offer)) = open.pop() else { return };
        if !seen.pay(NODE_STEPS) {
            return;
        }
        match node {
            Value::Array(_) => {
                let elements = seen.elements(node);
                open.extend(elements.iter().rev().map(|element| (element, role, offer)));
            }
            Value::Object(object) => {
                let is_car = schema_org::is_car(object);
                if is_car {
                    let vin = schema_org::vin(object);
                    // Many cars may be the items of one offer, which is read again for each.
                    seen.see(vin, role, |reader| {
                        let of_offer = offer.into_iter().flatten();
                        let of_offer = of_offer.filter(|(key, _)| *key != ITEM_OFFERED);
                        let is_paid = reader.affords(object.values())
                            && reader.affords(of_offer.map(|(_, value)| value));
                        if is_paid {
                            schema_org::details(object, offer, reader)
                        } else {
                            Details::default()
                        }
                    });
                }
                open.extend(CHILDREN.iter().rev().filter_map(|key| {
                    let offer = (*key == ITEM_OFFERED).then_some(object);
                    let is_part = is_car || [LIST, VARIANTS].contains(key);
                    let role = if is_part { Role::Listed } else { role };
                    object.get(*key).map(|child| (child, role, offer))
                }));
            }
            _ => {}
        }
    }
    if !open.is_empty() {
        seen.skipped("nodes");
    }
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;
    use proptest::prelude::*;
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::page::vocabulary::Provenance;

    const VIN: &str = "1HGCM82633A004352";
    const OTHER: &str = "1M8GDM9AXKP042788";

    fn titles(script: &str) -> (Vec<String>, usize) {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::JsonLd, VIN, &base, &budget);
        read(script, &Shared::default(), &mut seen);
        let (details, warnings) = seen.chosen(|_| true);
        (details.into_iter().filter_map(|details| details.title).collect(), warnings.len())
    }

    #[test]
    fn the_car_is_found_in_every_supported_place() {
        let car = json!({"@type": "Car", "vin": VIN, "name": "Accord"});
        let other = json!({"@type": "Car", "vin": OTHER, "name": "Coach"});
        let places = [
            car.clone(),
            json!([other, car]),
            json!({"@graph": [{"@type": "WebPage"}, car]}),
            json!({"@type": "WebPage", "mainEntity": car}),
            json!({"@type": "ItemList", "itemListElement": [{"item": other}, {"item": car}]}),
            json!({"@type": "Offer", "itemOffered": car}),
            json!({"@type": "WebPage", "offers": {"itemOffered": [car]}}),
            json!({"@type": "ProductGroup", "hasVariant": [other, car]}),
        ];
        for place in places {
            assert_eq!(titles(&place.to_string()), (vec!["Accord".into()], 0), "{place}");
        }
        let elsewhere = json!({"@type": "WebPage", "isRelatedTo": car, "about": [car]});
        assert_eq!(titles(&elsewhere.to_string()), (vec![], 0));
    }

    #[test]
    fn an_item_takes_its_price_from_the_offer_around_it() {
        let offer = json!({"@type": "Offer", "price": 25_995,
            "itemOffered": [{"@type": "Car", "vin": VIN}]});
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::JsonLd, VIN, &base, &budget);
        walk(&offer, Role::Main, &mut seen);
        assert_eq!(seen.chosen(|_| true).0[0].asking_cents, [2_599_500]);
    }

    #[test]
    fn all_values_in_one_script_are_read() {
        let car = json!({"@type": "Car", "vin": VIN, "name": "Accord"});
        assert_eq!(titles(&format!("{{\"a\":1}}\n{car}")), (vec!["Accord".into()], 0));
        assert_eq!(titles(&format!("{{oops}}, {car};")), (vec!["Accord".into()], 1));
        assert_eq!(titles(&format!("<!-- {car} -->")), (vec!["Accord".into()], 1));
        assert_eq!(titles(&format!("{car} {{\"open")), (vec!["Accord".into()], 1));
    }

    #[test]
    fn an_excessively_large_value_is_abandoned() {
        let array = json!(vec![json!([[[]]]); 200]);
        let arrays = json!(vec![array; 20]);
        assert_eq!(titles(&arrays.to_string()), (vec![], 1));
    }

    proptest! {
        #[test]
        fn random_scripts_give_no_car(text in "[\\[\\]{}\",:@a0é]{0,80}|.{0,80}") {
            let (titles, _) = titles(&text);
            prop_assert!(titles.is_empty());
        }
    }
}
