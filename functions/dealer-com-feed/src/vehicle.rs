//! One car, parsed from an entry of a site's list.

use evenkeel::base::hash::sha256_hex;
use inventory::{availability, vin::Vin};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use url::Url;

use crate::{
    entry::Entry,
    field::{self, Reading, Unit},
    parts,
    payload::Condition,
    price::Prices,
};

/// Most images that are kept, at about a hundred bytes each in the store. The detail page has more.
const MAX_IMAGES: usize = 20;

/// Longest reason of a bad entry, in bytes.
const MAX_REASON_BYTES: usize = 200;

/// Hexadecimal digits of a bad entry's mark.
const MARK_DIGITS: usize = 16;

/// A car. Every field but the VIN may be missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Vehicle {
    #[serde(serialize_with = "write_vin", deserialize_with = "read_vin")]
    pub vin: Vin,
    /// The condition in the entry's own fields; the list that has the entry may be another.
    pub condition: Option<Condition>,
    /// The model year.
    pub year: Option<u16>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub trim: Option<String>,
    /// The headline of the listing.
    pub title: Option<String>,
    pub stock_number: Option<String>,
    pub body_style: Option<String>,
    pub fuel_type: Option<String>,
    pub engine: Option<String>,
    pub transmission: Option<String>,
    /// The driven wheels, such as "AWD".
    pub drive_line: Option<String>,
    pub exterior_color: Option<String>,
    pub interior_color: Option<String>,
    /// The odometer reading.
    pub odometer: Option<u32>,
    /// Its unit, if the site states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub odometer_unit: Option<Unit>,
    /// Whether it can be bought, if the site says so: one of the names of
    /// [`inventory::availability::named`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<String>,
    pub prices: Prices,
    /// The absolute address of the car's page; `None` if the site lists none.
    pub link: Option<String>,
    /// Absolute addresses of pictures, in the site's order.
    pub images: Vec<String>,
    /// Which dealer of a group has the car.
    pub account_id: Option<String>,
    /// The site's id of the listing.
    pub uuid: Option<String>,
    /// When the car came into the inventory, as `YYYY-MM-DD`.
    pub inventory_date: Option<String>,
    /// Names of the fields with a placeholder, such as "N/A" or a price of zero.
    pub placeholders: Vec<String>,
    /// Names of the fields whose value could not be parsed.
    pub unreadable: Vec<String>,
}

impl Vehicle {
    /// Parses an entry in any of the formats that the two endpoints use.
    ///
    /// Fails if the entry is not an object or has no valid VIN; the error says what was expected.
    pub(crate) fn read(value: &Value, site: &Url) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err("no object, expected a vehicle".into());
        };
        let vin = vin(fields.get("vin").unwrap_or(&Value::Null))?;
        let mut entry = Entry::new(fields);
        let odometer = entry.read("odometer", &["odometer", "mileage"], field::odometer);
        // Another value of the same number may have the unit.
        let number = odometer.map(|(value, _)| value);
        let stated = entry.find(&["odometer", "mileage"], |text| match field::odometer(text) {
            Reading::Found((value, unit)) if Some(value) == number => unit,
            _ => None,
        });
        let unit = entry.read("odometer_unit", &["odometerUnit", "mileageUnit"], field::unit);
        let mut words = |note, name| entry.read(note, &[name], field::words);
        let mut vehicle = Self {
            vin,
            make: words("make", "make"),
            model: words("model", "model"),
            trim: words("trim", "trim"),
            title: words("title", "title"),
            stock_number: words("stock_number", "stockNumber"),
            body_style: words("body_style", "bodyStyle"),
            fuel_type: words("fuel_type", "fuelType"),
            engine: words("engine", "engine"),
            transmission: words("transmission", "transmission"),
            drive_line: words("drive_line", "driveLine"),
            exterior_color: words("exterior_color", "exteriorColor"),
            interior_color: words("interior_color", "interiorColor"),
            account_id: words("account_id", "accountId"),
            uuid: words("uuid", "uuid"),
            condition: condition(&mut entry),
            year: entry.read("year", &["year", "modelYear"], field::year),
            odometer: odometer.map(|(value, _)| value),
            odometer_unit: stated.or(unit),
            availability: availability(&entry),
            inventory_date: entry.read("inventory_date", &["inventoryDate"], field::date),
            prices: Prices::read(&mut entry),
            link: link(&mut entry, site),
            images: images(&entry, site),
            placeholders: Vec::new(),
            unreadable: Vec::new(),
        };
        (vehicle.placeholders, vehicle.unreadable) = entry.into_notes();
        Ok(vehicle)
    }
}

