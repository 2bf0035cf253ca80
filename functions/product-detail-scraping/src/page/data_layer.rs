//! Finds the cars in the objects that the dealer's platform fills for its own scripts: `DDC.dataLayer['vehicles'] =
//! [ … ]`, the state of its widgets, and the data blocks of page frameworks.

use std::collections::BTreeMap;

use inventory::literal;
use memchr::memchr2_iter;
use serde_json::{Map, Value};

use super::{
    assignment::{self, Assigned},
    flight,
    record::Details,
    schema_org::VIN_NAMES,
    sighting::{Role, Sightings},
    value::{self, first},
    vehicle_object,
    weight::weight,
};

/// Most values examined of one script.
const MAX_VALUES: usize = 256;

/// Steps for each byte of a script: it is searched for a VIN, and for what is assigned.
const SCRIPT_STEPS: usize = 3;

/// Steps that a value takes beside those of its bytes.
const VALUE_STEPS: usize = 100;

/// Steps that a node takes beside those for its texts.
const NODE_STEPS: usize = 16;

/// Most nodes visited of one value.
const MAX_NODES: usize = 10_000;

/// The property that says whose site it is.
const DEALERSHIP: &str = "dealership";

/// Parts of paths that hold other cars than the page's.
const OF_OTHERS: [&str; 17] = [
    "similar",
    "recommend",
    "related",
    "recent",
    "viewed",
    "compare",
    "carousel",
    "suggest",
    "saved",
    "featured",
    "lastseen",
    "history",
    "favorite",
    "favourite",
    "wishlist",
    "alternative",
    "nearby",
];

/// Reads the cars that a script assigns to objects.
pub fn read(script: &str, seen: &mut Sightings<'_>) {
    let is_paid = seen.pay(script.len() * SCRIPT_STEPS);
    let may_matter = may_name_a_vin(script) || seen.is_mentioned(script);
    if !is_paid || !may_matter && !script.contains(DEALERSHIP) {
        return;
    }
    let mut from = 0;
    // Cars whose properties are assigned one by one, by the path of the car.
    let mut parts: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for _ in 0..MAX_VALUES {
        if seen.is_spent() || !seen.pay(VALUE_STEPS) {
            break;
        }
        let Some(Assigned { path, start }) = assignment::next(script, from) else { break };
        let start = start + assignment::alternative(&script[start..]);
        let text = &script[start..];
        from = start;
        if assignment::is_literal(text) {
            let Some((value, length)) = seen.literal(text) else { continue };
            from += length;
            dealer(path, &value, seen);
            if let Some((car, property)) = assignment::part_of_car(path)
                && !value.is_object()
            {
                parts.entry(car).or_default().entry(property).or_insert(value);
            } else {
                cars(path, &value, seen);
                chunks(&value, seen);
            }
        } else if let Some(encoded) = assignment::percent_encoded(text) {
            from += encoded.len();
            data(&assignment::decoded(encoded), seen);
        } else if let Some((car, property)) = assignment::part_of_car(path)
            && let Some((value, length)) = literal::parse(text, seen.budget())
        {
            from += length;
            parts.entry(car).or_default().entry(property).or_insert(value);
        }
    }
    let role = if parts.len() == 1 { Role::Main } else { Role::Listed };
    for car in parts.values() {
        see(car, role, seen);
    }
}

/// Reads whose site it is: `DDC.dataLayer['dealership'] = { … }`, or the same within a larger object.
fn dealer(path: &str, value: &Value, seen: &mut Sightings<'_>) {
    let is_it = path.trim_end_matches(['\'', '"', ']']).ends_with(DEALERSHIP);
    let block = if is_it { Some(value) } else { value.get(DEALERSHIP) };
    let Some(block) = block.and_then(Value::as_object) else { return };
    seen.see_dealer(|reader| {
        if !reader.affords(block.values()) {
            return Details::default();
        }
        let get = |names: &[&str]| first(block, names);
        Details {
            dealer_name: reader.text("dealer_name", get(&["dealershipName", "name"])),
            city: reader.text("city", get(&["city"])),
            state: reader.text("state", get(&["stateProvince", "state"])),
            postal_code: reader.text("postal_code", get(&["postalCode"])),
            ..Details::default()
        }
    });
}

/// Reads the cars in a script of data, as page frameworks write it.
pub fn read_data(script: &str, seen: &mut Sightings<'_>) {
    if seen.pay(script.len()) {
        data(script, seen);
    }
}

/// Reads the cars in a text of data. Such blocks are also written for other purposes, so what they say of other cars
/// decides nothing.
fn data(text: &str, seen: &mut Sightings<'_>) {
    if may_name_a_vin(text)
        && let Some((value, _)) = seen.literal(text.trim_start())
    {
        let found = cars_in("", &value, seen);
        for (car, role) in found {
            let is_ours = vin(car).is_some_and(|vin| seen.is_ours(&vin));
            see(car, if is_ours { role } else { Role::Listed }, seen);
        }
    }
}

