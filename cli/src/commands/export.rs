//! `evenkeel cars export`: a dealer's cars with their links and what their pages say, as CSV or JSON lines.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::cars::{CAR, LINK, PAGE, table_of_cars, text};
use crate::{
    args::ExportCars,
    deployment::Deployment,
    exit::{Exit, Failure},
    output::Answer,
    ports::{Attributes, Ports},
    shapes::{CarExported, CarsExported},
    text::{clean, redact},
};

/// Items that one query asks for. DynamoDB answers with at most a megabyte.
const ITEMS_A_QUERY: usize = 1_000;

/// Most queries of one kind of items: pages of 32 KB fill a query with some thirty.
const MOST_QUERIES: usize = 1_000;

/// The columns of the CSV, named as the fields in JSON.
const COLUMNS: [&str; 19] = [
    "vin",
    "listed",
    "list",
    "title",
    "year",
    "make",
    "model",
    "trim",
    "stock_number",
    "price_cents",
    "price_from",
    "currency",
    "availability",
    "mileage",
    "mileage_unit",
    "address",
    "short_url",
    "seen_at",
    "page_at",
];

/// The prices of a feed that a buyer may be asked for.
const ASKED: [&str; 4] = ["final_price", "internet", "sale", "asking"];

/// Exports a dealer's cars by VIN.
pub(super) async fn run<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &ExportCars,
) -> Result<Answer, Failure> {
    let exported = read(ports, stack, given).await?;
    let CarsExported { cars, cursor, read_units, .. } = &exported;
    let count = format!("{} cars, {read_units} read units", cars.len());
    let remark = match cursor {
        Some(cursor) => format!("{count}; there are more: --cursor {cursor}"),
        None => count,
    };
    Ok(Answer::list(&exported, "cars", csv(&exported)?)?.remark(remark))
}

/// Items of one kind of a dealer, by VIN.
struct Items<'a, P> {
    ports: &'a P,
    table: &'a str,
    keys: &'a [String; 2],
    dealer: &'a str,
    read_units: f64,
}

impl<P: Ports> Items<'_, P> {
    /// At most `most` items whose keys begin with `prefix`: those behind the VIN `after`, and not behind `last` if that
    /// is given. Returns also whether there are more.
    async fn read(
        &mut self,
        prefix: &str,
        after: Option<&str>,
        last: Option<&str>,
        most: usize,
    ) -> Result<(BTreeMap<String, Attributes>, bool), Failure> {
        let mut found = BTreeMap::new();
        let mut start = after.map(|vin| format!("{prefix}{vin}"));
        for _ in 0..MOST_QUERIES {
            let want = ITEMS_A_QUERY.min(most.saturating_sub(found.len()));
            let (table, keys, dealer) = (self.table, self.keys, self.dealer);
            let read = self.ports.items(table, keys, dealer, prefix, start.as_deref(), want);
            let read = read.await?;
            self.read_units += read.units;
            for item in read.value.items {
                let Some(sort) = text(&item, &self.keys[1]) else { continue };
                let vin = sort.strip_prefix(prefix).unwrap_or_default().to_owned();
                if last.is_some_and(|last| vin.as_str() > last) {
                    return Ok((found, true));
                }
                start = Some(sort);
                found.insert(vin, item);
            }
            if !read.value.more || found.len() >= most {
                return Ok((found, read.value.more));
            }
        }
        let message = format!("more than {MOST_QUERIES} queries for {prefix}: lower --limit");
        Err(Failure::new(Exit::Failed, "too_many_queries", message))
    }
}

async fn read<P: Ports>(
    ports: &P,
    stack: &Deployment,
    given: &ExportCars,
) -> Result<CarsExported, Failure> {
    let (table, keys) = table_of_cars(stack)?;
    let mut items = Items { ports, table, keys, dealer: &given.dealer, read_units: 0.0 };
    let after = given.cursor.as_deref();
    let (cars, more) = items.read(CAR, after, None, usize::from(given.limit)).await?;
    let Some((last, _)) = cars.last_key_value() else {
        let read_units = items.read_units;
        return Ok(CarsExported {
            dealer: given.dealer.clone(),
            read_units,
            ..CarsExported::default()
        });
    };
    let last = last.clone();
    let (mut links, _) = items.read(LINK, after, Some(&last), usize::MAX).await?;
    let (mut pages, _) = items.read(PAGE, after, Some(&last), usize::MAX).await?;
    let row = |(vin, car): (String, Attributes)| {
        let (link, page) = (links.remove(&vin), pages.remove(&vin));
        exported(vin, &car, link.as_ref(), page.as_ref())
    };
    Ok(CarsExported {
        dealer: given.dealer.clone(),
        cars: cars.into_iter().map(row).collect(),
        more,
        cursor: more.then_some(last),
        read_units: items.read_units,
    })
}

