//! Parses the feed's data of a car, which the table of vehicles holds. It is the least trusted
//! source of a reading.
//!
//! Another function wrote the data, perhaps in an older version, so every field may be missing or
//! of an unexpected type.

use serde_json::Value;

use crate::page::{
    record::Details,
    vocabulary::{Availability, Condition, Mileage, Unit},
};

/// Most addresses of pictures read.
const MAX_IMAGES: usize = 24;

/// Parses a car's data from JSON. Invalid or missing fields are left empty.
#[must_use]
pub fn details(data: &str) -> Details {
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |name: &str| data[name].as_str().map(str::to_owned);
    let cents = |name: &str| data["prices"][name].as_u64().filter(|cents| *cents > 0);
    let condition = data["condition"].as_str();
    let images = data["images"].as_array().into_iter().flatten();
    let images: Vec<String> =
        images.filter_map(|image| image.as_str().map(str::to_owned)).take(MAX_IMAGES).collect();
    Details {
        title: text("title"),
        year: data["year"].as_u64().and_then(|year| u16::try_from(year).ok()),
        make: text("make"),
        model: text("model"),
        trim: text("trim"),
        condition: condition.and_then(|condition| match condition {
            "new" => Some(Condition::New),
            "used" | "certified" => Some(Condition::Used),
            _ => None,
        }),
        certified: condition.map(|condition| condition == "certified"),
        stock_number: text("stock_number"),
        mileage: data["odometer"]
            .as_u64()
            .and_then(|value| u32::try_from(value).ok())
            .map(|value| Mileage { value, unit: unit(&data["odometer_unit"]) }),
        availability: data["availability"].as_str().and_then(Availability::named),
        body_style: text("body_style"),
        engine: text("engine"),
        transmission: text("transmission"),
        drive_line: text("drive_line"),
        fuel_type: text("fuel_type"),
        exterior_color: text("exterior_color"),
        interior_color: text("interior_color"),
        images: (!images.is_empty()).then_some(images),
        msrp_cents: cents("msrp"),
        retail_value_cents: cents("retail"),
        asking_cents: ["final_price", "internet", "sale", "asking"]
            .into_iter()
            .filter_map(cents)
            .collect(),
        ..Details::default()
    }
}

/// The unit that the feed states. A unit that it does not state is not made up.
fn unit(value: &Value) -> Unit {
    match value.as_str() {
        Some("miles") => Unit::Miles,
        Some("kilometres") => Unit::Kilometres,
        _ => Unit::Unstated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_fields_are_read_and_invalid_ones_are_left_empty() {
        let data = r#"{"vin":"1HGCM82633A004352","condition":"certified","year":2021,"make":"Honda",
            "odometer":31000,"trim":null,"model":7,"images":["https://acme.example/1.jpg",3],
            "prices":{"final_price":2399500,"internet":0,"msrp":2600000},"novelty":{}}"#;
        let read = details(data);
        assert_eq!(
            (read.year, read.make.as_deref(), read.model),
            (Some(2021), Some("Honda"), None)
        );
        assert_eq!((read.condition, read.certified), (Some(Condition::Used), Some(true)));
        assert_eq!((read.asking_cents, read.msrp_cents), (vec![2_399_500], Some(2_600_000)));
        assert_eq!(read.images.map(|images| images.len()), Some(1));
        let of = |data: &str| details(data).mileage.map(|mileage| (mileage.value, mileage.unit));
        assert_eq!(of(data), Some((31_000, Unit::Unstated)));
        let metric = r#"{"odometer":45000,"odometer_unit":"kilometres"}"#;
        assert_eq!(of(metric), Some((45_000, Unit::Kilometres)));
        let state = |data: &str| details(data).availability;
        assert_eq!(state(r#"{"availability":"sold"}"#), Some(Availability::Sold));
        assert_eq!(state(r#"{"availability":"Sold?"}"#), None);
        assert_eq!(details("not json"), Details::default());
    }
}
