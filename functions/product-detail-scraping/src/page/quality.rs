//! The quality report of a reading: what was found and what was not, where sources contradict
//! each other, and what was odd.

use serde::Serialize;
use serde_json::Value;

use super::{value::clean, vocabulary::Provenance};

/// Most warnings of one report: enough to see what is wrong with a page. The record that they end
/// in is billed by its size.
pub const MAX_WARNINGS: usize = 40;

/// Longest quotation in a warning, in characters.
const MAX_QUOTATION_CHARS: usize = 80;

/// Most claims listed of one conflict.
const MAX_CLAIMS: usize = 8;

/// Most other cars named in one report.
pub(crate) const MAX_OTHER_VINS: usize = 20;

/// How good a reading is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Quality {
    /// The fields that have a value.
    pub found: Vec<&'static str>,
    /// The fields that no source names.
    pub missing: Vec<&'static str>,
    /// The fields on which sources contradict each other. Most have the first one's value all the
    /// same; a price that is doubtful beyond reason has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicting: Vec<Conflict>,
    /// What was odd about the page, at most [`MAX_WARNINGS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// The VINs of other cars on the page, such as those recommended beside this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_vins: Vec<String>,
}

impl Quality {
    /// Adds a warning; of those too many only says that there were more.
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
    /// The field.
    pub field: &'static str,
    /// The different values, each with the first source to claim it.
    pub claims: Vec<Claim>,
}

/// What one source says of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The source.
    pub from: Provenance,
    /// The value, as the record would hold it.
    pub value: Value,
}

impl Conflict {
    /// Between these claims.
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

/// Something odd that did no harm but that somebody may want to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// What kind of oddity.
    pub code: Code,
    /// Where it was.
    pub from: Provenance,
    /// The field, or the part of the page.
    pub field: &'static str,
    /// What stood there, shortened.
    pub value: String,
}

impl Warning {
    /// Quotes the start of `value`, in one line.
    pub(crate) fn new(code: Code, from: Provenance, field: &'static str, value: &str) -> Self {
        let value = clean(value).chars().take(MAX_QUOTATION_CHARS).collect();
        Self { code, from, field, value }
    }
}

/// Kinds of oddities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A value that only fills a gap, such as `N/A` or a price of zero.
    Placeholder,
    /// A value that is not what the field needs.
    Unreadable,
    /// A block of the page that was repaired; the value names the mistake.
    Repaired,
    /// A block of the page that could not be read.
    BadBlock,
    /// Something beyond a limit, not looked at.
    Skipped,
    /// Cars without a VIN, of which it is not plain whether one is this.
    Ambiguous,
    /// A monthly payment in place of a price.
    MonthlyPayment,
    /// A discount in place of a price.
    Savings,
    /// A fee or deposit in place of a price.
    Fee,
    /// The price of accessories in place of that of the car.
    Accessories,
    /// The manufacturer's price, repeated where the dealer's should stand.
    MsrpEcho,
    /// An amount that no car costs, or a small part of what this car costs.
    Implausible,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn warnings_are_counted_out_and_cut() {
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
