use super::*;
use crate::dealers::page_shapes::{Flaw, PageShapes};
use crate::dealers::settings::Alias;

fn site(cars: u32) -> Site {
    Site::new("lake-side", SiteSettings { cars, ..SiteSettings::default() }).unwrap()
}

fn vins(site: &Site) -> Vec<String> {
    site.cars().into_iter().map(|car| car.vin).collect()
}

#[test]
fn each_list_has_the_cars_that_its_name_says() {
    let site = site(100);
    let count = |alias: Alias| site.listed(alias.name()).len();
    assert_eq!((count(Alias::New), count(Alias::Used)), (50, 50));
    assert_eq!((count(Alias::All), count(Alias::CertifiedUsed)), (100, 20));
    assert!(site.listed("INVENTORY_LISTING_DEFAULT_AUTO_FLEET").is_empty());
}

#[test]
fn an_unknown_list_is_empty() {
    let settings = SiteSettings { aliases: vec![Alias::All], ..SiteSettings::default() };
    let site = Site::new("lakeside", settings).unwrap();
    assert!(site.listed(Alias::New.name()).is_empty());
    assert_eq!(site.listed(Alias::All.name()).len(), 40);
}

#[test]
fn a_stock_grows_and_shrinks_and_removed_cars_stay_removed() {
    let mut site = site(10);
    let first = vins(&site);
    let change = SiteChange { remove: vec![first[3].clone()], ..SiteChange::default() };
    site.change(change, 0).unwrap();
    site.change(SiteChange { cars: Some(20), ..SiteChange::default() }, 0).unwrap();
    let grown = vins(&site);
    assert_eq!((grown.len(), &grown[..3], &grown[3..9]), (19, &first[..3], &first[4..]));
    site.change(SiteChange { cars: Some(5), ..SiteChange::default() }, 0).unwrap();
    assert_eq!(vins(&site), [&first[..3], &first[4..5]].concat());
}

#[test]
fn a_price_changes_and_nothing_else() {
    let mut site = site(10);
    let before = site.cars();
    let prices = BTreeMap::from([(before[4].vin.clone(), 12_345)]);
    site.change(SiteChange { prices, ..SiteChange::default() }, 0).unwrap();
    let after = site.cars();
    let changed: Vec<usize> = (0..10).filter(|place| before[*place] != after[*place]).collect();
    assert_eq!((changed, after[4].price), (vec![4], 12_345));
}

#[test]
fn an_invalid_change_changes_nothing_and_names_the_field() {
    let mut site = site(10);
    let before = site.clone();
    let vin = vins(&site).remove(0);
    let change = |json: &str| serde_json::from_str::<SiteChange>(json).unwrap();
    let cases = [
        (change(r#"{"cars":20001}"#), "cars: "),
        (change(r#"{"collapsed":true,"page_cap":0}"#), "page_cap: "),
        (change(&format!(r#"{{"prices":{{"{vin}":1000000}}}}"#)), "prices."),
        (change(&format!(r#"{{"prices":{{"{vin}":1,"x":1}}}}"#)), "prices.x: "),
        (change(&format!(r#"{{"remove":["{vin}","x"]}}"#)), "remove[1]: "),
        (change(r#"{"twists":{"x":"bare"}}"#), "twists.x: "),
    ];
    for (change, field) in cases {
        let error = site.change(change, 0).unwrap_err();
        assert!(error.starts_with(field), "{error}");
        assert_eq!(site, before, "{error}");
    }
}

#[test]
fn every_change_has_a_date_of_its_own() {
    let mut site = site(1);
    assert_eq!(site.changed_ms(), FIRST_CHANGED_MS);
    let now_ms = FIRST_CHANGED_MS + 60_000;
    for expected_ms in [now_ms, now_ms + 1_000, now_ms + 2_000] {
        site.change(SiteChange::default(), now_ms).unwrap();
        assert_eq!(site.changed_ms(), expected_ms);
    }
}

#[test]
fn a_twist_changes_the_page_of_its_car_only() {
    let cars = site(3).cars();
    let twist = |twist| {
        let twists = BTreeMap::from([(cars[0].vin.clone(), twist)]);
        let settings = SiteSettings { cars: 3, twists, ..SiteSettings::default() };
        let site = Site::new("lake-side", settings).unwrap();
        let other = site.page(&cars[1].path).unwrap();
        assert_eq!(other, (cars[1].clone(), Shapes::default()));
        site.page(&cars[0].path).unwrap()
    };
    assert_eq!(twist(Twist::Bare).1.page, PageShapes::bare());
    let flaw = twist(Twist::BrokenJsonLd).1.page.json_ld.unwrap().flaw;
    assert_eq!(flaw, Some(Flaw::CutOff));
    let (stranger, shapes) = twist(Twist::OtherVin);
    assert_eq!(shapes, Shapes::default());
    assert!(cars.iter().all(|car| car.vin != stranger.vin));
}

#[test]
fn the_pages_of_a_platform_can_only_show_another_car() {
    let vin = site(3).cars().remove(0).vin;
    let on_platform = |twist| {
        let twists = BTreeMap::from([(vin.clone(), twist)]);
        let platform = Some(Platform::Plain);
        Site::new(
            "lake-side",
            SiteSettings { cars: 3, twists, platform, ..SiteSettings::default() },
        )
    };
    assert!(on_platform(Twist::OtherVin).is_ok());
    let refused = on_platform(Twist::Bare).unwrap_err();
    assert_eq!(refused, format!("twists.{vin}: must be other_vin on the pages of a platform"));
}

#[test]
fn replacing_a_site_counts_as_a_change() {
    let mut sites = Sites::default();
    sites.put("lakeside", SiteSettings::default(), 0).unwrap();
    let report = sites.put("lakeside", SiteSettings { cars: 2, ..SiteSettings::default() }, 0);
    assert_eq!(report.unwrap().cars, 2);
    assert_eq!(sites.get("lakeside").unwrap().changed_ms(), FIRST_CHANGED_MS + 1_000);
    assert_eq!(sites.reports().len(), 1);
    let refused = sites.put("Lake Side", SiteSettings::default(), 0).unwrap_err();
    assert_eq!(refused, format!("slug: {SLUG_RULE}"));
}

#[test]
fn the_dealer_has_a_name() {
    assert_eq!(site(1).name(), "Lake Side Drivers' House");
    let id = site(1).site_id();
    assert!(id.starts_with("lakeside") && id.len() == 12, "{id}");
}
