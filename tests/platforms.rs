//! Pages of ten platforms, each with the right value of every field, and sites of the sandbox that have such pages.
//! docs/platforms.md is made of what is read of the former: `UPDATE_PAGES=1 cargo test -p tests platforms`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use evenkeel::record::Phase;
use product_detail_scraping::page::{read, record::Details};
use sandbox::dealers::{Car, Condition, Platform as Served, SiteSettings};
use serde_json::{Value, json};
use url::Url;

use crate::{
    bench::{Bench, Kind},
    golden::assert_file,
};

/// A page of a platform, and what it says.
struct Platform {
    name: &'static str,
    file: &'static str,
    vin: &'static str,
    /// Each field of [`FIELDS`] that is read. What is missing here is a dash in the table.
    says: Value,
}

/// The fields of the table, as a record names them.
const FIELDS: [(&str, &str); 8] = [
    ("price", "price_cents"),
    ("MSRP", "msrp_cents"),
    ("mileage", "mileage"),
    ("condition", "condition"),
    ("availability", "availability"),
    ("images", "images"),
    ("dealer", "dealer_name"),
    ("currency", "currency"),
];

fn miles(value: u32) -> Value {
    json!({"value": value, "unit": "miles"})
}

fn platform(name: &'static str, file: &'static str, vin: &'static str, says: Value) -> Platform {
    Platform { name, file, vin, says }
}

fn platforms() -> Vec<Platform> {
    [vendors(), generic()].into_iter().flatten().collect()
}

/// Pages of platforms that sell to dealers.
fn vendors() -> Vec<Platform> {
    vec![
        platform(
            "Dealer.com, older pages",
            "dealer-com-old.html",
            "4T1G11AKXMU123459",
            json!({"price_cents": 2_299_000, "msrp_cents": 2_711_500, "mileage": miles(31_204),
                "condition": "used", "availability": "in_stock", "dealer_name": "Acme Toyota"}),
        ),
        platform(
            "Dealer.com, newer pages",
            "dealer-com-new.html",
            "3FTTTW8H9SRA12345",
            json!({"price_cents": 3_124_500, "msrp_cents": 3_274_500, "mileage": miles(4),
                "condition": "new", "availability": "in_stock", "images": 2,
                "dealer_name": "Acme Ford", "currency": "USD"}),
        ),
        platform(
            "DealerOn",
            "dealeron.html",
            "2HKRW2H81NH612343",
            json!({"price_cents": 2_899_100, "mileage": miles(28_450), "condition": "used",
                "availability": "in_stock", "currency": "USD"}),
        ),
        platform(
            "Dealer Inspire",
            "dealer-inspire.html",
            "7MMVABCM3SN312347",
            json!({"price_cents": 3_241_000, "msrp_cents": 3_391_000, "condition": "new", "images": 1, "dealer_name": "Acme Mazda", "currency": "USD"}),
        ),
        platform(
            "DealerEProcess",
            "dealer-eprocess.html",
            "5XYRL4LCXPG212341",
            json!({"price_cents": 2_599_500, "mileage": miles(19_876), "condition": "used",
                "availability": "in_stock", "currency": "USD"}),
        ),
        platform(
            "Overfuel",
            "overfuel.html",
            "1C4HJXEGXKW512346",
            json!({"price_cents": 2_790_000, "mileage": miles(54_321), "condition": "used",
                "availability": "in_stock", "images": 1, "dealer_name": "Acme Auto",
                "currency": "USD"}),
        ),
        platform(
            "Team Velocity",
            "team-velocity.html",
            "2T3B1RFV5TW112340",
            json!({"price_cents": 3_412_000, "condition": "new", "availability": "on_order",
                "currency": "USD"}),
        ),
    ]
}

