//! Hostile and damaged pages: the work stays linear, a reading stays small, and nothing panics.

use proptest::{prelude::*, sample::Index};
use serde_json::json;

use super::*;
use crate::page::{quality::MAX_WARNINGS, script::MAX_VALUE_BYTES};

/// Longest reading as JSON, in bytes, when every list and every text is at its limit.
const MAX_READING_BYTES: usize = 128 * 1024;

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
const PARTS: [&str; 49] = [
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
    "<b>1</b>",
    "<b>$1</b>,<i>000</i>",
    "1<sup>0</sup>",
    "<p>45,000</p> <i>km</i>",
    "<s>$1,000</s>",
    "<h1>2021 Kia</h1>",
    "<p>2021 Kia Sorento</p>",
    "<dt>Price</dt><dd>$1,000</dd>",
    "<dt>VIN</dt>",
    "<p hidden>sold</p>",
    "<p>you may like:</p>",
    "<script>vin p.push([1,\"1:{}\\n2:{\\\"vin\\\":1}\"])</script>",
    "<script>vin x=a?[]:{}:?b</script>",
    "<script>x=JSON.parse(decodeURIComponent('%7B%22vin%22'</script>",
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
const FRAGMENTS: [&str; 36] = [
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
    "<sup>",
    "<s>",
    "/mo",
    "km",
    "2021 Kia",
    "<h1>",
    "price:",
    " hidden>",
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
