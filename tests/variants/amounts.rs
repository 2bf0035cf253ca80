//! Amounts of another kind in place of the price: payments, savings, fees, former prices, other currencies.

use serde_json::{Value, json};

use super::{
    VIN, assert_read, assert_read_beside, car, feed, headed, layer, linked, no_price, ours, price,
};

/// Our car without a year: then the least that a car costs is unknown.
fn undated(rest: &str) -> String {
    format!("<h1>Range Rover {VIN}</h1>{rest}")
}

/// Microdata of our car with this content of its offer.
fn offered(offer: &str) -> String {
    format!(
        "<div itemscope itemtype='https://schema.org/Car'><meta itemprop=vin content={VIN}>\
         <div itemprop=offers itemscope>{offer}</div></div>"
    )
}

/// Open Graph of our car with this price.
fn social(dollars: u32, rest: &str) -> String {
    format!(
        "<meta property=product:retailer_item_id content={VIN}>\
         <meta property=product:price:amount content={dollars}>{rest}"
    )
}

#[test]
fn a_payment_is_told_by_what_stands_behind_it() {
    let row = |price: &str, behind: &str| {
        format!("<p>VIN: {VIN}</p><p>Price: {price}</p><p>{behind}</p>")
    };
    let pages = [
        undated("<div><span class=price>$1,489</span><span>/mo</span></div>"),
        headed("<div><span class=price>$9,199</span><span>/mo</span></div>"),
        headed("<div><span class=price>$9,199</span> <small>a month</small></div>"),
        headed("<div class=price>$9,199 <small>per fortnight</small></div>"),
        headed("<div class=price>From <b>$9,199</b></div><p>per month</p>"),
        headed("<div class=price>As low as <b>$9,199</b></div>"),
        row("$1,489", "per month"),
        row("$9,950", "per month"),
        row("$9,950", "/ mo*"),
        headed("<div class=price><i>$</i><b>9,389</b><i>/mo</i></div>"),
        offered("<span itemprop=price>1850<sup>99</sup></span>"),
        offered("<span itemprop=price>1,489</span>/mo"),
        offered("<span itemprop=price>9,489</span> <i>per month</i>"),
        social(1_489, "<p>Finance for $1,489/mo</p>"),
        social(9_489, "<h1>Range Rover</h1><p>Finance for $9,489/mo</p>"),
        linked(r#""price":9489"#) + &headed("<p>$9,489 / month</p>"),
        linked(r#""price":"$9,199 per mth""#),
        linked(r#""price":"£9,199 pcm""#),
        linked(r#""price":"9199 p.w.""#),
        linked(r#""price":"$9199 / month""#),
        layer(r#""price":"1489""#),
    ];
    assert_read(pages.map(|html| (html, no_price())).into());
}

#[test]
fn a_payment_is_told_by_its_properties() {
    let pages = [
        ours(r#""price":9489,"paymentFrequency":"MONTH""#),
        ours(r#""price":"9489","priceLabel":"Lease""#),
        ours(r#""price":"9489","priceType":"downPayment""#),
        ours(r#""price":"9489","priceSuffix":"/mo""#),
        ours(r#""salePrice":"9,489 due at signing""#),
        ours(r#""price":9489,"monthlyPayment":9489"#),
        ours(r#""price":"9500","currentBid":"9500""#),
        ours(r#""price":"9500","highestBid":9500"#),
        ours(r#""savings":"9200""#) + &linked(r#""price":9200"#),
        format!("<div data-vin={VIN} data-year=2019 data-price='9,389/mo'></div>"),
        format!("<div data-vin={VIN} data-year=2019 data-price=9389 data-price-type=Lease></div>"),
        linked(r#""price":"9199","loanTerm":"P60M""#),
        linked(r#""price":"9990","eligibleDuration":{"value":36,"unitCode":"MON"}"#),
        linked(r#""@type":"LoanOrCredit","price":"9489""#),
        linked(r#""businessFunction":"http://purl.example/v1#LeaseOut","price":"9489""#),
    ];
    assert_read(pages.map(|html| (html, no_price())).into());
    // What a data layer says beside its price is no label of it.
    assert_read(vec![
        (ours(r#""internetPrice":"18995","monthlyPayment":389,"apr":5.9"#), price(18_995)),
        (ours(r#""price":"18995","priceLabel":"Internet Price""#), price(18_995)),
        (ours(r#""internetPrice":"18995","discountPrice":"18995""#), price(18_995)),
        (ours(r#""internetPrice":"18995","invoice":18995,"bidCount":3"#), price(18_995)),
    ]);
}

#[test]
fn savings_fees_and_other_buyers_prices_are_no_price() {
    let shown = |text: &str| undated(&format!("<div class=price>{text}</div>"));
    let offer = |name: &str| linked(&format!(r#""@type":"Offer","price":"9000","name":"{name}""#));
    let pages = [
        shown("$2,500 <small>cash back</small>"),
        shown("Hold it now <b>$3,000</b>"),
        shown("Reserve for $3,000"),
        shown("<span>Est. trade-in value</span> <b>$12,000</b>"),
        shown("<span>Fair purchase price</span> <b>$12,000</b>"),
        shown("<i>Military Price</i> <b>$28,995</b>"),
        shown("<i>Conditional price</i> <b>$28,995</b>"),
        offer("Shipping"),
        offer("Installed options"),
        offer("Current bid"),
        offer("Employee pricing"),
        offer("Delivery"),
        linked(r#""priceSpecification":{"@type":"DeliveryChargeSpecification","price":"9000"}"#),
        linked(r#""price":9200"#) + "<p>You save $9,200</p>",
        headed("<p>Down Payment</p><p class=price>$9,500</p>"),
        headed("<p class=price><i>KBB Retail Value</i><b>$42,000</b></p>"),
        headed("<div class=prices><b>$48,000</b><i>MSRP</i><b>$44,500</b><i>Sale Price</i></div>"),
        headed("<p class=price><i>MSRP</i><sup>*</sup><b>$48,000</b></p>"),
        headed(
            "<section class=you-may-also-like><h2><span>More</span></h2>\
             <b class=price>$21,995</b></section>",
        ),
        ours(r#""internetPrice":"999999""#),
    ];
    assert_read(pages.map(|html| (html, no_price())).into());
    let delivery = r#""price":"18500","priceSpecification":[
        {"@type":"DeliveryChargeSpecification","price":"9000"},{"@type":"PriceSpecification","price":"18500"}]"#;
    assert_read(vec![(linked(delivery), price(18_500))]);
}

#[test]
fn a_number_that_tags_cut_is_read_whole_or_not_at_all() {
    let rows =
        |price: &str| format!("<ul><li>Price <b>{price}</b></li><li>Vin <b>{VIN}</b></li></ul>");
    let block = |price: &str| headed(&format!("<div class=price>{price}</div>"));
    assert_read(vec![
        (rows("1850<sup>0</sup>"), price(18_500)),
        (rows("$18<span>,</span>500"), price(18_500)),
        (rows("1850<sup>99</sup>"), no_price()),
        (rows("18995<sup>1</sup>"), no_price()),
        (rows("$18,995<sup>1</sup>"), price(18_995)),
        (block("$1850<sup>0</sup>"), price(18_500)),
        (block("$18<span>,995</span>"), price(18_995)),
        (block("<sup>$</sup>18,995<sup>00</sup>"), price(18_995)),
        (block("$18995<sup>99</sup>"), no_price()),
        (headed("$<b class=price>18<i>,995</i></b>"), price(18_995)),
        (headed("<b class=price>$18</b><b>,995</b>"), no_price()),
        (
            headed("<p>It was sold and serviced at our store.</p><b class=price>$18,995</b>"),
            price(18_995),
        ),
        (undated("<div class=price>$1850<sup>0</sup></div>"), price(18_500)),
    ]);
}

#[test]
fn a_former_price_is_not_the_price_wherever_it_is_struck_out() {
    let stale = linked(r#""price":24995"#);
    let none = |shown: &str| (format!("{stale}<h1>2019 Honda Accord</h1>{shown}"), no_price());
    let now = |shown: &str| (format!("{stale}<h1>2019 Honda Accord</h1>{shown}"), price(23_995));
    assert_read(vec![
        none("<div><del>$24,995</del> <strong>$23,995</strong></div>"),
        none("<p><s>$24<i>,995</i></s> $23,995</p>"),
        none("<p><span style='text-decoration: line-through'>$24,995</span></p>"),
        now("<p class=price><s>$24,995</s> <b>$23,995</b></p>"),
        now("<p class=price><span class=price--compare>$24,995</span> <b>$23,995</b></p>"),
        now("<dl><dt>Was</dt><dd>$24,995</dd><dt>Now</dt><dd>$23,995</dd></dl>"),
        now("<dl><dt>Price</dt><dd><s>$24,995</s> <b>$23,995</b></dd></dl>"),
        // Less is proved of whose page it is, but what it strikes out is struck out.
        (
            social(
                24_995,
                "<h1>2019 Honda Accord</h1><p class=price><s>$24,995</s> <b>$23,995</b></p>",
            ),
            no_price(),
        ),
        (
            format!(
                "<h1>2019 Honda Accord</h1><div data-vin={VIN} data-make=Honda data-year=2019></div>\
                 <script type=application/ld+json>{{\"@type\":\"Car\",\"name\":\"2019 Honda Accord\",\
                 \"offers\":{{\"price\":\"24995\"}}}}</script><p><s>$24,995</s> <b>$23,995</b></p>"
            ),
            no_price(),
        ),
        (headed("<b class='price line-through'>$42,000</b>"), no_price()),
        (headed("<p class=price><s>$22,995</s> <b>$20,995</b> or $389/mo</p>"), price(20_995)),
        (
            headed("<div class=price-block><i>Was $20,995</i> <b>Now $18,995</b></div>"),
            price(18_995),
        ),
        // Another car's former price is not ours.
        (linked(r#""price":18995"#) + "<div class=similar><s>$18,995</s></div>", price(18_995)),
    ]);
}

#[test]
fn a_large_discount_on_a_car_that_may_be_new_has_conditions() {
    let far_below = r#""modelYear":"2026","msrp":"89530","internetPrice":"29999""#;
    let none = || json!({"price_cents": null, "msrp_cents": 8_953_000});
    assert_read(vec![
        (layer(far_below), none()),
        (format!("<h1>New 2026 Acme Coupe</h1>{}", layer(far_below)), none()),
        (layer(&format!(r#""type":"NEW",{far_below}"#)), none()),
        (layer(r#""msrp":"89530","internetPrice":"29999""#), none()),
        (car(r#""vehicleModelDate":2025,"msrp":72965,"offers":{"price":15021}"#), no_price()),
        // A used car costs less.
        (layer(&format!(r#""newOrUsed":"used",{far_below}"#)), price(29_999)),
        (format!("<h1>Used 2026 Acme Coupe</h1>{}", layer(far_below)), price(29_999)),
        (layer(&format!(r#""odometer":"31,000",{far_below}"#)), price(29_999)),
        (ours(r#""msrp":"45000","internetPrice":"18995""#), price(18_995)),
    ]);
}

#[test]
fn savings_are_told_by_the_prices_that_the_page_labels() {
    let saved = car(r#""offers":{"price":15021}"#);
    let rows = "<dl><dt>MSRP</dt><dd>$72,965</dd><dt>Our Price</dt><dd>$57,944</dd></dl>";
    let expected = || json!({"price_cents": 5_794_400, "msrp_cents": 7_296_500});
    let attributes = format!("<div data-vin={VIN} data-price=57944 data-msrp=72965></div>");
    assert_read(vec![
        (format!("{saved}<h1>2025 Acme</h1>{rows}"), expected()),
        (format!("{}{attributes}", offered("<meta itemprop=price content=15021>")), expected()),
        // Rows beside another car's VIN are its own.
        (
            format!("{saved}<h1>2025 Acme</h1><p>VIN: 1M8GDM9AXKP042788</p>{rows}"),
            json!({"msrp_cents": null}),
        ),
    ]);
}

#[test]
fn amounts_of_two_currencies_are_no_price() {
    let euros = linked(r#""price":"17995","priceCurrency":"EUR""#);
    let dollars = linked(r#""price":"17995","priceCurrency":"USD""#);
    let currency =
        |price: u64, currency: &str| json!({"price_cents": price * 100, "currency": currency});
    assert_read(vec![
        (ours(r#""internetPrice":"18995""#) + &euros, no_price()),
        (ours(r#""internetPrice":"17995","currency":"USD""#) + &euros, no_price()),
        (ours(r#""internetPrice":"€18,995""#) + &dollars, no_price()),
        (
            linked(r#""price":"350000","priceCurrency":"MXN""#)
                .replace("}</script>", r#","x":1}</script>"#)
                + &ours(r#""internetPrice":"18995""#),
            no_price(),
        ),
        (ours(r#""internetPrice":"17995""#) + &euros, currency(17_995, "EUR")),
        (ours(r#""internetPrice":"18995""#) + &dollars, currency(18_995, "USD")),
        (headed("<b class=price>€18,995</b>"), currency(18_995, "EUR")),
        (headed("<b class=price>C$18,995</b>"), currency(18_995, "CAD")),
        (headed("<b class=price>$18,995</b>"), json!({"price_cents": 1_899_500, "currency": null})),
        (linked(r#""price":"18,995 CAD""#), currency(18_995, "CAD")),
    ]);
}

#[test]
fn a_dealers_own_price_is_believed_within_reason() {
    let feed = feed(&json!({"prices": {"final_price": 1_899_500}, "year": 2019}));
    assert_read_beside(&feed, vec![(headed("<p>$389/mo</p>"), price(18_995))]);
    let none: Value = no_price();
    assert_read(vec![
        (ours(r#""internetPrice":"850""#).replace("2019", "1998"), price(850)),
        (ours(r#""internetPrice":"18995""#), price(18_995)),
        (ours(r#""internetPrice":"1489""#), none),
    ]);
}
