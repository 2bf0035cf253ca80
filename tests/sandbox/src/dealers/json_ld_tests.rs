use super::*;
use crate::dealers::page_shapes::Flaw;
use crate::dealers::settings::SiteSettings;
use crate::dealers::shapes::Gaps;

fn car(site: &Site) -> Car {
    site.cars().remove(0)
}

fn site() -> Site {
    Site::new("lakeside", SiteSettings::default()).unwrap()
}

/// The text of the second block, which is the vehicle's.
fn block(shapes: &Shapes, json_ld: JsonLd) -> String {
    let address = Address::of("127.0.0.1:80", "/dealers/lakeside/").unwrap();
    let site = site();
    let blocks = blocks(&site, &car(&site), shapes, json_ld, &address);
    let block = blocks.rsplit_once("<script type=\"application/ld+json\">\n").unwrap().1;
    block.strip_suffix("\n</script>").unwrap().to_owned()
}

fn read(shapes: &Shapes, json_ld: JsonLd) -> Value {
    serde_json::from_str(&block(shapes, json_ld)).unwrap()
}

#[test]
fn every_dialect_has_the_vin_and_the_price() {
    let car = car(&site());
    let read = |dialect| read(&Shapes::default(), JsonLd { dialect, ..JsonLd::default() });
    let strict = read(Dialect::Strict);
    assert_eq!(strict["vehicleIdentificationNumber"], json!(car.vin));
    assert_eq!(strict["offers"]["price"], json!(car.price));
    let loose = read(Dialect::Loose);
    assert_eq!(loose["vin"], json!(car.vin));
    assert_eq!(loose["offers"][0]["price"], json!(format!("{}.00", car.price)));
    let product = read(Dialect::Product);
    assert_eq!((&product["sku"], &product["productID"]), (&json!(car.vin), &json!(car.vin)));
    assert_eq!(product["mileageFromOdometer"]["unitCode"], "KMT");
}

#[test]
fn the_vehicle_is_at_the_configured_place() {
    let vin = json!(car(&site()).vin);
    let places = [
        (Place::Root, ""),
        (Place::RootArray, "/1"),
        (Place::Graph, "/@graph/1"),
        (Place::ItemList, "/itemListElement/0/item"),
        (Place::MainEntity, "/mainEntity"),
        (Place::Variant, "/hasVariant/0"),
    ];
    for (place, pointer) in places {
        let block = read(&Shapes::default(), JsonLd { place, ..JsonLd::default() });
        let vehicle = block.pointer(pointer).unwrap();
        assert_eq!(vehicle["vehicleIdentificationNumber"], vin, "{place:?}: {block}");
    }
}

#[test]
fn every_flaw_makes_the_block_invalid_json() {
    let flaws = [
        Flaw::Backslash,
        Flaw::TrailingComma,
        Flaw::Comment,
        Flaw::Cdata,
        Flaw::RawNewline,
        Flaw::ByteOrderMark,
        Flaw::EntityQuotes,
        Flaw::CutOff,
    ];
    for dialect in [Dialect::Strict, Dialect::Loose, Dialect::Product] {
        for flaw in flaws {
            let json_ld = JsonLd { dialect, flaw: Some(flaw), ..JsonLd::default() };
            let block = block(&Shapes::default(), json_ld);
            assert!(serde_json::from_str::<Value>(&block).is_err(), "{flaw:?}: {block}");
        }
    }
}

#[test]
fn prices_and_gaps_have_the_configured_forms() {
    let car = car(&site());
    let with = |prices| read(&Shapes { prices, ..Shapes::default() }, JsonLd::default());
    assert!(with(Prices::Absent).get("offers").is_none());
    assert_eq!(with(Prices::ContactUs)["offers"]["price"], "Contact Us");
    assert_eq!(with(Prices::Zeroed)["offers"]["price"], 0);
    assert_eq!(with(Prices::Traps)["offers"]["price"], json!(car.monthly_payment()));
    let gaps = Shapes { gaps: Gaps::Null, ..Shapes::default() };
    let nulls = read(&gaps, JsonLd::default());
    assert_eq!(nulls.get("vehicleConfiguration"), Some(&Value::Null));
}

#[test]
fn kilometres_are_rounded() {
    let car = |odometer| Car { odometer, ..car(&site()) };
    assert_eq!(kilometres(&car(0)), 0);
    assert_eq!(kilometres(&car(10)), 16);
    assert_eq!(kilometres(&car(100_000)), 160_934);
}
