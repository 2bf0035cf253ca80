//! What a dealer site is made of, and what of it can be changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::car::Condition;
use super::page_shapes::{Flaw, JsonLd, PageShapes};
use super::shapes::Shapes;

/// Cars of a site: four times the largest feed that the project tests.
pub(super) const MAX_CARS: u32 = 20_000;

/// Cars on a page of a list, whatever is asked for.
const MAX_PAGE: u32 = 1_000;

/// Rooftops of a group.
const MAX_ROOFTOPS: u32 = 100;

/// What a site is made of. Left out in JSON means the default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteSettings {
    /// What its cars are made up from, together with its slug.
    pub seed: u64,
    /// How many cars it has, before any is removed. At most 20,000.
    pub cars: u32,
    /// How many of the first of them have a VIN with a wrong check digit.
    pub wrong_check_digits: u32,
    /// Over how many rooftops of a group they are spread, 1 to 100.
    pub rooftops: u32,
    /// The most cars on a page of a list, whatever page size is asked for: 1 to 1,000.
    pub page_cap: u32,
    /// The lists it knows. Another one is an empty list.
    pub aliases: Vec<Alias>,
    /// Whether it has the older inventory endpoint. Otherwise that is not found.
    pub widget: bool,
    /// Whether it has the newer inventory endpoint. Otherwise that is not found.
    pub inventory_post: bool,
    /// Whether its lists have collapsed: they are empty, while the pages are as they were.
    pub collapsed: bool,
    /// How it writes down what it knows.
    pub shapes: Shapes,
    /// What is special about the pages of some cars, by VIN.
    pub twists: BTreeMap<String, Twist>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            cars: 40,
            wrong_check_digits: 0,
            rooftops: 1,
            // Seen in the wild.
            page_cap: 35,
            aliases: vec![Alias::New, Alias::Used, Alias::All, Alias::CertifiedUsed],
            widget: true,
            inventory_post: true,
            collapsed: false,
            shapes: Shapes::default(),
            twists: BTreeMap::new(),
        }
    }
}

impl SiteSettings {
    /// Checks what the types cannot; the error names the field.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.cars > MAX_CARS {
            return Err(format!("cars: must be at most {MAX_CARS}"));
        }
        if !(1..=MAX_ROOFTOPS).contains(&self.rooftops) {
            return Err(format!("rooftops: must be from 1 to {MAX_ROOFTOPS}"));
        }
        if !(1..=MAX_PAGE).contains(&self.page_cap) {
            return Err(format!("page_cap: must be from 1 to {MAX_PAGE}"));
        }
        Ok(())
    }
}

/// A change of a site: what is left out stays as it is. Settings that are not here are fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SiteChange {
    /// See [`SiteSettings::cars`]. Cars removed before stay so.
    pub cars: Option<u32>,
    /// See [`SiteSettings::page_cap`].
    pub page_cap: Option<u32>,
    /// See [`SiteSettings::aliases`].
    pub aliases: Option<Vec<Alias>>,
    /// See [`SiteSettings::widget`].
    pub widget: Option<bool>,
    /// See [`SiteSettings::inventory_post`].
    pub inventory_post: Option<bool>,
    /// See [`SiteSettings::collapsed`].
    pub collapsed: Option<bool>,
    /// See [`SiteSettings::shapes`].
    pub shapes: Option<Shapes>,
    /// See [`SiteSettings::twists`].
    pub twists: Option<BTreeMap<String, Twist>>,
    /// New prices of some cars by VIN, in whole dollars up to 999,999.
    pub prices: BTreeMap<String, u32>,
    /// VINs of cars to remove.
    pub remove: Vec<String>,
}

/// The lists of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alias {
    /// New cars.
    New,
    /// Used cars, the certified ones among them.
    Used,
    /// All cars.
    All,
    /// Certified cars.
    CertifiedUsed,
}

impl Alias {
    /// The name by which a call asks for the list.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "INVENTORY_LISTING_DEFAULT_AUTO_NEW",
            Self::Used => "INVENTORY_LISTING_DEFAULT_AUTO_USED",
            Self::All => "INVENTORY_LISTING_DEFAULT_AUTO_ALL",
            Self::CertifiedUsed => "INVENTORY_LISTING_DEFAULT_AUTO_CERTIFIED_USED",
        }
    }

    /// Whether it holds cars of this kind.
    pub(super) fn lists(self, condition: Condition) -> bool {
        match self {
            Self::New => condition == Condition::New,
            Self::Used => condition != Condition::New,
            Self::All => true,
            Self::CertifiedUsed => condition == Condition::Certified,
        }
    }
}

/// What is special about the page of a car.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Twist {
    /// Its JSON-LD breaks off in the middle.
    BrokenJsonLd,
    /// It has no structured data at all.
    Bare,
    /// It shows a car, with another VIN, that the site does not have.
    OtherVin,
}

impl Twist {
    /// The structured data of such a page.
    pub(super) fn page(self, page: &PageShapes) -> PageShapes {
        match self {
            Self::BrokenJsonLd => {
                let json_ld = page.json_ld.unwrap_or_default();
                let json_ld = Some(JsonLd { flaw: Some(Flaw::CutOff), ..json_ld });
                PageShapes { json_ld, ..page.clone() }
            }
            Self::Bare => PageShapes::bare(),
            Self::OtherVin => page.clone(),
        }
    }
}
