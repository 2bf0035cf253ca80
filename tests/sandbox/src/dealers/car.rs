//! A car in the stock of a dealer site.

use serde::{Deserialize, Serialize};

/// A car with its true values, which tests compare with what they read from feeds and pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a field without a comment is as its name says")]
pub struct Car {
    /// 17 characters, in upper case.
    pub vin: String,
    pub year: u16,
    pub make: String,
    pub model: String,
    pub trim: String,
    pub condition: Condition,
    /// The dealer's own number for the car.
    pub stock_number: String,
    pub body_style: String,
    pub fuel_type: String,
    pub engine: String,
    /// Which wheels are driven: 4WD, AWD or FWD.
    pub drive_line: String,
    pub exterior_color: String,
    pub interior_color: String,
    /// The manufacturer's codes of the installed options.
    pub option_codes: Vec<String>,
    /// In miles.
    pub odometer: u32,
    /// The manufacturer's suggested retail price of the car when new, in whole dollars.
    pub msrp: u32,
    /// The dealer's asking price, in whole dollars.
    pub price: u32,
    /// The rooftop (location of the dealer group) that has the car.
    pub account_id: String,
    /// When the car entered the stock, as MM/DD/YYYY.
    pub inventory_date: String,
    /// 32 hexadecimal digits.
    pub uuid: String,
    /// The path of its page on the site, without the leading slash.
    pub path: String,
}

impl Car {
    /// Year, make, model and trim, as in the title of its page.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.name(), self.trim)
    }

    /// Year, make and model.
    pub(super) fn name(&self) -> String {
        format!("{} {} {}", self.year, self.make, self.model)
    }

    /// The monthly payment over 72 months, which a page may show where a price is expected.
    pub(super) fn monthly_payment(&self) -> u32 {
        self.price / 72 + 40
    }
}

/// Whether a car is new or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Condition {
    New,
    Used,
    /// Used, and certified by the manufacturer.
    Certified,
}

impl Condition {
    /// The first segment of its page's path.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Used => "used",
            Self::Certified => "certified",
        }
    }
}
