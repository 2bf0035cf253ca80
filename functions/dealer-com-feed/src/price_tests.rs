use proptest::prelude::*;
use serde_json::json;

use super::*;

fn prices(value: &Value) -> Prices {
    Prices::read(&mut Entry::new(value.as_object().unwrap()))
}

#[test]
fn amounts_are_parsed() {
    let cases = [
        ("$23,995", Reading::Found(Cents(2_399_500))),
        ("23995", Reading::Found(Cents(2_399_500))),
        ("23995.0", Reading::Found(Cents(2_399_500))),
        ("$23,995.50", Reading::Found(Cents(2_399_550))),
        ("23995.5", Reading::Found(Cents(2_399_550))),
        ("23995.999", Reading::Found(Cents(2_399_599))),
        ("US$ 23,995", Reading::Found(Cents(2_399_500))),
        ("USD 23995", Reading::Found(Cents(2_399_500))),
        ("$23,995 CAD", Reading::Found(Cents(2_399_500))),
        ("23\u{a0}995 $", Reading::Found(Cents(2_399_500))),
        ("$23,995*", Reading::Found(Cents(2_399_500))),
        ("0", Reading::Placeholder),
        ("$0.00", Reading::Placeholder),
        ("", Reading::Placeholder),
        ("null", Reading::Placeholder),
        ("Contact Us", Reading::Placeholder),
        ("Call for price", Reading::Placeholder),
        ("$299/mo", Reading::Unreadable),
        ("$299 per month", Reading::Unreadable),
        ("$23,995 - $25,000", Reading::Unreadable),
        ("from $23,995", Reading::Unreadable),
        ("-$500", Reading::Unreadable),
        ("23.995,00", Reading::Unreadable),
        ("23995.", Reading::Unreadable),
        ("1e21", Reading::Unreadable),
    ];
    for (text, expected) in cases {
        assert_eq!(amount(text), expected, "{text}");
    }
}

#[test]
fn a_price_keeps_the_name_that_the_site_uses() {
    let read = prices(&json!({
        "trackingPricing": {"internetPrice": "$21,000", "askingPrice": 22_000, "msrp": "0"},
        "pricing": {
            "retailPrice": "$24,000",
            "dprice": [
                {"typeClass": "msrp", "value": "$25,000"},
                {"typeClass": "salePrice highlighted", "value": "$21,500"},
                {"typeClass": "internetPrice", "value": "$1,000"},
                {"typeClass": "stackedFinal", "value": "$20,500", "isFinalPrice": true},
            ],
        },
    }));
    let expected = Prices {
        final_price: Some(Cents(2_050_000)),
        internet: Some(Cents(2_100_000)),
        sale: Some(Cents(2_150_000)),
        asking: Some(Cents(2_200_000)),
        retail: Some(Cents(2_400_000)),
        msrp: Some(Cents(2_500_000)),
    };
    assert_eq!(read, expected);
}

#[test]
fn the_older_format_has_its_prices_in_one_object() {
    let read = prices(&json!({"pricing": {"msrp": "$31,000", "finalPrice": "$29,500"}}));
    assert_eq!((read.msrp, read.final_price), (Some(Cents(3_100_000)), Some(Cents(2_950_000))));
}

#[test]
fn amounts_other_than_the_cars_price_are_ignored() {
    let traps = [
        json!({"typeClass": "internetPrice", "value": "$500", "isDiscount": true}),
        json!({"typeClass": "internetPrice", "value": "$500", "isDiscount": "true"}),
        json!({"typeClass": "monthlyPayment", "value": "$399", "isFinalPrice": true}),
        json!({"typeClass": "internetPrice lease", "value": "$299", "isFinalPrice": true}),
        json!({"typeClass": "conditionalFinal", "value": "$18,000", "isFinalPrice": true}),
        json!({"typeClass": "loyaltyRebate msrp", "value": "$750"}),
        json!({"typeClass": "docFee", "value": "$799", "isFinalPrice": true}),
        json!({"typeClass": "accessoriesTotal", "value": "$1,200", "isFinalPrice": true}),
        json!({"typeClass": "internetPrice"}),
        json!({"value": "$500"}),
        json!("internetPrice"),
        json!(null),
    ];
    for trap in traps {
        let read = prices(&json!({"pricing": {"dprice": [trap]}}));
        assert_eq!(read, Prices::default(), "{trap}");
    }
}

#[test]
fn placeholders_and_unreadable_prices_are_noted() {
    let value = json!({
        "trackingPricing": {"internetPrice": "Contact Us", "salePrice": "$299/mo", "msrp": null},
        "pricing": {"retailPrice": 0, "finalPrice": {"amount": 5}},
    });
    let mut entry = Entry::new(value.as_object().unwrap());
    assert_eq!(Prices::read(&mut entry), Prices::default());
    let (placeholders, unreadable) = entry.into_notes();
    assert_eq!(placeholders, ["internet_price", "retail_price"]);
    assert_eq!(unreadable, ["final_price", "sale_price"]);
}

proptest! {
    #[test]
    fn an_amount_is_parsed_to_the_cent(dollars in 1_u64..1_000_000_000, cents in 0_u64..100) {
        let expected = Reading::Found(Cents(dollars * 100 + cents));
        let spellings = [format!("${dollars}.{cents:02}"), format!("{dollars}.{cents:02} USD")];
        for text in spellings {
            prop_assert_eq!(&amount(&text), &expected, "{}", text);
        }
    }

    #[test]
    fn any_text_gives_a_bounded_amount_or_none(text in ".{0,40}|[$0-9,. ]{0,20}") {
        if let Reading::Found(Cents(cents)) = amount(&text) {
            prop_assert!(cents > 0 && cents < 100_000_000_000);
        }
    }
}
