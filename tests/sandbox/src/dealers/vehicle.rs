//! A vehicle as the inventory endpoints show it, in the shapes of the site.

use serde_json::{Value, json};

use super::address::Address;
use super::car::{Car, Condition};
use super::shapes::{Images, Links, Prices, Shapes, Title};

/// The number of pictures of a car.
const PICTURES: usize = 2;

/// The cost of the accessories in dollars, which a client may mistake for the price.
const ACCESSORIES: u32 = 1_995;

/// The fields that are not always known, to which `shapes.gaps` applies.
const GAPS: [&str; 3] = ["trim", "fuelType", "bodyStyle"];

/// An entry of `inventory`.
pub(super) fn entry(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let mut vehicle = json!({
        "vin": shapes.vin(&car.vin),
        "year": shapes.number(u32::from(car.year)),
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "stockNumber": car.stock_number,
        "type": kind(car),
        "condition": if car.condition == Condition::New { "New" } else { "Used" },
        "certified": shapes.flag(car.condition == Condition::Certified),
        "bodyStyle": car.body_style,
        "fuelType": car.fuel_type,
        "link": link(car, shapes, address),
        "uuid": car.uuid,
        "accountId": car.account_id,
        "inventoryDate": car.inventory_date,
        "title": title(car, shapes),
        "images": images(car, shapes, address),
        "attributes": attributes(car),
        "trackingAttributes": tracking_attributes(car, shapes),
        "pricing": pricing(car, shapes),
        "trackingPricing": tracking_pricing(car, shapes),
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &GAPS);
    vehicle
}

/// An entry of `pageInfo.trackingData`, the only vehicles in the answers of older sites.
pub(super) fn tracking(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let mut pricing = json!({
        "msrp": shapes.amount(car.msrp),
        "finalPrice": shapes.amount(car.price),
    });
    drop_nulls(&mut pricing);
    let mut vehicle = json!({
        "vin": shapes.vin(&car.vin),
        "modelYear": shapes.number(u32::from(car.year)),
        "make": car.make,
        "model": car.model,
        "trim": car.trim,
        "stockNumber": car.stock_number,
        "newOrUsed": kind(car),
        "certified": shapes.flag(car.condition == Condition::Certified),
        "bodyStyle": car.body_style,
        "fuelType": car.fuel_type,
        "odometer": shapes.number(car.odometer),
        "exteriorColor": car.exterior_color,
        "link": link(car, shapes, address),
        "uuid": car.uuid,
        "accountId": car.account_id,
        "inventoryDate": car.inventory_date,
        "pricing": if shapes.prices == Prices::Absent { Value::Null } else { pricing },
    });
    drop_nulls(&mut vehicle);
    shapes.gaps.cut(&mut vehicle, &GAPS);
    vehicle
}

/// The invalid entry that replaces the car with this number; `None` if the car is listed as it is.
pub(super) fn misfit(number: u32, misfits: u32) -> Option<Value> {
    let misfit = match number % 4 {
        0 => Value::Null,
        1 => "unavailable".into(),
        2 => json!({"year": 2024, "make": "Ford", "model": "Ranger"}),
        _ => json!({"vin": "1FT123", "year": 2024, "make": "Ford", "model": "Ranger"}),
    };
    (number < misfits).then_some(misfit)
}

fn kind(car: &Car) -> &'static str {
    if car.condition == Condition::New { "new" } else { "used" }
}

fn title(car: &Car, shapes: &Shapes) -> Value {
    match shapes.title {
        Title::Text => car.title().into(),
        Title::Array => json!([car.name(), car.trim]),
        Title::Absent => Value::Null,
    }
}

fn link(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    match shapes.links {
        Links::Relative => address.path(&car.path).into(),
        Links::Absolute => address.url(&car.path).into(),
        Links::Absent => Value::Null,
    }
}

fn images(car: &Car, shapes: &Shapes, address: &Address) -> Value {
    let uri = |picture: usize| {
        let path = picture_path(car, picture);
        match shapes.images {
            Images::Absolute => Some(address.url(&path)),
            Images::Hostless => Some(address.path(&path)),
            Images::Schemeless => address.url(&path).strip_prefix("http:").map(str::to_owned),
            Images::None => None,
        }
    };
    (1..=PICTURES).filter_map(uri).map(|uri| json!({"uri": uri})).collect()
}

/// The path of a picture on the site. The picture itself does not exist.
pub(super) fn picture_path(car: &Car, picture: usize) -> String {
    format!("pictures/{}/{picture}.jpg", car.uuid)
}

fn attributes(car: &Car) -> Value {
    json!([
        {"name": "exteriorColor", "value": car.exterior_color},
        {"name": "interiorColor", "value": car.interior_color},
        {"name": "engine", "value": car.engine},
        {"name": "driveLine", "value": car.drive_line},
    ])
}

fn tracking_attributes(car: &Car, shapes: &Shapes) -> Value {
    json!([
        {"name": "odometer", "value": shapes.number(car.odometer)},
        {"name": "engine", "value": car.engine},
        {"name": "exteriorColor", "value": car.exterior_color},
    ])
}

fn pricing(car: &Car, shapes: &Shapes) -> Value {
    let row = |class: &str, dollars: u32, is_final: bool, is_discount: bool| {
        json!({
            "typeClass": class,
            "value": shapes.shown(dollars),
            "isFinalPrice": is_final,
            "isDiscount": is_discount,
        })
    };
    let mut rows = vec![
        row("msrp", car.msrp, false, false),
        row("dealerDiscount", car.msrp.saturating_sub(car.price), false, true),
        row("internetPrice", car.price, true, false),
    ];
    match shapes.prices {
        Prices::Plain | Prices::ContactUs | Prices::Zeroed => {}
        Prices::Traps => {
            rows.push(row("financePayment", car.monthly_payment(), false, false));
            rows.push(row("accessoriesTotal", ACCESSORIES, false, false));
        }
        Prices::Absent => return Value::Null,
    }
    json!({"retailPrice": shapes.shown(car.msrp), "dprice": rows})
}

fn tracking_pricing(car: &Car, shapes: &Shapes) -> Value {
    if shapes.prices == Prices::Absent {
        return Value::Null;
    }
    json!({
        "internetPrice": shapes.amount(car.price),
        "msrp": shapes.amount(car.msrp),
        "salePrice": shapes.amount(car.price),
        "askingPrice": shapes.amount(car.price),
    })
}

/// Removes the fields that are null.
pub(super) fn drop_nulls(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}
