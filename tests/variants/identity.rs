//! Whose page it is: the price and the title of another car are not ours.

use serde_json::json;

use super::{
    VIN, assert_read, assert_read_beside, car, feed, headed, layer, linked, no_price, price,
};

const KIA: &str = "<h1>2021 Kia Sorento LX</h1><b class=price>$24,995</b>";

/// A page whose address has the VIN.
fn at_our_address(rest: &str) -> String {
    format!("<link rel=canonical href=/used/x/{}.htm>{rest}", VIN.to_lowercase())
}

#[test]
fn another_car_without_a_vin_is_not_ours() {
    let row = format!("<ul><li>VIN <b>{VIN}</b></li></ul>");
    let unnamed = r#"<script type="application/ld+json">{"@type":"Car","name":"2021 Kia Sorento",
        "offers":{"price":24995}}</script>"#;
    assert_read(vec![
        // Beside a row, a link or a sentence with ours.
        (format!("<h1>2021 Kia Sorento</h1>{row}{unnamed}"), no_price()),
        (format!("<a href=/x/{VIN}>x</a>{unnamed}"), json!({"error": "no_vin"})),
        (headed(unnamed), no_price()),
        (
            format!(
                "<h1>2021 Kia Sorento LX</h1><form><input name=vin value={VIN}></form>{unnamed}"
            ),
            json!({"error": "no_vin"}),
        ),
        (
            format!(
                r#"<script type="application/ld+json">{{"@type":"Car","name":"2021 Kia",
                    "isSimilarTo":{{"@type":"Car","vin":"{VIN}","offers":{{"price":17995}}}}}}</script>"#
            ),
            json!({"error": "no_vin"}),
        ),
    ]);
}

#[test]
fn another_car_with_a_vin_makes_the_page_another_cars() {
    let other = "1M8GDM9AXKP042788";
    assert_read(vec![
        (
            format!(
                r#"<script>d.vehicles=[{{"vin":"{other}","internetPrice":"20000"}}]</script>
                   <div class=similar><div data-vin="{VIN}" data-price=17995></div></div>"#
            ),
            json!({"error": "other_vehicle"}),
        ),
        (
            format!(
                r#"<div itemscope itemtype="https://schema.org/Car"><meta itemprop=vin content={other}>
                   <div itemprop=isSimilarTo itemscope itemtype="https://schema.org/Car">
                   <meta itemprop=vin content={VIN}><meta itemprop=price content=18500></div></div>"#
            ),
            json!({"error": "other_vehicle"}),
        ),
        (
            format!(
                r#"<script>var featured={{vin:"{VIN}"}}</script><script type="application/ld+json">
                   {{"@type":"Car","vin":"{other}"}}</script><h1>2021 Kia</h1>
                   <b class=price>$25,500</b>"#
            ),
            json!({"price_cents": null, "title": null}),
        ),
    ]);
}

