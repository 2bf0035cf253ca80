//! Cars that are sold or reserved: no asking price of a car that is sold.

use serde_json::{Value, json};

use super::{VIN, assert_read, assert_read_beside, feed, headed, linked, ours, price};

fn sold() -> Value {
    json!({"availability": "sold", "price_cents": null})
}

fn state(availability: &str) -> Value {
    json!({"availability": availability, "price_cents": 1_899_500})
}

/// A car with a price, and something that says whether it can be bought.
fn priced(rest: &str) -> String {
    ours(&format!(r#""internetPrice":"18995"{rest}"#))
}

#[test]
fn a_page_shows_its_visitors_that_its_car_is_sold() {
    let rows = |status: &str| {
        format!("<ul><li>{status}</li><li>Price <b>$32,950</b></li><li>Vin <b>{VIN}</b></li></ul>")
    };
    let car = priced("");
    let beside = |shown: &str| format!("<h1>2019 Honda Accord</h1>{shown}{car}");
    assert_read(vec![
        (format!("<h1>SOLD: 2019 Honda</h1>{car}"), sold()),
        (format!("<h1>2019 Honda Accord (Sold)</h1>{car}"), sold()),
        (format!("<title>SOLD - 2019 Honda Accord</title>{car}"), sold()),
        (format!("<title>2019 Honda Accord - Sold | Acme</title>{car}"), sold()),
        (beside(r#"<span class="badge sold">SOLD</span>"#), sold()),
        (beside("<div>Sold!</div>"), sold()),
        (beside("<p>This vehicle has been sold.</p>"), sold()),
        (rows("Status <b>Sold</b>"), sold()),
        (rows("Availability: Sold - Delivered"), sold()),
        // None of these says that this car is sold.
        (beside("<a href=/sold>Sold</a>"), json!({"price_cents": 1_899_500})),
        (beside("<b class=sold style='display:none'>SOLD</b>"), json!({"price_cents": 1_899_500})),
        (beside("<b hidden>SOLD</b>"), json!({"price_cents": 1_899_500})),
        (beside("<select><option>Sold</option></select>"), json!({"price_cents": 1_899_500})),
        (beside("<p>This vehicle was sold on June 1st.</p>"), sold()),
        (beside("<p>This car was sold new and serviced here.</p>"), json!({"availability": null})),
        (beside("<p>Sold by Acme Motors</p>"), json!({"price_cents": 1_899_500})),
        (beside("<b>Sold:</b> <i>No</i>"), json!({"price_cents": 1_899_500})),
        (
            beside("<div class=similar-cars><b>SOLD</b></div>"),
            json!({"price_cents": 1_899_500, "availability": null}),
        ),
        (
            beside("<p>If it is no longer available, call us.</p>"),
            json!({"availability": null, "price_cents": 1_899_500}),
        ),
    ]);
}

#[test]
fn sources_say_it_by_words_and_flags() {
    assert_read(vec![
        (priced(r#","inventoryStatus":"SOLD""#), sold()),
        (priced(r#","isSold":true"#), sold()),
        (priced(r#","sold":"true""#), sold()),
        (priced(r#","is_sold":1"#), sold()),
        (priced(r#","soldDate":"2024-05-01""#), sold()),
        (priced(r#","status":"Sold - Delivered""#), sold()),
        (priced(r#","sold":false,"status":"live""#), state("in_stock")),
        (priced(r#","soldDate":null"#), json!({"availability": null, "price_cents": 1_899_500})),
        (priced(r#","title":"SOLD - 2019 Honda Accord""#), sold()),
        (priced(r#","title":"2019 Honda Accord sold by Acme""#), json!({"availability": null})),
        (
            format!(
                "<meta property=og:title content='SOLD: 2019 Honda Accord'>\
                 <meta property=product:retailer_item_id content={VIN}>\
                 <meta property=product:price:amount content=18500>"
            ),
            sold(),
        ),
        (priced(r#","salePending":true"#), state("reserved")),
        (priced(r#","inStock":false"#), state("out_of_stock")),
        (
            linked(r#""price":18995"#)
                .replace("\"offers\"", "\"availability\":\"Sold - Delivered\",\"offers\""),
            sold(),
        ),
        (linked(r#""price":18995,"availability":"OutOfStock""#), state("out_of_stock")),
        (
            linked(r#""price":18995,"availability":"https://schema.org/Reserved""#),
            state("reserved"),
        ),
        (format!("<p data-vin={VIN} data-year=2019 data-price=18995 data-status=sold>"), sold()),
    ]);
}

#[test]
fn a_car_with_a_buyer_is_reserved() {
    let block = "<b class=price>$18,995</b>";
    assert_read(vec![
        (format!("<h1>2019 Honda Accord {VIN} - Sale Pending</h1>{block}"), state("reserved")),
        (headed(&format!("<b>Sale Pending</b>{block}")), state("reserved")),
        (headed(&format!("{block}<b>Deposit taken</b>")), state("reserved")),
        (headed(block), price(18_995)),
    ]);
}

#[test]
fn the_feed_says_it_too() {
    let known = feed(&json!({"availability": "sold", "prices": {"final_price": 1_899_500}}));
    let expected = sold;
    assert_read_beside(
        &known,
        vec![
            (headed(""), expected()),
            // The page is not older than the feed, but whoever says that it is sold knows it best.
            (linked(r#""price":18995,"availability":"InStock""#), expected()),
        ],
    );
    let gone = feed(&json!({"prices": {"final_price": 1_899_500}}));
    let page = format!("<h1>2019 Honda Accord - SOLD</h1><p>VIN: {VIN}</p>");
    assert_read_beside(&gone, vec![(page, sold())]);
}
