//! The JSON-LD of a car's page.

use serde_json::{Value, json};

use super::address::Address;
use super::car::{Car, Condition};
use super::page_shapes::{Dialect, JsonLd, Place};
use super::shapes::{Prices, Shapes};
use super::site::Site;
use super::vehicle::{drop_nulls, picture_path};

const CONTEXT: &str = "https://schema.org";

/// The two blocks of a car's page: the dealer's, which is always valid, and the vehicle's.
pub(super) fn blocks(
    site: &Site,
    car: &Car,
    shapes: &Shapes,
    json_ld: JsonLd,
    address: &Address,
) -> String {
    let vehicle = match json_ld.dialect {
        Dialect::Strict => strict(car, shapes, address),
        Dialect::Loose => loose(car, shapes, address),
        Dialect::Product => product(car, shapes, address),
    };
    let block = placed(json_ld.place, vehicle, site).to_string();
    let block = match json_ld.flaw {
        Some(flaw) => flaw.damage(&block),
        None => block,
    };
    [script(&dealer(site, address).to_string()), script(&block)].join("\n")
}

pub(super) fn script(json: &str) -> String {
    format!("<script type=\"application/ld+json\">\n{json}\n</script>")
}

fn dealer(site: &Site, address: &Address) -> Value {
    json!({
        "@context": CONTEXT,
        "@type": "AutoDealer",
        "name": site.name(),
        "url": address.url(""),
    })
}

fn strict(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let offer = price(car, shapes).map(|price| {
        json!({
            "@type": "Offer",
            "price": price,
            "priceCurrency": "USD",
            "availability": "https://schema.org/InStock",
            "itemCondition": item_condition(car),
        })
    });
    let mut vehicle = json!({
        "@context": CONTEXT,
        "@type": "Vehicle",
        "name": car.title(),
        "description": description(car),
        "url": address.url(&car.path),
        "vehicleIdentificationNumber": car.vin,
        "vehicleModelDate": car.year.to_string(),
        "brand": {"@type": "Brand", "name": car.make},
        "model": car.model,
        "vehicleConfiguration": car.trim,
        "bodyType": car.body_style,
        "fuelType": car.fuel_type,
        "driveWheelConfiguration": car.drive_line,
        "color": car.exterior_color,
        "vehicleInteriorColor": car.interior_color,
        "vehicleEngine": {"@type": "EngineSpecification", "name": car.engine},
        "mileageFromOdometer":
            {"@type": "QuantitativeValue", "value": car.odometer, "unitCode": "SMI"},
        "image": [address.url(&picture_path(car, 1)), address.url(&picture_path(car, 2))],
        "offers": offer,
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &["vehicleConfiguration", "vehicleInteriorColor", "fuelType"]);
    vehicle
}

fn loose(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let offers = price(car, shapes).map(|price| {
        let price = price.as_u64().map_or(price, |dollars| format!("{dollars}.00").into());
        json!([{"@type": "Offer", "price": price, "priceCurrency": "USD"}])
    });
    let mut vehicle = json!({
        "@context": CONTEXT,
        "@type": ["Car", "Product"],
        "name": car.title(),
        "description": description(car),
        "vin": car.vin,
        "sku": car.stock_number,
        "modelDate": car.year,
        "manufacturer": car.make,
        "model": car.model,
        "vehicleConfiguration": car.trim,
        "bodyType": car.body_style,
        "fuelType": car.fuel_type,
        "color": car.exterior_color,
        "vehicleInteriorColor": car.interior_color,
        "vehicleEngine": car.engine,
        "mileageFromOdometer": car.odometer.to_string(),
        "itemCondition": item_condition(car),
        "image": {"@type": "ImageObject", "url": address.url(&picture_path(car, 1))},
        "offers": offers,
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &["vehicleConfiguration", "vehicleInteriorColor", "fuelType"]);
    vehicle
}

fn product(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let offer = price(car, shapes).map(|price| {
        json!({
            "@type": "AggregateOffer",
            "lowPrice": price,
            "price": price,
            "priceCurrency": "USD",
        })
    });
    let mut vehicle = json!({
        "@context": CONTEXT,
        "@type": "Product",
        "name": car.title(),
        "description": description(car),
        "sku": car.vin,
        "productID": car.vin,
        "productionDate": car.year.to_string(),
        "brand": car.make,
        "model": car.model,
        "color": car.exterior_color,
        "mileageFromOdometer":
            {"@type": "QuantitativeValue", "value": kilometres(car), "unitCode": "KMT"},
        "image": address.url(&picture_path(car, 1)),
        "offers": offer,
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &["color"]);
    vehicle
}

/// The price of the offer; `None` if the page has no offer.
fn price(car: &Car, shapes: &Shapes) -> Option<Value> {
    let price = match shapes.prices {
        Prices::Traps => shapes.amount(car.monthly_payment()),
        Prices::Plain | Prices::ContactUs | Prices::Zeroed | Prices::Absent => {
            shapes.amount(car.price)
        }
    };
    (!price.is_null()).then_some(price)
}

pub(super) fn item_condition(car: &Car) -> &'static str {
    match car.condition {
        Condition::New => "https://schema.org/NewCondition",
        Condition::Used | Condition::Certified => "https://schema.org/UsedCondition",
    }
}

/// Contains an apostrophe and a line break, because some flaws alter these.
fn description(car: &Car) -> String {
    format!("{}: the driver's choice.\nAsk for {}.", car.title(), car.stock_number)
}

/// The odometer in kilometres, rounded.
fn kilometres(car: &Car) -> u32 {
    // A mile is 1,609,344 millimetres.
    let millimetres = u64::from(car.odometer) * 1_609_344;
    u32::try_from((millimetres + 500_000) / 1_000_000).unwrap_or(u32::MAX)
}

/// The block with the vehicle at the given place.
fn placed(place: Place, vehicle: Value, site: &Site) -> Value {
    let breadcrumbs = json!({
        "@context": CONTEXT,
        "@type": "BreadcrumbList",
        "itemListElement": [{"@type": "ListItem", "position": 1, "name": "Inventory"}],
    });
    let page = |name: &str, value: Value| {
        let mut page = json!({"@context": CONTEXT, "@type": "WebPage", "name": site.name()});
        page[name] = value;
        page
    };
    match place {
        Place::Root => vehicle,
        Place::RootArray => json!([breadcrumbs, vehicle]),
        Place::Graph => json!({"@context": CONTEXT, "@graph": [breadcrumbs, vehicle]}),
        Place::ItemList => json!({
            "@context": CONTEXT,
            "@type": "ItemList",
            "itemListElement": [{"@type": "ListItem", "position": 1, "item": vehicle}],
        }),
        Place::MainEntity => page("mainEntity", vehicle),
        Place::Variant => json!({
            "@context": CONTEXT,
            "@type": "ProductGroup",
            "name": vehicle["name"],
            "hasVariant": [vehicle],
        }),
    }
}

#[cfg(test)]
#[path = "json_ld_tests.rs"]
mod tests;
