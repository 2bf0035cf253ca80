use proptest::prelude::*;
use serde_json::json;

use super::*;

fn site() -> Url {
    "https://www.acme.example".parse().unwrap()
}

#[test]
fn texts_are_read_from_any_json_value() {
    let cases = [
        (json!("  Blue \n Pearl\t"), Some("Blue Pearl")),
        (json!(["2021 Nimbus", "Cumulus"]), Some("2021 Nimbus Cumulus")),
        (json!(["2021 Nimbus", null, "N/A", "", ["x"], 7]), Some("2021 Nimbus 7")),
        (json!([]), Some("")),
        (json!(2021), Some("2021")),
        (json!(23995.5), Some("23995.5")),
        (json!(true), Some("true")),
        (json!("a\u{0}b"), Some("a b")),
        (json!(null), None),
        (json!({"name": "x"}), None),
    ];
    for (value, expected) in cases {
        assert_eq!(text(&value).as_deref(), expected, "{value}");
    }
}

#[test]
fn long_texts_are_cut_between_characters() {
    for long in [json!("é".repeat(5_000)), json!(vec!["é".repeat(400); 30])] {
        let text = text(&long).unwrap();
        assert!(text.len() <= MAX_TEXT_BYTES && text.len() > MAX_TEXT_BYTES - 4);
        assert!(text.chars().all(|c| c == 'é' || c == ' '), "{text}");
    }
}

#[test]
fn placeholders_are_distinguished_from_words() {
    for text in ["", " ", "-", "--", "—", "null", "NULL", "N/A", "n/a ", "None", "Unknown"] {
        assert!(is_placeholder(text), "{text:?}");
        assert_eq!(words(text), Reading::Placeholder);
    }
    for text in ["0", "Nullarbor", "no", "A-Class", "-1"] {
        assert_eq!(words(text), Reading::Found(text.to_owned()));
    }
}

#[test]
fn years_are_parsed() {
    let cases = [
        ("2021", Reading::Found(2021)),
        ("2021.0", Reading::Found(2021)),
        ("0", Reading::Placeholder),
        ("null", Reading::Placeholder),
        ("21", Reading::Unreadable),
        ("20211", Reading::Unreadable),
        ("MY2021", Reading::Unreadable),
    ];
    for (text, expected) in cases {
        assert_eq!(year(text), expected, "{text}");
    }
}

#[test]
fn odometers_are_parsed() {
    let cases = [
        ("27419", Reading::Found((27_419, None))),
        ("27,419", Reading::Found((27_419, None))),
        ("27,419 miles", Reading::Found((27_419, Some(Unit::Miles)))),
        ("27 419 km", Reading::Found((27_419, Some(Unit::Kilometres)))),
        ("12 Mi.", Reading::Found((12, Some(Unit::Miles)))),
        ("88120.0", Reading::Found((88_120, None))),
        ("0", Reading::Found((0, None))),
        ("N/A", Reading::Placeholder),
        ("27,41", Reading::Unreadable),
        ("2741,900", Reading::Unreadable),
        ("-5", Reading::Unreadable),
        ("low", Reading::Unreadable),
        ("9999999999", Reading::Unreadable),
    ];
    for (text, expected) in cases {
        assert_eq!(odometer(text), expected, "{text}");
    }
}

#[test]
fn flags_and_conditions_are_parsed() {
    for (text, expected) in [("true", true), ("TRUE", true), ("1", true), ("No", false)] {
        assert_eq!(flag(text), Reading::Found(expected), "{text}");
    }
    assert_eq!(flag("n/a"), Reading::Placeholder);
    assert_eq!(flag("maybe"), Reading::Unreadable);
    let cases = [
        ("new", Reading::Found(Condition::New)),
        ("Used", Reading::Found(Condition::Used)),
        ("Pre-Owned", Reading::Found(Condition::Used)),
        ("Certified Pre-Owned", Reading::Found(Condition::Certified)),
        ("CPO", Reading::Found(Condition::Certified)),
        ("-", Reading::Placeholder),
        ("Renewed", Reading::Unreadable),
    ];
    for (text, expected) in cases {
        assert_eq!(condition(text), expected, "{text}");
    }
}

#[test]
fn dates_are_parsed() {
    let good = [
        ("08/24/2025", "2025-08-24"),
        ("1/5/2025", "2025-01-05"),
        ("2025-08-24", "2025-08-24"),
        ("2025-08-24T10:00:00Z", "2025-08-24"),
        ("08/24/2025 10:00", "2025-08-24"),
        ("02/29/2024", "2024-02-29"),
        ("02/29/2000", "2000-02-29"),
    ];
    for (text, expected) in good {
        assert_eq!(date(text), Reading::Found(expected.to_owned()), "{text}");
    }
    let bad = [
        "24/08/2025",
        "02/29/2025",
        "02/29/2100",
        "04/31/2025",
        "00/10/2025",
        "8/0/2025",
        "08/24/25",
        "08/24/2025/1",
        "+8/24/2025",
        "today",
    ];
    for text in bad {
        assert_eq!(date(text), Reading::Unreadable, "{text}");
    }
    assert_eq!(date("N/A"), Reading::Placeholder);
}

#[test]
fn addresses_become_absolute() {
    let good = [
        ("/new/a.htm", "https://www.acme.example/new/a.htm"),
        ("new/a.htm", "https://www.acme.example/new/a.htm"),
        (" //cdn.example/a.jpg ", "https://cdn.example/a.jpg"),
        ("http://other.example/a", "http://other.example/a"),
        ("/a?id=5&utm_source=x&srpSessionId=1&b", "https://www.acme.example/a?id=5&b"),
        ("/a?utm_source=x", "https://www.acme.example/a"),
        ("https://www.acme.example./a", "https://www.acme.example/a"),
        ("/a b?c=d e", "https://www.acme.example/a%20b?c=d%20e"),
    ];
    for (text, expected) in good {
        assert_eq!(address(text, &site()).unwrap().as_str(), expected, "{text}");
    }
    let long = format!("/{}", "x".repeat(MAX_ADDRESS_BYTES));
    let grows = format!("/{}", "é".repeat(MAX_ADDRESS_BYTES / 3));
    let bad: [&str; 8] = [
        "javascript:void(0)",
        "mailto:sales@acme.example",
        "ftp://acme.example/a",
        "data:image/png;base64,AAAA",
        "https://user:secret@acme.example/a",
        "http://",
        &long,
        &grows,
    ];
    for text in bad {
        assert_eq!(address(text, &site()), None, "{}", &text[..text.len().min(40)]);
    }
}

proptest! {
    #[test]
    fn whole_numbers_are_read_with_and_without_separators(number in 0_u32..1_000_000_000) {
        let plain = number.to_string();
        let mut grouped = String::new();
        for (at, digit) in plain.char_indices() {
            if at > 0 && (plain.len() - at).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        prop_assert_eq!(whole(&plain), Some((number, "")));
        prop_assert_eq!(whole(&grouped), Some((number, "")));
        let said = format!("{grouped} miles");
        prop_assert_eq!(odometer(&said), Reading::Found((number, Some(Unit::Miles))));
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in ".{0,60}|[0-9,./ $-]{0,20}") {
        let _ = (year(&text), odometer(&text), flag(&text), condition(&text));
        if let Reading::Found(date) = date(&text) {
            prop_assert_eq!(date.len(), 10);
        }
        if let Some(url) = address(&text, &site()) {
            prop_assert!(matches!(url.scheme(), "http" | "https"));
            // Parsing a stored address again does not change it.
            prop_assert_eq!(address(url.as_str(), &site()), Some(url));
        }
    }
}
