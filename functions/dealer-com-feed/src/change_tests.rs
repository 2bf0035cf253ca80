use serde_json::json;

use super::*;
use crate::inventory;

const VINS: [&str; 4] =
    ["1HGCM82633A004352", "1M8GDM9AXKP042788", "1G4AH59H45G118341", "1FADP5AU6DL536022"];

fn vehicle(vin: &str, price: u32) -> Vehicle {
    let site = "https://www.acme.example".parse().unwrap();
    Vehicle::read(&json!({"vin": vin, "msrp": price}), &site).unwrap()
}

const PAGE: &str = "https://www.acme.example/car";

/// The same car on its page.
fn with_page(vin: &str) -> Vehicle {
    let site = "https://www.acme.example".parse().unwrap();
    Vehicle::read(&json!({"vin": vin, "link": PAGE}), &site).unwrap()
}

fn feed(fan_out: FanOut) -> Feed {
    let site = "https://www.acme.example";
    let feed = json!({"dealer_slug": "acme", "site_url": site, "fan_out": fan_out});
    serde_json::from_value(feed).unwrap()
}

fn stored_with(mark: Mark) -> Stored {
    Stored { mark: Some(mark), ..Stored::default() }
}

/// The link to [`PAGE`], asked for at this time.
fn asked(as_of: u64) -> Asked {
    Asked { as_of, address: mark(&PAGE.parse().unwrap()) }
}

