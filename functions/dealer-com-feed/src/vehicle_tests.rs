use serde_json::json;

use super::*;
use crate::price::Cents;

const VIN: &str = "1HGCM82633A004352";

fn site() -> Url {
    "https://www.acme.example".parse().unwrap()
}

fn read(value: &Value) -> Vehicle {
    Vehicle::read(value, &site()).unwrap()
}

/// A vehicle with only a VIN and `fields`.
fn with(fields: &Value) -> Vehicle {
    let mut value = json!({"vin": VIN});
    for (name, field) in fields.as_object().unwrap() {
        value[name] = field.clone();
    }
    read(&value)
}

#[test]
fn a_vehicle_needs_only_a_vin() {
    let bare = with(&json!({}));
    assert_eq!(bare.vin.as_str(), VIN);
    assert_eq!(bare.link, None);
    assert_eq!(bare.prices, Prices::default());
    assert!(bare.images.is_empty() && bare.placeholders.is_empty() && bare.unreadable.is_empty());
    assert_eq!(read(&json!({"vin": " 1hgcm82633a004352\n"})), bare);
}

#[test]
fn an_entry_without_a_valid_vin_is_refused_with_a_reason() {
    let cases = [
        (json!({"make": "Nimbus"}), "vin: missing"),
        (json!({"vin": null}), "vin: missing"),
        (json!({"vin": "N/A"}), "vin: a placeholder"),
        (json!({"vin": ""}), "vin: a placeholder"),
        (json!({"vin": {"value": VIN}}), "vin: no text"),
        (json!({"vin": "1HGCM82633A00435"}), "vin: 16 characters, expected 17"),
        (
            json!({"vin": "1HGCM82633A00435O"}),
            "vin: 'O' is not allowed, expected A-Z and 0-9 without I, O, Q",
        ),
        (json!(null), "no object, expected a vehicle"),
        (json!([VIN]), "no object, expected a vehicle"),
        (json!("text"), "no object, expected a vehicle"),
    ];
    for (value, reason) in cases {
        assert_eq!(Vehicle::read(&value, &site()), Err(reason.to_owned()), "{value}");
    }
}

#[test]
fn a_car_that_is_sold_is_read_as_sold() {
    let attribute = |name: &str| json!({"attributes": [{"name": name, "value": "Sold"}]});
    for (fields, expected) in [
        (json!({"status": "SOLD"}), Some("sold")),
        (json!({"isSold": true, "status": "live"}), Some("sold")),
        (json!({"sold": "yes"}), Some("sold")),
        (attribute("inventoryStatus"), Some("sold")),
        (json!({"availability": "Sale Pending"}), Some("reserved")),
        (json!({"status": "live"}), Some("in_stock")),
        (json!({"sold": false}), None),
        (json!({"status": "published", "inventoryStatus": "In Transit"}), Some("on_order")),
        (json!({"status": "published"}), None),
        (json!({"status": {"sold": true}}), None),
    ] {
        let vehicle = with(&fields);
        assert_eq!(vehicle.availability.as_deref(), expected, "{fields}");
        assert!(vehicle.unreadable.is_empty(), "{fields}");
    }
}

#[test]
fn every_format_of_a_field_is_read() {
    let year = |fields| with(&fields).year;
    assert_eq!(year(json!({"year": 2021})), Some(2021));
    assert_eq!(year(json!({"year": "2021"})), Some(2021));
    assert_eq!(year(json!({"modelYear": "2021"})), Some(2021));
    assert_eq!(year(json!({"year": "null", "modelYear": 2021})), Some(2021));

    let title = |fields| with(&fields).title;
    assert_eq!(title(json!({"title": "2021 Nimbus"})).as_deref(), Some("2021 Nimbus"));
    let parts = json!({"title": ["2021 Nimbus", "Cumulus"]});
    assert_eq!(title(parts).as_deref(), Some("2021 Nimbus Cumulus"));
    assert_eq!(title(json!({"title": ["", null]})), None);

    let stock = with(&json!({"stockNumber": 40_788})).stock_number;
    assert_eq!(stock.as_deref(), Some("40788"));

    let date = with(&json!({"inventoryDate": "08/24/2025"})).inventory_date;
    assert_eq!(date.as_deref(), Some("2025-08-24"));
}

#[test]
fn own_fields_take_precedence_over_both_attribute_lists() {
    let tracking = json!([{"name": "odometer", "value": "27419"}]);
    let shown = json!([{"name": "odometer", "value": "27,500 miles"}]);
    let cases = [
        (json!({"odometer": "9", "trackingAttributes": tracking, "attributes": shown}), 9),
        (json!({"trackingAttributes": tracking, "attributes": shown}), 27_419),
        (json!({"attributes": shown}), 27_500),
        (json!({"mileage": 12}), 12),
        (json!({"odometer": "N/A", "attributes": shown}), 27_500),
    ];
    for (fields, expected) in cases {
        assert_eq!(with(&fields).odometer, Some(expected), "{fields}");
    }
    for odd in [json!(null), json!({}), json!("x"), json!([null, 7, {"name": "odometer"}, {}])] {
        let read = with(&json!({"trackingAttributes": odd, "attributes": odd}));
        assert_eq!((read.odometer, read.unreadable.len()), (None, 0));
    }
}

