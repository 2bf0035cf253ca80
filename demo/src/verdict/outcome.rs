//! Compares the record of a job with what is true. Pure.

use sandbox::dealers::Twist;
use sandbox::rebrandly::{Link, LinkStatus};
use serde::de::DeserializeOwned;

use crate::incident::job::{Job, Work};
use crate::incident::site::Page;
use crate::scene::record::{Inventory, Record, Scraped, Shortened};

/// The right result of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Aim<'a> {
    /// A link that leads to this address.
    Link(&'a str),
    /// The data of the car on this page.
    Car(&'a Page),
    /// This number of cars.
    Cars(usize),
}

/// The result that a job wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Link(Shortened),
    Car(Scraped),
    Cars(Inventory),
}

impl<'a> Aim<'a> {
    pub(crate) fn of(job: &'a Job) -> Self {
        match &job.work {
            Work::Shorten(shortening) => Self::Link(&shortening.car.destination),
            Work::Scrape(page) => Self::Car(page),
            Work::Read(feed) => Self::Cars(feed.pages.len()),
        }
    }
}

/// Returns the result in the record if it is right, otherwise why the job counts as failed.
pub(crate) fn judge(
    aim: Aim<'_>,
    record: Option<&Record>,
    links: &[Link],
) -> Result<Output, String> {
    let record = record.ok_or("it has no record")?;
    if record.state != "succeeded" {
        let why = record.why.as_deref().unwrap_or("no reason is given");
        return Err(format!("its record is {}: {why}", record.state));
    }
    match aim {
        Aim::Link(destination) => shortened(result(record)?, destination, links).map(Output::Link),
        Aim::Car(page) => scraped(result(record)?, page).map(Output::Car),
        Aim::Cars(cars) => inventory(result(record)?, cars).map(Output::Cars),
    }
}

fn result<T: DeserializeOwned>(record: &Record) -> Result<T, String> {
    let result = record.result.as_deref().unwrap_or_default();
    serde_json::from_str(result)
        .map_err(|error| format!("its record has a result {result:?}: {error}"))
}

fn shortened(result: Shortened, destination: &str, links: &[Link]) -> Result<Shortened, String> {
    let Some(link) = links.iter().find(|link| link.id == result.link_id) else {
        return Err(format!("its link {} does not exist", result.short_url));
    };
    if place(&link.destination) != place(destination) || link.status != LinkStatus::Active {
        return Err(format!("its link {} leads to {}", result.short_url, link.destination));
    }
    if link.slashtag != result.slashtag || link.short_url() != result.short_url {
        return Err(format!("its link is {}, not {}", link.short_url(), result.short_url));
    }
    Ok(result)
}

/// A value must be right. A field without a value must be listed as missing or conflicting. The
/// year is on every page and in every feed, so it must be found.
fn scraped(result: Scraped, page: &Page) -> Result<Scraped, String> {
    if result.vin() != Some(page.vin.as_str()) {
        let read = result.vin().unwrap_or("no car");
        return Err(format!("it is about {read}, not {}", page.vin));
    }
    let (year, cents) = (u64::from(page.year), u64::from(page.price) * 100);
    for (field, truth) in [("year", year), ("price_cents", cents)] {
        match result.number(field) {
            Some(value) if value != truth => {
                return Err(format!("it says that {field} is {value}, not {truth}"));
            }
            None if !result.quality.doubts(field) => {
                return Err(format!("it has no {field} and does not say so"));
            }
            Some(_) | None => {}
        }
    }
    if result.number("year").is_none() {
        return Err("it has overlooked the year".to_owned());
    }
    // Otherwise the demo has not tested a page without data.
    if page.twist == Some(Twist::Bare) && result.without_page.is_none() {
        return Err("its page was to be bare, and was read".to_owned());
    }
    Ok(result)
}

fn inventory(result: Inventory, cars: usize) -> Result<Inventory, String> {
    let Inventory { vehicles, bad, stale, .. } = result;
    if stale {
        return Err("it has an old snapshot".to_owned());
    }
    if vehicles != cars || bad > 0 {
        return Err(format!("it has {vehicles} cars and {bad} that are none, not {cars}"));
    }
    Ok(result)
}

/// Equal for addresses that lead to the same page. Written independently of the engine's own rule,
/// because the demo tests that rule.
pub(crate) fn place(destination: &str) -> String {
    let rest = destination.split_once("://").map_or(destination, |(_, rest)| rest);
    rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use sandbox::dealers::Twist;
    use serde_json::{Value, json};

    use super::{Aim, Output, judge};
    use crate::incident::site::{Page, Site};
    use crate::scene::record::Record;

    fn page() -> Page {
        Site::made_up("lakeside-toyota", 1).pages.remove(0)
    }

    fn judged(aim: Aim<'_>, result: &Value) -> Result<Output, String> {
        let record = Record {
            state: "succeeded".into(),
            result: Some(result.to_string()),
            ..Record::default()
        };
        judge(aim, Some(&record), &[])
    }

    /// The result of reading a page without defects.
    fn read(page: &Page) -> Value {
        json!({
            "vin": page.vin,
            "fields": {
                "year": { "value": page.year, "from": "json_ld" },
                "price_cents": { "value": page.price * 100, "from": "json_ld" },
            },
            "quality": { "found": ["year", "price_cents"], "missing": ["trim"] },
        })
    }

    type Spoil = fn(&mut Value);

    #[test]
    fn a_page_must_be_told_truly() {
        let page = page();
        let found = |change: fn(&mut Value)| {
            let mut result = read(&page);
            change(&mut result);
            judged(Aim::Car(&page), &result).map(drop)
        };
        assert_eq!(found(|_| {}), Ok(()));
        let doubted = |result: &mut Value| {
            result["fields"]["price_cents"].take();
            result["quality"]["missing"] = json!(["price_cents"]);
        };
        assert_eq!(found(doubted), Ok(()));
        let wrong: [(Spoil, &str); 4] = [
            (|result| result["vin"] = "1M8GDM9AXKP042788".into(), "it is about 1M8GDM9AXKP042788"),
            (|result| result["fields"]["year"]["value"] = 1999.into(), "it says that year is 1999"),
            (|result| drop(result["fields"]["price_cents"].take()), "it has no price_cents"),
            (
                |result| {
                    result["fields"]["year"].take();
                    result["quality"]["missing"] = json!(["year"]);
                },
                "it has overlooked the year",
            ),
        ];
        for (change, why) in wrong {
            let said = found(change).expect_err(why);
            assert!(said.starts_with(why), "{said}");
        }
    }

    #[test]
    fn a_bare_page_must_have_been_bare() {
        let page = Page { twist: Some(Twist::Bare), ..page() };
        let mut result = read(&page);
        assert!(judged(Aim::Car(&page), &result).is_err());
        result["without_page"] = "the page names no VIN".into();
        assert!(judged(Aim::Car(&page), &result).is_ok());
    }

    #[test]
    fn a_feed_must_have_every_car() {
        let result = |vehicles: usize, bad: usize, stale: bool| {
            json!({
                "vehicles": vehicles, "new": vehicles, "changed": 0, "unchanged": 0, "gone": 0,
                "bad": bad, "pages": 2, "stale": stale, "scraping_jobs": 6, "shortening_jobs": 6,
            })
        };
        assert!(judged(Aim::Cars(6), &result(6, 0, false)).is_ok());
        for wrong in [result(5, 0, false), result(6, 1, false), result(6, 0, true), json!({})] {
            assert!(judged(Aim::Cars(6), &wrong).is_err(), "{wrong}");
        }
    }
}