/// Pages without a platform of their own.
fn generic() -> Vec<Platform> {
    vec![
        platform(
            "plain HTML",
            "plain.html",
            "4S4BRBCC0E3212348",
            json!({"price_cents": 999_500, "mileage": miles(112_408)}),
        ),
        platform(
            "schema.org microdata",
            "schema-org.html",
            "WBA8D9G51JNU12345",
            json!({"mileage": {"value": 87_000, "unit": "kilometres"}, "condition": "used",
                "availability": "sold", "images": 1, "dealer_name": "Acme Imports", "currency": "CAD"}),
        ),
        platform(
            "RDFa",
            "rdfa.html",
            "YV1A22VK8L1412342",
            json!({"price_cents": 2_645_000, "mileage": miles(41_200), "condition": "used",
                "availability": "in_stock", "images": 1, "dealer_name": "Acme Volvo",
                "currency": "USD"}),
        ),
    ]
}

/// What is read of a page: value and source by field. Of images, how many.
fn fields(platform: &Platform) -> BTreeMap<&'static str, (Value, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("platforms");
    let html = fs::read_to_string(folder.join(platform.file)).unwrap();
    let address: Url = "https://www.acme.example/car".parse().unwrap();
    let reading = read(&html, &address, platform.vin, &Details::default());
    let reading = reading.unwrap_or_else(|error| panic!("{}: {error}", platform.file));
    let record = serde_json::to_value(&reading.record).unwrap();
    let found = FIELDS.into_iter().filter_map(|(_, field)| {
        let found = record.get(field)?;
        let value = match &found["value"] {
            Value::Array(all) => json!(all.len()),
            value => value.clone(),
        };
        Some((field, (value, found["from"].as_str().unwrap_or_default().to_owned())))
    });
    let mut found: BTreeMap<&'static str, (Value, String)> = found.collect();
    let vin = serde_json::to_value(&reading.vin).unwrap();
    found.insert("vin", (vin["value"].clone(), vin["from"].as_str().unwrap().to_owned()));
    found
}

#[test]
fn no_field_of_a_platform_is_read_wrong() {
    let mut wrong = String::new();
    for platform in platforms() {
        let found = fields(&platform);
        assert_eq!(found["vin"].0, platform.vin, "{}", platform.file);
        for (_, field) in FIELDS {
            let (read, right) =
                (found.get(field).map(|(value, _)| value), platform.says.get(field));
            if read != right {
                writeln!(wrong, "{} {field}: {read:?}, expected {right:?}", platform.file).unwrap();
            }
        }
    }
    assert_eq!(wrong, "");
}

#[test]
fn the_table_of_platforms_is_on_its_page() {
    let mut rows = String::new();
    for platform in platforms() {
        let found = fields(&platform);
        write!(rows, "| {} | {} |", platform.name, found["vin"].1).unwrap();
        for (_, field) in FIELDS {
            let source = found.get(field).map_or("–", |(_, source)| source.as_str());
            write!(rows, " {source} |").unwrap();
        }
        rows.push('\n');
    }
    let names = FIELDS.map(|(name, _)| name).join(" | ");
    let page = format!(
        "# Platforms\n\n\
         What is read of the pages of ten platforms, and from which source of the page. A dash: the page does not say it, or\n\
         it is not believed. A car that is sold has no price. The pages stand in\n\
         `tests/platforms/`, made from the shapes that public scrapers describe; a test compares each value with the right one,\n\
         and payments, savings and the cars beside it are read as no price of any.\n\
         The sandbox serves the cars of a site in each of these shapes (`platform` in its settings).\n\
         [The sources in their order of trust](../functions/product-detail-scraping/README.md)\n\
         are in the README of the job type.\n\n\
         | platform | VIN | {names} |\n|{}\n{rows}",
        "---|".repeat(FIELDS.len() + 2),
    );
    assert_file("docs/platforms.md", &page);
}

/// The dealer of the site that the sandbox serves, and his name there.
const SLUG: &str = "mesa-motors";
const DEALER: &str = "Mesa Motors Drivers' House";