fn vin(value: &Value) -> Result<Vin, String> {
    match field::text(value) {
        Some(text) if field::is_placeholder(&text) => Err("vin: a placeholder".into()),
        Some(text) => {
            let vin = Vin::parse(&text).map_err(|problem| format!("vin: {problem}"))?;
            if vin.is_placeholder() {
                return Err(format!("vin: {vin} is a placeholder, as of a car on order"));
            }
            Ok(vin)
        }
        None if value.is_null() => Err("vin: missing".into()),
        None => Err("vin: no text".into()),
    }
}

/// The condition in the entry's own fields. Only used cars can be certified, so a new car that
/// claims to be certified counts as new.
fn condition(entry: &mut Entry<'_>) -> Option<Condition> {
    let said = entry.read("condition", &["condition", "type", "newOrUsed"], field::condition);
    let certified = entry.read("certified", &["certified"], field::flag);
    match said {
        Some(Condition::New) => Some(Condition::New),
        _ if certified == Some(true) => Some(Condition::Certified),
        said => said,
    }
}

/// A flag that the car is sold counts for more than the status, which may be that of the listing. A status of another
/// meaning is none.
fn availability(entry: &Entry<'_>) -> Option<String> {
    let flagged = entry.find(&["isSold", "sold", "soldFlag"], |text| {
        (field::flag(text) == Reading::Found(true)).then_some("sold")
    });
    let names = ["availability", "inventoryStatus", "vehicleStatus", "saleStatus", "status"];
    flagged.or_else(|| entry.find(&names, availability::named)).map(str::to_owned)
}

fn link(entry: &mut Entry<'_>, site: &Url) -> Option<String> {
    let reading = entry.fields().get("link").filter(|value| !value.is_null()).map(|value| {
        let Some(text) = value.as_str() else { return Reading::Unreadable };
        if field::is_placeholder(text) {
            return Reading::Placeholder;
        }
        // The site's front page is not the page of a car.
        let url = field::address(text, site);
        let url = url.filter(|url| url.path() != "/" || url.query().is_some());
        Reading::from(url.map(String::from))
    });
    entry.settle("link", reading)
}

fn images(entry: &Entry<'_>, site: &Url) -> Vec<String> {
    let mut images = Vec::new();
    for image in entry.list("images") {
        let uri = image.as_str().or_else(|| image.get("uri").and_then(Value::as_str));
        let uri = uri.filter(|uri| !field::is_placeholder(uri));
        let url = uri.and_then(|uri| field::address(uri, site)).map(String::from);
        if let Some(url) = url
            && images.len() < MAX_IMAGES
            && !images.contains(&url)
        {
            images.push(url);
        }
    }
    images
}

fn write_vin<S: Serializer>(vin: &Vin, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(vin.as_str())
}

fn read_vin<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vin, D::Error> {
    Vin::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// An entry that is not a readable car.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVehicle {
    /// Position in the page, counted from 0.
    pub position: usize,
    /// Why it could not be parsed, at most 200 bytes.
    pub reason: String,
    mark: String,
    vin: Option<Vin>,
}

impl BadVehicle {
    /// The entry `raw` at `position`. `reason` is cut to 200 bytes.
    pub(crate) fn new(position: usize, mut reason: String, raw: &str) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        let mut mark = sha256_hex(&[raw]);
        mark.truncate(MARK_DIGITS);
        let vin = parts::vin(raw).and_then(|vin| Vin::parse(vin).ok());
        Self { position, reason, mark, vin: vin.filter(|vin| !vin.is_placeholder()) }
    }

    /// The VIN, if it can be read at least: the car is listed, whatever else is unknown of it.
    pub(crate) const fn vin(&self) -> Option<&Vin> {
        self.vin.as_ref()
    }

    /// Distinguishes bad entries: the first digits of a hash of the entry's text.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }
}

#[cfg(test)]
#[path = "vehicle_tests.rs"]
mod tests;