#[test]
fn the_condition_is_read_from_the_entrys_own_fields() {
    let cases = [
        (json!({"type": "new"}), Some(Condition::New)),
        (json!({"type": "used"}), Some(Condition::Used)),
        (json!({"newOrUsed": "used"}), Some(Condition::Used)),
        (json!({"type": "used", "certified": true}), Some(Condition::Certified)),
        (json!({"type": "used", "certified": "true"}), Some(Condition::Certified)),
        (json!({"type": "used", "certified": "false"}), Some(Condition::Used)),
        (json!({"type": "used", "condition": "Certified Pre-Owned"}), Some(Condition::Certified)),
        (json!({"type": "used", "condition": "Excellent"}), Some(Condition::Used)),
        (json!({"type": "new", "certified": "true"}), Some(Condition::New)),
        (json!({"certified": "true"}), Some(Condition::Certified)),
        (json!({"certified": "false"}), None),
        (json!({}), None),
    ];
    for (fields, expected) in cases {
        assert_eq!(with(&fields).condition, expected, "{fields}");
    }
}

#[test]
fn a_link_is_absolute_or_none() {
    let cases = [
        (json!("/used/a.htm"), Some("https://www.acme.example/used/a.htm")),
        (json!("used/a.htm"), Some("https://www.acme.example/used/a.htm")),
        (json!("https://north.example/a.htm"), Some("https://north.example/a.htm")),
        (json!("/?vin=1"), Some("https://www.acme.example/?vin=1")),
        (json!("/"), None),
        (json!("#"), None),
        (json!("null"), None),
        (json!(" "), None),
        (json!("javascript:void(0)"), None),
        (json!(["/used/a.htm"]), None),
        (json!(null), None),
    ];
    for (link, expected) in cases {
        assert_eq!(with(&json!({"link": link})).link.as_deref(), expected, "{link}");
    }
}

#[test]
fn images_are_absolute_distinct_and_bounded() {
    let read = with(&json!({"images": [
        {"uri": "/s/a.jpg"}, "//cdn.example/b.jpg", {"uri": "https://cdn.example/c.jpg"},
        {"uri": "/s/a.jpg"}, {"uri": "N/A"}, {"uri": "data:,x"}, {"url": "/d.jpg"}, null, 7,
    ]}));
    let expected = [
        "https://www.acme.example/s/a.jpg",
        "https://cdn.example/b.jpg",
        "https://cdn.example/c.jpg",
    ];
    assert_eq!(read.images, expected);
    let many: Vec<String> = (0..100).map(|at| format!("/s/{at}.jpg")).collect();
    assert_eq!(with(&json!({"images": many})).images.len(), MAX_IMAGES);
    assert!(with(&json!({"images": {"uri": "/s/a.jpg"}})).images.is_empty());
}

#[test]
fn placeholders_and_unreadable_fields_are_named_and_affect_no_others() {
    let read = with(&json!({
        "trim": "null", "bodyStyle": "N/A", "model": "-", "year": "soon", "odometer": {"x": 1},
        "link": "javascript:void(0)", "inventoryDate": "", "make": "Nimbus", "engine": null,
        "trackingPricing": {"internetPrice": "$0", "msrp": "Contact Us", "salePrice": "$9,500"},
    }));
    let expected = ["body_style", "internet_price", "inventory_date", "model", "msrp", "trim"];
    assert_eq!(read.placeholders, expected);
    assert_eq!(read.unreadable, ["link", "odometer", "year"]);
    assert_eq!(read.make.as_deref(), Some("Nimbus"));
    assert_eq!(read.prices.sale, Some(Cents(950_000)));
}

#[test]
fn a_vehicle_round_trips_through_json() {
    let vehicle = with(&json!({
        "type": "used", "year": 2021, "link": "/used/a.htm", "images": ["/s/a.jpg"], "trim": "-",
        "pricing": {"finalPrice": "$9,500"}, "odometer": 7,
    }));
    let text = serde_json::to_string(&vehicle).unwrap();
    assert_eq!(serde_json::from_str::<Vehicle>(&text).unwrap(), vehicle);
    let spoilt = text.replace(VIN, "short");
    assert!(serde_json::from_str::<Vehicle>(&spoilt).is_err());
}

#[test]
fn a_reason_is_cut_between_characters() {
    let bad = BadVehicle::new(3, "é".repeat(500), "{}");
    assert_eq!((bad.position, bad.reason.len()), (3, MAX_REASON_BYTES));
    assert_eq!(bad.mark().len(), MARK_DIGITS);
    assert_ne!(bad.mark(), BadVehicle::new(3, String::new(), "{ }").mark());
}
