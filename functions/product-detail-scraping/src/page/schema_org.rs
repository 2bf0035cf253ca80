//! Reads a car described in the vocabulary of schema.org, which JSON-LD and microdata share.

use serde_json::{Map, Value};

use super::{
    availability,
    reader::Reader,
    record::Details,
    value::{self, elements, first},
};

/// An object of linked data.
pub(crate) type Object = Map<String, Value>;

/// The types whose objects may be a car.
const TYPES: [&str; 15] = [
    "Automobile",
    "BusOrCoach",
    "Car",
    "IndividualProduct",
    "MotorVehicle",
    "Motorcycle",
    "MotorizedBicycle",
    "Product",
    "RecreationalVehicle",
    "SUV",
    "Truck",
    "UsedCar",
    "NewCar",
    "Van",
    "Vehicle",
];

/// The names of properties that hold a VIN and nothing else.
pub(crate) const VIN_NAMES: [&str; 4] = ["vehicleIdentificationNumber", "vin", "VIN", "vehicleVin"];

/// The properties that hold a VIN, a stock number, or a number of the maker.
const NUMBERS: [&str; 5] = ["sku", "productID", "serialNumber", "identifier", "additionalProperty"];

/// The properties of an offer or a price specification that tell what its amount is.
const LABELS: [&str; 9] = [
    "@type",
    "name",
    "category",
    "businessFunction",
    "priceType",
    "unitText",
    "unitCode",
    "priceComponentType",
    "loanType",
];

/// The properties that only a payment has.
const OF_PAYMENTS: [&str; 10] = [
    "paymentFrequency",
    "billingDuration",
    "billingIncrement",
    "numberOfLoanPayments",
    "downPayment",
    "loanTerm",
    "annualPercentageRate",
    "eligibleDuration",
    "leaseLength",
    "installmentAmount",
];

/// Longest description of an offer that tells what its amount is, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 60;

/// Most offers read of one car, and most price specifications read of one offer.
const MAX_OFFERS: usize = 20;

/// Whether an object may describe a car. Many sites use the general types for products.
pub(crate) fn is_car(object: &Object) -> bool {
    elements(object.get("@type")).iter().filter_map(Value::as_str).any(|kind| {
        let name = kind.rsplit(['/', '#', ':']).next().unwrap_or(kind);
        TYPES.iter().any(|known| known.eq_ignore_ascii_case(name))
    })
}

/// The VIN in a car's object.
pub(crate) fn vin(car: &Object) -> Option<String> {
    let named = VIN_NAMES.iter().filter_map(|key| car.get(*key)).find_map(value::vin);
    let numbers = || {
        let values = NUMBERS.iter().flat_map(|key| elements(car.get(*key)));
        // The name of a number is not its value.
        let number = |value: &Value| value::vin(value.get("value").unwrap_or(value));
        values.filter(|value| is_of_a_car(value)).find_map(number)
    };
    let addresses = || {
        let addresses = ["url", "@id"].iter().filter_map(|key| car.get(*key));
        addresses.filter_map(Value::as_str).find_map(value::vin_in_address)
    };
    named.or_else(numbers).or_else(addresses)
}

/// Whether a number that has a name is named a VIN.
fn is_of_a_car(number: &Value) -> bool {
    let Some(number) = number.as_object() else { return true };
    let names = ["propertyID", "name"].iter().filter_map(|key| number.get(*key)?.as_str());
    let is_vin = |name: &str| {
        let name = name.to_ascii_lowercase();
        name == "vin" || name.contains("vehicle identification")
    };
    names.clone().count() == 0 || names.into_iter().any(is_vin)
}