/// What a platform's pages say of each car of the sandbox, beside the VIN.
fn told(platform: Served) -> &'static [&'static str] {
    match platform {
        Served::DealerComOld => {
            &["price_cents", "msrp_cents", "mileage", "condition", "availability", "dealer_name"]
        }
        Served::DealerComNew => &[
            "price_cents",
            "msrp_cents",
            "mileage",
            "condition",
            "availability",
            "images",
            "dealer_name",
        ],
        Served::DealerOn => &["price_cents", "msrp_cents", "mileage", "condition", "availability"],
        Served::DealerInspire => {
            &["price_cents", "msrp_cents", "mileage", "condition", "images", "dealer_name"]
        }
        Served::DealerEProcess => &["price_cents", "mileage", "condition", "availability"],
        Served::TeamVelocity => &["price_cents", "condition", "availability"],
        Served::Plain => &["price_cents", "mileage"],
        Served::Overfuel | Served::SchemaOrg | Served::Rdfa => {
            &["price_cents", "mileage", "condition", "availability", "images", "dealer_name"]
        }
    }
}

/// What is true of a car of the sandbox, whose pages show so many pictures.
fn truth(car: &Car, origin: &str, pictures: usize) -> Value {
    let picture = |number| format!("{origin}/pictures/{}/{number}.jpg", car.uuid);
    let is_new = car.condition == Condition::New;
    json!({
        "price_cents": car.price * 100,
        "msrp_cents": car.msrp * 100,
        "mileage": miles(car.odometer),
        "condition": if is_new { "new" } else { "used" },
        "availability": "in_stock",
        "images": (1..=pictures).map(picture).collect::<Vec<_>>(),
        "dealer_name": DEALER,
    })
}

/// Scrapes every car of a site on this platform by the job type. Returns the cars, their results by VIN, and the
/// site's origin.
async fn scraped(platform: Served) -> (Vec<Car>, BTreeMap<String, Value>, String) {
    let bench = Bench::of(&[Kind::Pages]);
    bench.without_robots(SLUG).await;
    let settings = SiteSettings { cars: 12, platform: Some(platform), ..SiteSettings::default() };
    bench.control().put_site(SLUG, &settings).await.unwrap();
    let (cars, origin) =
        (bench.control().cars(SLUG).await.unwrap(), bench.control().site_origin(SLUG));
    for car in &cars {
        let url = format!("{origin}/{}", car.path);
        let payload = json!({"dealer_slug": SLUG, "vin": car.vin, "url": url});
        let job = "product_detail_scraping";
        let body = json!({"version": 1, "type": job, "id": car.vin, "payload": payload});
        bench.send(&body.to_string());
    }
    bench.drain().await;
    let result = |car: &Car| {
        let record = bench.store.record(&format!("product_detail_scraping#g:{}", car.vin)).unwrap();
        let Phase::Succeeded { result, .. } = &record.phase else {
            panic!("{platform:?}: {record:?}")
        };
        (car.vin.clone(), serde_json::from_str::<Value>(result).unwrap())
    };
    let results = cars.iter().map(result).collect();
    (cars, results, origin)
}

#[tokio::test(start_paused = true)]
async fn the_cars_of_a_site_on_each_platform_are_read_right() {
    let mut wrong = String::new();
    for platform in Served::ALL {
        let (cars, results, origin) = scraped(platform).await;
        assert_eq!(cars.len(), 12);
        let pictures = if platform == Served::DealerComNew { 2 } else { 1 };
        for car in &cars {
            let result = &results[&car.vin];
            assert_eq!(result["vin"]["value"], json!(car.vin), "{platform:?}");
            assert_eq!(result["without_page"], Value::Null, "{platform:?}: {result}");
            let truth = truth(car, &origin, pictures);
            for (field, right) in truth.as_object().unwrap() {
                let is_told = told(platform).contains(&field.as_str());
                let right = if is_told { right } else { &Value::Null };
                let read = &result["record"][field]["value"];
                if read != right {
                    let price = car.price;
                    writeln!(wrong, "{platform:?} {field}: {read}, expected {right} ({price})")
                        .unwrap();
                }
            }
        }
    }
    assert_eq!(wrong, "");
}
