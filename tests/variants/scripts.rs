//! Spellings of scripts and of linked data in which the car and its price must be found.

use serde_json::json;

use super::{VIN, Variant, assert_read, price};

/// A script of JavaScript whose `VIN` is ours.
fn script(text: &str) -> Variant {
    (format!("<script>{}</script>", text.replace("VIN", VIN)), price(18_500))
}

/// Scripts of linked data whose `VIN` is ours.
fn linked(texts: &[&str]) -> Variant {
    let script = |text: &&str| {
        format!(r#"<script type="application/ld+json">{}</script>"#, text.replace("VIN", VIN))
    };
    (texts.iter().map(script).collect(), price(18_500))
}

#[test]
fn a_car_is_found_however_a_script_assigns_it() {
    let car = r#"{"vin":"VIN","internetPrice":"18,500"}"#;
    let forms = [
        "d.vehicles ||= [CAR];",
        "d.vehicles ??= [CAR];",
        "d.vehicles = typeof d.vehicles !== 'undefined' ? d.vehicles : [CAR];",
        "d.vehicles = typeof d.vehicles === 'undefined' ? [CAR] : d.vehicles;",
        "d.vehicles = d.vehicles ? d.vehicles : [CAR];",
        "Object.assign(d, {\"vehicles\":[CAR]})",
        "(window.l = window.l || []).push({\"event\":\"v\",\"vehicle\":CAR});",
        "d.vehicles = d.vehicles || []; d.vehicles.push(CAR);",
        "show(CAR)",
    ];
    assert_read(forms.iter().map(|form| script(&form.replace("CAR", car))).collect());
    assert_read(vec![
        script(
            "d.vehicles ??= []; d.vehicles[0] ??= {}; d.vehicles[0].vin ??= \"VIN\"; d.vehicles[0].price ??= 18500;",
        ),
        script("d['vehicles'][0]['vin']='VIN';d['vehicles'][0]['internetPrice']='18,500';"),
        script("d[\"vehicles\"][0].vin='VIN';d[\"vehicles\"][0].internetPrice='18,500';"),
        script(
            r#"self.__next_f.push([1,"5:{\"vehicle\":{\"vin\":\"VIN\",\"internetPrice\":18500}}"])"#,
        ),
        script(
            r#"self.__next_f.push([1,"4:I[1]\n5:[\"$\",\"div\",null,{\"vehicle\":{\"vin\":\"VIN\",\"price\":18500}}]\n"])"#,
        ),
        script(
            r#"s=JSON.parse(decodeURIComponent("%7B%22vin%22%3A%22VIN%22%2C%22price%22%3A18500%7D"))"#,
        ),
        script(r#"window.state={"data":"{\"vin\":\"VIN\",\"price\":18500}"}"#),
        script("const vehicle = {vin: `VIN`, price: 18500, odometer: undefined, trim: \"a\\-b\"}"),
    ]);
}

#[test]
fn a_car_is_found_in_every_form_of_linked_data() {
    assert_read(vec![
        linked(&[
            r##"{"@id":"#c","@type":"Car","vin":"VIN","offers":{"@id":"#o"}}"##,
            r##"{"@id":"#o","@type":"Offer","price":18500,"priceCurrency":"USD"}"##,
        ]),
        linked(&[
            r##"{"@id":"#o","@type":"Offer","price":18500}"##,
            r##"{"@id":"#c","@type":"Car","vin":"VIN","offers":[{"@id":"#o"}]}"##,
        ]),
        linked(&[
            r#"{"@type":"https://schema.org/BusOrCoach","vin":"VIN","offers":{"price":18500}}"#,
        ]),
        linked(&[
            r#"{"@type":"Car","identifier":{"@type":"PropertyValue","name":"Vin","value":"VIN"},
                "offers":{"price":18500}}"#,
        ]),
        linked(&[r#"{"@type":"Car","additionalProperty":[{"name":"Stock","value":"A1"},
                {"propertyID":"vin","value":"VIN"}],"offers":{"price":18500}}"#]),
        linked(&[
            r#"{"@type":"Car","url":"https://www.acme.example/used/VIN/","offers":{"price":18500}}"#,
        ]),
    ]);
}

/// What no test beside the code asserts: `<base>`, the seller by another name, references in references.
#[test]
fn addresses_sellers_and_references_are_read() {
    let car = |rest: &str| {
        format!(
            r#"<script type="application/ld+json">{{"@type":"Car","vin":"{VIN}",{rest}}}</script>"#
        )
    };
    assert_read(vec![
        (
            format!(r#"<base href="https://cdn.acme.example/a/">{}"#, car(r#""image":"b.jpg""#)),
            json!({"images": ["https://cdn.acme.example/a/b.jpg"]}),
        ),
        (
            car(r#""offers":{"price":18500,"offeredBy":{"@type":"AutoDealer","name":"Acme"}}"#),
            json!({"dealer_name": "Acme", "price_cents": 1_850_000}),
        ),
        (
            car(r#""color":"Bleu &amp;eacute;toile","name":"4MATIC&amp;reg;""#),
            json!({"exterior_color": "Bleu étoile", "title": "4MATIC®"}),
        ),
        (
            format!(
                r#"<div itemscope itemtype="https://schema.org/Car" itemref=p><meta itemprop=vin content={VIN}></div>
                   <div id=p itemprop=offers itemscope><meta itemprop=price content=18500></div>"#
            ),
            price(18_500),
        ),
        (format!("<script>show({{vin:'{VIN}',price:'$18,995'}})</script>"), price(18_995)),
        (
            format!(
                r#"<script type="application/json">{{"a":{{"vin":"{VIN}","price":18995}}}}</script>"#
            ),
            price(18_995),
        ),
    ]);
}
