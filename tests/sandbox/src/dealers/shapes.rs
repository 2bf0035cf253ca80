//! How a site writes down what it knows: every shape that has been seen in the wild.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::page_shapes::{PageShapes, SiteIdShape};

/// What stands where there is nothing to say. Taken in turn.
const PLACEHOLDERS: [&str; 4] = ["N/A", "null", "-", ""];

/// The shapes of a site. The default is what a reader would hope for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shapes {
    /// Where an inventory answer has its vehicles.
    pub layout: Layout,
    /// A vehicle's title.
    pub title: Title,
    /// Numbers and truth values.
    pub scalars: Scalars,
    /// The address of a vehicle's page.
    pub links: Links,
    /// The addresses of pictures.
    pub images: Images,
    /// Prices, in the inventory and on pages.
    pub prices: Prices,
    /// Fields that are not always known: trim, fuel type, body style; on pages trim, interior
    /// colour, drive line.
    pub gaps: Gaps,
    /// The letters of VINs in the inventory.
    pub vins: Vins,
    /// How many vehicles a list claims to have.
    pub total_count: TotalCount,
    /// What follows the last page of a list.
    pub past_end: PastEnd,
    /// How many of the site's first cars are listed as something that is no vehicle: null, a text,
    /// an object without a VIN and one with too short a VIN, in turn. Each takes its car's place.
    pub misfits: u32,
    /// How pages embed the site's id.
    pub site_id: SiteIdShape,
    /// The structured data of pages.
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

    /// A price as a plain number, and null where none is shown.
    pub(super) fn amount(&self, dollars: u32) -> Value {
        match self.prices {
            Prices::Plain | Prices::Traps => self.number(dollars),
            Prices::ContactUs => "Contact Us".into(),
            Prices::Zeroed => self.number(0),
            Prices::Absent => Value::Null,
        }
    }

    /// A price as a person reads it, and null where none is shown.
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

/// Below a million, which is as far as prices go.
fn money(dollars: u32) -> String {
    let (thousands, rest) = (dollars / 1_000, dollars % 1_000);
    if thousands == 0 { format!("${rest}") } else { format!("${thousands},{rest:03}") }
}

/// Where an inventory answer has its vehicles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// In `inventory`, and once more in short in `pageInfo.trackingData`.
    #[default]
    Inventory,
    /// In `pageInfo.trackingData` only, as older sites do: `modelYear`, `pricing.finalPrice`.
    TrackingData,
}

/// A vehicle's title.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Title {
    /// One text.
    #[default]
    Text,
    /// A list of two: year, make and model, then the trim.
    Array,
    /// None.
    Absent,
}

/// Numbers and truth values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scalars {
    /// As what they are.
    #[default]
    Typed,
    /// As text.
    Text,
}

/// The address of a vehicle's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Links {
    /// The path, from the root of the host.
    #[default]
    Relative,
    /// The whole address.
    Absolute,
    /// None.
    Absent,
}

/// The addresses of pictures. Nothing is found there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Images {
    /// Whole.
    #[default]
    Absolute,
    /// Without a host.
    Hostless,
    /// With a host, but without a scheme.
    Schemeless,
    /// An empty list.
    None,
}

/// Prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prices {
    /// As they are.
    #[default]
    Plain,
    /// "Contact Us" in their place.
    ContactUs,
    /// Zero.
    Zeroed,
    /// None at all.
    Absent,
    /// As they are in the inventory and the data layer, with others that are none beside them: the
    /// monthly payment and the accessories. In JSON-LD the payment stands as the offer's price, and
    /// `product:price:amount` repeats the MSRP.
    Traps,
}

/// Fields that are not always known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// They are, always.
    #[default]
    Filled,
    /// Left out.
    Absent,
    /// Null.
    Null,
    /// "N/A", "null", "-" or nothing, as text.
    Placeholders,
}

impl Gaps {
    /// Makes gaps of the named fields of an object.
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

/// The letters of VINs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vins {
    /// Capital.
    #[default]
    Upper,
    /// Small.
    Lower,
}

/// How many vehicles a list claims to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TotalCount {
    /// As many as it has.
    #[default]
    Exact,
    /// It does not say.
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
    fn a_price_takes_the_shape_set() {
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
    fn gaps_take_the_shape_set() {
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
    fn shapes_read_as_documented_and_the_rest_is_default() {
        let json = r#"{"title":"array","page":{"json_ld":{"flaw":"cut_off"},"microdata":false}}"#;
        let shapes: Shapes = serde_json::from_str(json).unwrap();
        let json_ld = Some(JsonLd { flaw: Some(Flaw::CutOff), ..JsonLd::default() });
        let page = PageShapes { json_ld, microdata: false, ..PageShapes::default() };
        assert_eq!(shapes, Shapes { title: Title::Array, page, ..Shapes::default() });
        let none: PageShapes = serde_json::from_str(r#"{"json_ld":null}"#).unwrap();
        assert_eq!(none.json_ld, None);
    }
}
