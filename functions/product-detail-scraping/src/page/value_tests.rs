use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn values_become_one_line_of_text() {
    let cases = [
        (json!(null), None),
        (json!(""), None),
        (json!(" \n\t\u{200b}"), None),
        (json!(true), Some("true")),
        (json!(2003), Some("2003")),
        (json!(2003.0), Some("2003")),
        (json!(2.5995e4), Some("25995")),
        (json!(-1.5), Some("-1.5")),
        (json!("  Honda &amp;\r\n Sons\u{1} "), Some("Honda & Sons")),
        (json!("17&quot; alloy"), Some("17\" alloy")),
        (json!("Hon\u{202e}da"), Some("Honda")),
        (json!([null, "", "first", "second"]), Some("first")),
        (json!({"@type": "Brand", "name": "Honda"}), Some("Honda")),
        (json!({"value": 7, "name": null}), Some("7")),
        (json!([{"name": ["deep"]}]), Some("deep")),
        (json!({"other": 1}), None),
    ];
    for (value, expected) in cases {
        assert_eq!(plain(&value).as_deref(), expected, "{value}");
    }
}

#[test]
fn long_texts_are_cut_and_deep_values_are_read_quickly() {
    assert_eq!(clean(&"é".repeat(10_000)).chars().count(), MAX_TEXT_CHARS);
    let mut deep = json!("core");
    for _ in 0..120 {
        deep = json!({ "name": deep });
    }
    assert_eq!(plain(&deep).as_deref(), Some("core"));
}

#[test]
fn numbers_are_parsed_and_ambiguous_ones_are_refused() {
    let cases = [
        ("25995", Some((25_995, 0))),
        ("$25,995", Some((25_995, 0))),
        ("USD 25,995.5*", Some((25_995, 50))),
        ("25995.05", Some((25_995, 5))),
        ("25995.3333", Some((25_995, 33))),
        ("1,234,567", Some((1_234_567, 0))),
        ("Price - $25,995.", Some((25_995, 0))),
        ("12,345 miles", Some((12_345, 0))),
        ("12345km", Some((12_345, 0))),
        ("0", Some((0, 0))),
        ("25.995", None),
        ("25.995,00", None),
        ("2,5995", None),
        ("25995,00", None),
        ("1,,000", None),
        ("25k", None),
        ("1.2M", None),
        ("-500", None),
        ("-$500", None),
        ("$-500", None),
        ("($500)", None),
        ("Discount -$500", None),
        ("$21,995 - $24,995", None),
        ("9999999999999", None),
        ("Contact Us", None),
        ("", None),
    ];
    for (text, expected) in cases {
        let read = number(text).map(|number| (number.whole, number.hundredths));
        assert_eq!(read, expected, "{text}");
    }
}

