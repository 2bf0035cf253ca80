use std::{collections::BTreeSet, fs, path::PathBuf};

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

use super::*;
use crate::page::{
    quality::MAX_WARNINGS,
    record::FIELDS,
    script::MAX_VALUE_BYTES,
    vocabulary::{Condition, Mileage, Unit},
};

const VIN: &str = "1HGCM82633A004352";
const OTHER: &str = "1M8GDM9AXKP042788";

/// Fewest fixtures: the test must fail if it finds none of them.
const FEWEST_FIXTURES: usize = 60;

/// Longest reading as JSON, in bytes, when every list and every text is at its limit.
const MAX_READING_BYTES: usize = 128 * 1024;

fn address() -> Url {
    "https://www.dealer.example/used/1.htm".parse().unwrap()
}

fn read_alone(html: &str) -> Result<Reading, PageError> {
    read(html, &address(), VIN, &Details::default())
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// The fixture files with this extension, sorted: stem and content.
fn files(extension: &str) -> Vec<(String, String)> {
    let paths = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let paths = paths.filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut files: Vec<_> = paths
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

fn as_json(result: Result<Reading, PageError>) -> Value {
    match result {
        Ok(reading) => serde_json::to_value(reading).unwrap(),
        Err(error) => serde_json::to_value(error).unwrap(),
    }
}

/// `UPDATE_PAGES=1` writes the readings of the fixtures anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch for developers")]
fn every_fixture_reads_as_expected() {
    let pages = files("html");
    let expected = files("json");
    let names = |files: &[(String, String)]| -> BTreeSet<String> {
        files.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(
        names(&pages),
        names(&expected),
        "every page needs an expected reading, and the reverse"
    );
    assert!(pages.len() >= FEWEST_FIXTURES, "{} fixtures", pages.len());
    let mut wrong = Vec::new();
    for ((name, html), (_, expected)) in pages.iter().zip(&expected) {
        let expected: Value = serde_json::from_str(expected).unwrap();
        let found = as_json(read_alone(html));
        if std::env::var_os("UPDATE_PAGES").is_some() {
            let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
            fs::write(folder().join(format!("{name}.json")), text).unwrap();
        } else if found != expected {
            wrong.push(format!("{name}: found {found:#}\nexpected {expected:#}"));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_field_is_found_missing_or_conflicting() {
    for (name, html) in files("html") {
        let Ok(reading) = read_alone(&html) else { continue };
        let quality = &reading.quality;
        let conflicting = quality.conflicting.iter().map(|conflict| &conflict.field);
        let named = quality.found.iter().chain(&quality.missing).chain(conflicting);
        let (named, all): (BTreeSet<_>, BTreeSet<_>) = (named.collect(), FIELDS.iter().collect());
        assert_eq!(named, all, "{name}");
        let record = serde_json::to_value(&reading.record).unwrap();
        let in_record: BTreeSet<_> =
            record.as_object().unwrap().keys().map(String::as_str).collect();
        let found: BTreeSet<_> = quality.found.iter().copied().collect();
        assert_eq!(in_record, found, "{name}");
    }
}

fn feed() -> Details {
    Details {
        year: Some(2003),
        make: Some("Honda".into()),
        condition: Some(Condition::Used),
        mileage: Some(Mileage { value: 80_000, unit: Unit::Miles }),
        asking_cents: vec![999_500],
        ..Details::default()
    }
}

#[test]
fn the_feed_fills_what_the_page_lacks() {
    let html = format!(
        r#"<script>DDC.dataLayer['vehicles'] = [{{"vin": "{VIN}", "make": "HONDA",
            "trim": "EX", "internetPrice": "9,495"}}];</script>"#
    );
    let reading = read(&html, &address(), VIN, &feed()).unwrap();
    let record = &reading.record;
    let trim = Found { value: "EX".to_owned(), from: Provenance::DataLayer };
    assert_eq!(record.trim, Some(trim));
    let make = Found { value: "HONDA".to_owned(), from: Provenance::DataLayer };
    assert_eq!(record.make, Some(make));
    assert_eq!(record.year, Some(Found { value: 2003, from: Provenance::Feed }));
    // The page is newer than the feed, so its price wins. The difference is reported.
    let price = Found { value: 949_500, from: Provenance::DataLayer };
    assert_eq!(record.price_cents, Some(price));
    let conflicts: Vec<_> = reading.quality.conflicting.iter().map(|found| found.field).collect();
    assert_eq!(conflicts, ["price_cents"]);
}

#[test]
fn without_a_page_every_value_comes_from_the_feed() {
    let reading = without_page(&address(), VIN, &feed());
    assert_eq!(reading.vin, Found { value: VIN.to_owned(), from: Provenance::Feed });
    let found = ["year", "make", "condition", "mileage", "price_cents"];
    assert_eq!(reading.quality.found, found);
    assert_eq!(reading.quality.missing.len(), FIELDS.len() - found.len());
}

fn colour(text: &str) -> Details {
    Details { exterior_color: Some(text.into()), ..Details::default() }
}

#[test]
fn the_first_source_that_names_a_field_supplies_it() {
    let mut quality = Quality::default();
    let sources = vec![
        (Provenance::DataLayer, Details { year: Some(2003), ..Details::default() }),
        (Provenance::JsonLd, Details { year: Some(2004), ..colour("Blue") }),
        (Provenance::Feed, colour("blue")),
    ];
    let record = Record::of(sources, &Shown::default(), &mut quality);
    let expected = json!({
        "year": {"value": 2003, "from": "data_layer"},
        "exterior_color": {"value": "Blue", "from": "json_ld"},
    });
    assert_eq!(serde_json::to_value(record).unwrap(), expected);
    assert_eq!(quality.found, ["year", "exterior_color"]);
    assert_eq!(quality.missing.len(), FIELDS.len() - 2);
    let conflicts: Vec<_> = quality.conflicting.iter().map(|conflict| conflict.field).collect();
    assert_eq!(conflicts, ["year"]);
}

#[test]
fn without_sources_every_field_is_missing() {
    let mut quality = Quality::default();
    assert_eq!(Record::of(Vec::new(), &Shown::default(), &mut quality), Record::default());
    assert_eq!(quality.missing, FIELDS);
    assert!(quality.found.is_empty() && quality.conflicting.is_empty());
}

#[test]
fn errors_explain_what_is_wrong() {
    let html = format!("<li data-vin={OTHER}>");
    let error = read_alone(&html).unwrap_err();
    let expected = format!("the page is not about {VIN} but about {OTHER}");
    assert_eq!(error.to_string(), expected);
    assert_eq!(read_alone("").unwrap_err().to_string(), "the page names no VIN");
    let error = read_alone("<title>Just a moment...</title>").unwrap_err();
    assert_eq!(error.to_string(), "a bot wall's challenge (cloudflare)");
}

#[test]
fn a_vin_in_the_text_must_be_a_whole_word() {
    for (text, expected) in [
        (VIN.to_owned(), true),
        (format!("VIN: {}.", VIN.to_lowercase()), true),
        (format!("/used/honda-{VIN}.htm"), true),
        (format!("x{VIN}"), false),
        (format!("{VIN}0"), false),
        (format!("é{VIN}é"), true),
        (VIN[1..].to_owned(), false),
        (String::new(), false),
    ] {
        assert_eq!(has_word(&text, VIN), expected, "{text}");
    }
    assert!(!has_word("anything", ""));
}

/// Repeats `part` up to a length of `bytes`.
fn repeated(part: &str, bytes: usize) -> String {
    part.repeat(bytes / part.len())
}

/// A page about the job's car, followed by `rest`.
fn car_and(rest: &str) -> String {
    let car = format!(r#"[{{"vin": "{VIN}", "modelYear": "2003"}}]"#);
    format!("<script>DDC.dataLayer['vehicles'] = {car};</script>{rest}")
}

/// What hostile pages repeat.
const PARTS: [&str; 35] = [
    "<",
    "<a ",
    "<!--",
    "<!---->",
    "<a b='\">",
    "<a b=\">\" ",
    "<b class=price>$1</b>",
    "<b class='price was-price'>$1",
    "<h2>similar",
    "<script>vin x={</script>",
    "<script>vin x=((((",
    "<script>vin a||a||",
    "<script type=application/json>{\"vin\":",
    "<script type=application/ld+json>{\"@id\":\"a\"}</script>",
    "<p id=p itemprop='a b c d'>x</p><div itemscope itemref='p p p'>",
    "<div itemscope itemprop='a b c d'>",
    "<title>",
    "<script>",
    "<script>dataLayer['vehicles']=[",
    "<script>dataLayer['vehicles']=[{\"vin\":\"</script>",
    "<script type=application/ld+json>[</script>",
    "<script type=application/ld+json>[{},{},{}]</script>",
    "<script type=application/ld+json>{\"@type\":\"Car\"}</script>",
    "<meta property=og:image content=/1.jpg>",
    "<p data-vin=1M8GDM9AXKP042788>",
    "<div itemscope itemtype=Car itemprop=item>",
    "<b itemprop=name>&amp;",
    "1HGCM82633A00435",
    "\u{1f697}",
    "<a b=\">\" c=''",
    "<script><!--<script></script>",
    "</",
    "<iframe>",
    "<p class='similar price'>$1,000 off</p>",
    "<!doctype ",
];

#[test]
fn a_huge_page_is_read_in_linear_time() {
    // Long enough that a quadratic scan, which reads the rest of the page again for every part,
    // would take hours.
    const HUGE: usize = 1024 * 1024;
    for part in PARTS {
        let reading = read_alone(&car_and(&repeated(part, HUGE))).unwrap();
        assert_eq!(reading.record.year.map(|year| year.value), Some(2003), "{part}");
        assert!(reading.quality.warnings.len() <= MAX_WARNINGS, "{part}");
    }
    let almost = repeated("1HGCM82633A00435", MAX_PAGE_BYTES);
    assert_eq!(read_alone(&almost), Err(PageError::NoVin));
}

/// The steps that reading a page of this text takes.
fn steps(html: &str) -> usize {
    let budget = Budget::unlimited();
    let _ = read_within(&budget, html, &address(), VIN, &Details::default());
    budget.steps_taken()
}

/// Steps depend on the text alone, so they stand for times: whatever a page repeats, twice as much of it takes little
/// more than twice as many.
fn assert_linear(what: &str, page: impl Fn(usize) -> String) {
    const BYTES: usize = 16 * 1024;
    let (once, twice) = (steps(&car_and(&page(BYTES))), steps(&car_and(&page(BYTES * 2))));
    assert!(twice * 10 <= once * 23, "{what}: {once} and {twice} steps");
}

#[test]
fn work_at_most_doubles_when_a_page_doubles() {
    for part in PARTS {
        assert_linear(part, |bytes| repeated(part, bytes));
    }
    // The labels of an offer are read for each car that is its item.
    assert_linear("an offer of many cars", |bytes| {
        let specifications = vec![json!({"price": 1, "name": "x".repeat(bytes / 40)}); 20];
        let cars = vec![json!({"@type": "Car", "vin": VIN}); bytes / 100];
        let offer = json!({"priceSpecification": specifications, "itemOffered": cars});
        format!("<script type=application/ld+json>{offer}</script>")
    });
    // Each item has a copy of what it refers to.
    assert_linear("a long part of many items", |bytes| {
        let part = repeated("<meta itemprop=name content=x>", bytes / 2);
        let items = repeated("<i itemscope itemref=p></i>", bytes / 2);
        format!("<div id=p>{part}</div>{items}")
    });
}

#[test]
fn a_page_that_is_too_complex_gives_what_was_found() {
    let reading = read_alone(&car_and(&repeated("<b>", 1024 * 1024))).unwrap();
    assert!(reading.quality.too_complex);
    assert_eq!(reading.record.year.map(|year| year.value), Some(2003));
    let budget = Budget::new(1_000, 1_000_000);
    let page = car_and(&"<p>text</p>".repeat(1_000));
    let failed = read_within(&budget, &page, &address(), VIN, &Details::default());
    assert_eq!(failed, Err(PageError::NoVin), "it ends before anything is found");
    assert!(budget.is_spent());
}

#[test]
fn an_oversized_page_is_cut_and_gives_a_warning() {
    let reading = read_alone(&car_and(&"é".repeat(MAX_PAGE_BYTES))).unwrap();
    let codes: Vec<_> = reading.quality.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, [Code::Skipped]);
}

#[test]
fn blocks_at_their_limit_are_read_and_larger_ones_are_reported() {
    let car = format!(r#"{{"@type":"Car","vin":"{VIN}","name":"Accord"}}"#);
    // Arrays of tiny objects take the most memory for their length.
    let filled = |bytes: usize| {
        let filler = r#"{"":0},"#;
        let fillers = filler.repeat((bytes - car.len() - 2) / filler.len());
        format!("<script type=application/ld+json>[{fillers}{car}]</script>")
    };
    let codes = |rest: &str| -> Vec<Code> {
        let reading = read_alone(&car_and(rest)).unwrap();
        reading.quality.warnings.iter().map(|warning| warning.code).collect()
    };
    // The block is read, but the car stands behind more elements than the limit allows.
    assert_eq!(codes(&filled(MAX_VALUE_BYTES)), [Code::Skipped]);
    assert_eq!(codes(&filled(MAX_VALUE_BYTES * 2)), [Code::BadBlock]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!("<script type=application/ld+json>{deep}</script>");
    assert_eq!(codes(&deep), [Code::BadBlock]);
}

#[test]
fn the_largest_reading_is_bounded() {
    let text = "W".repeat(5_000);
    let images: Vec<String> =
        (0..100).map(|number| format!("/{number}{}", "w".repeat(900))).collect();
    let car = json!([{
        "vin": VIN, "make": text, "model": text, "trim": text, "stockNumber": text, "engine": text,
        "bodyStyle": text, "transmission": text, "driveLine": text, "fuelType": text,
        "exteriorColor": text, "interiorColor": text, "accountName": text, "images": images,
        "optionCodes": vec!["w".repeat(40); 500], "internetPrice": text, "newOrUsed": text,
        "address": {"city": text, "state": text, "postalCode": text},
    }]);
    let others: Vec<String> = (0..500).map(|number| format!("<p data-vin={number:017}>")).collect();
    let others = others.concat();
    let html = format!("<script>DDC.dataLayer['vehicles'] = {car};</script>{others}");
    let reading = read_alone(&html).unwrap();
    let length = serde_json::to_string(&reading).unwrap().len();
    assert!((20_000..MAX_READING_BYTES).contains(&length), "{length}");
}

/// A fixture page with one part cut out or replaced by junk.
fn damaged() -> impl Strategy<Value = String> {
    let pages: Vec<String> = files("html").into_iter().map(|(_, html)| html).collect();
    let junk = prop::sample::select(vec![
        "", "<", ">", "\"", "'", "{", "}", "[", "]", ",", "\\", "&", "<!--", "\u{0}", "é", "-",
    ]);
    (prop::sample::select(pages), any::<Index>(), any::<Index>(), junk, any::<bool>()).prop_map(
        |(page, at, length, junk, is_cut)| {
            if page.is_empty() {
                return junk.to_owned();
            }
            let start = page.floor_char_boundary(at.index(page.len()));
            let end = page.floor_char_boundary(start + length.index(8));
            let tail = if is_cut { "" } else { &page[end..] };
            format!("{}{junk}{tail}", &page[..start])
        },
    )
}

/// Parts of pages that end, begin or confuse each other.
const FRAGMENTS: [&str; 28] = [
    "<",
    ">",
    "\"",
    "'",
    "=",
    " ",
    "/",
    "x",
    "$1,000",
    "{",
    "[",
    "]}",
    "\"vin\":",
    ",",
    "(",
    "a||",
    "&amp;",
    "<!--",
    "-->",
    "<a b=\"",
    "<div itemscope itemprop='a b' itemref=p>",
    "<p id=p itemprop=name>",
    "</p>",
    "<b class=price>",
    "<script>vin v.vehicles=",
    "<script type=application/ld+json>{\"@type\":\"Car\",\"@id\":\"a\"",
    "</script>",
    "<meta property=og:title content='",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn work_at_most_doubles_whatever_a_page_repeats(
        fragments in prop::collection::vec(prop::sample::select(FRAGMENTS.to_vec()), 1..8),
    ) {
        let part = fragments.concat();
        assert_linear(&part, |bytes| repeated(&part, bytes));
    }
}

proptest! {
    #[test]
    fn random_text_is_refused(html in ".{0,400}") {
        prop_assert!(read_alone(&html).is_err());
    }

    #[test]
    fn damaged_pages_give_a_valid_reading_or_an_error(html in damaged()) {
        let first = read_alone(&html);
        if let Ok(reading) = &first {
            prop_assert_eq!(&reading.vin.value, VIN);
            let quality = &reading.quality;
            prop_assert!(quality.found.len() + quality.missing.len() <= FIELDS.len());
            prop_assert!(quality.warnings.len() <= MAX_WARNINGS);
            prop_assert!(serde_json::to_string(reading).unwrap().len() <= MAX_READING_BYTES);
        }
        prop_assert_eq!(first, read_alone(&html));
    }
}
