//! The life of one car among the forty of its dealer: at each step the kept page and the link are right, and every call
//! is counted.

use evenkeel::record::item::Value as Attribute;
use sandbox::{Call, Endpoint};

use super::*;

/// Where the page of the car is for an hour.
const CERTIFIED: &str = "certified/Nimbus/car.htm";

/// Calls to the dealer's site and to Rebrandly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Called {
    robots: u64,
    lists: u64,
    pages: u64,
    links: u64,
}

/// What a step is expected to leave.
struct Expected<'a> {
    /// Pages that are scraped, and links that are created or changed.
    calls: (u64, u64),
    /// The price in dollars that the record states.
    price: u32,
    address: &'a str,
    is_listed: bool,
}

impl Dealer {
    async fn called(&self) -> Called {
        let counts = self.control().call_counts().await.unwrap();
        let of = |endpoint| counts.of_site(SLUG, endpoint);
        let lists = [Endpoint::Home, Endpoint::Widget, Endpoint::InventoryPost];
        let calls = self.control().calls().await.unwrap();
        // The audit looks at links whenever it is its turn. What creates or changes one is a POST.
        let looks = |call: &&Call| call.visit.is_none() && call.method == "GET";
        let looked = calls.iter().filter(looks).count();
        let links = calls.iter().filter(|call| call.visit.is_none()).count() - looked;
        let called = Called {
            robots: of(Endpoint::Robots),
            lists: lists.into_iter().map(of).sum(),
            pages: of(Endpoint::Detail),
            links: u64::try_from(links).unwrap(),
        };
        let Called { robots, lists, pages, links } = called;
        let all = u64::try_from(calls.len()).unwrap();
        let looked = u64::try_from(looked).unwrap();
        assert_eq!(robots + lists + pages + links + looked, all, "every call is one of these");
        called
    }

    /// The kept page of a car, and whether it expires.
    fn kept_page(&self, vin: &str) -> (Value, bool) {
        let item = self.vehicles.page(SLUG, vin).unwrap();
        let page = item.iter().find_map(|(name, value)| match value {
            Attribute::Text(text) if *name == "page" => serde_json::from_str(text).ok(),
            _ => None,
        });
        let expires = item.iter().any(|(name, _)| *name == inventory::testing::EXPIRES_AT);
        (page.unwrap(), expires)
    }

    /// Changes the site and reads its feed, and checks what is left of the car and what was called. Returns what was
    /// read.
    async fn step(
        &mut self,
        what: &str,
        change: SiteChange,
        vin: &str,
        expected: &Expected<'_>,
    ) -> Summary {
        self.change(&change).await;
        let before = self.called().await;
        let read = self.summary().await;
        let after = self.called().await;
        let calls = (after.pages - before.pages, after.links - before.links);
        assert_eq!(calls, expected.calls, "{what}: pages, links");
        let made = [read.made.scraping_jobs, read.made.shortening_jobs];
        let [scrapings, links] = made.map(|jobs| u64::try_from(jobs).unwrap());
        assert_eq!((scrapings, links), expected.calls, "{what}: jobs for pages, and for links");
        assert!(read.whole && (3..=8).contains(&(after.lists - before.lists)), "{what}: {after:?}");
        assert_eq!(after.robots, 1, "{what}: once a day");
        let (page, expires) = self.kept_page(vin);
        assert_eq!(page["record"]["price_cents"]["value"], json!(expected.price * 100), "{what}");
        assert_eq!(page["record"]["availability"]["value"], json!("in_stock"), "{what}");
        assert_eq!(page["address"], json!(expected.address), "{what}");
        assert_eq!(page["without_page"], Value::Null, "{what}");
        assert_eq!(expires, !expected.is_listed, "{what}");
        let kept = self.kept(vin);
        assert!(kept.wanted == expected.address && kept.is_set(), "{what}: {kept:?}");
        let links = self.links().await;
        let leads = links.iter().find(|link| link.id == kept.link_id).map(|link| &link.destination);
        assert_eq!((links.len(), leads), (40, Some(&kept.wanted)), "{what}: one link a car");
        read
    }
}