#[test]
fn years_booleans_conditions_and_currencies() {
    let years = [("2003", Some(2003)), ("2003-05-01", Some(2003)), ("20035", None), ("03", None)];
    for (text, expected) in years {
        assert_eq!(year(text), expected, "{text}");
    }
    for text in ["0000", "1899", "2101", "+200", "200é", "year"] {
        assert_eq!(year(text), None, "{text}");
    }
    for (text, expected) in [("TRUE", Some(true)), ("No", Some(false)), ("maybe", None)] {
        assert_eq!(boolean(text), expected, "{text}");
    }
    let conditions = [
        ("New", Some(Condition::New)),
        ("http://schema.org/NewCondition", Some(Condition::New)),
        ("schema:UsedCondition", Some(Condition::Used)),
        ("Certified Pre-Owned", Some(Condition::Used)),
        ("Newport", None),
    ];
    for (text, expected) in conditions {
        assert_eq!(condition(text), expected, "{text}");
    }
    for (text, expected) in [("usd", Some("USD")), ("$", None), ("US Dollar", None)] {
        assert_eq!(currency(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_sign_that_stands_for_one_currency_names_it() {
    let cases = [
        ("€18,995", Some("EUR")),
        ("18,995 EUR", Some("EUR")),
        ("C$18,995", Some("CAD")),
        ("US$18,995", Some("USD")),
        ("£18,995", Some("GBP")),
        ("18,995CAD", Some("CAD")),
        ("2019 CADILLAC CTS $18,995", None),
        ("EUROPA $18,995", None),
        ("INC$18,995", None),
        ("$18,995", None),
        ("18,995", None),
    ];
    for (text, expected) in cases {
        assert_eq!(currency_beside(text), expected, "{text}");
    }
}

#[test]
fn vins_are_distinguished_from_stock_numbers() {
    let cases = [
        (json!("1HGCM82633A004352"), Some("1HGCM82633A004352")),
        (json!(" vin: 1hgcm82633a004352 "), Some("1HGCM82633A004352")),
        (json!(["1HGCM82633A004352"]), Some("1HGCM82633A004352")),
        (json!(11_111_111_111_111_111_u64), Some("11111111111111111")),
        (json!("1HGCM82633A00435O"), None),
        (json!("1HGCM82633A00435"), None),
        (json!("A1234"), None),
        (json!(null), None),
    ];
    for (value, expected) in cases {
        assert_eq!(vin(&value).as_deref(), expected, "{value}");
    }
}

#[test]
fn codes_are_read_from_an_array_or_a_text() {
    let expected = vec!["A1".to_owned(), "B2".to_owned()];
    for value in [json!(["A1", null, "N/A", "B2"]), json!("A1, B2,,-"), json!("A1|B2")] {
        assert_eq!(codes(&value).as_ref(), Some(&expected), "{value}");
    }
    assert_eq!(codes(&json!("a".repeat(MAX_CODE_BYTES + 1))), None);
    assert_eq!(codes(&json!(vec!["A"; MAX_CODES + 1])).map(|codes| codes.len()), Some(MAX_CODES));
}

#[test]
fn picture_addresses_are_made_absolute_and_must_be_http() {
    let base: Url = "https://www.dealer.example/used/1.htm".parse().unwrap();
    let value = json!([
        "//images.example/1.jpg",
        "/2.jpg?a=1&amp;b=2",
        {"@type": "ImageObject", "url": "3.jpg"},
        {"contentUrl": "https://images.example/4.jpg"},
        "//images.example/1.jpg",
        "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "javascript:alert(1)",
        "null",
        "",
        7,
    ]);
    let expected = [
        "https://images.example/1.jpg",
        "https://www.dealer.example/2.jpg?a=1&b=2",
        "https://www.dealer.example/used/3.jpg",
        "https://images.example/4.jpg",
    ];
    assert_eq!(images(&value, &base), expected);
    let many: Vec<String> = (0..100).map(|number| format!("/{number}.jpg")).collect();
    assert_eq!(images(&json!(many), &base).len(), MAX_IMAGES);
}

proptest! {
    #[test]
    fn any_text_parses_within_bounds_or_is_refused(text in "[-$(0-9,.kKmM )]{0,30}|.{0,30}") {
        if let Some(number) = number(&text) {
            prop_assert!(number.whole < 1_000_000_000_000 && number.hundredths < 100);
        }
        let _ = year(&text);
    }

    #[test]
    fn cleaning_is_bounded_and_leaves_clean_text_unchanged(text in ".{0,400}") {
        let once = clean(&text);
        prop_assert!(once.chars().count() <= MAX_TEXT_CHARS);
        if !once.contains('&') {
            prop_assert_eq!(clean(&once), once);
        }
    }

    #[test]
    fn a_formatted_whole_number_is_parsed_back(whole in 0_u64..1_000_000_000) {
        let read = number(&format!("${whole}.00")).unwrap();
        prop_assert_eq!((read.whole, read.hundredths), (whole, 0));
    }
}