/// Reads the details of a car's object. `offer` is the offer around it, if the car is the offer's
/// item.
pub(crate) fn details(car: &Object, offer: Option<&Object>, reader: &mut Reader<'_>) -> Details {
    let own = elements(car.get("offers")).iter().filter_map(Value::as_object);
    let offers: Vec<&Object> = own.chain(offer).take(MAX_OFFERS).collect();
    let of_offers = |key: &str| offers.iter().find_map(|offer| offer.get(key));
    let condition = first(car, &["itemCondition", "vehicleCondition"]);
    let condition = condition.or_else(|| of_offers("itemCondition"));
    let condition = reader.read("condition", condition, value::condition);
    let engine = elements(car.get("vehicleEngine")).first();
    let of_engine = |key: &str| engine.and_then(|engine| engine.get(key));
    let mileage = elements(car.get("mileageFromOdometer")).first();
    let mileage_unit = mileage.and_then(Value::as_object);
    let mileage_unit = mileage_unit.and_then(|mileage| first(mileage, &["unitCode", "unitText"]));
    let seller = of_offers("seller").or_else(|| of_offers("offeredBy"));
    let availability = of_offers("availability").or_else(|| car.get("availability"));
    let address = seller.and_then(|seller| elements(seller.get("address")).first());
    let of_address = |key: &str| address.and_then(|address| address.get(key));
    let year = first(car, &["vehicleModelDate", "modelDate", "productionDate"]);
    let mut details = Details {
        title: reader.text("title", car.get("name")),
        year: reader.read("year", year, value::year),
        make: reader.text("make", first(car, &["brand", "manufacturer"])),
        model: reader.text("model", car.get("model")),
        trim: reader.text("trim", car.get("vehicleConfiguration")),
        condition,
        // Some sites repeat the VIN as the SKU. It is no stock number then.
        stock_number: reader.text("stock_number", car.get("sku").filter(|sku| !is_vin(sku))),
        mileage: reader.mileage(mileage, mileage_unit, condition),
        availability: reader.read("availability", availability, availability::read),
        body_style: reader.text("body_style", car.get("bodyType")),
        engine: reader.text("engine", engine_name(engine)),
        transmission: reader.text("transmission", car.get("vehicleTransmission")),
        drive_line: reader
            .text("drive_line", car.get("driveWheelConfiguration"))
            .map(|text| drive_line(&text)),
        fuel_type: reader.text("fuel_type", car.get("fuelType").or_else(|| of_engine("fuelType"))),
        exterior_color: reader.text("exterior_color", car.get("color")),
        interior_color: reader.text("interior_color", car.get("vehicleInteriorColor")),
        images: reader.images(car.get("image")),
        dealer_name: reader.text("dealer_name", seller),
        city: reader.text("city", of_address("addressLocality")),
        state: reader.text("state", of_address("addressRegion")),
        postal_code: reader.text("postal_code", of_address("postalCode")),
        currency: currency(car, &offers, reader),
        ..Details::default()
    };
    for offer in offers {
        prices(offer, reader, &mut details);
    }
    let msrp = reader.cents("msrp_cents", first(car, &["msrp", "MSRP"]));
    details.msrp_cents = details.msrp_cents.or(msrp);
    details.price(reader.amount("price_cents", car.get("price"), ""));
    details
}

/// The currency of the first offer that has a price, as its property or beside the amount; without a price, that of any
/// offer.
fn currency(car: &Object, offers: &[&Object], reader: &mut Reader<'_>) -> Option<String> {
    let specification = |offer: &&Object| -> Vec<Value> {
        let specifications = elements(offer.get("priceSpecification")).iter().take(MAX_OFFERS);
        specifications.filter_map(|one| one.get("priceCurrency").cloned()).collect()
    };
    let amounts = ["price", "lowPrice"];
    let priced = offers.iter().find(|offer| {
        first(offer, &amounts).is_some() || !elements(offer.get("priceSpecification")).is_empty()
    });
    let Some(priced) = priced else {
        let any = offers.iter().find_map(|offer| offer.get("priceCurrency"));
        return reader.read("currency", any.or_else(|| car.get("priceCurrency")), value::currency);
    };
    let specified = specification(priced);
    let own = first(priced, &["priceCurrency"]).or_else(|| specified.first());
    let stated = reader.read("currency", own, value::currency);
    let beside = || value::currency_beside(&first(priced, &amounts).and_then(value::plain)?);
    stated.or_else(|| beside().map(str::to_owned))
}

fn is_vin(value: &Value) -> bool {
    value::vin(value).is_some()
}

/// The name of an engine, which is a text or an object with a name or a type.
fn engine_name(engine: Option<&Value>) -> Option<&Value> {
    let object = engine.and_then(Value::as_object);
    object.map_or(engine, |object| first(object, &["name", "engineType"]))
}

/// Abbreviates the names that schema.org defines for driven wheels. Other texts stay unchanged.
fn drive_line(text: &str) -> String {
    let word = text.rsplit('/').next().unwrap_or(text);
    let short = match word.strip_suffix("Configuration") {
        Some("AllWheelDrive") => "AWD",
        Some("FourWheelDrive") => "4WD",
        Some("FrontWheelDrive") => "FWD",
        Some("RearWheelDrive") => "RWD",
        _ => text,
    };
    short.to_owned()
}

/// Adds the amounts that an offer states to `details`.
fn prices(offer: &Object, reader: &mut Reader<'_>, details: &mut Details) {
    let labels = labels(offer);
    let specifications = elements(offer.get("priceSpecification"));
    let specifications: Vec<&Object> =
        specifications.iter().filter_map(Value::as_object).take(MAX_OFFERS).collect();
    let price = first(offer, &["price"]).or_else(|| single_of_range(offer));
    let amount = price.and_then(value::plain);
    // A specification of the same amount, or of none, describes the offer's own amount.
    let mut all_labels = labels.clone();
    for specification in &specifications {
        let stated = specification.get("price").and_then(value::plain);
        if stated.is_none() || stated == amount {
            all_labels.push(' ');
            all_labels.push_str(&self::labels(specification));
        }
    }
    details.price(reader.amount("price_cents", price, &all_labels));
    for specification in specifications {
        let labels = format!("{labels} {}", self::labels(specification));
        details.price(reader.amount("price_cents", specification.get("price"), &labels));
    }
}

