use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{
    payload::Condition,
    price::{Cents, Prices},
};

fn site() -> Url {
    "https://www.acme.example".parse().unwrap()
}

fn page(body: &str) -> Page {
    read(body.as_bytes(), &site()).unwrap()
}

/// The vehicles of a page without bad entries.
fn vehicles(page: Page) -> Vec<Vehicle> {
    page.vehicles.into_iter().map(Result::unwrap).collect()
}

#[test]
fn the_widgets_response_is_read() {
    let page = page(include_str!("../tests/feeds/widget.json"));
    assert_eq!((page.total, page.page_size, page.vehicles.len()), (Some(4), Some(100), 4));
    let bad: Vec<&BadVehicle> =
        page.vehicles.iter().filter_map(|entry| entry.as_ref().err()).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!((bad[0].position, bad[0].reason.as_str()), (2, "vin: 9 characters, expected 17"));

    let car = page.vehicles[0].as_ref().unwrap();
    assert_eq!(car.vin.as_str(), "1HGCM82633A004352");
    assert_eq!(car.condition, Some(Condition::Certified));
    assert_eq!((car.year, car.odometer), (Some(2021), Some(27_419)));
    assert_eq!(car.title.as_deref(), Some("2021 Nimbus Cumulus Touring"));
    assert_eq!(car.engine.as_deref(), Some("1.5 L I4"));
    assert_eq!(car.transmission.as_deref(), Some("CVT"));
    assert_eq!(car.exterior_color.as_deref(), Some("Storm Grey"));
    assert_eq!(car.inventory_date.as_deref(), Some("2025-08-24"));
    let link = "https://www.acme.example/certified/Nimbus/2021-Nimbus-Cumulus-0a1b2c.htm";
    assert_eq!(car.link.as_deref(), Some(link));
    let images = [
        "https://pictures.example/acme/1.jpg",
        "https://www.acme.example/static/acme/2.jpg",
        "https://pictures.example/acme/3.jpg",
    ];
    assert_eq!(car.images, images);
    let prices = Prices {
        final_price: Some(Cents(2_399_500)),
        internet: Some(Cents(2_399_500)),
        asking: Some(Cents(2_399_500)),
        retail: Some(Cents(2_599_500)),
        ..Prices::default()
    };
    assert_eq!(car.prices, prices);
    assert_eq!(car.placeholders, ["msrp", "sale_price"]);

    let car = page.vehicles[1].as_ref().unwrap();
    assert_eq!(car.vin.as_str(), "1M8GDM9AXKP042788");
    assert_eq!((car.condition, car.year), (Some(Condition::New), Some(2024)));
    assert_eq!(car.stock_number.as_deref(), Some("40788"));
    assert_eq!(car.prices, Prices { msrp: Some(Cents(3_145_000)), ..Prices::default() });
    assert_eq!(car.placeholders, ["body_style", "internet_price", "retail_price", "trim"]);
    assert_eq!(car.unreadable, ["inventory_date"]);
}

#[test]
fn the_services_response_is_read() {
    let page = page(include_str!("../tests/feeds/service.json"));
    assert_eq!((page.total, page.page_size), (Some(71), Some(35)));
    let car = &vehicles(page)[0];
    assert_eq!((car.year, car.odometer), (Some(2013), Some(88_120)));
    assert_eq!(car.condition, Some(Condition::Used));
    let link = "https://www.acme.example/used/Nimbus/2013-Nimbus-Stratus-77.htm#photos";
    assert_eq!(car.link.as_deref(), Some(link));
    assert_eq!(car.images, ["https://www.acme.example/s/77/a.jpg"]);
    assert_eq!(car.account_id.as_deref(), Some("acmesouth"));
    let prices = Prices {
        final_price: Some(Cents(749_500)),
        asking: Some(Cents(749_500)),
        retail: Some(Cents(799_500)),
        ..Prices::default()
    };
    assert_eq!(car.prices, prices);
}

