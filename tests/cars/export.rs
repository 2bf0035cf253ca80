//! `evenkeel cars export` and `show` on what the three job types have left of a dealer's cars.

use std::path::PathBuf;

use clap::Parser as _;
use evenkeel::{record::item::Value as Stored, testing::TestClock};
use evenkeel_cli::{
    Exit, Failure, Stop, Streams, Surroundings, args::Cli, memory::MemoryPorts, ports::Attributes,
    run,
};

use super::*;

/// An item of the table of vehicles as the command's ports give it.
fn item<'a>(sort: &str, attributes: impl IntoIterator<Item = (&'a str, Stored)>) -> Attributes {
    let plain = |value| match value {
        Stored::Text(text) => Value::from(text),
        Stored::Number(number) => Value::from(number),
    };
    let key = [("dealer", Stored::Text(SLUG.into())), ("vin", Stored::Text(sort.into()))];
    let all = key.into_iter().chain(attributes);
    all.map(|(name, value)| (name.to_owned(), plain(value))).collect()
}

/// The ports of a stack whose table of vehicles has the dealer's cars with their links and pages.
fn ports(dealer: &Dealer) -> MemoryPorts {
    let mut ports = MemoryPorts::stack("s", "[]");
    for car in dealer.vehicles.vehicles() {
        let text = |text: &str| Stored::Text(text.to_owned());
        let mut attributes = vec![("data", text(&car.data)), ("list", text(&car.list))];
        attributes.extend(car.hash.as_deref().map(|hash| ("hash", text(hash))));
        attributes.extend(car.asked.as_deref().map(|asked| ("asked", text(asked))));
        ports = ports.with_other(item(&format!("car#{}", car.vin), attributes));
        let link = dealer.kept(&car.vin).attributes();
        ports = ports.with_other(item(&format!("link#{}", car.vin), link));
        let page = dealer.vehicles.page(SLUG, &car.vin).unwrap();
        ports = ports.with_other(item(&format!("page#{}", car.vin), page));
    }
    ports
}

/// What a command prints of the dealer's cars: on standard output, and beside it.
async fn evenkeel(dealer: &Dealer, words: &[&str]) -> (String, String) {
    let given = ["evenkeel", "--stack", "s"];
    let cli = Cli::parse_from(given.iter().chain(words));
    let environment = std::iter::empty::<(String, String)>().collect();
    let surroundings = Surroundings { environment, folder: PathBuf::new() };
    let ports = ports(dealer);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |_: evenkeel_cli::Target| Ok::<_, Failure>(ports);
    let (clock, stop) = (TestClock::default(), Stop::default());
    let exit = run(&cli, &surroundings, &clock, &stop, connect, &mut streams).await;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(out), text(err));
    assert_eq!(exit, Exit::Done, "{err}");
    (out, err)
}

async fn exported(dealer: &Dealer, words: &[&str]) -> (String, String) {
    let given = ["cars", "export", "--dealer", SLUG];
    evenkeel(dealer, &[&given[..], words].concat()).await
}

#[tokio::test(start_paused = true)]
async fn an_export_has_what_the_three_job_types_have_left() {
    let policy = json!({"fan_out": {"scrape": true, "shorten": true}});
    let mut dealer =
        Dealer::new(&SiteSettings { cars: 5, ..SiteSettings::default() }, policy).await;
    dealer.summary().await;
    let (lines, rest) = exported(&dealer, &["--output", "jsonl", "--limit", "3"]).await;
    let rest: Value = serde_json::from_str(&rest).unwrap();
    assert!(rest["read_units"].as_f64().unwrap() > 0.0 && rest["more"] == true, "{rest}");
    let cursor = rest["cursor"].as_str().unwrap();
    let (more, _) = exported(&dealer, &["--output", "jsonl", "--cursor", cursor]).await;
    let cars: Vec<Value> =
        lines.lines().chain(more.lines()).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(cars.len(), 5, "{cars:?}");
    for listed in dealer.control().cars(SLUG).await.unwrap() {
        let car = cars.iter().find(|car| car["vin"] == *listed.vin).unwrap();
        assert_eq!(car["listed"], true, "{car}");
        assert_eq!(car["address"], dealer.page(&listed.path), "{car}");
        assert_eq!(car["short_url"], dealer.kept(&listed.vin).short_url, "{car}");
        for field in ["title", "year", "make", "price_cents", "mileage"] {
            assert!(!car[field].is_null(), "{field}: {car}");
        }
    }
    let (csv, remark) = exported(&dealer, &[]).await;
    assert_eq!(csv.lines().count(), 6, "{csv}");
    assert!(csv.starts_with("vin,listed,list,title,"), "{csv}");
    assert!(remark.contains("5 cars, ") && remark.contains("read units"), "{remark}");
}

#[tokio::test(start_paused = true)]
async fn a_car_names_the_jobs_that_the_feed_has_created_last() {
    let policy = json!({"fan_out": {"scrape": true, "shorten": true}});
    let mut dealer = Dealer::new(&one_car(), policy).await;
    dealer.summary().await;
    let vin = dealer.control().cars(SLUG).await.unwrap().remove(0).vin;
    let (shown, _) = evenkeel(&dealer, &["--json", "cars", "show", SLUG, vin.as_str()]).await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let records = dealer.store.records().into_iter();
    let made: Vec<String> = records
        .map(|record| record.key)
        .filter(|key| !key.starts_with("dealer_com_feed#"))
        .collect();
    assert_eq!(made.len(), 2, "{made:?}");
    for (kind, place) in [("product_detail_scraping", 0_usize), ("url_shortening", 1)] {
        let key = format!("{kind}#g:{}", shown["jobs"][place].as_str().unwrap());
        assert!(made.contains(&key), "{key}: {made:?}");
    }
}
