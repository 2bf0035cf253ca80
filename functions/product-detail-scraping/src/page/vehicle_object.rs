//! Reads a car's object of the data layer: names of properties differ by platform.

use serde_json::{Map, Value};

use super::{
    amount::{self, Amount},
    availability, distance,
    quality::Code,
    reader::Reader,
    record::Details,
    value::{self, first},
};

/// The properties that hold a price, the most binding first.
const PRICES: [&str; 7] = [
    "finalPrice",
    "internetPrice",
    "salePrice",
    "askingPrice",
    "sellingPrice",
    "dealerPrice",
    "price",
];

/// Longest text that tells what the amounts of a car are, in bytes. Longer ones speak of many things.
const MAX_LABEL_BYTES: usize = 60;

/// Most amounts kept that are no prices.
const MAX_OTHERS: usize = 16;

/// Reads the details of a car's object.
pub(super) fn details(car: &Map<String, Value>, reader: &mut Reader<'_>) -> Details {
    let get = |names: &[&str]| first(car, names);
    let kind = car.get("type").filter(|kind| reads(kind, value::condition));
    let condition = get(&["newOrUsed", "condition", "inventoryType", "vehicleCondition"]).or(kind);
    let condition = reader.read("condition", condition, value::condition);
    let address = car.get("address").and_then(Value::as_object);
    let of_dealer = |key: &str| address.and_then(|address| address.get(key));
    let mut details = Details {
        title: reader.text("title", get(&["title", "vehicleTitle"])),
        year: reader.read("year", get(&["modelYear", "year"]), value::year),
        make: reader.text("make", get(&["make", "makeName"])),
        model: reader.text("model", get(&["model", "modelName"])),
        trim: reader.text("trim", get(&["trim", "trimName"])),
        condition,
        certified: reader.read("certified", get(&["certified", "isCertified"]), value::boolean),
        stock_number: reader.text("stock_number", get(&["stockNumber", "stockNum", "stock"])),
        body_style: reader.text("body_style", get(&["bodyStyle", "body"])),
        engine: reader.text("engine", car.get("engine")),
        transmission: reader.text("transmission", car.get("transmission")),
        drive_line: reader.text("drive_line", get(&["driveLine", "drivetrain", "driveTrain"])),
        fuel_type: reader.text("fuel_type", car.get("fuelType")),
        exterior_color: reader.text("exterior_color", get(&["exteriorColor", "extColor"])),
        interior_color: reader.text("interior_color", get(&["interiorColor", "intColor"])),
        option_codes: car.get("optionCodes").and_then(value::codes),
        images: reader.images(car.get("images")),
        retail_value_cents: reader.cents("retail_value_cents", car.get("retailValue")),
        currency: reader.read(
            "currency",
            get(&["priceCurrency", "currency", "currencyCode"]),
            value::currency,
        ),
        dealer_name: reader.text("dealer_name", get(&["accountName", "dealerName"])),
        city: reader.text("city", of_dealer("city")),
        state: reader.text("state", of_dealer("state")),
        postal_code: reader.text("postal_code", of_dealer("postalCode")),
        ..Details::default()
    };
    mileage(car, reader, &mut details);
    state(car, reader, &mut details);
    details.msrp_cents = reader.cents("msrp_cents", get(&["msrp", "MSRP"]));
    prices(car, reader, &mut details);
    details
}

/// Whether a property with a general name has a value that `parse` knows.
fn reads<T>(value: &Value, parse: impl Fn(&str) -> Option<T>) -> bool {
    value::plain(value).is_some_and(|text| parse(&text).is_some())
}

