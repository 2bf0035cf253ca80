use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::dealers::settings::{Alias, SiteSettings};
use crate::dealers::shapes::{Gaps, Images, Links, Prices, Scalars, Title, Vins};

/// The number of pages after which a test stops reading a list that does not end.
const MOST_PAGES: usize = 200;

fn window(alias: Alias, start: usize, page_size: Option<usize>) -> Window {
    Window { alias: alias.name().to_owned(), start, page_size, site_id: None }
}

fn address() -> Address {
    Address::of("127.0.0.1:80", "/dealers/lakeside/").unwrap()
}

fn site(cars: u32, page_cap: u32, shapes: Shapes) -> Site {
    let settings = SiteSettings { cars, page_cap, shapes, ..SiteSettings::default() };
    Site::new("lakeside", settings).unwrap()
}

/// A page of the list of all cars.
fn page(site: &Site, start: usize, page_size: Option<usize>) -> Value {
    body(site, &address(), &window(Alias::All, start, page_size))
}

fn vehicles(page: &Value) -> &Vec<Value> {
    page["inventory"].as_array().unwrap()
}

/// The first car of a new site with these shapes, as `inventory` and as `trackingData` have it.
fn first(shapes: Shapes) -> (Value, Value) {
    let page = page(&site(40, 35, shapes), 0, None);
    (page["inventory"][0].clone(), page["pageInfo"]["trackingData"][0].clone())
}

#[test]
fn the_page_limit_shortens_a_page_without_saying_so() {
    let site = site(100, 35, Shapes::default());
    let first = page(&site, 0, Some(100));
    assert_eq!(vehicles(&first).len(), 35);
    assert_eq!(
        (&first["pageInfo"]["pageSize"], &first["pageInfo"]["totalCount"]),
        (&json!(100), &json!(100))
    );
    assert_eq!(vehicles(&page(&site, 70, Some(100))).len(), 30);
    assert_eq!(vehicles(&page(&site, 0, Some(7))).len(), 7);
    assert_eq!(vehicles(&page(&site, 100, Some(100))).len(), 0);
    assert_eq!(vehicles(&page(&site, usize::MAX, None)).len(), 0);
    assert_eq!(vehicles(&page(&site, 0, Some(0))).len(), 35);
}

#[test]
fn an_endless_list_repeats_its_last_page() {
    let past_end = PastEnd::LastPage;
    let site = site(70, 35, Shapes { past_end, ..Shapes::default() });
    assert_eq!(page(&site, 70, None)["inventory"], page(&site, 35, None)["inventory"]);
    assert_eq!(page(&site, 700, None)["inventory"], page(&site, 35, None)["inventory"]);
}

#[test]
fn another_sites_id_gives_an_empty_list() {
    let site = site(40, 35, Shapes::default());
    let with = |site_id: String| {
        let window = Window { site_id: Some(site_id), ..window(Alias::All, 0, None) };
        vehicles(&body(&site, &address(), &window)).len()
    };
    assert_eq!(with(site.site_id()), 35);
    assert_eq!(with("lakeside".to_owned()), 0);
}

#[test]
fn an_entry_has_the_data_of_the_car() {
    let (entry, tracking) = first(Shapes::default());
    let car = site(1, 35, Shapes::default()).cars().remove(0);
    assert_eq!((&entry["vin"], &entry["year"]), (&json!(car.vin), &json!(car.year)));
    assert_eq!(entry["link"], format!("/dealers/lakeside/{}", car.path));
    assert_eq!(entry["trackingPricing"]["internetPrice"], json!(car.price));
    let rows = entry["pricing"]["dprice"].as_array().unwrap();
    let finals: Vec<_> =
        rows.iter().filter(|row| row["isFinalPrice"].as_bool() == Some(true)).collect();
    assert_eq!((finals.len(), &finals[0]["typeClass"]), (1, &json!("internetPrice")));
    assert_eq!(entry["trackingAttributes"][0], json!({"name": "odometer", "value": car.odometer}));
    assert_eq!(tracking["modelYear"], json!(car.year));
    assert_eq!(tracking["pricing"], json!({"msrp": car.msrp, "finalPrice": car.price}));
}

