//! Output of `evenkeel cars export` and `import-links`.

use schemars::JsonSchema;
use serde::Serialize;

/// A dealer's cars with their links and what their pages say.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct CarsExported {
    /// The dealer's slug.
    pub dealer: String,
    /// In the order of their VINs.
    pub cars: Vec<CarExported>,
    /// Whether there are more than are shown.
    pub more: bool,
    /// Given as `--cursor`, the export goes on behind the last car.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// DynamoDB's read units for this export.
    pub read_units: f64,
}

/// A car: from its page if that was read, else as the feed lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CarExported {
    /// 17 characters.
    pub vin: String,
    /// Whether the feed lists it.
    pub listed: bool,
    /// `new`, `used` or `certified`: the list on which it was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The headline of the page or of the listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The model year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<u64>,
    /// Who has made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub make: Option<String>,
    /// The model, as the dealer writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The trim or grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trim: Option<String>,
    /// The dealer's own number for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock_number: Option<String>,
    /// What the dealer asks, in hundredths of the currency. A car that is sold has none; nor has one without a page, if
    /// the feed names several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_cents: Option<u64>,
    /// The source of the price: one of the page's, or `feed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_from: Option<String>,
    /// ISO 4217, if the page states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Whether it can be bought, if the page tells: `in_stock`, `sold` and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability: Option<String>,
    /// The odometer's reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage: Option<u64>,
    /// `miles` or `kilometres`; left out if the source states none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mileage_unit: Option<String>,
    /// The address of its page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Its short link, without a scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_url: Option<String>,
    /// When the feed has stored it last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<u64>,
    /// When its page was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_at: Option<u64>,
}

/// What an import of links has done, or would do.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct LinksImported {
    /// The id of its entry in the operations log; none if nothing was to be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The dealer's slug.
    pub dealer: String,
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Whether all links were read and all cars decided.
    pub done: bool,
    /// Links of the account that were read.
    pub links_read: u64,
    /// VINs of cars whose link is kept now.
    pub kept: Vec<String>,
    /// VINs of cars for which a link was kept before.
    pub known: Vec<String>,
    /// Cars that were left alone.
    pub ambiguous: Vec<AmbiguousCar>,
}

/// A car with several links, or with one that may be another dealer's.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AmbiguousCar {
    /// 17 characters.
    pub vin: String,
    /// The links that name it.
    pub links: Vec<ImportedLink>,
}

/// A link of the account.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ImportedLink {
    /// The id under which Rebrandly has the link.
    pub link_id: String,
    /// The short address, without a scheme.
    pub short_url: String,
    /// Where it leads.
    pub destination: String,
}