#[test]
fn the_older_format_is_read() {
    let answer = page(include_str!("../tests/feeds/tracking.json"));
    assert_eq!((answer.total, answer.page_size), (Some(2), None));
    let cars = vehicles(answer);
    assert_eq!((cars[0].year, cars[0].odometer), (Some(2005), Some(102_500)));
    assert_eq!(cars[0].condition, Some(Condition::Used));
    assert_eq!(cars[0].exterior_color.as_deref(), Some("Red"));
    assert_eq!(cars[0].prices.final_price, Some(Cents(425_000)));
    assert_eq!(cars[0].placeholders, ["msrp", "trim"]);
    assert_eq!((cars[0].link.as_ref(), cars[1].link.as_ref()), (None, None));
    assert_eq!((cars[1].year, cars[1].condition), (Some(2026), Some(Condition::New)));
    assert_eq!(cars[1].placeholders, ["final_price"]);
    let top = json!({"trackingData": [{"vin": "1M8GDM9AXKP042788", "modelYear": "2026"}]});
    assert_eq!(vehicles(page(&top.to_string()))[0].year, Some(2026));
}

#[test]
fn the_first_list_with_entries_is_used() {
    let car = json!([{"vin": "1M8GDM9AXKP042788"}]);
    let cases = [
        (json!({"inventory": car, "pageInfo": {"trackingData": [1, 2]}}), 1),
        (json!({"inventory": [], "pageInfo": {"trackingData": car}}), 1),
        (json!({"inventory": null, "trackingData": car}), 1),
        (json!({"inventory": {"a": 1}, "trackingData": car}), 1),
        (json!({"inventory": []}), 0),
        (json!({"pageInfo": {"totalCount": 0, "trackingData": []}}), 0),
    ];
    for (body, count) in cases {
        assert_eq!(page(&body.to_string()).vehicles.len(), count, "{body}");
    }
}

#[test]
fn total_and_page_size_are_read_if_they_are_numbers() {
    let cases = [
        (json!({"totalCount": 71, "pageSize": 35}), (Some(71), Some(35))),
        (json!({"totalCount": "1,071", "pageSize": "35"}), (Some(1_071), Some(35))),
        (json!({"totalCount": -1, "pageSize": null}), (None, None)),
        (json!({"totalCount": "many", "pageSize": [35]}), (None, Some(35))),
        (json!({"totalCount": 9e20}), (None, None)),
        (json!(null), (None, None)),
        (json!("none"), (None, None)),
    ];
    for (info, expected) in cases {
        let page = page(&json!({"pageInfo": info, "inventory": []}).to_string());
        assert_eq!((page.total, page.page_size), expected, "{info}");
    }
}

#[test]
fn a_bad_entry_does_not_affect_the_others() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let body = format!(
        r#"{{"inventory": [null, {{"vin": "1M8GDM9AXKP042788"}}, "\ud800", 1e999, {deep},
            {{"vin": "1M8GDM9AXKP042788", "title": "\ud800"}}, {{"vin": "1HGCM82633A004352"}}]}}"#
    );
    let page = page(&body);
    let good: Vec<bool> = page.vehicles.iter().map(Result::is_ok).collect();
    assert_eq!(good, [false, true, false, false, false, true, true]);
}

#[test]
fn a_byte_order_mark_and_an_invalid_byte_are_tolerated() {
    let body = "\u{feff} {\"inventory\": [{\"vin\": \"1M8GDM9AXKP042788\"}]}\n";
    assert_eq!(page(body).vehicles.len(), 1);
    let mut body = br#"{"inventory": [{"vin": "1M8GDM9AXKP042788", "make": "Citro"#.to_vec();
    body.extend(b"\xebn\"}]}");
    let page = read(&body, &site()).unwrap();
    assert_eq!(vehicles(page)[0].make.as_deref(), Some("Citro\u{fffd}n"));
}

