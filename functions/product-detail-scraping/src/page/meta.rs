//! Reads the `meta` elements for social networks (Open Graph) and the `data-vin` attributes.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{
    availability, data_layer, distance,
    markup::{Markup, Tag},
    others::names_others,
    reader::Reader,
    record::Details,
    sighting::{Role, Sightings},
    value::{self, MAX_IMAGES},
    vehicle_object,
};

/// The properties that are read, except those for pictures.
const PROPERTIES: [&str; 11] = [
    "og:availability",
    "og:title",
    "og:site_name",
    "og:price:amount",
    "og:price:currency",
    "product:availability",
    "product:brand",
    "product:condition",
    "product:price:amount",
    "product:price:currency",
    "product:retailer_item_id",
];

/// The properties that hold the address of a picture. Others, such as `og:image:width`, share the
/// prefix, so the whole name must match.
const IMAGES: [&str; 3] = ["og:image", "og:image:url", "og:image:secure_url"];

/// Reads the `meta` elements of a page, which describe a single car. They name its VIN only if the
/// dealer uses the VIN as the item's id.
pub fn read(markup: &Markup<'_>, seen: &mut Sightings<'_>) {
    let mut properties: BTreeMap<&str, Value> = BTreeMap::new();
    let mut images = Vec::new();
    for tag in markup.tags().filter(|tag| tag.begins("meta")) {
        if !seen.pay(TAG_STEPS) {
            break;
        }
        let name = tag.attribute("property").or_else(|| tag.attribute("name"));
        let (Some(name), Some(content)) = (name, tag.attribute("content")) else { continue };
        if PROPERTIES.contains(&name) {
            properties.entry(name).or_insert_with(|| Value::from(content));
        } else if IMAGES.contains(&name) && images.len() < MAX_IMAGES {
            images.push(Value::from(content));
        }
    }
    if properties.is_empty() && images.is_empty() {
        return;
    }
    let images = Value::Array(images);
    let get = |name: &str| properties.get(name);
    let id = get("product:retailer_item_id");
    let vin = id.and_then(value::vin);
    let stock_number = if vin.is_some() { None } else { id };
    let availability = get("product:availability").or_else(|| get("og:availability"));
    let price = get("product:price:amount").or_else(|| get("og:price:amount"));
    let currency = get("product:price:currency").or_else(|| get("og:price:currency"));
    seen.see(vin, Role::Main, |reader| {
        let mut details = Details {
            title: reader.text("title", get("og:title")),
            make: reader.text("make", get("product:brand")),
            condition: reader.read("condition", get("product:condition"), value::condition),
            stock_number: reader.text("stock_number", stock_number),
            availability: reader.read("availability", availability, availability::read),
            images: reader.images(Some(&images)),
            dealer_name: reader.text("dealer_name", get("og:site_name")),
            currency: reader.read("currency", currency, value::currency),
            ..Details::default()
        };
        details.price(reader.amount("price_cents", price, ""));
        details
    });
}

/// Steps for a tag, and for one with a VIN: its class is compared, and its attributes are read.
const TAG_STEPS: usize = 4;
const VIN_STEPS: usize = 200;

/// Parts of the class names of elements that show one car of many.
const ENTRIES: [&str; 6] = ["card", "item", "listing", "result", "thumb", "tile"];

/// Reads the `data-` attributes of the elements with a `data-vin` or a `data-vehicle`: usually one of the page's car and those of
/// recommended cars. An entry of a list or a link is not what the page is about.
pub fn read_data_vins(markup: &Markup<'_>, seen: &mut Sightings<'_>) {
    for tag in markup.tags() {
        if !seen.pay(TAG_STEPS) {
            return;
        }
        let vin = tag.attribute("data-vin").and_then(|vin| value::vin(&Value::from(vin)));
        let object = if vin.is_none() { data_vehicle(&tag, seen) } else { None };
        let Some(vin) = vin.or_else(|| data_layer::vin(object.as_ref()?)) else { continue };
        let class = tag.attribute("class").unwrap_or_default().to_ascii_lowercase();
        if !seen.pay(VIN_STEPS + class.len() * ENTRIES.len()) {
            return;
        }
        let is_entry = ["a", "li", "option"].iter().any(|name| tag.begins(name))
            || names_others(&class)
            || ENTRIES.iter().any(|part| class.contains(part));
        let role = if is_entry { Role::Listed } else { Role::Main };
        seen.see(Some(vin), role, |reader| match &object {
            Some(object) if reader.affords(object.values()) => {
                vehicle_object::details(object, reader)
            }
            Some(_) => Details::default(),
            None => data_attributes(&tag, reader),
        });
    }
}

/// The car in an attribute `data-vehicle`: an object of JSON, or the same with percent-encoding.
fn data_vehicle(tag: &Tag<'_>, seen: &mut Sightings<'_>) -> Option<Map<String, Value>> {
    let text = tag.attribute("data-vehicle").filter(|text| seen.pay(text.len()))?;
    let text = if text.starts_with('{') {
        Cow::from(text)
    } else {
        form_urlencoded::parse(text.as_bytes()).next()?.0.into_owned().into()
    };
    if !text.starts_with('{') {
        return None;
    }
    match seen.literal(&text)? {
        (Value::Object(object), _) => Some(object),
        _ => None,
    }
}

