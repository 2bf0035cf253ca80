//! Finds the cars in the data layer, the object that the dealer's platform fills for its own
//! scripts: `DDC.dataLayer['vehicles'] = [ … ]`.

use serde_json::{Map, Value};

use super::{reader::Reader, record::Details, script::isolate, sighting::Sightings, value};

/// Most mentions of a data layer examined in one script.
const MAX_MENTIONS: usize = 32;

/// The spellings of the property that holds the cars.
const PROPERTIES: [&str; 3] = ["['vehicles']", "[\"vehicles\"]", ".vehicles"];

/// The properties that hold a price, the most binding first.
const PRICES: [&str; 3] = ["internetPrice", "salePrice", "askingPrice"];

/// Reads the cars that a script assigns to the data layer.
pub fn read(script: &str, seen: &mut Sightings<'_>) {
    for (at, name) in script.match_indices("dataLayer").take(MAX_MENTIONS) {
        let Some(text) = assigned(&script[at + name.len()..]) else { continue };
        let Some(block) = isolate(text) else {
            seen.bad_block(text);
            continue;
        };
        let Some(cars) = seen.parse(block) else { continue };
        for car in seen.elements(&cars).iter().filter_map(Value::as_object) {
            let vin = car.get("vin").and_then(value::vin);
            seen.see(vin, |reader| details(car, reader));
        }
    }
}

/// The text that begins with the opening bracket of the cars, given the text after `dataLayer`.
fn assigned(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let rest = PROPERTIES.iter().find_map(|property| text.strip_prefix(property))?;
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    value.starts_with(['[', '{']).then_some(value)
}

fn details(car: &Map<String, Value>, reader: &mut Reader<'_>) -> Details {
    let condition = reader.read("condition", car.get("newOrUsed"), value::condition);
    let address = car.get("address").and_then(Value::as_object);
    let of_dealer = |key: &str| address.and_then(|address| address.get(key));
    let mut details = Details {
        year: reader.read("year", car.get("modelYear"), value::year),
        make: reader.text("make", car.get("make")),
        model: reader.text("model", car.get("model")),
        trim: reader.text("trim", car.get("trim")),
        condition,
        certified: reader.read("certified", car.get("certified"), value::boolean),
        stock_number: reader.text("stock_number", car.get("stockNumber")),
        mileage: reader.mileage(car.get("odometer"), None, condition),
        body_style: reader.text("body_style", car.get("bodyStyle")),
        engine: reader.text("engine", car.get("engine")),
        transmission: reader.text("transmission", car.get("transmission")),
        drive_line: reader.text("drive_line", car.get("driveLine")),
        fuel_type: reader.text("fuel_type", car.get("fuelType")),
        exterior_color: reader.text("exterior_color", car.get("exteriorColor")),
        interior_color: reader.text("interior_color", car.get("interiorColor")),
        option_codes: car.get("optionCodes").and_then(value::codes),
        images: reader.images(car.get("images")),
        msrp_cents: reader.cents("msrp_cents", car.get("msrp")),
        retail_value_cents: reader.cents("retail_value_cents", car.get("retailValue")),
        dealer_name: reader.text("dealer_name", car.get("accountName")),
        city: reader.text("city", of_dealer("city")),
        state: reader.text("state", of_dealer("state")),
        postal_code: reader.text("postal_code", of_dealer("postalCode")),
        ..Details::default()
    };
    for name in PRICES {
        details.price(reader.amount("price_cents", car.get(name), ""));
    }
    details
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::page::vocabulary::Provenance;

    const VIN: &str = "1HGCM82633A004352";

    fn trims(script: &str) -> (Vec<String>, usize) {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let mut seen = Sightings::new(Provenance::DataLayer, VIN, &base);
        read(script, &mut seen);
        let (details, warnings) = seen.chosen();
        (details.into_iter().filter_map(|details| details.trim).collect(), warnings.len())
    }

    #[test]
    fn the_cars_are_found_in_every_form_of_assignment() {
        let car = format!(r#"{{"vin":"{VIN}","trim":"EX"}}"#);
        for before in [
            "DDC.dataLayer['vehicles'] = ",
            "window.DDC.dataLayer[\"vehicles\"]=\n",
            "dataLayer .vehicles = ",
            "DDC.dataLayer = DDC.dataLayer || {}; DDC.dataLayer['vehicles'] = ",
        ] {
            assert_eq!(trims(&format!("{before}[{car}];")), (vec!["EX".into()], 0), "{before}");
            assert_eq!(trims(&format!("{before}{car};")), (vec!["EX".into()], 0), "{before}");
        }
        for before in ["dataLayer = ", "dataLayer['page'] = ", "dataLayer['vehicles'] == ", ""] {
            assert_eq!(trims(&format!("{before}[{car}];")), (vec![], 0), "{before}");
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
            let (trims, warnings) = trims(&format!("dataLayer['vehicles']={text}"));
            // One warning for each of five repairs, and one for cars without a VIN.
            prop_assert!(trims.is_empty() && warnings <= 6);
        }
    }
}
