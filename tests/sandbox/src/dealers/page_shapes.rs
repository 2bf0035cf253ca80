//! How the pages of a site contain their structured data.

use serde::{Deserialize, Serialize};

/// How pages embed the site's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteIdShape {
    /// In an object that is valid JSON: `"siteId":"…"`.
    #[default]
    Json,
    /// In an object that is valid only in JavaScript: `siteId: '…'`.
    Script,
    /// Pages do not contain the id.
    Absent,
}

/// The kinds of structured data on a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageShapes {
    /// Whether the page sets `DDC.dataLayer['vehicles']`.
    pub data_layer: bool,
    /// The JSON-LD; `None` for a page without.
    pub json_ld: Option<JsonLd>,
    /// Whether the page has `data-vin` and microdata.
    pub microdata: bool,
    /// Whether the page has `OpenGraph` properties.
    pub open_graph: bool,
}

impl Default for PageShapes {
    fn default() -> Self {
        let json_ld = Some(JsonLd::default());
        Self { data_layer: true, json_ld, microdata: true, open_graph: true }
    }
}

impl PageShapes {
    /// No structured data at all.
    #[must_use]
    pub fn bare() -> Self {
        Self { data_layer: false, json_ld: None, microdata: false, open_graph: false }
    }
}

/// The JSON-LD of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JsonLd {
    /// How it names and types the fields.
    pub dialect: Dialect,
    /// Where in the block the vehicle is.
    pub place: Place,
    /// What is wrong with the block; `None` for a valid one.
    pub flaw: Option<Flaw>,
}

/// How JSON-LD names and types the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// A `Vehicle` as schema.org defines it: nested objects, numbers that are not strings, miles.
    #[default]
    Strict,
    /// A `Car` and `Product` with `vin` and `modelDate`. The make, the engine, the mileage and
    /// prices are strings, and offers are a list.
    Loose,
    /// A `Product` with the VIN as `sku` and `productID`, the year in `productionDate`, kilometres,
    /// and no trim.
    Product,
}

/// Where in a JSON-LD block the vehicle is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The vehicle is the whole block.
    #[default]
    Root,
    /// In an array, after another item.
    RootArray,
    /// In the array `@graph`, after another item.
    Graph,
    /// The `item` of an `itemListElement`.
    ItemList,
    /// The `mainEntity` of a web page.
    MainEntity,
    /// The one variant of a product group, in `hasVariant`.
    Variant,
}

/// What is wrong with a block of JSON. Each flaw but the last can be repaired. JSON-LD can have any
/// of them; the data layer has only those that JavaScript accepts: the backslash and the trailing
/// comma.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// A backslash before every apostrophe.
    Backslash,
    /// A comma after the last member.
    TrailingComma,
    /// An HTML comment around the block.
    Comment,
    /// A CDATA section around the block.
    Cdata,
    /// An unescaped line break inside a string.
    RawNewline,
    /// A byte-order mark before the block.
    ByteOrderMark,
    /// Quotes are written as `&quot;`.
    EntityQuotes,
    /// The second half is missing.
    CutOff,
}

impl Flaw {
    /// Adds this flaw to a JSON text.
    pub(super) fn damage(self, json: &str) -> String {
        match self {
            Self::Backslash => json.replace('\'', r"\'"),
            Self::TrailingComma => json.replace("\"}", "\",}").replace("\"]", "\",]"),
            Self::Comment => format!("<!--\n{json}\n-->"),
            Self::Cdata => format!("//<![CDATA[\n{json}\n//]]>"),
            Self::RawNewline => json.replace(r"\n", "\n"),
            Self::ByteOrderMark => format!("\u{feff}{json}"),
            Self::EntityQuotes => json.replace('"', "&quot;"),
            Self::CutOff => json.chars().take(json.chars().count() / 2).collect(),
        }
    }

    /// Whether a script with this flaw still runs.
    pub(super) fn is_forgiven_by_scripts(self) -> bool {
        matches!(self, Self::Backslash | Self::TrailingComma)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_flaw_breaks_a_strict_parser() {
        let json = json!({"a": "it's\nhere", "b": ["c"]}).to_string();
        let flaws = [
            (Flaw::Backslash, r"it\'s"),
            (Flaw::TrailingComma, r#""c",]"#),
            (Flaw::Comment, "<!--"),
            (Flaw::Cdata, "<![CDATA["),
            (Flaw::RawNewline, "it's\nhere"),
            (Flaw::ByteOrderMark, "\u{feff}{"),
            (Flaw::EntityQuotes, "&quot;a&quot;"),
            (Flaw::CutOff, "{\"a\""),
        ];
        for (flaw, sign) in flaws {
            let damaged = flaw.damage(&json);
            assert!(damaged.contains(sign), "{flaw:?}: {damaged}");
            assert!(serde_json::from_str::<Value>(&damaged).is_err(), "{flaw:?}: {damaged}");
        }
    }
}
