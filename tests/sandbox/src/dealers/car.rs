//! A car.

use serde::{Deserialize, Serialize};

/// A car as it truly is, which is what a feed and a page are held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Car {
    /// 17 characters in capital letters.
    pub vin: String,
    /// The model year.
    pub year: u16,
    /// The make.
    pub make: String,
    /// The model.
    pub model: String,
    /// The trim.
    pub trim: String,
    /// New, used or certified.
    pub condition: Condition,
    /// The dealer's own number of it.
    pub stock_number: String,
    /// The body style.
    pub body_style: String,
    /// The fuel.
    pub fuel_type: String,
    /// The engine.
    pub engine: String,
    /// Which wheels are driven.
    pub drive_line: String,
    /// The colour outside.
    pub exterior_color: String,
    /// The colour inside.
    pub interior_color: String,
    /// The maker's codes of what is built in.
    pub option_codes: Vec<String>,
    /// Miles driven.
    pub odometer: u32,
    /// The maker's suggested price of the car when new, in whole dollars.
    pub msrp: u32,
    /// What the dealer asks for it, in whole dollars.
    pub price: u32,
    /// The rooftop of the group that has it.
    pub account_id: String,
    /// Since when it has been there, as MM/DD/YYYY.
    pub inventory_date: String,
    /// 32 hexadecimal digits.
    pub uuid: String,
    /// The path of its page on the site, without a slash in front.
    pub path: String,
}

impl Car {
    /// What a page calls it.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {}", self.name(), self.trim)
    }

    /// Year, make and model.
    pub(super) fn name(&self) -> String {
        format!("{} {} {}", self.year, self.make, self.model)
    }

    /// What it costs a month, over 72 months: a price trap.
    pub(super) fn monthly_payment(&self) -> u32 {
        self.price / 72 + 40
    }
}

/// What kind of offer a car is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// New.
    New,
    /// Used.
    Used,
    /// Used and certified by the maker.
    Certified,
}

impl Condition {
    /// The folder of its page.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Used => "used",
            Self::Certified => "certified",
        }
    }
}
