//! How a site shows its data: every shape that has been observed on real sites.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page_shapes::{PageShapes, SiteIdShape};

/// What stands in place of a missing value. Used in turn.
const PLACEHOLDERS: [&str; 4] = ["N/A", "null", "-", ""];

/// The shapes of a site. The defaults are the easiest to read for a client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shapes {
    /// Where an inventory answer has its vehicles.
    pub layout: Layout,
    /// How a vehicle's title is written.
    pub title: Title,
    /// How numbers and booleans are written.
    pub scalars: Scalars,
    /// How the URL of a vehicle's page is written.
    pub links: Links,
    /// How the URLs of pictures are written.
    pub images: Images,
    /// How prices are shown, in the inventory and on pages.
    pub prices: Prices,
    /// How fields that are not always known are shown, such as trim, fuel type, body style, drive
    /// line and interior colour.
    pub gaps: Gaps,
    /// The case of VINs in the inventory.
    pub vins: Vins,
    /// Whether a list says how many vehicles it has.
    pub total_count: TotalCount,
    /// What follows the last page of a list.
    pub past_end: PastEnd,
    /// How many of the site's first cars are replaced in lists by an invalid entry: null, a string,
    /// an object without a VIN, and one with too short a VIN, in turn.
    pub misfits: u32,
    /// How pages embed the site's id.
    pub site_id: SiteIdShape,
    /// The kinds of structured data on pages.
    pub page: PageShapes,
}

impl Shapes {
    pub(super) fn number(&self, number: u32) -> Value {
        match self.scalars {
            Scalars::Typed => number.into(),
            Scalars::Text => number.to_string().into(),
        }
    }

    pub(super) fn flag(&self, flag: bool) -> Value {
        match self.scalars {
            Scalars::Typed => flag.into(),
            Scalars::Text => flag.to_string().into(),
        }
    }

    /// A price as a plain number; null if no price is shown.
    pub(super) fn amount(&self, dollars: u32) -> Value {
        match self.prices {
            Prices::Plain | Prices::Traps => self.number(dollars),
            Prices::ContactUs => "Contact Us".into(),
            Prices::Zeroed => self.number(0),
            Prices::Absent => Value::Null,
        }
    }

    /// A price as formatted text; null if no price is shown.
    pub(super) fn shown(&self, dollars: u32) -> Value {
        match self.prices {
            Prices::Plain | Prices::Traps => money(dollars).into(),
            Prices::ContactUs => "Contact Us".into(),
            Prices::Zeroed => "$0".into(),
            Prices::Absent => Value::Null,
        }
    }

    pub(super) fn vin(&self, vin: &str) -> String {
        match self.vins {
            Vins::Upper => vin.to_owned(),
            Vins::Lower => vin.to_ascii_lowercase(),
        }
    }
}

/// Formats an amount below a million, the limit of prices.
pub(super) fn money(dollars: u32) -> String {
    format!("${}", thousands(dollars))
}

/// Formats a number below a million.
pub(super) fn thousands(number: u32) -> String {
    let (thousands, rest) = (number / 1_000, number % 1_000);
    if thousands == 0 { rest.to_string() } else { format!("{thousands},{rest:03}") }
}

/// Where an inventory answer has its vehicles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// In `inventory`, and again with fewer fields in `pageInfo.trackingData`.
    #[default]
    Inventory,
    /// Only in `pageInfo.trackingData`, as on older sites: `modelYear`, `pricing.finalPrice`.
    TrackingData,
}

/// How a vehicle's title is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Title {
    /// As one string.
    #[default]
    Text,
    /// As an array of two strings: year, make and model, then the trim.
    Array,
    /// The field is missing.
    Absent,
}

/// How numbers and booleans are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalars {
    /// As JSON numbers and booleans.
    #[default]
    Typed,
    /// As text in quotation marks.
    Text,
}

/// How the URL of a vehicle's page is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// As the path, from the root of the host.
    #[default]
    Relative,
    /// As the full URL.
    Absolute,
    /// The field is missing.
    Absent,
}

/// How the URLs of pictures are written. The pictures themselves do not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Images {
    /// As full URLs.
    #[default]
    Absolute,
    /// As paths, without a host.
    Hostless,
    /// With a host but without a scheme.
    Schemeless,
    /// The list of pictures is empty.
    None,
}