#[test]
fn each_shape_changes_its_part_of_an_entry() {
    let car = site(1, 35, Shapes::default()).cars().remove(0);
    let entry = |shapes| first(shapes).0;
    let shapes = Shapes::default;
    assert_eq!(entry(Shapes { title: Title::Array, ..shapes() })["title"][1], json!(car.trim));
    assert_eq!(entry(Shapes { title: Title::Absent, ..shapes() }).get("title"), None);
    let text = entry(Shapes { scalars: Scalars::Text, ..shapes() });
    assert_eq!(text["year"], json!(car.year.to_string()));
    assert_eq!(text["certified"], "false");
    let absolute = entry(Shapes { links: Links::Absolute, ..shapes() });
    assert_eq!(absolute["link"], format!("http://127.0.0.1:80/dealers/lakeside/{}", car.path));
    let uri = |images| {
        let entry = entry(Shapes { images, ..shapes() });
        entry["images"][0]["uri"].as_str().unwrap_or_default().to_owned()
    };
    assert!(uri(Images::Absolute).starts_with("http://127.0.0.1:80/dealers/lakeside/"));
    assert!(uri(Images::Hostless).starts_with("/dealers/lakeside/"));
    assert!(uri(Images::Schemeless).starts_with("//127.0.0.1:80/"));
    assert_eq!(uri(Images::None), "");
    let lower = entry(Shapes { vins: Vins::Lower, ..shapes() });
    assert_eq!(lower["vin"], json!(car.vin.to_ascii_lowercase()));
    let gaps = entry(Shapes { gaps: Gaps::Placeholders, ..shapes() });
    assert_eq!((&gaps["trim"], &gaps["fuelType"]), (&json!("N/A"), &json!("null")));
    let shy = entry(Shapes { prices: Prices::ContactUs, ..shapes() });
    assert_eq!(shy["pricing"]["retailPrice"], "Contact Us");
    let none = entry(Shapes { prices: Prices::Absent, ..shapes() });
    assert_eq!((none.get("pricing"), none.get("trackingPricing")), (None, None));
    let traps = entry(Shapes { prices: Prices::Traps, ..shapes() });
    assert_eq!(traps["pricing"]["dprice"].as_array().unwrap().len(), 5);
}

#[test]
fn a_list_may_omit_its_total_and_have_only_tracking_data() {
    let shapes = Shapes {
        layout: Layout::TrackingData,
        total_count: TotalCount::Absent,
        ..Shapes::default()
    };
    let page = page(&site(40, 35, shapes), 0, None);
    assert_eq!((page.get("inventory"), page["pageInfo"].get("totalCount")), (None, None));
    assert_eq!(page["pageInfo"]["trackingData"].as_array().unwrap().len(), 35);
}

#[test]
fn misfits_replace_cars() {
    let shapes = Shapes { misfits: 4, ..Shapes::default() };
    let page = page(&site(10, 35, shapes), 0, None);
    let vehicles = vehicles(&page);
    assert_eq!(
        (vehicles.len(), &vehicles[0], &vehicles[1]),
        (10, &Value::Null, &json!("unavailable"))
    );
    assert_eq!((vehicles[2].get("vin"), &vehicles[3]["vin"]), (None, &json!("1FT123")));
    assert_eq!(vehicles[4]["vin"].as_str().unwrap().len(), 17);
}

#[test]
fn an_empty_list_is_a_valid_response() {
    let expected = json!({
        "pageInfo": {"totalCount": 0, "pageSize": 100, "trackingData": []},
        "inventory": [],
    });
    let empty = empty(&window(Alias::All, 35, Some(100)));
    assert_eq!(empty, Reply::json(200, &expected));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn counting_the_received_entries_reads_every_car_once(
        cars in 0_u32..120,
        page_cap in 1_u32..50,
        page_size in 1_usize..60,
    ) {
        let site = site(cars, page_cap, Shapes::default());
        let mut vins = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = page(&site, vins.len(), Some(page_size));
            if vehicles(&page).is_empty() {
                break;
            }
            vins.extend(vehicles(&page).iter().map(|vehicle| vehicle["vin"].to_string()));
        }
        let different: HashSet<&String> = vins.iter().collect();
        prop_assert_eq!(vins.len(), usize::try_from(cars).unwrap());
        prop_assert_eq!(different.len(), vins.len());
    }
}