/// The JSON in an attribute; `null` if there is none.
fn json(item: Option<&Attributes>, name: &str) -> Value {
    let text = item.and_then(|item| text(item, name)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// A car, from what the feed, the link and the page have left of it.
fn exported(
    vin: String,
    car: &Attributes,
    link: Option<&Attributes>,
    page: Option<&Attributes>,
) -> CarExported {
    let (feed, read) = (json(Some(car), "data"), json(page, "page"));
    let record = &read["record"];
    let of_page = |field: &str| &record[field]["value"];
    let words = |value: &Value| value.as_str().map(redact);
    // A page that was read has taken over what only the feed knows.
    let has_page = record.is_object();
    let either = |field: &str| words(if has_page { of_page(field) } else { &feed[field] });
    // Whoever says that it is sold knows it best.
    let is_sold = feed["availability"].as_str() == Some("sold");
    let (price, price_from) = if is_sold { (None, None) } else { price(record, &feed) };
    let availability = if is_sold { Some("sold".to_owned()) } else { either("availability") };
    let odometer = if has_page { &record["mileage"]["value"]["value"] } else { &feed["odometer"] };
    let unit = if has_page { &record["mileage"]["value"]["unit"] } else { &feed["odometer_unit"] };
    let year = if has_page { of_page("year") } else { &feed["year"] };
    let number = |item: Option<&Attributes>, name: &str| item?.get(name)?.as_u64();
    CarExported {
        vin,
        listed: car.contains_key("hash"),
        list: text(car, "list"),
        title: either("title"),
        year: year.as_u64(),
        make: either("make"),
        model: either("model"),
        trim: either("trim"),
        stock_number: either("stock_number"),
        price_cents: price,
        price_from,
        currency: words(of_page("currency")),
        availability,
        mileage: odometer.as_u64(),
        mileage_unit: words(unit).filter(|unit| unit != "unstated" && odometer.is_u64()),
        address: words(&feed["link"]).or_else(|| words(&read["address"])),
        short_url: link.and_then(|link| text(link, "short_url")),
        seen_at: number(Some(car), "seen_at"),
        page_at: number(page, "asked_at"),
    }
}

/// The price and its source. Of a car without a page, what the feed asks, if that is one amount.
fn price(record: &Value, feed: &Value) -> (Option<u64>, Option<String>) {
    if record.is_object() {
        let price = &record["price_cents"];
        let from = price["from"].as_str().map(str::to_owned);
        return (price["value"].as_u64(), from);
    }
    let asked = ASKED.iter().filter_map(|name| feed["prices"][*name].as_u64());
    let asked: BTreeSet<u64> = asked.filter(|cents| *cents > 0).collect();
    match asked.first() {
        Some(price) if asked.len() == 1 => (Some(*price), Some("feed".to_owned())),
        _ => (None, None),
    }
}

/// The cars as CSV with a head.
fn csv(exported: &CarsExported) -> Result<String, Failure> {
    let failed = |why: String| Failure::new(Exit::Failed, "not_csv", why);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(|error| failed(error.to_string()))?;
    for car in &exported.cars {
        let fields = serde_json::to_value(car).map_err(|error| failed(error.to_string()))?;
        let cells = COLUMNS.map(|column| cell(&fields[column]));
        writer.write_record(cells).map_err(|error| failed(error.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| failed(error.to_string()))
}

/// A value as a cell. A text that a spreadsheet would take for a formula gets an apostrophe before it.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let text = clean(text);
            if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{memory::MemoryPorts, memory::UNITS, stack, stack::Target};

    fn attributes(value: Value) -> Attributes {
        serde_json::from_value(value).unwrap()
    }

    fn car(vin: &str, data: &Value) -> Attributes {
        attributes(
            json!({ "dealer": "acme", "vin": format!("car#{vin}"), "hash": "h", "list": "used",
            "data": data.to_string(), "seen_at": 5 }),
        )
    }

    fn page(vin: &str, record: &Value) -> Attributes {
        let page = json!({ "address": "https://www.acme.example/1", "record": record });
        attributes(
            json!({ "dealer": "acme", "vin": format!("page#{vin}"), "page": page.to_string(),
            "asked_at": 7 }),
        )
    }

    fn link(vin: &str) -> Attributes {
        let short = format!("go.example/{vin}");
        attributes(json!({ "dealer": "acme", "vin": format!("link#{vin}"), "short_url": short }))
    }

    async fn export(ports: &MemoryPorts, limit: u16, cursor: Option<&str>) -> CarsExported {
        let stack = stack::find(ports, &Target::default()).await.unwrap();
        let cursor = cursor.map(str::to_owned);
        read(ports, &stack, &ExportCars { dealer: "acme".into(), limit, cursor }).await.unwrap()
    }

    #[tokio::test]
    async fn an_export_goes_on_behind_its_cursor_and_states_its_cost() {
        let mut ports = MemoryPorts::stack("s", "[]");
        for vin in ["A", "B", "C", "D", "E"] {
            ports = ports.with_other(car(vin, &json!({}))).with_other(link(vin));
        }
        // A link of a car that the feed does not know.
        ports = ports.with_other(link("BB"));
        let vins = |exported: &CarsExported| {
            exported.cars.iter().map(|car| car.vin.clone()).collect::<Vec<_>>()
        };
        let first = export(&ports, 3, None).await;
        assert_eq!((vins(&first), first.more), (vec!["A".into(), "B".into(), "C".into()], true));
        assert!((first.read_units - 3.0 * UNITS).abs() < f64::EPSILON, "{}", first.read_units);
        let second = export(&ports, 3, first.cursor.as_deref()).await;
        assert_eq!((vins(&second), second.cursor), (vec!["D".into(), "E".into()], None));
        assert!(second.cars.iter().all(|car| car.short_url.is_some()), "{:?}", second.cars);
        assert!(export(&MemoryPorts::stack("s", "[]"), 3, None).await.cars.is_empty());
    }

    #[test]
    fn what_the_page_says_goes_before_the_feed() {
        let feed = json!({ "title": "2019 Honda", "prices": { "internet": 1_000_000 }, "odometer": 5,
            "odometer_unit": "miles", "link": "https://www.acme.example/1", "year": 2019 });
        let record = json!({
            "title": { "value": "Honda Civic", "from": "json_ld" },
            "price_cents": { "value": 999_900, "from": "page" },
            "availability": { "value": "in_stock", "from": "json_ld" },
            "mileage": { "value": { "value": 31_000, "unit": "kilometres" }, "from": "data_layer" },
        });
        let of = |page: Option<&Attributes>| exported("A".into(), &car("A", &feed), None, page);
        let both = of(Some(&page("A", &record)));
        assert_eq!(both.title.as_deref(), Some("Honda Civic"));
        assert_eq!((both.price_cents, both.price_from.as_deref()), (Some(999_900), Some("page")));
        assert_eq!(both.availability.as_deref(), Some("in_stock"));
        assert_eq!(
            (both.mileage, both.mileage_unit.as_deref()),
            (Some(31_000), Some("kilometres"))
        );
        assert_eq!((both.page_at, both.year), (Some(7), None), "the page's reading has no year");
        let alone = of(None);
        assert_eq!(
            (alone.price_cents, alone.price_from.as_deref()),
            (Some(1_000_000), Some("feed"))
        );
        assert_eq!((alone.mileage, alone.mileage_unit.as_deref()), (Some(5), Some("miles")));
        let sold = json!({ "availability": { "value": "sold", "from": "json_ld" } });
        let sold = of(Some(&page("A", &sold)));
        assert_eq!((sold.price_cents, sold.mileage), (None, None));
    }

    #[test]
    fn a_car_that_the_feed_calls_sold_has_no_price() {
        let feed = json!({ "availability": "sold", "prices": { "internet": 1_000_000 } });
        let record = json!({
            "price_cents": { "value": 999_900, "from": "page" },
            "availability": { "value": "in_stock", "from": "json_ld" },
        });
        for page in [None, Some(page("A", &record))] {
            let row = exported("A".into(), &car("A", &feed), None, page.as_ref());
            assert_eq!((row.price_cents, row.price_from), (None, None), "{page:?}");
            assert_eq!(row.availability.as_deref(), Some("sold"), "{page:?}");
        }
    }

    #[test]
    fn a_price_that_is_not_clear_and_a_unit_that_is_not_stated_are_left_out() {
        let feed = json!({ "prices": { "internet": 1, "sale": 2 }, "odometer": 9 });
        let row = exported("A".into(), &car("A", &feed), None, None);
        assert_eq!((row.price_cents, row.mileage, row.mileage_unit), (None, Some(9), None));
        let record =
            json!({ "mileage": { "value": { "value": 9, "unit": "unstated" }, "from": "page" } });
        let row = exported("A".into(), &car("A", &feed), None, Some(&page("A", &record)));
        assert_eq!((row.mileage, row.mileage_unit), (Some(9), None));
    }

    #[test]
    fn no_cell_is_a_formula_and_every_field_has_a_column() {
        let car = CarExported {
            vin: "A".into(),
            title: Some("=HYPERLINK(\"x\"),\n\u{1b}[31m".into()),
            price_cents: Some(7),
            ..CarExported::default()
        };
        let exported = CarsExported { cars: vec![car], ..CarsExported::default() };
        let text = csv(&exported).unwrap();
        let row = text.lines().nth(1).unwrap();
        assert!(row.starts_with("A,false,,\"'=HYPERLINK(\"\"x\"\"), \u{fffd}[31m\","), "{row}");
        let schema = schemars::schema_for!(CarExported).to_value();
        let fields: BTreeSet<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, COLUMNS.into_iter().collect());
    }
}