fn vins<'a>(listed: &'a [Listed<'_>]) -> Vec<&'a str> {
    listed.iter().map(|listed| listed.vehicle.vin.as_str()).collect()
}

#[test]
fn cars_are_grouped_by_their_stored_hashes() {
    let cars = [
        vehicle(VINS[0], 100),
        vehicle(VINS[1], 200),
        vehicle(VINS[2], 300),
        // Listed twice.
        vehicle(VINS[0], 999),
    ];
    let both = FanOut::default();
    let feed = feed(both);
    let mark = |vin, price| Mark { hash: content_hash(&vehicle(vin, price)), had: both };
    let stored = [(VINS[1], 200), (VINS[2], 299), (VINS[3], 400)];
    let stored = stored.map(|(vin, price)| (vin.to_owned(), stored_with(mark(vin, price)))).into();
    let changes = compare(&cars, &stored, &feed, 7);
    assert_eq!(vins(&changes.new), [VINS[0]]);
    assert_eq!(vins(&changes.unchanged), [VINS[1]]);
    assert_eq!(vins(&changes.changed), [VINS[2]]);
    assert_eq!(changes.new[0].hash, content_hash(&cars[0]));

    // Once the hashes are stored, nothing is left to do.
    let listed = changes.new.iter().chain(&changes.changed).chain(&changes.unchanged);
    let mark = |hash: &str| Mark { hash: hash.to_owned(), had: both };
    let stored =
        listed.map(|listed| (listed.vin().to_owned(), stored_with(mark(&listed.hash)))).collect();
    let again = compare(&cars, &stored, &feed, 7);
    assert_eq!((again.new.len(), again.changed.len(), again.unchanged.len()), (0, 0, 3));
}

#[test]
fn a_car_lacks_a_job_that_was_not_wanted_before() {
    let cars = [with_page(VINS[0])];
    let fan_outs = [(true, true), (true, false), (false, true), (false, false)]
        .map(|(scrape, shorten)| FanOut { scrape, shorten });
    for had in fan_outs {
        let mark = Mark { hash: content_hash(&cars[0]), had };
        let asked = had.shorten.then(|| asked(3));
        assert_eq!(Mark::parse(&mark.to_string()), mark);
        let stored = Stored { asked, ..stored_with(mark) };
        let stored = BTreeMap::from([(VINS[0].to_owned(), stored)]);
        for wanted in fan_outs {
            let changes = compare(&cars, &stored, &feed(wanted), 7);
            let lacks = wanted.scrape && !had.scrape || wanted.shorten && !had.shorten;
            let lengths = (changes.lacking.len(), changes.unchanged.len());
            assert_eq!(lengths, (usize::from(lacks), usize::from(!lacks)), "{had:?} {wanted:?}");
            assert!(changes.lacking.iter().all(|listed| listed.had == had));
        }
    }
}

/// A read of one page with `cars`, for which the site reports `total`.
fn read(condition: Condition, cars: &[&str], total: u32) -> Cursor {
    let entries: Vec<_> = cars.iter().map(|vin| json!({"vin": vin})).collect();
    let body = json!({"pageInfo": {"totalCount": total}, "inventory": entries}).to_string();
    let site = "https://www.acme.example".parse().unwrap();
    let mut cursor = Cursor::new(condition);
    cursor.next(&inventory::read(body.as_bytes(), &site).unwrap());
    cursor
}

#[test]
fn a_car_is_gone_only_after_complete_healthy_and_plausible_reads() {
    let [a, b, c, d] = VINS;
    let stored = [(a, Condition::New), (b, Condition::New), (c, Condition::Used)];
    let last_good: Counts = [(Condition::New, 2), (Condition::Used, 1)].into_iter().collect();
    let gone = |reads: &[Cursor]| gone(stored, reads, &last_good, &Vins::default());
    let none: [&str; 0] = [];

    // All are listed; one has moved to another list.
    let new = read(Condition::New, &[a], 1);
    assert_eq!(gone(&[new.clone(), read(Condition::Used, &[b, c], 2)]), none);
    // One is in no list.
    assert_eq!(gone(&[new.clone(), read(Condition::Used, &[c, d], 2)]), [b]);
    // The list in which it was last seen was not read.
    assert_eq!(gone(&[read(Condition::New, &[a, b], 2)]), none);
    assert_eq!(gone(&[read(Condition::Used, &[c], 1)]), none);
    assert_eq!(gone(&[]), none);
    // An incomplete read: fewer cars than the total, or not at the end.
    assert_eq!(gone(&[new.clone(), read(Condition::Used, &[c], 9)]), none);
    assert_eq!(gone(&[new.clone(), Cursor::new(Condition::Used)]), none);
    // An unhealthy read.
    assert_eq!(gone(&[new.clone(), read(Condition::Used, &[c, "bad", "worse"], 3)]), none);
    // A collapse of the counts.
    assert_eq!(gone(&[read(Condition::New, &[], 0), read(Condition::Used, &[], 0)]), none);
    // One car less of three is not a collapse.
    assert_eq!(gone(&[new, read(Condition::Used, &[c], 1)]), [b]);
}

/// A kept link that is wanted there.
fn link(wanted: &str, as_of: u64) -> KeptLink {
    KeptLink {
        wanted: wanted.to_owned(),
        as_of: evenkeel::base::time::Time::from_millis(as_of),
        set: None,
        link_id: "id".into(),
        slashtag: "acme-004352".into(),
        short_url: "go.acme.example/acme-004352".into(),
        addresses: Vec::new(),
        deleted_at: None,
    }
}

#[test]
fn a_link_is_asked_for_when_it_has_to_lead_elsewhere_and_not_twice() {
    let car = with_page(VINS[0]);
    let mark = Mark { hash: content_hash(&car), had: FanOut::default() };
    let listed_before = stored_with(mark);
    let elsewhere = Asked { as_of: 6, address: "other".into() };
    // What is stored, whether the feed asks, and as of when.
    let cases = [
        ("new", None, true, 7),
        ("listed, never asked", Some(listed_before.clone()), true, 7),
        ("asked", Some(Stored { asked: Some(asked(3)), ..listed_before.clone() }), false, 3),
        (
            "asked, and its jobs may not exist",
            Some(Stored {
                asked: Some(asked(3)),
                pending: Some("h".into()),
                ..listed_before.clone()
            }),
            true,
            3,
        ),
        (
            "asked for another address",
            Some(Stored { asked: Some(elsewhere.clone()), ..listed_before.clone() }),
            true,
            7,
        ),
        (
            "it leads there",
            Some(Stored { link: Some(link(PAGE, 5)), asked: Some(asked(3)), ..Stored::default() }),
            false,
            3,
        ),
        (
            "somebody else has changed it since",
            Some(Stored {
                link: Some(link("https://x.example/", 5)),
                asked: Some(asked(3)),
                ..listed_before.clone()
            }),
            true,
            7,
        ),
        (
            "asked since",
            Some(Stored {
                link: Some(link("https://x.example/", 2)),
                asked: Some(asked(3)),
                ..listed_before.clone()
            }),
            false,
            3,
        ),
        (
            "asked for another address since, whose job is on its way",
            Some(Stored { link: Some(link(PAGE, 5)), asked: Some(elsewhere), ..listed_before }),
            true,
            7,
        ),
    ];
    for (case, stored, is_due, as_of) in cases {
        let first = stored.as_ref().is_none_or(|stored| stored.link.is_none());
        let listed = listed(&car, stored.as_ref(), &feed(FanOut::default()), 7);
        assert_eq!(!listed.had.shorten, is_due, "{case}");
        assert_eq!(listed.asked.map(|asked| asked.as_of), Some(as_of), "{case}");
        assert_eq!(listed.is_first_link, first, "{case}");
    }
    assert_eq!(Asked::parse(&asked(3).to_string()), Some(asked(3)));
}

#[test]
fn a_link_that_was_asked_for_a_day_ago_and_leads_elsewhere_is_asked_for_again() {
    let car = with_page(VINS[0]);
    let mark = Mark { hash: content_hash(&car), had: FanOut::default() };
    let other = Some(link("https://x.example/", 2));
    let stored = Stored { link: other, asked: Some(asked(3)), ..stored_with(mark) };
    let due = |as_of| !listed(&car, Some(&stored), &feed(FanOut::default()), as_of).had.shorten;
    assert_eq!((due(3_600_000), due(ASKED_AGAIN_MS + 4)), (false, true));
}

#[test]
fn a_car_that_a_failed_read_has_stored_otherwise_counts_as_changed() {
    let cars = [with_page(VINS[0])];
    let mark = Mark { hash: content_hash(&cars[0]), had: FanOut::default() };
    let of = |pending: Option<&str>| Stored {
        asked: Some(asked(3)),
        pending: pending.map(str::to_owned),
        ..stored_with(mark.clone())
    };
    for (pending, changed) in [(None, 0), (Some(mark.hash.as_str()), 0), (Some("other"), 1)] {
        let stored = BTreeMap::from([(VINS[0].to_owned(), of(pending))]);
        let changes = compare(&cars, &stored, &feed(FanOut::default()), 7);
        assert_eq!(changes.changed.len(), changed, "{pending:?}");
    }
}

#[test]
fn a_page_on_another_domain_has_no_jobs_until_that_is_allowed() {
    let site = "https://www.acme.example".parse().unwrap();
    let page = json!({"vin": VINS[0], "link": "https://cars.example/car"});
    let cars = [Vehicle::read(&page, &site).unwrap()];
    let plain = feed(FanOut::default());
    let found = compare(&cars, &BTreeMap::new(), &plain, 7);
    assert_eq!((found.new[0].wanted, found.new[0].asked.clone()), (FanOut::NONE, None));
    let mark = Mark { hash: found.new[0].hash.clone(), had: FanOut::NONE };
    let stored = BTreeMap::from([(VINS[0].to_owned(), stored_with(mark))]);
    assert_eq!(compare(&cars, &stored, &plain, 7).unchanged.len(), 1);
    let mut allowed = plain;
    allowed.links.domains = vec!["cars.example".into()];
    assert_eq!(compare(&cars, &stored, &allowed, 7).lacking.len(), 1);
}
