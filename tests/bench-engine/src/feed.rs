//! A feed as a site of Dealer.com answers it.

use serde_json::json;

/// The site that the feed's addresses are relative to.
pub const SITE: &str = "https://www.dealer.example/";

/// A feed of so many cars, about 1.5 KB each.
#[must_use]
pub fn of_cars(count: usize) -> String {
    let names =
        ["odometer", "engine", "transmission", "exteriorColor", "interiorColor", "fuelType"];
    let attributes: Vec<_> =
        names.iter().map(|name| json!({"name": name, "value": "12,345"})).collect();
    let images: Vec<_> =
        (0..20).map(|n| json!({"uri": format!("//pictures.example/{n}.jpg")})).collect();
    let car = json!({
        "vin": "1HGCM82633A004352", "year": 2021, "make": "Honda", "model": "Accord", "trim": "EX",
        "stockNumber": "A1", "link": "/used/Honda/2021-Honda-Accord.htm", "images": images,
        "attributes": attributes,
        "pricing": {"dprice": [{"typeClass": "internetPrice", "value": "$23,995"}]},
    });
    json!({ "inventory": vec![car; count] }).to_string()
}

/// A feed of about so many bytes whose entries are no JSON, so that each of them is read with the tolerant parser.
#[must_use]
pub fn hostile(bytes: usize) -> String {
    const ENTRY: &str = "{'vin':'1HGCM82633A004352','x':a||b||[1,2]},";
    format!("{{\"inventory\":[{}{{}}]}}", ENTRY.repeat(bytes / ENTRY.len()))
}
