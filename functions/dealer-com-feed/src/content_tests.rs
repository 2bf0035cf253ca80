use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn hash(value: &Value) -> String {
    let site = "https://www.acme.example".parse().unwrap();
    content_hash(&Vehicle::read(value, &site).unwrap())
}

/// A car with every field set.
fn car() -> Value {
    json!({
        "vin": "1HGCM82633A004352", "year": "2021", "make": "Nimbus", "model": "Cumulus",
        "trim": "Touring", "stockNumber": "N-1001", "type": "used", "certified": "true",
        "bodyStyle": "Sedan", "fuelType": "Gasoline", "link": "/certified/a.htm", "uuid": "0a1b2c",
        "accountId": "acmenorth", "inventoryDate": "08/24/2025",
        "title": ["2021 Nimbus", "Cumulus Touring"],
        "images": [{"uri": "/s/1.jpg"}, {"uri": "/s/2.jpg"}],
        "trackingAttributes": [
            {"name": "odometer", "value": "27419"}, {"name": "engine", "value": "1.5 L I4"},
        ],
        "pricing": {"retailPrice": "$25,995", "finalPrice": "$23,995"},
        "trackingPricing": {
            "internetPrice": "$23,995", "salePrice": "$24,000", "askingPrice": "$24,500",
            "msrp": "$28,100",
        },
    })
}

fn with(pointer: &str, field: Value) -> Value {
    let mut car = car();
    *car.pointer_mut(pointer).unwrap() = field;
    car
}

/// Computed with `sha256sum` over lines that start with `vehicle/1`, `vin=1HGCM82633A004352` and
/// `condition=certified`. If this test fails, every stored car would count as changed.
#[test]
fn the_hashed_format_is_fixed() {
    let expected = "988dc3fc281516e11d8631a272709d503edb4f2ababf0e46c2e34fc3ba35443d";
    assert_eq!(hash(&car()), expected);
    let bare = "09df628974b950b2c6269c562c0b2ce4f1fc1c1b80c052ab329a4a1176426c25";
    assert_eq!(hash(&json!({"vin": "1HGCM82633A004352"})), bare);
}

#[test]
fn a_change_that_matters_to_a_buyer_changes_the_hash() {
    let changes = [
        ("/vin", json!("1M8GDM9AXKP042788")),
        ("/year", json!("2022")),
        ("/make", json!("Zephyr")),
        ("/model", json!("Stratus")),
        ("/trim", json!("Sport")),
        ("/trim", json!("N/A")),
        ("/stockNumber", json!("N-1002")),
        ("/type", json!("new")),
        ("/certified", json!("false")),
        ("/link", json!("/certified/b.htm")),
        ("/link", json!("/certified/A.htm")),
        ("/images", json!([])),
        ("/trackingAttributes/0/value", json!("27420")),
        ("/pricing/retailPrice", json!("$25,994")),
        ("/pricing/finalPrice", json!("$23,994")),
        ("/trackingPricing/internetPrice", json!("Contact Us")),
        ("/trackingPricing/salePrice", json!("$24,000.01")),
        ("/trackingPricing/askingPrice", json!(0)),
        ("/trackingPricing/msrp", json!("$28,101")),
    ];
    for (pointer, field) in changes {
        assert_ne!(hash(&with(pointer, field.clone())), hash(&car()), "{pointer} {field}");
    }
}

#[test]
fn a_change_that_leaves_the_car_as_it_is_keeps_the_hash() {
    let changes = [
        ("/title", json!("Just arrived! 2021 Nimbus")),
        ("/uuid", json!("ffffff")),
        ("/accountId", json!("acmesouth")),
        ("/inventoryDate", json!("08/25/2025")),
        ("/bodyStyle", json!("N/A")),
        ("/fuelType", json!(null)),
        ("/trackingAttributes/1/value", json!("1.5L")),
        ("/images", json!([{"uri": "/s/2.jpg"}, {"uri": "/s/1.jpg"}])),
        ("/images", json!(["https://cdn.example/s/1.jpg?w=400"])),
        ("/link", json!("/certified/a.htm?srpRequestId=9&utm_campaign=autumn")),
        ("/link", json!("https://www.acme.example/certified/a.htm")),
        ("/make", json!("NIMBUS")),
        ("/trim", json!(" Touring ")),
        ("/year", json!(2021)),
        ("/certified", json!(true)),
        ("/trackingAttributes/0/value", json!("27,419 miles")),
        ("/trackingPricing/internetPrice", json!(23_995)),
        ("/trackingPricing/salePrice", json!("24000.00")),
    ];
    for (pointer, field) in changes {
        assert_eq!(hash(&with(pointer, field.clone())), hash(&car()), "{pointer} {field}");
    }
}

#[test]
fn a_car_that_is_sold_is_another_than_one_in_stock() {
    let of = |status: &str| hash(&json!({"vin": "1HGCM82633A004352", "status": status}));
    let silent = hash(&json!({"vin": "1HGCM82633A004352"}));
    assert_eq!(of("live"), silent);
    assert_ne!(of("SOLD"), silent);
    assert_ne!(of("SOLD"), of("Sale Pending"));
}

#[test]
fn a_field_cannot_imitate_another() {
    let one = json!({"vin": "1HGCM82633A004352", "make": "a", "model": "b"});
    let forged = json!({"vin": "1HGCM82633A004352", "make": "a\nmodel=b"});
    assert_ne!(hash(&one), hash(&forged));
}

proptest! {
    #[test]
    fn a_stored_vehicle_has_the_same_hash(
        make in ".{0,20}",
        trim in ".{0,20}",
        cents in 0_u64..100_000_000,
    ) {
        let price = format!("${}.{:02}", cents / 100, cents % 100);
        let value = json!({"vin": "1HGCM82633A004352", "make": make, "trim": trim, "msrp": price});
        let site = "https://www.acme.example".parse().unwrap();
        let vehicle = Vehicle::read(&value, &site).unwrap();
        let stored = serde_json::to_string(&vehicle).unwrap();
        let again: Vehicle = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(content_hash(&again), content_hash(&vehicle));
    }
}