/// Reads the cars in the rows of data that a framework pushes as a text, or that stand as a text in an object.
fn chunks(value: &Value, seen: &mut Sightings<'_>) {
    let pushed = value.as_array().into_iter().flatten();
    let held = value.as_object().into_iter().flat_map(|object| object.values());
    let texts = pushed.chain(held).filter_map(Value::as_str);
    let texts = texts.filter(|text| text.contains(['{', '[']));
    for text in texts.take(flight::MAX_TEXTS) {
        if !seen.pay(text.len()) {
            return;
        }
        if may_name_a_vin(text) {
            for row in flight::rows(text) {
                data(row, seen);
            }
        }
    }
}

fn may_name_a_vin(script: &str) -> bool {
    let script = script.as_bytes();
    memchr2_iter(b'v', b'V', script).any(|at| {
        let rest = &script[at..];
        let is_vin = rest.get(..3).is_some_and(|part| part.eq_ignore_ascii_case(b"vin"));
        is_vin || rest.starts_with(b"vehicles")
    })
}

/// Reads the cars in a value that is assigned to this path. One car alone is the page's, unless the path says
/// otherwise.
fn cars(path: &str, value: &Value, seen: &mut Sightings<'_>) {
    for (car, role) in cars_in(path, value, seen) {
        see(car, role, seen);
    }
}

fn cars_in<'v>(
    path: &str,
    value: &'v Value,
    seen: &mut Sightings<'_>,
) -> Vec<(&'v Map<String, Value>, Role)> {
    if !seen.pay(weight(value, seen.budget())) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let holds_cars = path.to_ascii_lowercase().contains("vehicles");
    let mut open = vec![(value, holds_cars, false)];
    for _ in 0..MAX_NODES {
        let Some((node, may_lack_vin, is_of_others)) = open.pop() else { break };
        if !seen.pay(NODE_STEPS) {
            break;
        }
        match node {
            Value::Array(_) => {
                let elements = seen.elements(node).iter().rev();
                open.extend(elements.map(|element| (element, may_lack_vin, is_of_others)));
            }
            Value::Object(object) if is_car(object, may_lack_vin) => {
                found.push((object, is_of_others));
            }
            Value::Object(object) => {
                let child = |(key, child)| {
                    let key: &String = key;
                    (child, key == "vehicles", is_of_others || names_others(key))
                };
                open.extend(object.iter().rev().map(child));
            }
            _ => {}
        }
    }
    if !open.is_empty() {
        seen.skipped("nodes");
    }
    let mut vins: Vec<_> = found.iter().map(|(car, _)| vin(car)).collect();
    vins.sort();
    vins.dedup();
    let is_alone = vins.len() == 1 && !names_others(path);
    let role =
        |is_of_others: bool| if is_alone && !is_of_others { Role::Main } else { Role::Listed };
    found.into_iter().map(|(car, is_of_others)| (car, role(is_of_others))).collect()
}

fn names_others(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    OF_OTHERS.iter().any(|part| path.contains(part))
}

fn is_car(object: &Map<String, Value>, may_lack_vin: bool) -> bool {
    let has = |key: &str| object.contains_key(key);
    vin(object).is_some() || may_lack_vin && (has("vin") || has("make") || has("model"))
}

pub(super) fn vin(car: &Map<String, Value>) -> Option<String> {
    // Analytics have the VIN as the id of an item.
    let names = VIN_NAMES.iter().chain(&["item_id"]);
    names.filter_map(|name| car.get(*name)).find_map(value::vin)
}