/// How prices are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prices {
    /// The true price.
    #[default]
    Plain,
    /// "Contact Us" in place of the price.
    ContactUs,
    /// Zero in place of the price.
    Zeroed,
    /// No price at all.
    Absent,
    /// The true price, beside amounts that a client may mistake for it. The inventory adds the
    /// monthly payment and the cost of accessories. In JSON-LD the monthly payment is the price of
    /// the offer, and `product:price:amount` repeats the MSRP.
    Traps,
}

/// How fields that are not always known are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// With their values.
    #[default]
    Filled,
    /// The field is missing.
    Absent,
    /// As the JSON value `null`.
    Null,
    /// As the string "N/A", "null" or "-", or as an empty string.
    Placeholders,
}

impl Gaps {
    /// Replaces or removes the named fields of an object.
    pub(super) fn cut(self, object: &mut Value, names: &[&str]) {
        let Some(fields) = object.as_object_mut() else { return };
        for (name, placeholder) in names.iter().zip(PLACEHOLDERS.into_iter().cycle()) {
            let filler = match self {
                Self::Filled => return,
                Self::Absent => {
                    fields.remove(*name);
                    continue;
                }
                Self::Null => Value::Null,
                Self::Placeholders => placeholder.into(),
            };
            fields.insert((*name).to_owned(), filler);
        }
    }
}

/// The case of VINs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Vins {
    #[default]
    Upper,
    Lower,
}

/// Whether a list says how many vehicles it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalCount {
    /// It gives the true number.
    #[default]
    Exact,
    /// The field is missing.
    Absent,
}

/// What follows the last page of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastEnd {
    /// An empty page.
    #[default]
    Empty,
    /// The last page again, without end.
    LastPage,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dealers::page_shapes::{Flaw, JsonLd};

    #[test]
    fn a_price_has_the_configured_form() {
        let shapes = |prices| Shapes { prices, ..Shapes::default() };
        let both = |prices| (shapes(prices).amount(32_050), shapes(prices).shown(32_050));
        assert_eq!(both(Prices::Plain), (json!(32_050), json!("$32,050")));
        assert_eq!(both(Prices::ContactUs), (json!("Contact Us"), json!("Contact Us")));
        assert_eq!(both(Prices::Zeroed), (json!(0), json!("$0")));
        assert_eq!(both(Prices::Absent), (Value::Null, Value::Null));
        let text = Shapes { scalars: Scalars::Text, ..Shapes::default() };
        assert_eq!((text.amount(5), text.flag(true)), (json!("5"), json!("true")));
        assert_eq!((money(999), money(1_000)), ("$999".to_owned(), "$1,000".to_owned()));
    }

    #[test]
    fn gaps_have_the_configured_form() {
        let cut = |gaps: Gaps| {
            let mut object = json!({"trim": "XL", "fuelType": "Diesel", "make": "Ford"});
            gaps.cut(&mut object, &["trim", "fuelType"]);
            object
        };
        assert_eq!(cut(Gaps::Filled)["trim"], "XL");
        assert_eq!(cut(Gaps::Absent), json!({"make": "Ford"}));
        assert_eq!(cut(Gaps::Null), json!({"trim": null, "fuelType": null, "make": "Ford"}));
        let filled = json!({"trim": "N/A", "fuelType": "null", "make": "Ford"});
        assert_eq!(cut(Gaps::Placeholders), filled);
    }

    #[test]
    fn shapes_are_parsed_as_documented_and_omitted_ones_have_defaults() {
        let json = r#"{"title":"array","page":{"json_ld":{"flaw":"cut_off"},"microdata":false}}"#;
        let shapes: Shapes = serde_json::from_str(json).unwrap();
        let json_ld = Some(JsonLd { flaw: Some(Flaw::CutOff), ..JsonLd::default() });
        let page = PageShapes { json_ld, microdata: false, ..PageShapes::default() };
        assert_eq!(shapes, Shapes { title: Title::Array, page, ..Shapes::default() });
        let none: PageShapes = serde_json::from_str(r#"{"json_ld":null}"#).unwrap();
        assert_eq!(none.json_ld, None);
    }
}
