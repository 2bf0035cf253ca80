//! Small inputs made from what people reported in public, each with the right value. They stand in `tests/cases/`, one
//! file a case; each is one of a kind, and has a test with its own name. Variants of them are in `tests/variants.rs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use dealer_com_feed::{
    inventory,
    vehicle::{BadVehicle, Vehicle},
};
use evenkeel::{message::decode, record::Phase};
use product_detail_scraping::page::{PageError, read, record::Details};
use sandbox::{CannedAnswer, Fault, FaultKind, Scope, Target};
use serde_json::{Value, json};
use url::Url;
use url_shortening::Shortening;

use crate::bench::{Bench, Kind, third_parties::shortening};

pub(crate) const VIN: &str = "1HGCM82633A004352";

pub(crate) const ADDRESS: &str = "https://www.acme.example/used/x/car.htm";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// The text of a case.
fn text(name: &str) -> String {
    fs::read_to_string(folder().join(name)).unwrap()
}

/// What a page says of the car, by field, beside what the feed says of it; or the error.
pub(crate) fn page(html: &str, feed: &Details) -> BTreeMap<String, Value> {
    let address: Url = ADDRESS.parse().unwrap();
    match read(html, &address, VIN, feed) {
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

/// Where what was found differs from these fields; null says that there is no value.
pub(crate) fn differences(found: &BTreeMap<String, Value>, expected: &Value) -> Vec<String> {
    let expected = expected.as_object().unwrap().iter();
    let read = |field: &String| found.get(field).unwrap_or(&Value::Null);
    let wrong = expected.filter(|(field, value)| read(field) != *value);
    let told = |(field, value): (&String, &Value)| {
        format!("{field} is {}, expected {value}: {found:?}", read(field))
    };
    wrong.map(told).collect()
}

/// Asserts that the page of a case has these fields.
fn reads(name: &str, expected: &Value) {
    let found = page(&text(name), &Details::default());
    assert_eq!(differences(&found, expected), Vec::<String>::new());
}

fn miles(value: u32) -> Value {
    json!({"value": value, "unit": "miles"})
}

/// One test for each file, named after it: all but its dashes and its extension.
macro_rules! cases {
    ($($name:ident $file:literal => $judge:expr;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(stringify!($name), named($file));
                let judge: fn(&str) = $judge;
                judge($file);
            }
        )*

        /// The files with a test above.
        const FILES: &[&str] = &[$($file),*];
    };
}

/// The name of the test of a file.
fn named(file: &str) -> String {
    let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
    format!("case_{}", stem.replace('-', "_"))
}

cases! {
    case_01_soft404_other_car "01-soft404-other-car.html" => |name| {
        reads(name, &json!({"error": "no_vin", "title": null}));
    };
    case_03_datalayer_object_payment "03-datalayer-object-payment.html" => |name| {
        let expected = json!({"price_cents": 24_490_000, "msrp_cents": 28_900_000,
            "mileage": miles(1_200), "year": 2025, "make": "Acme", "model": "Coupe"});
        reads(name, &expected);
    };
    case_04_savings_as_offer "04-savings-as-offer.html" => |name| {
        reads(name, &json!({"price_cents": 5_794_400, "msrp_cents": 7_296_500}));
    };
    case_05_zero_dealer_prices_payment "05-zero-dealer-prices-payment.html" => |name| {
        reads(name, &json!({"price_cents": null, "year": 2024}));
    };
    case_07_payment_frequency "07-payment-frequency.html" => |name| {
        reads(name, &json!({"price_cents": null}));
    };
    // Two prices of the page that differ by more than a tenth: no price, and the report lists both.
    case_10_folded_incentive "10-folded-incentive.html" => |name| {
        reads(name, &json!({"price_cents": null, "msrp_cents": 7_238_500}));
        assert_eq!(conflicting(name, "price_cents"), [6_661_000, 5_911_000]);
    };
    // Two thirds below the manufacturer's price of a new car: few buyers get that.
    case_11_conditional_discount "11-conditional-discount.html" => |name| {
        reads(name, &json!({"price_cents": null, "msrp_cents": 8_953_000}));
    };
    case_12_state_block_and_or_lines "12-state-block-and-or-lines.html" => |name| {
        let expected = json!({"year": 2026, "make": "Acme", "model": "Coupe", "trim": "XLE",
            "condition": "new", "stock_number": "A1", "msrp_cents": 4_106_300,
            "price_cents": 4_406_400, "mileage": miles(0)});
        reads(name, &expected);
    };
    case_13_js_hex_escapes "13-js-hex-escapes.html" => |name| {
        let expected = json!({"make": "Mercedes-Benz", "model": "Grand Caravan",
            "trim": "SXT | Plus", "price_cents": 1_850_000});
        reads(name, &expected);
    };
    case_17_makes_offer "17-makes-offer.html" => |name| {
        let expected =
            json!({"price_cents": 1_800_000, "currency": "USD", "exterior_color": "Black"});
        reads(name, &expected);
    };
    case_18_motor_vehicle "18-motor-vehicle.html" => |name| {
        reads(name, &json!({"model": "Tucson", "price_cents": 2_149_500}));
    };
    case_19_comments_in_json "19-comments-in-json.html" => |name| {
        reads(name, &json!({"model": "Accord", "price_cents": 1_250_000}));
    };
    case_21_msrp_and_vehicle_condition "21-msrp-and-vehicle-condition.html" => |name| {
        let expected =
            json!({"msrp_cents": 5_319_000, "condition": "new", "price_cents": 5_099_500});
        reads(name, &expected);
    };
    case_22_entities "22-entities.html" => |name| {
        reads(name, &json!({"trim": "4MATIC® Sport", "exterior_color": "Bleu étoile"}));
    };
    case_24_nested_text "24-nested-text.html" => |name| {
        reads(name, &json!({"mileage": miles(42_000), "price_cents": 1_850_000}));
    };
    case_26_facts_in_plain_html "26-facts-in-plain-html.html" => |name| {
        reads(name, &json!({"price_cents": 3_295_000, "mileage": miles(14_588)}));
    };
    case_27_stale_markup_price "27-stale-markup-price.html" => |name| {
        reads(name, &json!({"price_cents": 2_399_500}));
    };
    case_28_wall_incident_number "28-wall-incident-number.html" => |name| {
        reads(name, &json!({"error": "challenge"}));
    };
    case_30_sold "30-sold.html" => |name| {
        reads(name, &json!({"availability": "sold", "price_cents": null}));
    };
    case_31_feed_one_bad_token "31-feed-one-bad-token.json" => |name| {
        let second = "1M8GDM9AXKP042788";
        assert_eq!(feed(name), [json!([VIN, null, null]), json!([second, null, null])]);
    };
    case_33_feed_kilometres "33-feed-kilometres.json" => |name| {
        assert_eq!(feed(name), [json!([VIN, 45_000, "kilometres"])]);
        // A page without a mileage must not turn them into miles, nor one that repeats the number.
        for html in ["", "<p>VIN: 1HGCM82633A004352</p><p>Mileage: 45,000</p>"] {
            let html = format!("<h1>Accord {VIN}</h1>{html}");
            let found = page(&html, &fed(name));
            assert_eq!(found["mileage"], json!({"value": 45_000, "unit": "kilometres"}), "{html}");
        }
    };
    case_36_feed_placeholder_vin "36-feed-placeholder-vin.json" => |name| {
        let reasons = feed(name);
        assert_eq!(reasons.len(), 2);
        for reason in reasons {
            let reason = reason.as_str().unwrap();
            assert!(reason.ends_with("is a placeholder, as of a car on order"), "{reason}");
        }
    };
    case_37_array_for_envelope "37-array-for-envelope.txt" => |name| {
        refused(name, "body: a list, expected an object");
    };
    case_39_newline_in_destination "39-newline-in-destination.txt" => |name| {
        refused(name, "payload.destination: white space");
    };
    case_40_nul_in_title "40-nul-in-title.txt" => |name| {
        refused(name, "payload.title: a control character");
        refused(name, "payload.dealer_slug: a control character");
    };
    case_41_bom "41-bom.txt" => |name| {
        assert_eq!(message(name).unwrap(), "https://www.acme.example/new/car");
    };
}

/// The case that needs the whole engine: an answer about the account, so the job waits for a person.
const FORBIDDEN: &str = "44-403-code-without-field.json";

#[tokio::test(start_paused = true)]
async fn case_44_403_code_without_field() {
    assert_eq!(named(FORBIDDEN), "case_44_403_code_without_field");
    let bench = Bench::of(&[Kind::SHORTENING]);
    let body = Some(text(FORBIDDEN));
    let kind = FaultKind::Status(CannedAnswer { status: 403, body, ..CannedAnswer::default() });
    let (on, scope) = (Target::default(), Scope::calls(100));
    let fault = Fault { kind, on, scope, after_work: false };
    bench.control().add_fault(&fault).await.unwrap();
    bench.send(&shortening(VIN, "https://www.acme.example/new/car"));
    bench.poll().await;
    let Phase::Parked { why, .. } = bench.only().phase else { panic!("expected a parked job") };
    assert!(why.starts_with("systemic (http_403)"), "{why}");
}

/// The values of a field on which the sources of a page contradict each other.
fn conflicting(name: &str, field: &str) -> Vec<u64> {
    let address: Url = ADDRESS.parse().unwrap();
    let reading = read(&text(name), &address, VIN, &Details::default()).unwrap();
    let conflicts = reading.quality.conflicting;
    let claims = conflicts.into_iter().filter(|conflict| conflict.field == field);
    claims.flat_map(|conflict| conflict.claims).filter_map(|claim| claim.value.as_u64()).collect()
}

/// The cars of a feed's body.
fn cars(name: &str) -> Vec<Result<Vehicle, BadVehicle>> {
    let site: Url = ADDRESS.parse().unwrap();
    inventory::read(text(name).as_bytes(), &site).unwrap().vehicles
}

/// The cars of a feed's body: VIN, odometer and unit; or the reason of a bad entry.
fn feed(name: &str) -> Vec<Value> {
    let car = |car: Result<Vehicle, BadVehicle>| match car {
        Ok(car) => {
            let car = serde_json::to_value(car).unwrap();
            json!([car["vin"], car["odometer"], car["odometer_unit"]])
        }
        Err(bad) => json!(bad.reason),
    };
    cars(name).into_iter().map(car).collect()
}

/// What a scraping knows of the first car of a feed.
fn fed(name: &str) -> Details {
    let car = serde_json::to_string(cars(name)[0].as_ref().unwrap()).unwrap();
    product_detail_scraping::feed_data::details(&car)
}

/// The destination of a message that is accepted, or the reason why it is not.
fn message(name: &str) -> Result<String, String> {
    let message = decode::<Shortening>("url_shortening", &text(name));
    message.map(|message| message.payload.destination).map_err(|rejection| rejection.reason)
}

fn refused(name: &str, part: &str) {
    let reason = message(name).unwrap_err();
    assert!(reason.contains(part), "{reason}");
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every file of the folder has a test, and no test lacks its file.
#[test]
fn every_case_is_tested() {
    let tested: BTreeSet<String> =
        FILES.iter().chain(&[FORBIDDEN]).map(|file| (*file).to_owned()).collect();
    assert_eq!(tested, names_in(&folder()));
    assert_eq!(tested.len(), 27);
}
