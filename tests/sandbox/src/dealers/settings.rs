//! The settings of a dealer site, and which of them can be changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::car::Condition;
use super::page_shapes::{Flaw, JsonLd, PageShapes};
use super::platform::Platform;
use super::shapes::Shapes;

/// The most cars of a site: four times the largest feed that the project tests.
pub(super) const MAX_CARS: u32 = 20_000;

/// The highest page cap.
const MAX_PAGE: u32 = 1_000;

/// The most rooftops (locations) of a dealer group.
const MAX_ROOFTOPS: u32 = 100;

/// The settings of a site. Fields left out in JSON take their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct SiteSettings {
    /// The seed from which, together with the slug, its cars are generated.
    pub seed: u64,
    /// How many cars it has before any are removed. At most 20,000.
    pub cars: u32,
    /// How many of its first cars have a VIN with a wrong check digit.
    pub wrong_check_digits: u32,
    /// How many rooftops (locations of a dealer group) have its cars, 1 to 100.
    pub rooftops: u32,
    /// The most cars on a page of a list, whatever page size is asked for: 1 to 1,000.
    pub page_cap: u32,
    /// The lists that it has. Any other list is empty.
    pub aliases: Vec<Alias>,
    /// Whether it has the older inventory endpoint. If not, the endpoint answers 404.
    pub widget: bool,
    /// Whether it has the newer inventory endpoint. If not, the endpoint answers 404.
    pub inventory_post: bool,
    /// Whether all its lists are empty, while its pages stay as they are.
    pub collapsed: bool,
    /// How it shows its data.
    pub shapes: Shapes,
    /// The platform whose pages it has. Then `shapes` are only those of its lists, and the only twist of a page is
    /// another car.
    pub platform: Option<Platform>,
    /// The deviations of some cars' pages, by VIN.
    pub twists: BTreeMap<String, Twist>,
    /// Whether its pages have an ETag and a date of their last change.
    pub etags: bool,
    /// Its robots.txt; none if null.
    pub robots: Option<String>,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            cars: 40,
            wrong_check_digits: 0,
            rooftops: 1,
            // As observed on real sites.
            page_cap: 35,
            aliases: vec![Alias::New, Alias::Used, Alias::All, Alias::CertifiedUsed],
            widget: true,
            inventory_post: true,
            collapsed: false,
            shapes: Shapes::default(),
            platform: None,
            twists: BTreeMap::new(),
            etags: true,
            robots: None,
        }
    }
}

impl SiteSettings {
    /// Checks what the types cannot express. The error names the field.
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
        let mut twists = self.twists.iter().filter(|(_, twist)| **twist != Twist::OtherVin);
        if self.platform.is_some()
            && let Some((vin, _)) = twists.next()
        {
            return Err(format!("twists.{vin}: must be other_vin on the pages of a platform"));
        }
        Ok(())
    }
}

/// A change of a site. Fields left out stay as they are. Settings that are not here are fixed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "SiteSettings documents the fields of the same names")]
pub struct SiteChange {
    /// See [`SiteSettings::cars`]. Cars that were removed stay removed.
    pub cars: Option<u32>,
    pub page_cap: Option<u32>,
    pub aliases: Option<Vec<Alias>>,
    pub widget: Option<bool>,
    pub inventory_post: Option<bool>,
    pub collapsed: Option<bool>,
    pub shapes: Option<Shapes>,
    pub twists: Option<BTreeMap<String, Twist>>,
    /// New prices of some cars, by VIN, in whole dollars up to 999,999.
    pub prices: BTreeMap<String, u32>,
    /// New paths of some cars' pages, by VIN, without the leading slash.
    pub moves: BTreeMap<String, String>,
    /// VINs of cars to remove.
    pub remove: Vec<String>,
    /// VINs of removed cars to list again, as the site had them at first.
    pub relist: Vec<String>,
}

/// The lists of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Alias {
    New,
    /// All used cars, including certified ones.
    Used,
    All,
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

    /// Whether the list contains cars of this condition.
    pub(super) fn lists(self, condition: Condition) -> bool {
        match self {
            Self::New => condition == Condition::New,
            Self::Used => condition != Condition::New,
            Self::All => true,
            Self::CertifiedUsed => condition == Condition::Certified,
        }
    }
}

/// A deviation of one car's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Twist {
    /// Its JSON-LD is cut off in the middle.
    BrokenJsonLd,
    /// It has no structured data at all.
    Bare,
    /// It shows another car, whose VIN is not in the site's stock.
    OtherVin,
}

impl Twist {
    /// The structured data of a page with this twist.
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