/// The price of an aggregate offer, if the ends of its range are equal or only the low end is
/// given.
fn single_of_range(offer: &Object) -> Option<&Value> {
    let (low, high) = (offer.get("lowPrice"), offer.get("highPrice"));
    let is_range = low.and_then(value::plain) != high.and_then(value::plain);
    low.filter(|_| high.is_none() || !is_range)
}

/// The texts of an offer or a specification that tell what its amount is.
fn labels(object: &Object) -> String {
    let own = LABELS.iter().map(|key| object.get(*key));
    let period = object.get("referenceQuantity");
    let of_period = |key: &str| period.and_then(|period| period.get(key));
    let period = ["unitCode", "unitText", "value"].map(of_period);
    let texts = own.chain(period).flatten().filter_map(value::plain);
    // A long description speaks of many things.
    let description = object.get("description").and_then(value::plain);
    let texts = texts.chain(description.filter(|text| text.len() <= MAX_DESCRIPTION_BYTES));
    let is_payment = OF_PAYMENTS.iter().any(|key| object.contains_key(*key));
    texts.chain(is_payment.then(|| "payment".to_owned())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::page::vocabulary::{Condition, Mileage, Provenance, Unit};

    fn read(car: &Value) -> Details {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut reader = Reader::new(Provenance::JsonLd, &base, &budget);
        details(car.as_object().unwrap(), None, &mut reader)
    }

    #[test]
    fn a_type_is_a_text_an_array_or_an_address() {
        let cars = [
            json!({"@type": "Car"}),
            json!({"@type": ["Thing", "vehicle"]}),
            json!({"@type": "http://schema.org/Product"}),
            json!({"@type": "schema:Car"}),
        ];
        assert!(cars.iter().all(|car| is_car(car.as_object().unwrap())));
        let others = [json!({}), json!({"@type": "CarDealer"}), json!({"@type": 7})];
        assert!(!others.iter().any(|other| is_car(other.as_object().unwrap())));
    }

    #[test]
    fn the_price_is_distinguished_from_other_amounts() {
        let cases = [
            (json!({"price": 25_995}), vec![2_599_500], None),
            (
                json!([{"price": "25,995.00"}, {"price": "$24,995"}]),
                vec![2_599_500, 2_499_500],
                None,
            ),
            (json!({"price": ""}), vec![], None),
            (json!({"@type": "AggregateOffer", "lowPrice": 25_995}), vec![2_599_500], None),
            (json!({"lowPrice": "25995", "highPrice": 25_995}), vec![2_599_500], None),
            (json!({"lowPrice": 20_995, "highPrice": 25_995}), vec![], None),
            (
                json!({"priceSpecification": [
                    {"priceType": "https://schema.org/ListPrice", "price": 27_000},
                    {"price": 25_995},
                ]}),
                vec![2_599_500],
                Some(2_700_000),
            ),
            // The specification tells that the offer's amount is a payment.
            (
                json!({"price": 1_389, "priceSpecification": {"price": "1389", "unitCode": "MON"}}),
                vec![],
                None,
            ),
            (
                json!({"price": 1_389,
                    "priceSpecification": {"referenceQuantity": {"unitCode": "MON"}}}),
                vec![],
                None,
            ),
            (json!({"name": "Lease offer", "price": 1_389}), vec![], None),
        ];
        for (offers, asked, msrp) in cases {
            let details = read(&json!({"@type": "Car", "offers": offers}));
            assert_eq!((details.asking_cents, details.msrp_cents), (asked, msrp), "{offers}");
        }
    }

    #[test]
    fn fields_are_read_in_all_their_forms() {
        let details = read(&json!({
            "brand": {"name": "Honda"},
            "productionDate": "2003-05-01",
            "mileageFromOdometer": {"value": "80,000", "unitCode": "KMT"},
            "vehicleEngine": {"engineType": "2.4L I4", "fuelType": "Gasoline"},
            "driveWheelConfiguration": "https://schema.org/FrontWheelDriveConfiguration",
            "sku": "1HGCM82633A004352",
            "offers": [
                {"seller": {"name": "Example Motors", "address": {"addressLocality": "Ada"}}},
                {"itemCondition": "UsedCondition", "priceCurrency": "usd"},
            ],
        }));
        let expected = Details {
            make: Some("Honda".into()),
            year: Some(2003),
            mileage: Some(Mileage { value: 80_000, unit: Unit::Kilometres }),
            engine: Some("2.4L I4".into()),
            fuel_type: Some("Gasoline".into()),
            drive_line: Some("FWD".into()),
            dealer_name: Some("Example Motors".into()),
            city: Some("Ada".into()),
            condition: Some(Condition::Used),
            currency: Some("USD".into()),
            ..Details::default()
        };
        assert_eq!(details, expected);
    }
}