#[tokio::test(start_paused = true)]
async fn a_car_has_one_link_and_a_right_page_throughout_its_life() {
    let policy = json!({"links": {"title": true}});
    let mut dealer = Dealer::new(&SiteSettings::default(), policy).await;
    let car = dealer.control().cars(SLUG).await.unwrap().remove(3);
    let (vin, first) = (car.vin.as_str(), dealer.page(&car.path));
    let certified = dealer.page(CERTIFIED);
    let nothing = SiteChange::default;
    let moved =
        |path: &str| SiteChange { moves: [(vin.to_owned(), path.to_owned())].into(), ..nothing() };
    let at = |calls, price, address| Expected { calls, price, address, is_listed: true };

    let listed = at((40, 40), car.price, first.as_str());
    let read = dealer.step("listed", nothing(), vin, &listed).await;
    assert_eq!((read.new, read.made.scraping_jobs, read.made.shortening_jobs), (40, 40, 40));
    let id = dealer.kept(vin).link_id;
    let title = dealer.links().await.into_iter().find(|link| link.id == id).unwrap().title;
    assert!(title.contains(&car.make), "{title}");

    let as_it_was = Expected { calls: (0, 0), ..listed };
    let read = dealer.step("as it was", nothing(), vin, &as_it_was).await;
    assert_eq!((read.unchanged, read.changed), (40, 0));

    let cheaper = car.price - 500;
    let change = SiteChange { prices: [(vin.to_owned(), cheaper)].into(), ..nothing() };
    let read =
        dealer.step("another price", change, vin, &at((1, 0), cheaper, first.as_str())).await;
    assert_eq!((read.changed, read.made.shortening_jobs), (1, 0), "no job for its link");

    // Used to certified and back, within a day. An update is one call.
    let away = at((1, 1), cheaper, certified.as_str());
    dealer.step("certified", moved(CERTIFIED), vin, &away).await;
    let back = at((1, 1), cheaper, first.as_str());
    dealer.step("back within the day", moved(&car.path), vin, &back).await;

    let sold = Expected { calls: (0, 0), is_listed: false, ..back };
    let change = SiteChange { remove: vec![vin.to_owned()], ..nothing() };
    let read = dealer.step("sold", change, vin, &sold).await;
    assert_eq!((read.gone, read.vehicles), (1, 39));
    assert!(dealer.vehicles.vehicles().iter().any(|kept| kept.vin == vin && kept.hash.is_none()));

    let again = at((1, 0), car.price, first.as_str());
    let change = SiteChange { relist: vec![vin.to_owned()], ..nothing() };
    let read = dealer.step("listed again", change, vin, &again).await;
    assert_eq!((read.gone, read.new, read.vehicles), (0, 1, 40));
    assert_eq!(dealer.kept(vin).link_id, id, "the same link throughout");
}

/// The site leads to a page of another domain, which the payload does not name.
#[tokio::test(start_paused = true)]
async fn a_car_whose_page_is_on_another_domain_gets_no_job() {
    for is_known in [false, true] {
        let mut dealer = Dealer::new(&SiteSettings::default(), json!({})).await;
        let vin = dealer.control().cars(SLUG).await.unwrap().remove(3).vin;
        if is_known {
            dealer.summary().await;
        }
        // With the slash before it, the site's link has two, and leads to this host.
        let moves = [(vin.clone(), "/other.example/car.htm".to_owned())].into();
        dealer.change(&SiteChange { moves, ..SiteChange::default() }).await;
        let before = dealer.called().await;
        let made = dealer.summary().await.made;
        let after = dealer.called().await;
        let others = if is_known { 0 } else { 39 };
        assert_eq!(
            (made.off_site, made.scraping_jobs, made.shortening_jobs),
            (1, others, others),
            "{is_known}"
        );
        let calls = (after.pages - before.pages, after.links - before.links);
        let others = u64::try_from(others).unwrap();
        assert_eq!(calls, (others, others), "{is_known}");
        assert_eq!(dealer.vehicles.kept_link(SLUG, &vin).is_some(), is_known);
    }
}

/// A page is worth a day, so that its jobs never outlive the interest in it; a link has no end.
#[tokio::test(start_paused = true)]
async fn the_scrapings_of_a_feed_have_a_deadline_and_its_links_have_none() {
    let mut dealer = Dealer::new(&SiteSettings::default(), json!({})).await;
    dealer.summary().await;
    let of = |kind: &str| {
        let records = dealer.store.records().into_iter().filter(|record| record.kind() == kind);
        records.map(|record| record.work).collect::<Vec<_>>()
    };
    let (pages, links) = (of("product_detail_scraping"), of("url_shortening"));
    assert_eq!((pages.len(), links.len()), (40, 40));
    for page in pages {
        assert_eq!(page.deadline, Some(page.created_at + HOUR * 24));
    }
    assert!(links.iter().all(|link| link.deadline.is_none()));
}
