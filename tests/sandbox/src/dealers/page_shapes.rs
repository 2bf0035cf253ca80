//! How the pages of a site carry their structured data.

use serde::{Deserialize, Serialize};

/// How pages embed the site's id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteIdShape {
    /// In an object that is JSON: `"siteId":"…"`.
    #[default]
    Json,
    /// In one that is only JavaScript: `siteId: '…'`.
    Script,
    /// Not at all.
    Absent,
}

/// The structured data of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageShapes {
    /// Whether there is `DDC.dataLayer['vehicles']`.
    pub data_layer: bool,
    /// The JSON-LD, if there is any.
    pub json_ld: Option<JsonLd>,
    /// Whether there are `data-vin` and microdata.
    pub microdata: bool,
    /// Whether there is `OpenGraph`.
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
    /// How it names things.
    pub dialect: Dialect,
    /// Where in the block the vehicle is.
    pub place: Place,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
}

/// How JSON-LD names things.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// A `Vehicle` as schema.org has it: things are objects, numbers are numbers, miles.
    #[default]
    Strict,
    /// A `Car` and `Product` with `vin` and `modelDate`, the make, the engine and the mileage as
    /// plain text, offers in a list, prices as text.
    Loose,
    /// A `Product` with the VIN as `sku` and `productID`, the year in `productionDate`, kilometres,
    /// and no trim.
    Product,
}

/// Where in a JSON-LD block the vehicle is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It is the block.
    #[default]
    Root,
    /// In a list with other things.
    RootArray,
    /// In `@graph`.
    Graph,
    /// The `item` of an `itemListElement`.
    ItemList,
    /// The `mainEntity` of a web page.
    MainEntity,
    /// The one variant of a product group, in `hasVariant`.
    Variant,
}

/// What is wrong with a block of JSON. All but the last can be repaired. JSON-LD shows each of
/// them, the data layer only those that JavaScript forgives: the backslash and the trailing comma.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flaw {
    /// A backslash before an apostrophe.
    Backslash,
    /// A comma after the last member.
    TrailingComma,
    /// An HTML comment around it.
    Comment,
    /// CDATA around it.
    Cdata,
    /// A line break inside a text.
    RawNewline,
    /// A byte-order mark in front.
    ByteOrderMark,
    /// Quotes as `&quot;`.
    EntityQuotes,
    /// The second half is missing.
    CutOff,
}

impl Flaw {
    /// The text with this flaw.
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
