//! What the dealer's feed said of a car, as it is kept in the table of vehicles: the last source that
//! a page's reading falls back on.
//!
//! Another function wrote it, perhaps an older one: every field may be missing or of another kind.

use serde_json::Value;

use crate::page::{
    record::Details,
    vocabulary::{Condition, Mileage, Unit},
};

/// Most addresses of pictures that are taken over.
const MAX_IMAGES: usize = 24;

/// Reads a car's data; what cannot be read is left out.
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
            .map(|value| Mileage { value, unit: Unit::Miles }),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_feed_keeps_is_read_and_the_rest_is_left_out() {
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
        assert_eq!(details("not json"), Details::default());
    }
}