fn mileage(car: &Map<String, Value>, reader: &mut Reader<'_>, details: &mut Details) {
    let reading = first(car, &["odometer", "mileage", "miles"]);
    let unit = car.iter().find(|(name, _)| distance::names_unit(name)).map(|(_, unit)| unit);
    // The name may be the unit.
    let metric = car
        .iter()
        .find(|(name, value)| distance::names_kilometres(name) && value::plain(value).is_some());
    let kilometres = Value::from("km");
    let (reading, unit) = match metric {
        Some((_, value)) => (Some(value), Some(&kilometres)),
        None => (reading, unit),
    };
    details.mileage = reader.mileage(reading, unit, details.condition);
}

/// A flag that the car is sold counts for more than the status, which may be that of the listing.
fn state(car: &Map<String, Value>, reader: &mut Reader<'_>, details: &mut Details) {
    let status = first(car, &["inventoryStatus", "vehicleStatus", "status", "saleStatus"]);
    let status = status.filter(|status| reads(status, availability::read));
    let said = car.get("availability").or(status);
    let said = reader.read("availability", said, availability::read);
    details.availability = availability::flagged(car).or(said);
}

fn prices(car: &Map<String, Value>, reader: &mut Reader<'_>, details: &mut Details) {
    details.other_cents = others(car);
    let label = label(car);
    for name in PRICES {
        let stated = car.get(name);
        let amount = reader.amount("price_cents", stated, &label);
        // A label that says that the amounts are the manufacturer's says nothing of those with a name of their own.
        let amount = match amount {
            Some(Amount::Msrp(cents)) if name != "price" => Some(Amount::Asking(cents)),
            amount => amount,
        };
        let before = details.asking_cents.len();
        details.price(amount);
        if before == 0 && !details.asking_cents.is_empty() && details.currency.is_none() {
            let text = stated.and_then(value::plain).unwrap_or_default();
            details.currency = value::currency_beside(&text).map(str::to_owned);
        }
    }
}

/// The texts of a car that tell what its prices are: `priceLabel`, `priceType`, `paymentFrequency`.
fn label(car: &Map<String, Value>) -> String {
    const PARTS: [&str; 11] = [
        "label",
        "type",
        "suffix",
        "prefix",
        "qualifier",
        "unit",
        "period",
        "frequency",
        "note",
        "text",
        "description",
    ];
    let is_label = |name: &str| {
        let name = name.to_ascii_lowercase();
        let rest = name.strip_prefix("price").or_else(|| name.strip_prefix("offer"));
        rest.is_some_and(|rest| PARTS.iter().any(|part| rest.ends_with(part)))
    };
    let texts = car.iter().filter(|(name, _)| is_label(name)).filter_map(|(_, value)| {
        let text = value::plain(value)?;
        // A text with an amount of its own is no label.
        let is_short = text.len() <= MAX_LABEL_BYTES && value::number(&text).is_none();
        is_short.then_some(text)
    });
    let is_payment = ["paymentFrequency", "billingIncrement", "billingPeriod"].iter().any(|name| {
        car.get(*name).and_then(value::plain).is_some_and(|text| !value::is_placeholder(&text))
    });
    let mut texts: Vec<String> = texts.collect();
    if is_payment || texts.iter().any(|text| amount::is_period(text)) {
        texts.push("payment".to_owned());
    }
    texts.join(" ")
}

/// The amounts that the names of their properties call something else than a price: `monthlyPayment`, `currentBid`,
/// `totalSavings`.
fn others(car: &Map<String, Value>) -> Vec<(u64, Code)> {
    let found = car.iter().filter_map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let is_price = lower.contains("price") || lower.contains("invoice");
        let is_never = ["month", "lease", "week", "bid"].iter().any(|part| lower.contains(part));
        if is_price && !is_never {
            return None;
        }
        let text = value::plain(value)?;
        let amount = amount::read(&text, name)?;
        let number = value::number(&text)?;
        match amount {
            Amount::Other(
                code @ (Code::MonthlyPayment
                | Code::Savings
                | Code::Fee
                | Code::Accessories
                | Code::Bid),
            ) => Some((number.whole * 100 + number.hundredths, code)),
            _ => None,
        }
    });
    found.take(MAX_OTHERS).collect()
}
