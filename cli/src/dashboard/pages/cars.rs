//! A dealer's cars, and one car as feed, link and page have left it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Page;
use crate::{
    commands::shown::indented,
    dashboard::{
        cells,
        params::{PAGE, Params},
        question::{Found, Reply},
        view::{Cell, Field, Form, Section, Table, Tone},
    },
    shapes::CarSummary,
};

/// The list, and whose it is.
pub(in crate::dashboard) fn list(reply: &Reply, params: &Params) -> Page {
    let dealer = params.text("dealer");
    let field = Field {
        name: "dealer".to_owned(),
        label: "Dealer's slug".to_owned(),
        value: dealer.to_owned(),
        ..Field::default()
    };
    let form = Form { action: "/cars".to_owned(), fields: vec![field], submit: "Show".to_owned() };
    let mut section = Section { form: Some(form), ..Section::new("cars", "A dealer's cars") };
    if let Found::Cars(list) = &reply.found {
        let head = ["VIN", "List", "State", "Seen", "Gone since", "Jobs"];
        section.table = Some(Table {
            head: head.map(str::to_owned).to_vec(),
            rows: list.cars.iter().map(|car| row(car, dealer, reply)).collect(),
            empty: "This dealer has no cars here.".to_owned(),
        });
        section.note = format!(
            "{} shown by VIN, read {} for {} read units.",
            cells::count(list.cars.len() as u64, list.more).text,
            cells::age(reply.read_at.as_millis(), reply.now).text,
            list.read_units
        );
        section.next = list.cursor.as_ref().map(|cursor| {
            let path = cells::path("/cars", &[("dealer", dealer), ("cursor", cursor)]);
            Cell::text(format!("The next {PAGE}")).href(path)
        });
    }
    Page { title: "Cars".to_owned(), sections: vec![section], ..Page::default() }
}

fn row(car: &CarSummary, dealer: &str, reply: &Reply) -> Vec<Cell> {
    let path = cells::path("/car", &[("dealer", dealer), ("vin", &car.vin)]);
    let (state, tone) = if car.listed { ("listed", Tone::Good) } else { ("gone", Tone::Plain) };
    let age = |ms: Option<u64>| ms.map(|ms| cells::age(ms, reply.now)).unwrap_or_default();
    let pending = if car.pending { "to be created" } else { "" };
    vec![
        Cell::text(&car.vin).href(path),
        Cell::text(car.list.clone().unwrap_or_default()),
        Cell::text(state).tone(tone),
        age(car.seen_at),
        age(car.unlisted_at),
        Cell::text(pending),
    ]
}

/// All that is stored of one car.
pub(in crate::dashboard) fn page(reply: &Reply) -> Page {
    let Found::Car(car) = &reply.found else { return Page::default() };
    let mut facts = Section::new("car", "Car");
    let back = cells::path("/cars", &[("dealer", &car.dealer)]);
    facts.fact("dealer", Cell::text(&car.dealer).href(back));
    facts.fact("VIN", Cell::text(&car.vin));
    for id in &car.jobs {
        facts.fact("job", cells::job(id));
    }
    let mut sections = vec![facts];
    let parts = [
        ("feed", "As the feed lists it", &car.car),
        ("link", "Its short link", &car.link),
        ("page", "As its page has shown it", &car.page),
    ];
    for (id, title, part) in parts {
        let section = Section::new(id, title);
        sections.push(match part {
            Some(attributes) => stored(section, attributes, reply),
            None => section.note("Nothing is stored."),
        });
    }
    Page { title: format!("Car {}", Cell::text(&car.vin).text), sections, ..Page::default() }
}

fn stored(section: Section, attributes: &BTreeMap<String, Value>, reply: &Reply) -> Section {
    let seen = attributes.get("seen_at").or_else(|| attributes.get("asked_at"));
    let seen = seen.and_then(Value::as_u64).map(|ms| cells::when_ms(ms, reply.now));
    let value: Value = attributes.clone().into_iter().collect::<serde_json::Map<_, _>>().into();
    let mut section = section.lines(&indented(&value));
    section.fact_some("seen", seen);
    section
}