#[test]
fn a_body_that_is_not_an_inventory_is_an_anomaly() {
    let cases = [
        ("<!DOCTYPE html><html><body>We will be right back</body></html>", "html"),
        ("\n\u{feff}<html></html>", "html"),
        ("", "not_json"),
        ("{", "not_json"),
        (r#"{"inventory": [{"vin": "1"#, "not_json"),
        (r#"{"inventory": []} trailing"#, "not_json"),
        ("[]", "no_inventory"),
        ("null", "no_inventory"),
        ("\"text\"", "no_inventory"),
        ("Service unavailable", "no_inventory"),
        ("Service {unavailable}", "no_inventory"),
        ("{}", "no_inventory"),
        (r#"{"error": "no such widget"}"#, "no_inventory"),
        (r#"{"pageInfo": {"totalCount": 0}}"#, "no_inventory"),
        (r#"{"inventory": "none"}"#, "no_inventory"),
        (r#"{"inventory": {}, "pageInfo": {"trackingData": []}}"#, "no_inventory"),
    ];
    for (body, code) in cases {
        let failure = Failure::from(read(body.as_bytes(), &site()).unwrap_err());
        assert_eq!((failure.class(), failure.code()), (Class::Anomaly, code), "{body}");
    }
}

#[test]
fn the_number_of_entries_is_bounded() {
    let full = format!(r#"{{"inventory": [{}1]}}"#, "1,".repeat(MAX_ENTRIES - 1));
    assert_eq!(page(&full).vehicles.len(), MAX_ENTRIES);
    let over = format!(r#"{{"inventory": [{}1]}}"#, "1,".repeat(MAX_ENTRIES));
    let error = read(over.as_bytes(), &site()).unwrap_err();
    assert!(error.to_string().contains("expected a list of at most 10000 vehicles"), "{error}");
}

/// Which of the entries of a response are read.
fn readable(body: &str) -> Vec<bool> {
    page(body).vehicles.iter().map(Result::is_ok).collect()
}

#[test]
fn a_car_whose_text_is_damaged_costs_no_other() {
    let [first, last] = [
        r#"{"vin": "1HGCM82633A004352", "title": ["It's", "a ] car"]}"#,
        r#"{"vin": "1FADP5AU6DL536022", "images": [{"uri": "/a.jpg"}]}"#,
    ];
    let damaged = [
        r#"{"vin": "1M8GDM9AXKP042788", "title": "6'5" bed"}"#,
        r#"{"vin": "1M8GDM9AXKP042788", "title": "6'5\"}"#,
        r#"{"vin": "1M8GDM9AXKP042788", "prices": [1]]}"#,
        r#"{"vin": "1M8GDM9AXKP042788"}, "year": 2021}"#,
        r#"{"vin": "1M8GDM9AXKP042788", "prices": {"msrp": 1}"#,
        r#""vin": "1M8GDM9AXKP042788", "year": 2021}"#,
    ];
    for damaged in damaged {
        for (place, expected) in [(0, [false, true, true]), (1, [true, false, true])] {
            let mut cars = vec![first, last];
            cars.insert(place, damaged);
            let body = format!(
                r#"{{"pageInfo": {{"totalCount": 3, "trackingData": []}}, "inventory": [{}]}}"#,
                cars.join(", ")
            );
            assert_eq!(readable(&body), expected, "{body}");
            assert_eq!(page(&body).total, Some(3), "{body}");
        }
    }
    let last_damaged = format!(r#"{{"inventory": [{first}, {last}, {}]}}"#, damaged[0]);
    assert_eq!(readable(&last_damaged), [true, true, false]);
    let no_comma = format!(r#"{{"inventory": [{first} {last}], "pageInfo": {{"totalCount": 2}}}}"#);
    assert_eq!((readable(&no_comma), page(&no_comma).total), (vec![true, true], Some(2)));
    let stray = format!(r#"{{"inventory": [{first}}}, {last}]}}"#);
    assert_eq!(readable(&stray), [true, true]);
}

#[test]
fn what_javascript_accepts_is_read() {
    let object = r#"{"inventory": [{"vin": "1M8GDM9AXKP042788"}]}"#;
    let bodies = [
        "{'pageInfo': {'totalCount': '1'}, 'inventory': [{'vin': '1M8GDM9AXKP042788', 'title': 'A \"car\", it\\'s'}]}".to_owned(),
        "{inventory: [{vin: `1M8GDM9AXKP042788`,},],}".to_owned(),
        r#"{/* "new" */ "inventory": [ // it's
            {"vin": "1M8GDM9AXKP042788", /* "sold" */ "link": "https://www.acme.example/1.htm"} /* ] */]}"#
            .to_owned(),
        format!("callback({object});"),
        format!("/**/cb({object})"),
        format!("var inventory = {object};"),
        format!("{object};"),
        format!(")]}}',\n{object}"),
    ];
    for body in bodies {
        let cars = vehicles(page(&body));
        assert_eq!((cars.len(), cars[0].vin.as_str()), (1, "1M8GDM9AXKP042788"), "{body}");
    }
    assert_eq!(page("{'pageInfo': {'totalCount': '7'}, 'inventory': [1]}").total, Some(7));
}

#[test]
fn a_truncated_response_is_refused_wherever_it_is_cut() {
    for whole in
        [include_str!("../tests/feeds/widget.json"), include_str!("../tests/feeds/tracking.json")]
    {
        let whole = whole.trim();
        for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
            assert!(read(&whole.as_bytes()[..cut], &site()).is_err(), "{}", &whole[..cut]);
        }
    }
}

/// Any JSON, with the field names of inventories.
fn json() -> impl Strategy<Value = Value> {
    const NAMES: &str = "vin year title link images uri attributes trackingAttributes name value \
        pricing dprice typeClass trackingPricing msrp inventoryDate odometer certified inventory \
        pageInfo trackingData totalCount";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[A-HJ-NPR-Z0-9]{17}".prop_map(Value::from),
        "[$0-9/,.-]{0,12}".prop_map(Value::from),
        Just(Value::from("x".repeat(5_000))),
    ];
    leaf.prop_recursive(5, 80, 8, |inner| {
        let names: Vec<&str> = NAMES.split_whitespace().collect();
        let name = proptest::sample::select(names);
        let fields = proptest::collection::vec((name, inner.clone()), 0..8);
        prop_oneof![
            proptest::collection::vec(inner, 0..8).prop_map(Value::from),
            fields.prop_map(|fields| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
            }),
        ]
    })
}

/// The steps that a feed of this text takes.
fn steps(body: &str) -> usize {
    let budget = Budget::unlimited();
    let _ = read_within(&budget, body.as_bytes(), &site());
    budget.steps_taken()
}

#[test]
fn work_grows_with_the_length_of_a_feed() {
    let attribute = r#"{"name":"odometer","value":"1"},"#;
    let parts = [
        "{},",
        "[",
        "{\"vin\":NaN},",
        "{\"vin\":\"1HGCM82633A004352\",\"x\":undefined},",
        "{'vin':'1HGCM82633A004352','x':a||b||[1,2]},",
        "\"",
        attribute,
        "{\"vin\":\"",
        "{\"vin\":1,\"a\":6'5\"},",
        "{\"vin\" ",
        "/*",
        "'",
        "{\"a\":{\"vin\":1},",
    ];
    for part in parts {
        let body =
            |bytes: usize| format!("{{\"inventory\":[{}{{}}]}}", part.repeat(bytes / part.len()));
        let (once, twice) = (steps(&body(20_000)), steps(&body(40_000)));
        assert!(twice * 10 <= once * 23, "{part}: {once} and {twice} steps");
    }
}

#[test]
fn a_feed_that_exceeds_its_budget_is_refused_whole() {
    let body = json!({"inventory": vec![json!({"vin": "1HGCM82633A004352"}); 50]}).to_string();
    let refused = read_within(&Budget::new(10_000, 0), body.as_bytes(), &site());
    assert_eq!(refused, Err(NoInventory::TooComplex));
    let failure = Failure::from(NoInventory::TooComplex);
    assert_eq!((failure.class(), failure.code()), (Class::Anomaly, "too_complex"));
    assert_eq!(page(&body).vehicles.len(), 50);
}

proptest! {
    #[test]
    fn each_entry_gives_one_vehicle_or_error_of_bounded_size(
        entries in proptest::collection::vec(json(), 0..6),
        info in json(),
    ) {
        let body = json!({"inventory": entries, "pageInfo": info, "trackingData": []}).to_string();
        if entries.is_empty() {
            let _ = read(body.as_bytes(), &site());
            return Ok(());
        }
        let page = page(&body);
        prop_assert_eq!(page.vehicles.len(), entries.len());
        for (at, entry) in page.vehicles.iter().enumerate() {
            match entry {
                Ok(car) => prop_assert!(serde_json::to_string(car).unwrap().len() < 100_000),
                Err(bad) => prop_assert!(bad.position == at && bad.reason.len() <= 200),
            }
        }
    }

    #[test]
    fn any_json_is_parsed_or_refused(body in json()) {
        let _ = read(body.to_string().as_bytes(), &site());
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        cut in 0_usize..2_000,
    ) {
        let _ = read(&body, &site());
        let whole = include_bytes!("../tests/feeds/widget.json");
        let refused = read(&whole[..cut.min(whole.len() / 2)], &site()).is_err();
        prop_assert!(refused, "a truncated response is refused");
    }
}