fn data_attributes(tag: &Tag<'_>, reader: &mut Reader<'_>) -> Details {
    let get = |names: &[&str]| {
        let values = names.iter().filter_map(|name| tag.attribute(name));
        values.map(Value::from).find(|value| value::plain(value).is_some())
    };
    let condition = get(&["data-condition", "data-neworused", "data-inventorytype"]);
    let condition = reader.read("condition", condition.as_ref(), value::condition);
    let text =
        |reader: &mut Reader<'_>, field, names: &[&str]| reader.text(field, get(names).as_ref());
    let mileage = get(&["data-odometer", "data-mileage", "data-miles"]);
    let unit = tag.attributes().find(|(name, _)| distance::names_unit(name));
    // The name may be the unit.
    let metric = tag.attributes().find(|(name, _)| distance::names_kilometres(name));
    let (mileage, unit) = match metric {
        Some((_, value)) => (Some(Value::from(value)), Some(Value::from("km"))),
        None => (mileage, unit.map(|(_, unit)| Value::from(unit))),
    };
    let mut details = Details {
        year: reader.read("year", get(&["data-year", "data-modelyear"]).as_ref(), value::year),
        make: text(reader, "make", &["data-make"]),
        model: text(reader, "model", &["data-model"]),
        trim: text(reader, "trim", &["data-trim"]),
        condition,
        stock_number: text(
            reader,
            "stock_number",
            &["data-stocknumber", "data-stock-number", "data-stock"],
        ),
        mileage: reader.mileage(mileage.as_ref(), unit.as_ref(), condition),
        body_style: text(reader, "body_style", &["data-bodystyle", "data-body-style", "data-body"]),
        exterior_color: text(
            reader,
            "exterior_color",
            &["data-exteriorcolor", "data-exterior-color", "data-extcolor"],
        ),
        msrp_cents: reader.cents("msrp_cents", get(&["data-msrp"]).as_ref()),
        availability: reader.read(
            "availability",
            get(&["data-availability", "data-status", "data-inventorystatus"])
                .filter(|status| {
                    value::plain(status).is_some_and(|text| availability::read(&text).is_some())
                })
                .as_ref(),
            availability::read,
        ),
        currency: reader.read(
            "currency",
            get(&["data-currency", "data-price-currency"]).as_ref(),
            value::currency,
        ),
        ..Details::default()
    };
    let label =
        text(reader, "price_label", &["data-price-label", "data-price-type", "data-pricetype"]);
    let label = label.unwrap_or_default();
    for name in ["data-internetprice", "data-internet-price", "data-saleprice", "data-price"] {
        details.price(reader.amount("price_cents", get(&[name]).as_ref(), &label));
    }
    details
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;
    use proptest::prelude::*;
    use url::Url;

    use super::*;
    use crate::page::vocabulary::{Condition, Provenance};

    const VIN: &str = "1HGCM82633A004352";
    const OTHER: &str = "1M8GDM9AXKP042788";

    fn read(html: &str, seen: &mut Sightings<'_>) {
        super::read(&Markup::of(html, &Budget::unlimited()), seen);
    }

    fn read_data_vins(html: &str, seen: &mut Sightings<'_>) {
        super::read_data_vins(&Markup::of(html, &Budget::unlimited()), seen);
    }

    fn base() -> Url {
        "https://www.dealer.example/used/1.htm".parse().unwrap()
    }

    #[test]
    fn meta_elements_are_read_by_property_or_name() {
        let base = base();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::OpenGraph, VIN, &base, &budget);
        let html = r#"<META property="og:title" content="2003 Honda Accord &amp; more"/>
            <meta name='og:title' content='second'><meta property=og:image content=/1.jpg>
            <meta property="og:image:width" content="800"><meta content="new"
            property="product:condition"><meta property="product:price:amount" content="25995">
            <meta property="product:retailer_item_id" content="A1"><meta charset="utf-8">"#;
        read(html, &mut seen);
        let expected = Details {
            title: Some("2003 Honda Accord & more".into()),
            condition: Some(Condition::New),
            stock_number: Some("A1".into()),
            images: Some(vec!["https://www.dealer.example/1.jpg".into()]),
            asking_cents: vec![2_599_500],
            ..Details::default()
        };
        assert_eq!(seen.chosen(|_| true), (vec![expected], vec![]));
    }

    #[test]
    fn a_page_without_known_properties_gives_nothing() {
        let base = base();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::OpenGraph, VIN, &base, &budget);
        read("<meta name=viewport content=x><p>og:title</p>", &mut seen);
        assert_eq!(seen.chosen(|_| true), (vec![], vec![]));
    }

    #[test]
    fn only_vins_in_data_vin_attributes_are_recorded() {
        let base = base();
        let budget = Budget::unlimited();
        let mut seen = Sightings::new(Provenance::DataVin, VIN, &base, &budget);
        let html = format!(
            "<li data-vin={OTHER}><li DATA-VIN='{OTHER}'><li data-vin=none><li data-vin>\
             <p>data-vin=\"{VIN}\"</p>"
        );
        read_data_vins(&html, &mut seen);
        assert_eq!((seen.names_ours(), seen.others()), (false, &[OTHER.to_owned()][..]));
        read_data_vins(&format!("<div data-vin=\" {} \">", VIN.to_lowercase()), &mut seen);
        assert!(seen.names_ours());
    }

    proptest! {
        #[test]
        fn random_meta_elements_give_at_most_one_car(content in ".{0,200}", tail in ".{0,40}") {
            let base = base();
            let budget = Budget::unlimited();
            let mut seen = Sightings::new(Provenance::OpenGraph, VIN, &base, &budget);
            read(&format!("<meta property=og:title content=\"{content}\">{tail}"), &mut seen);
            read_data_vins(&content, &mut seen);
            let (details, _) = seen.chosen(|_| true);
            prop_assert!(details.len() <= 1);
        }
    }
}