/// The window's title, and attributes, prove less than the heading and the page's own address.
#[test]
fn a_heading_of_another_car_is_believed_no_more_than_its_price() {
    let none = || json!({"price_cents": null, "title": null});
    let known = feed(&json!({"make": "Honda", "model": "Accord", "year": 2003}));
    assert_read_beside(
        &known,
        vec![
            (at_our_address(KIA), none()),
            (at_our_address("<h1>Kia Sorento LX</h1><b class=price>$24,995</b>"), none()),
            (format!("<title>{VIN}</title>{KIA}"), none()),
            (format!("<body data-vin={VIN}>{KIA}"), none()),
            (format!("<p>VIN: {VIN}</p>{KIA}"), none()),
            (layer("\"trim\":\"EX\"") + KIA, none()),
            (car("\"color\":\"Blue\"") + KIA, none()),
            // The heading abbreviates the make, and the price is ours.
            (
                at_our_address("<h1>2003 Accord EX</h1><b class=price>$4,995</b>"),
                json!({"price_cents": 499_500, "title": "2003 Accord EX"}),
            ),
        ],
    );
    assert_read(vec![
        (format!("<title>{VIN}</title>{KIA}"), none()),
        (format!("<title>2003 Honda Accord {VIN}</title>{KIA}"), none()),
        (format!("<link rel=canonical href=/used/2003-Honda-Accord-{VIN}.htm>{KIA}"), none()),
        (car(r#""brand":"Honda","model":"Accord""#) + KIA, none()),
        (car(r#""vehicleModelDate":"2019""#) + KIA, none()),
        (
            car(r#""name":"2003 Honda Accord","offers":{"price":4995}"#) + KIA,
            json!({"price_cents": 499_500, "title": "2003 Honda Accord"}),
        ),
        (format!("<div data-vin={VIN} data-make=Honda data-year=2003></div>{KIA}"), none()),
    ]);
}

#[test]
fn the_page_of_a_car_that_is_gone_shows_the_price_of_another() {
    let cards = "<ul><li>2021 Kia <b class=price>$24,995</b></li></ul>";
    let other = "<div class=card><b>2021 Kia Sorento</b><b class=price>$24,995</b></div>";
    assert_read(vec![
        (
            at_our_address(
                "<h1>Sorry, this vehicle is no longer here</h1><b class=price>$24,995</b>",
            ),
            json!({"price_cents": null, "title": null, "availability": "out_of_stock"}),
        ),
        (
            format!(
                "<title>2003 Honda Accord {VIN}</title><h1>This vehicle is unavailable</h1>\
                 <h2>Check out these cars</h2>{cards}"
            ),
            no_price(),
        ),
        (format!("<h1>VIN {VIN} is gone</h1><p>But you may love:</p>{other}"), no_price()),
        (format!("<h1>{VIN}: 404 not found</h1>{other}"), no_price()),
        (headed(&format!("<p>You might also like:</p>{cards}")), no_price()),
        (headed(&format!("<h2>More like this</h2>{cards}")), no_price()),
        // No words announce the other car but its own title.
        (headed(other), no_price()),
        (headed("<h1>2021 Kia Sorento</h1><b class=price>$24,995</b>"), no_price()),
        (headed("<h2>Similar cars</h2><b class=price>$17,500</b>"), no_price()),
    ]);
}

#[test]
fn what_other_cars_pages_kept_of_ours_is_not_theirs() {
    let none = || json!({"title": null});
    for name in ["featured", "lastSeen", "recentlyViewed", "history"] {
        let kept = format!(r#"<script>window.{name}={{"vin":"{VIN}","price":17995}}</script>"#);
        assert_read(vec![(kept + KIA, none())]);
    }
    assert_read(vec![(
        format!(
            r#"<h1>2021 Honda Accord LX</h1><b class=price>$25,900</b>
               <div class="similar-card" data-vin="{VIN}"></div>"#
        ),
        json!({"price_cents": null, "title": null}),
    )]);
}

#[test]
fn products_beside_the_car_are_not_the_car() {
    let named =
        |rest: &str| car(r#""brand":"Honda","model":"Accord","vehicleModelDate":2021"#) + rest;
    let product = |name: &str| {
        named(&format!(
            "<div itemscope itemtype='https://schema.org/Product'><b itemprop=name>{name}</b>\
             <div itemprop=offers itemscope><meta itemprop=price content=21995></div></div>"
        ))
    };
    let none = || json!({"price_cents": null, "make": "Honda"});
    assert_read(vec![
        (product("2021 Kia K5"), none()),
        (product("Ceramic Protection Plan"), none()),
    ]);
}

/// The price that the page shows stays the most trusted one where all that it says is of one car.
#[test]
fn our_own_price_is_still_read() {
    let block = "<b class=price>$18,995</b>";
    assert_read(vec![
        (headed(block), price(18_995)),
        (at_our_address(&format!("<h1>2019 Honda Accord</h1>{block}")), price(18_995)),
        (headed(&format!("<p>2019 IIHS Top Safety Pick</p>{block}")), price(18_995)),
        (headed(&format!("<p>2019 Honda Accord EX-L</p>{block}")), price(18_995)),
        (format!("<h1>Acme Motors</h1>{}", headed(block)), price(18_995)),
        (headed(&format!("<i class=badge>Fair Deal</i>{block}")), price(18_995)),
        (
            format!(
                "<html lang=en-US><link rel=canonical href=/used/2019-honda-accord-{VIN}>\
                 <h1>Used 2019 Honda Accord EX</h1><div class=pricing>\
                 <i class=price-label>Market Price</i><b class=price-value>$20,995</b>\
                 <i class=price-label>Dealer Discount</i><b class=price-value>-$2,000</b>\
                 <i class=price-label>Our Price</i><b class=price-value>$18,995</b></div>\
                 <p>Mileage: 31,204 miles</p><p>VIN: {VIN}</p><p>Est. $389/mo</p>\
                 <h2>Similar Vehicles</h2><div>2018 Honda Civic <b class=price>$14,995</b></div>"
            ),
            json!({"price_cents": 1_899_500, "condition": "used",
                "mileage": {"value": 31_204, "unit": "miles"}}),
        ),
        (headed(&format!("{block}<h2>Similar</h2><b class=price>$9,995</b>")), price(18_995)),
        (linked(r#""price":19995"#) + &headed(block), price(18_995)),
        (
            format!(
                "<body data-vin={VIN}><meta property=og:title content='2019 Honda Accord'>\
                 <meta property=product:price:amount content=18995>"
            ),
            price(18_995),
        ),
    ]);
}
