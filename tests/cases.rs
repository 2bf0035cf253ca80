//! Small inputs made from what people reported in public, each with the right value. They stand in `tests/cases/`, one
//! file a case; each is one of a kind.

use std::{collections::BTreeMap, fs, path::PathBuf};

use dealer_com_feed::{
    inventory,
    vehicle::{BadVehicle, Vehicle},
};
use evenkeel::message::decode;
use product_detail_scraping::page::{PageError, read, record::Details};
use serde_json::{Value, json};
use url::Url;
use url_shortening::Shortening;

const VIN: &str = "1HGCM82633A004352";

const ADDRESS: &str = "https://www.acme.example/used/x/car.htm";

/// The text of a case.
fn text(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// What the page of a case says of the car, by field; or the error.
fn page(html: &str) -> BTreeMap<String, Value> {
    let address: Url = ADDRESS.parse().unwrap();
    match read(html, &address, VIN, &Details::default()) {
        Ok(reading) => {
            let record = serde_json::to_value(&reading.record).unwrap();
            let fields = record.as_object().unwrap().iter();
            fields.map(|(name, found)| (name.clone(), found["value"].clone())).collect()
        }
        Err(error) => {
            let name = match error {
                PageError::Challenge { .. } => "challenge",
                PageError::OtherVehicle { .. } => "other_vehicle",
                PageError::NoVin => "no_vin",
            };
            BTreeMap::from([("error".to_owned(), json!(name))])
        }
    }
}

/// The expected fields of each page; null says that there is no value.
fn pages() -> Vec<(&'static str, Value)> {
    let miles = |value: u32| json!({"value": value, "unit": "miles"});
    vec![
        ("01-soft404-other-car.html", json!({"error": "no_vin", "title": null})),
        (
            "03-datalayer-object-payment.html",
            json!({"price_cents": 24_490_000, "msrp_cents": 28_900_000, "mileage": miles(1_200),
                "year": 2025, "make": "Acme", "model": "Coupe"}),
        ),
        ("04-savings-as-offer.html", json!({"price_cents": 5_794_400, "msrp_cents": 7_296_500})),
        ("05-zero-dealer-prices-payment.html", json!({"price_cents": null, "year": 2024})),
        ("07-payment-frequency.html", json!({"price_cents": null})),
        // Two prices of the page that differ by more than a tenth: no price, and the report lists both.
        ("10-folded-incentive.html", json!({"price_cents": null, "msrp_cents": 7_238_500})),
        // Two thirds below the manufacturer's price of a new car: few buyers get that.
        ("11-conditional-discount.html", json!({"price_cents": null, "msrp_cents": 8_953_000})),
        (
            "12-state-block-and-or-lines.html",
            json!({"year": 2026, "make": "Acme", "model": "Coupe", "trim": "XLE",
                "condition": "new", "stock_number": "A1", "msrp_cents": 4_106_300,
                "price_cents": 4_406_400, "mileage": miles(0)}),
        ),
        (
            "13-js-hex-escapes.html",
            json!({"make": "Mercedes-Benz", "model": "Grand Caravan", "trim": "SXT | Plus",
                "price_cents": 1_850_000}),
        ),
        (
            "17-makes-offer.html",
            json!({"price_cents": 1_800_000, "currency": "USD", "exterior_color": "Black"}),
        ),
        ("18-motor-vehicle.html", json!({"model": "Tucson", "price_cents": 2_149_500})),
        ("19-comments-in-json.html", json!({"model": "Accord", "price_cents": 1_250_000})),
        (
            "21-msrp-and-vehicle-condition.html",
            json!({"msrp_cents": 5_319_000, "condition": "new", "price_cents": 5_099_500}),
        ),
        ("22-entities.html", json!({"trim": "4MATIC® Sport", "exterior_color": "Bleu étoile"})),
        ("24-nested-text.html", json!({"mileage": miles(42_000), "price_cents": 1_850_000})),
        (
            "26-facts-in-plain-html.html",
            json!({"price_cents": 3_295_000, "mileage": miles(14_588)}),
        ),
        ("27-stale-markup-price.html", json!({"price_cents": 2_399_500})),
        ("28-wall-incident-number.html", json!({"error": "challenge"})),
        ("30-sold.html", json!({"availability": "sold", "price_cents": null})),
    ]
}

#[test]
fn pages_are_read_right() {
    let mut wrong = Vec::new();
    for (name, expected) in pages() {
        let found = page(&text(name));
        for (field, value) in expected.as_object().unwrap() {
            let read = found.get(field).unwrap_or(&Value::Null);
            if read != value {
                wrong.push(format!("{name}: {field} is {read}, expected {value}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The data layer of our car.
fn ours(rest: &str) -> String {
    format!(r#"<script>d.vehicles=[{{"vin":"{VIN}","modelYear":"2019",{rest}}}]</script>"#)
}

/// Linked data of our car, with this offer.
fn linked(offer: &str) -> String {
    format!(
        r#"<script type="application/ld+json">{{"@type":"Car","vin":"{VIN}",
            "vehicleModelDate":"2019","offers":{{{offer}}}}}</script>"#
    )
}

/// Variants of the cases: what must not be believed.
fn unbelievable() -> Vec<(String, Value)> {
    let row = format!("<ul><li>VIN <b>{VIN}</b></li></ul>");
    let unnamed = r#"<script type="application/ld+json">{"@type":"Car","name":"2021 Kia Sorento",
        "offers":{"price":24995}}</script>"#;
    let head = format!("<h1>2019 Honda Accord {VIN}</h1>");
    vec![
        // Another car without a VIN beside a row, a link or a sentence with ours.
        (format!("<h1>2021 Kia Sorento</h1>{row}{unnamed}"), json!({"price_cents": null})),
        (format!("<a href=/x/{VIN}>x</a>{unnamed}"), json!({"error": "no_vin"})),
        (format!("{head}{unnamed}"), json!({"price_cents": null})),
        // Payments, savings and other amounts in place of the price.
        (linked(r#""price":"$9,199 per mth""#), json!({"price_cents": null})),
        (linked(r#""price":"£9,199 pcm""#), json!({"price_cents": null})),
        (linked(r#""price":"9199","loanTerm":"P60M""#), json!({"price_cents": null})),
        (linked(r#""price":9000,"name":"Current bid""#), json!({"price_cents": null})),
        (
            format!("{}<p>You save $9,200</p>", linked(r#""price":9200"#)),
            json!({"price_cents": null}),
        ),
        (ours(r#""internetPrice":"999999""#), json!({"price_cents": null})),
        (
            format!("{head}<h2>Similar cars</h2><b class=price>$17,500</b>"),
            json!({"price_cents": null}),
        ),
        (
            format!("{head}<p class=price><s>$22,995</s> <b>$20,995</b> or $389/mo</p>"),
            json!({"price_cents": 2_099_500}),
        ),
    ]
}

/// Other amounts, and other cars, that look like the price and the car.
fn lookalikes() -> Vec<(String, Value)> {
    let head = format!("<h1>2021 Honda {VIN}</h1>");
    let named = |rest: &str| {
        format!(
            r#"<script type="application/ld+json">{{"@type":"Car","vin":"{VIN}","brand":"Honda",
                "model":"Accord","vehicleModelDate":2021}}</script>{rest}"#
        )
    };
    let product = |name: &str| {
        named(&format!(
            "<div itemscope itemtype='https://schema.org/Product'><b itemprop=name>{name}</b>\
             <div itemprop=offers itemscope><meta itemprop=price content=21995></div></div>"
        ))
    };
    let none = || json!({"price_cents": null});
    vec![
        // Labels behind their amounts, and a footnote between them.
        (
            format!(
                "{head}<div class=prices><b>$48,000</b><i>MSRP</i><b>$44,500</b><i>Sale Price</i></div>"
            ),
            none(),
        ),
        (format!("{head}<p class=price><i>MSRP</i><sup>*</sup><b>$48,000</b></p>"), none()),
        (format!("{head}<b class='price line-through'>$42,000</b>"), none()),
        (format!("{head}<p class=price><i>KBB Retail Value</i><b>$42,000</b></p>"), none()),
        (format!("{head}<p>Down Payment</p><p class=price>$9,500</p>"), none()),
        (
            format!(
                "{head}<section class=you-may-also-like><h2><span>More</span></h2>\
                 <b class=price>$21,995</b></section>"
            ),
            none(),
        ),
        (product("2021 Kia K5"), json!({"price_cents": null, "make": "Honda"})),
        (product("Ceramic Protection Plan"), json!({"price_cents": null, "make": "Honda"})),
        (
            format!(
                r#"<h1>2021 Honda Accord LX</h1><b class=price>$25,900</b>
                   <div class="similar-card" data-vin="{VIN}"></div>"#
            ),
            json!({"price_cents": null, "title": null}),
        ),
        (
            format!(
                r#"<script>var featured={{vin:"{VIN}"}}</script><script type="application/ld+json">
                   {{"@type":"Car","vin":"1M8GDM9AXKP042788"}}</script><h1>2021 Kia</h1>
                   <b class=price>$25,500</b>"#
            ),
            json!({"price_cents": null, "title": null}),
        ),
        (
            format!("<dl><dt>VIN</dt><dd>{VIN}</dd><dt>Kilometres</dt><dd>45,000</dd></dl>"),
            json!({"mileage": {"value": 45_000, "unit": "kilometres"}}),
        ),
        (
            format!("{}<p>If it is no longer available, call us.</p>", linked(r#""price":18995"#)),
            json!({"availability": null, "price_cents": 1_899_500}),
        ),
    ]
}

/// What must be read.
fn readable() -> Vec<(String, Value)> {
    vec![
        // The dealer's own price of an old car.
        (ours(r#""internetPrice":"850""#).replace("2019", "1998"), json!({"price_cents": 85_000})),
        // Sold, wherever it is said.
        (
            format!("<h1>SOLD: 2019 Honda</h1>{}", ours(r#""internetPrice":"18995""#)),
            json!({"availability": "sold", "price_cents": null}),
        ),
        (ours(r#""internetPrice":"18995","inventoryStatus":"SOLD""#), json!({"price_cents": null})),
        // One source has the unit of another's number.
        (
            format!(
                "{}{}",
                ours(r#""odometer":"45000""#),
                linked("").replace(
                    "\"offers\"",
                    r#""mileageFromOdometer":{"value":45000,"unitCode":"KMT"},"offers""#
                )
            ),
            json!({"mileage": {"value": 45_000, "unit": "kilometres"}}),
        ),
        // An argument of a call, and a block of a framework.
        (
            format!("<script>show({{vin:'{VIN}',price:'$18,995'}})</script>"),
            json!({"price_cents": 1_899_500}),
        ),
        (
            format!(
                r#"<script type="application/json">{{"a":{{"vin":"{VIN}","price":18995}}}}</script>"#
            ),
            json!({"price_cents": 1_899_500}),
        ),
    ]
}

#[test]
fn variants_of_the_pages_are_read_right() {
    for (html, expected) in unbelievable().into_iter().chain(lookalikes()).chain(readable()) {
        let found = page(&html);
        for (field, value) in expected.as_object().unwrap() {
            let read = found.get(field).unwrap_or(&Value::Null);
            assert_eq!(read, value, "{field} of {html}: {found:?}");
        }
    }
}

/// The cars of a feed's body: VIN, odometer and unit; or the reason of a bad entry.
fn feed(name: &str) -> Vec<Value> {
    let site: Url = ADDRESS.parse().unwrap();
    let page = inventory::read(text(name).as_bytes(), &site).unwrap();
    let car = |car: Result<Vehicle, BadVehicle>| match car {
        Ok(car) => {
            let car = serde_json::to_value(car).unwrap();
            json!([car["vin"], car["odometer"], car["odometer_unit"]])
        }
        Err(bad) => json!(bad.reason),
    };
    page.vehicles.into_iter().map(car).collect()
}

#[test]
fn feeds_are_read_right() {
    let second = "1M8GDM9AXKP042788";
    assert_eq!(
        feed("31-feed-one-bad-token.json"),
        [json!([VIN, null, null]), json!([second, null, null])]
    );
    assert_eq!(feed("33-feed-kilometres.json"), [json!([VIN, 45_000, "kilometres"])]);
    let reasons = feed("36-feed-placeholder-vin.json");
    assert_eq!(reasons.len(), 2);
    for reason in reasons {
        let reason = reason.as_str().unwrap();
        assert!(reason.ends_with("is a placeholder, as of a car on order"), "{reason}");
    }
}

/// A page without a mileage must not turn the feed's kilometres into miles.
#[test]
fn the_unit_of_the_feed_is_kept() {
    let site: Url = ADDRESS.parse().unwrap();
    let body = text("33-feed-kilometres.json");
    let page = inventory::read(body.as_bytes(), &site).unwrap();
    let car = serde_json::to_string(page.vehicles[0].as_ref().unwrap()).unwrap();
    let known = product_detail_scraping::feed_data::details(&car);
    let html = format!("<h1>Accord {VIN}</h1>");
    let reading = read(&html, &site, VIN, &known).unwrap();
    let mileage = serde_json::to_value(&reading.record.mileage).unwrap();
    assert_eq!(mileage["value"], json!({"value": 45_000, "unit": "kilometres"}));
}

/// The destination of a message that is accepted, or the reason why it is not.
fn message(name: &str) -> Result<String, String> {
    let message = decode::<Shortening>("url_shortening", &text(name));
    message.map(|message| message.payload.destination).map_err(|rejection| rejection.reason)
}

#[test]
fn messages_are_read_right() {
    let refused = |name: &str, part: &str| {
        let reason = message(name).unwrap_err();
        assert!(reason.contains(part), "{name}: {reason}");
    };
    refused("37-array-for-envelope.txt", "body: a list, expected an object");
    refused("39-newline-in-destination.txt", "payload.destination: white space");
    refused("40-nul-in-title.txt", "payload.title: a control character");
    refused("40-nul-in-title.txt", "payload.dealer_slug: a control character");
    assert_eq!(message("41-bom.txt").unwrap(), "https://www.acme.example/new/car");
}

/// Every file of the folder is in a test above or in that of its job type.
#[test]
fn every_case_is_tested() {
    let source = include_str!("cases.rs");
    let elsewhere = ["44-403-code-without-field.json"];
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(source.contains(&name) || elsewhere.contains(&name.as_str()), "{name}");
        count += 1;
    }
    assert!(count >= 27, "{count}");
}
