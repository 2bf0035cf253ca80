//! Odometers: kilometres never become miles, and only a number with its unit is one.

use serde_json::{Value, json};

use super::{VIN, assert_read, assert_read_beside, car, feed, headed, layer, linked};

fn mileage(value: u32, unit: &str) -> Value {
    json!({"mileage": {"value": value, "unit": unit}})
}

fn metric() -> Value {
    mileage(45_000, "kilometres")
}

fn none() -> Value {
    json!({"mileage": null})
}

#[test]
fn a_source_states_its_unit_in_many_places() {
    let state = format!(
        r#"<script>DDC.WS.state['ws-vehicle-page'] = {{"vehicle":{{"vin":"{VIN}",
            "odometer":{{"value":45000,"unit":"km"}}}}}}</script>"#
    );
    assert_read(vec![
        (state, metric()),
        (layer(r#""odometer":{"value":45000,"unit":"km"}"#), metric()),
        (layer(r#""mileage":[{"value":45000,"unitCode":"KMT"}]"#), metric()),
        (layer(r#""odometer":"45000","odometerUnitOfMeasure":"KM""#), metric()),
        (layer(r#""odometer":45000,"odometerUnits":"kilometers""#), metric()),
        (layer(r#""mileage":45000,"mileageUOM":"KMT""#), metric()),
        (layer(r#""kilometers":45000,"mileage":45000"#), metric()),
        (layer(r#""odometerKm":45000"#), metric()),
        (layer(r#""odometer":"45,000 km","odometerUnit":"miles""#), metric()),
        (layer(r#""odometer":45000,"odometerUnit":"mi""#), mileage(45_000, "miles")),
        (layer(r#""odometer":45000,"odometerUnit":"furlongs""#), none()),
        (format!("<p data-vin={VIN} data-mileage=45000 data-mileage-unit=km>"), metric()),
        (format!("<p data-vin={VIN} data-odometer=45000 data-odometer-uom=KM>"), metric()),
        (format!("<p data-vin={VIN} data-kilometers=45000>"), metric()),
        (
            car(r#""mileageFromOdometer":{"value":45000,"unitText":"https://x.example/unit/KMT"}"#),
            metric(),
        ),
        (
            format!("<dl><dt>Mileage (km)</dt><dd>45,000</dd><dt>VIN</dt><dd>{VIN}</dd></dl>"),
            metric(),
        ),
        (
            format!("<dl><dt>VIN</dt><dd>{VIN}</dd><dt>Kilometres</dt><dd>45,000</dd></dl>"),
            metric(),
        ),
    ]);
}

#[test]
fn a_unit_that_is_not_stated_is_that_of_a_source_that_fits() {
    let kilometres = feed(&json!({"odometer": 45_000, "odometer_unit": "kilometres"}));
    assert_read_beside(
        &kilometres,
        vec![
            (layer(r#""odometer":"45,120""#), mileage(45_120, "kilometres")),
            (layer(r#""odometer":"45000""#), metric()),
            // It fits nothing, so it may be either.
            (layer(r#""odometer":"28,000""#), mileage(28_000, "unstated")),
        ],
    );
    let miles = feed(&json!({"odometer": 45_000, "odometer_unit": "miles"}));
    let driven = layer(r#""odometer":"45,120""#);
    assert_read_beside(&miles, vec![(driven, mileage(45_120, "miles"))]);
    let stated = r#""mileageFromOdometer":{"value":45000,"unitCode":"KMT"}"#;
    let unstated = layer(r#""odometer":"45000""#);
    assert_read(vec![
        (format!("{unstated}{}", car(stated)), metric()),
        (format!("{unstated}<h1>Accord</h1><p>45,000 km</p>"), metric()),
        (format!("{unstated}<h1>Accord</h1><b>45,000</b> <small>km</small>"), metric()),
        (format!("{unstated}<h1>2019 Honda Accord, 45,000 km</h1>"), metric()),
        (format!("{unstated}<meta property=og:title content='Accord 45,000 km'>"), metric()),
        (format!("{unstated}<p>Warranty up to 100,000 km</p>"), mileage(45_000, "miles")),
        (format!("{unstated}<a href=/x>45,000 km</a>"), mileage(45_000, "miles")),
    ]);
}

#[test]
fn where_cars_show_kilometres_a_unit_is_not_made_up() {
    let unstated = || mileage(45_000, "unstated");
    let odometer = r#""mileageFromOdometer":"45000""#;
    let priced = |currency: &str| {
        car(&format!(r#"{odometer},"offers":{{"price":18500,"priceCurrency":"{currency}"}}"#))
    };
    assert_read(vec![
        (priced("CAD"), unstated()),
        (priced("EUR"), unstated()),
        (priced("USD"), mileage(45_000, "miles")),
        (layer(r#""odometer":45000,"internetPrice":"18,500","currency":"CAD""#), unstated()),
        (layer(r#""odometer":45000,"internetPrice":"€18,500""#), unstated()),
        (format!("<html lang=en-CA>{}", car(odometer)), unstated()),
        (format!("<html lang=de>{}", car(odometer)), unstated()),
        (format!("<html lang=en-US>{}", car(odometer)), mileage(45_000, "miles")),
        (format!("<html lang=en>{}", car(odometer)), mileage(45_000, "miles")),
    ]);
}

#[test]
fn only_a_number_and_its_unit_are_an_odometer() {
    let rows = |mileage: &str| format!("<p>VIN: {VIN}</p><p>Mileage: {mileage}</p>");
    let cells =
        |value: &str| format!("<ul><li>Mileage <b>{value}</b></li><li>Vin <b>{VIN}</b></li></ul>");
    let linked_odometer = |value: &str| car(&format!(r#""mileageFromOdometer":{value}"#));
    assert_read(vec![
        (cells("42<span>,000</span>"), mileage(42_000, "miles")),
        (cells("142</b><b>,350 mi"), mileage(142_350, "miles")),
        (cells("42<span>000</span>"), mileage(42_000, "miles")),
        (cells("42<small>K</small>"), none()),
        (cells("42<sup>1</sup>"), none()),
        (cells("42,000<sup>1</sup>"), mileage(42_000, "miles")),
        (cells("45,000</b> <b>km"), metric()),
        (rows("32 MPG"), none()),
        (rows("32 city / 38 hwy"), none()),
        (rows("10,000 miles per year"), none()),
        (rows("14,588"), mileage(14_588, "miles")),
        (
            format!(
                "<ul><li>Miles</li><li>100,000 mile warranty</li><li>VIN</li><li>{VIN}</li></ul>"
            ),
            none(),
        ),
        (linked_odometer(r#"{"value":45,"unitText":"thousand miles"}"#), none()),
        (linked_odometer(r#""45.000 km""#), none()),
        (linked_odometer(r#""45k""#), none()),
        (
            format!(
                r#"<div itemscope itemtype="https://schema.org/Car"><meta itemprop=vin content={VIN}>
                   <span itemprop=mileageFromOdometer itemscope><span itemprop=value>42<i>,000</i></span>
                   <span itemprop=unitText>km</span></span></div>"#
            ),
            mileage(42_000, "kilometres"),
        ),
        (headed(&linked("")), none()),
    ]);
}