fn see(car: &Map<String, Value>, role: Role, seen: &mut Sightings<'_>) {
    seen.see(vin(car), role, |reader| {
        if reader.affords(car.values()) {
            vehicle_object::details(car, reader)
        } else {
            Details::default()
        }
    });
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::page::{sighting::Main, vocabulary::Provenance};

    const VIN: &str = "1HGCM82633A004352";
    const OTHER: &str = "1M8GDM9AXKP042788";

    fn seen<T>(script: &str, of: impl FnOnce(Sightings<'_>) -> T) -> T {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::DataLayer, VIN, &base, &budget);
        read(script, &mut seen);
        of(seen)
    }

    fn trims(script: &str) -> (Vec<String>, usize) {
        let (details, warnings) = seen(script, |seen| seen.chosen(|_| true));
        (details.into_iter().filter_map(|details| details.trim).collect(), warnings.len())
    }

    #[test]
    fn the_cars_are_found_in_every_form_of_assignment() {
        let car = format!(r#"{{"vin":"{VIN}","trim":"EX"}}"#);
        let text = serde_json::Value::from(car.as_str()).to_string();
        for (before, after) in [
            ("DDC.dataLayer['vehicles'] = [", "];"),
            ("window.DDC.dataLayer[\"vehicles\"]=\n[", "]"),
            ("dataLayer .vehicles = ", ";"),
            ("DDC.dataLayer = DDC.dataLayer || {}; DDC.dataLayer['vehicles'] = [", "];"),
            ("DDC.dataLayer = {page: {type: 'vdp'}, 'vehicles': [", "]};"),
            ("x.state['w'] = x.state['w'] || {};\nx.state['w']['v1'] = {\"vehicle\":", "};"),
            ("dataLayer.push({event: 'view', vehicle: ", "});"),
            ("if (a === b && c <= d) { w.vehicles = w.vehicles || [", "] }"),
        ] {
            assert_eq!(trims(&format!("{before}{car}{after}")), (vec!["EX".into()], 0), "{before}");
        }
        let parsed = format!("window.state = JSON.parse({text});");
        assert_eq!(trims(&parsed), (vec!["EX".into()], 0));
        let quoted = format!("dataLayer.vehicles = [{{vin: '{VIN}', trim: 'E\\x58'}}];");
        assert_eq!(trims(&quoted), (vec!["EX".into()], 0));
        for before in ["dataLayer['vehicles'] == ", "", "dataLayer['vehicles'] => "] {
            assert_eq!(trims(&format!("{before}[{car}];")), (vec![], 0), "{before}");
        }
    }

    #[test]
    fn a_car_is_put_together_from_its_properties() {
        let script = format!(
            "d.vehicles = d.vehicles || [];\nd.vehicles[0] = d.vehicles[0] || {{}};\n\
             d.vehicles[0].trim = d.vehicles[0].trim || \"XLE\";\n\
             d.vehicles[0]['vin'] = d.vehicles[0].vin || '{VIN}';"
        );
        assert_eq!(trims(&script), (vec!["XLE".into()], 0));
    }

    #[test]
    fn the_dealer_whose_site_it_is_is_read_wherever_it_stands() {
        let dealer = "{ dealershipName: 'Acme Toyota', city: 'Springfield', stateProvince: 'IL' }";
        for script in [
            format!("DDC.dataLayer['dealership'] = {dealer};"),
            format!("DDC.dataLayer.dealership = {dealer}; DDC.dataLayer['vehicles'] = [];"),
            format!("DDC.dataLayer = {{ page: {{}}, dealership: {dealer} }};"),
        ] {
            let read = seen(&script, |seen| seen.dealer().cloned()).unwrap_or_default();
            let place = (read.city.as_deref(), read.state.as_deref());
            assert_eq!(read.dealer_name.as_deref(), Some("Acme Toyota"), "{script}");
            assert_eq!(place, (Some("Springfield"), Some("IL")), "{script}");
        }
        let nameless = "DDC.dataLayer['dealership'] = { city: 'Springfield' };";
        assert_eq!(seen(nameless, |seen| seen.dealer().cloned()), None);
    }

    #[test]
    fn one_car_alone_is_what_the_page_is_about() {
        let car = |vin: &str| format!(r#"{{"vin":"{vin}"}}"#);
        let (ours, other) = (car(VIN), car(OTHER));
        let cases = [
            (format!("d.vehicles = [{ours}]"), Main::Ours),
            (format!("d.vehicles = [{other}]"), Main::Other),
            (format!("d.vehicles = [{ours}, {other}]"), Main::Unknown),
            (format!("d.vehicles = [{ours}, {ours}]"), Main::Ours),
            (format!("d.similarVehicles = [{other}]; d.vehicles = [{ours}]"), Main::Ours),
            (format!("d.x = {{\"vehicle\": {ours}, \"recommended\": [{other}]}}"), Main::Unknown),
        ];
        for (script, expected) in cases {
            assert_eq!(seen(&script, |seen| seen.main()), expected, "{script}");
        }
    }

    #[test]
    fn a_bad_block_does_not_hide_the_next() {
        let bad = "DDC.dataLayer['vehicles'] = [{oops}];";
        let open = "DDC.dataLayer['vehicles'] = [";
        let good = format!(r#"DDC.dataLayer['vehicles'] = [{{"vin":"{VIN}","trim":"EX"}}];"#);
        assert_eq!(trims(&format!("{bad}{good}")), (vec!["EX".into()], 1));
        assert_eq!(trims(&format!("{good}{open}")), (vec!["EX".into()], 1));
    }

    proptest! {
        #[test]
        fn random_scripts_give_no_car(text in "[\\[\\]{}\",:a0é=]{0,80}|.{0,80}") {
            let (trims, _) = trims(&format!("dataLayer['vehicles']={text}"));
            prop_assert!(trims.is_empty());
        }
    }
}
