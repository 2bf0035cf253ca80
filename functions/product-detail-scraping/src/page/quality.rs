//! The quality report of a reading: which fields were found or are missing, which sources
//! contradict each other, and which parts of the page were odd.

use serde::Serialize;
use serde_json::Value;

use super::{value::clean, vocabulary::Provenance};

/// Most warnings in one report. They are stored in the job's record, which is billed by size, and
/// this many suffice to see what is wrong with a page.
pub const MAX_WARNINGS: usize = 40;

/// Longest quotation from the page in a warning, in characters.
const MAX_QUOTATION_CHARS: usize = 80;

/// Most claims listed for one conflict.
const MAX_CLAIMS: usize = 8;

/// Most other cars named in one report.
pub(crate) const MAX_OTHER_VINS: usize = 20;

/// The quality report of a reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// The fields that have a value.
    pub found: Vec<&'static str>,
    /// The fields that no source names.
    pub missing: Vec<&'static str>,
    /// The fields on which sources contradict each other. The record keeps the first source's
    /// value, except for a price whose contradiction is too large: then it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicting: Vec<Conflict>,
    /// The oddities of the page, at most [`MAX_WARNINGS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Whether the page would take too much work or memory, so that a part of it was not read. The record has what was
    /// found until then.
    #[serde(skip_serializing_if = "is_false")]
    pub too_complex: bool,
    /// The VINs of other cars on the page, such as recommended ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_vins: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Quality {
    /// Adds a warning. The last warning that fits only states that there were more.
    pub(crate) fn warn(&mut self, warning: Warning) {
        if self.warnings.len() + 1 < MAX_WARNINGS {
            self.warnings.push(warning);
        } else if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning::new(Code::Skipped, warning.from, "warnings", "too many"));
        }
    }
}

/// A field on which sources contradict each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conflict {
    /// The field's name in the record.
    pub field: &'static str,
    /// The different values, each with the first source that claims it.
    pub claims: Vec<Claim>,
}

/// One source's value for a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The source that claims the value.
    pub from: Provenance,
    /// The value in the form in which the record would hold it.
    pub value: Value,
}

impl Conflict {
    /// A conflict that lists each different value once, up to [`MAX_CLAIMS`].
    pub(crate) fn between<T: Serialize>(
        field: &'static str,
        claims: impl Iterator<Item = (Provenance, T)>,
    ) -> Self {
        let mut distinct: Vec<Claim> = Vec::new();
        for (from, value) in claims {
            let value = serde_json::to_value(value).unwrap_or_default();
            let is_new = distinct.iter().all(|claim| claim.value != value);
            if is_new && distinct.len() < MAX_CLAIMS {
                distinct.push(Claim { from, value });
            }
        }
        Self { field, claims: distinct }
    }
}

/// An oddity of the page that did not prevent the reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The kind of oddity.
    pub code: Code,
    /// The source in which it occurred.
    pub from: Provenance,
    /// The field's name, or the part of the page.
    pub field: &'static str,
    /// A shortened quotation, or a note on the cause.
    pub value: String,
}

impl Warning {
    /// A warning that quotes the start of `value` in one line.
    pub(crate) fn new(code: Code, from: Provenance, field: &'static str, value: &str) -> Self {
        let value = clean(value).chars().take(MAX_QUOTATION_CHARS).collect();
        Self { code, from, field, value }
    }
}

/// The kind of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A placeholder for a missing value, such as `N/A` or a price of zero.
    Placeholder,
    /// A value that cannot be parsed as the field's type.
    Unreadable,
    /// A block with a syntax error that was repaired. The value names the error.
    Repaired,
    /// A block that could not be parsed.
    BadBlock,
    /// Content beyond a limit, which was not read.
    Skipped,
    /// Cars without a VIN, any of which might be the job's.
    Ambiguous,
    /// A monthly payment in place of a price.
    MonthlyPayment,
    /// A discount in place of a price.
    Savings,
    /// A fee or deposit in place of a price.
    Fee,
    /// The price of accessories in place of the car's price.
    Accessories,
    /// A bid of an auction in place of a price.
    Bid,
    /// A price that holds no longer.
    FormerPrice,
    /// The price of a car that is sold.
    Sold,
    /// A price of a new car so low that it must have conditions.
    Conditional,
    /// The manufacturer's price in place of the dealer's price.
    MsrpEcho,
    /// The value of a price guide in place of the dealer's price.
    RetailEcho,
    /// An amount outside the range of car prices, or far below the price of this car.
    Implausible,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_number_and_length_of_warnings_are_limited() {
        let mut quality = Quality::default();
        for _ in 0..MAX_WARNINGS * 2 {
            let long = "a\n".repeat(500);
            let warning = Warning::new(Code::Unreadable, Provenance::JsonLd, "trim", &long);
            quality.warn(warning);
        }
        assert_eq!(quality.warnings.len(), MAX_WARNINGS);
        assert_eq!(quality.warnings[0].value.chars().count(), MAX_QUOTATION_CHARS);
        let last = &quality.warnings[MAX_WARNINGS - 1];
        assert_eq!((last.code, last.field), (Code::Skipped, "warnings"));
    }

    #[test]
    fn a_conflict_names_each_value_once() {
        let claims = [
            (Provenance::DataLayer, "Silver"),
            (Provenance::JsonLd, "Blue"),
            (Provenance::Feed, "Silver"),
        ];
        let conflict = Conflict::between("exterior_color", claims.into_iter());
        let expected = json!({"field": "exterior_color", "claims": [
            {"from": "data_layer", "value": "Silver"},
            {"from": "json_ld", "value": "Blue"},
        ]});
        assert_eq!(serde_json::to_value(conflict).unwrap(), expected);
        let many = (0..100_u32).map(|number| (Provenance::JsonLd, number));
        assert_eq!(Conflict::between("year", many).claims.len(), MAX_CLAIMS);
    }
}
