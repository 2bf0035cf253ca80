//! One car, as a site's list tells of it.

use evenkeel::base::hash::sha256_hex;
use inventory::vin::Vin;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use url::Url;

use crate::{
    entry::Entry,
    field::{self, Reading},
    payload::Condition,
    price::Prices,
};

/// Most images that are kept: a page shows more, and each is a hundred bytes in the store.
const MAX_IMAGES: usize = 20;

/// Longest reason, in bytes.
const MAX_REASON_BYTES: usize = 200;

/// Hexadecimal digits of what tells one unreadable entry from another.
const MARK_DIGITS: usize = 16;

/// A car. All but the VIN may be missing, which is no failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    /// Its VIN, in upper case.
    #[serde(serialize_with = "write_vin", deserialize_with = "read_vin")]
    pub vin: Vin,
    /// New, used or certified, as the car itself says.
    pub condition: Option<Condition>,
    /// The model year.
    pub year: Option<u16>,
    /// The maker.
    pub make: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// The model's trim.
    pub trim: Option<String>,
    /// What the site calls the car.
    pub title: Option<String>,
    /// The dealer's number for the car.
    pub stock_number: Option<String>,
    /// The body's style.
    pub body_style: Option<String>,
    /// What it runs on.
    pub fuel_type: Option<String>,
    /// The engine.
    pub engine: Option<String>,
    /// The transmission.
    pub transmission: Option<String>,
    /// Which wheels are driven.
    pub drive_line: Option<String>,
    /// The paint.
    pub exterior_color: Option<String>,
    /// The colour inside.
    pub interior_color: Option<String>,
    /// The odometer, in the site's unit of distance: miles in the United States.
    pub odometer: Option<u32>,
    /// What it costs.
    pub prices: Prices,
    /// The absolute address of its own page. Without one there is none: it is never made up.
    pub link: Option<String>,
    /// Absolute addresses of pictures, in the site's order.
    pub images: Vec<String>,
    /// Which of a group's dealers has it.
    pub account_id: Option<String>,
    /// The site's id of the listing.
    pub uuid: Option<String>,
    /// When it came into the inventory, as `YYYY-MM-DD`.
    pub inventory_date: Option<String>,
    /// Fields that held something which stands for nothing, such as "N/A" or a price of zero.
    pub placeholders: Vec<String>,
    /// Fields that held something else than was expected.
    pub unreadable: Vec<String>,
}

impl Vehicle {
    /// Reads an entry of any of the shapes that the two endpoints have had.
    ///
    /// Fails with a sentence that names what a car cannot do without.
    pub(crate) fn read(value: &Value, site: &Url) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return Err("no object, expected a vehicle".into());
        };
        let vin = vin(fields.get("vin").unwrap_or(&Value::Null))?;
        let mut entry = Entry::new(fields);
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
            odometer: entry.read("odometer", &["odometer", "mileage"], field::odometer),
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
        Some(text) => Vin::parse(&text).map_err(|problem| format!("vin: {problem}")),
        None if value.is_null() => Err("vin: missing".into()),
        None => Err("vin: no text".into()),
    }
}

/// What the car says of itself. A certificate is for used cars: a new one that claims it is new.
fn condition(entry: &mut Entry<'_>) -> Option<Condition> {
    let said = entry.read("condition", &["condition", "type", "newOrUsed"], field::condition);
    let certified = entry.read("certified", &["certified"], field::flag);
    match said {
        Some(Condition::New) => Some(Condition::New),
        _ if certified == Some(true) => Some(Condition::Certified),
        said => said,
    }
}

fn link(entry: &mut Entry<'_>, site: &Url) -> Option<String> {
    let reading = entry.fields().get("link").filter(|value| !value.is_null()).map(|value| {
        let Some(text) = value.as_str() else { return Reading::Unreadable };
        if field::is_placeholder(text) {
            return Reading::Placeholder;
        }
        // The site's front page is no car's.
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

/// An entry that is no car.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVehicle {
    /// Where it stands in its page, from 0.
    pub position: usize,
    /// What was wrong with it.
    pub reason: String,
    mark: String,
}

impl BadVehicle {
    /// The entry `raw` at `position`, unreadable for `reason`, which is cut to 200 bytes.
    pub(crate) fn new(position: usize, mut reason: String, raw: &str) -> Self {
        reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        let mut mark = sha256_hex(&[raw]);
        mark.truncate(MARK_DIGITS);
        Self { position, reason, mark }
    }

    /// What tells it from other unreadable entries: the beginning of a hash of it.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }
}

#[cfg(test)]
#[path = "vehicle_tests.rs"]
mod tests;
