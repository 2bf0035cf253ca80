//! Reads the fields of one car from one source, and collects a warning for every value that it
//! cannot use.

use inventory::budget::Budget;
use serde_json::Value;
use url::Url;

use super::{
    distance,
    price::{self, Amount},
    quality::{Code, MAX_WARNINGS, Warning},
    value,
    vocabulary::{Condition, Mileage, Provenance},
    weight::weight,
};

/// Steps for each byte of a text of a car: it is decoded, cleaned and compared, some of them for several fields.
const CLEAN_STEPS: usize = 4;

/// Reads fields and collects warnings.
pub(crate) struct Reader<'s> {
    from: Provenance,
    /// The page's address, against which relative addresses are resolved.
    base: &'s Url,
    budget: &'s Budget,
    warnings: Vec<Warning>,
}

impl<'s> Reader<'s> {
    pub(crate) fn new(from: Provenance, base: &'s Url, budget: &'s Budget) -> Self {
        Self { from, base, budget, warnings: Vec::new() }
    }

    /// Pays for reading all texts in the properties of a car or of an offer. False if the page may take no more.
    pub(crate) fn affords<'v>(&self, mut properties: impl Iterator<Item = &'v Value>) -> bool {
        properties
            .all(|value| self.budget.step(weight(value, self.budget).saturating_mul(CLEAN_STEPS)))
    }

    pub(crate) fn into_warnings(self) -> Vec<Warning> {
        self.warnings
    }

    /// Adds a warning unless it is there already: the same value may be read for two fields.
    fn warn(&mut self, code: Code, field: &'static str, value: &str) {
        let warning = Warning::new(code, self.from, field, value);
        if self.warnings.len() < MAX_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// Parses the text of a value. A placeholder or a text that `parse` refuses gives a warning; a
    /// missing value does not.
    pub(crate) fn read<T>(
        &mut self,
        field: &'static str,
        value: Option<&Value>,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = value::plain(value?)?;
        if value::is_placeholder(&text) {
            self.warn(Code::Placeholder, field, &text);
            return None;
        }
        let parsed = parse(&text);
        if parsed.is_none() {
            self.warn(Code::Unreadable, field, &text);
        }
        parsed
    }

    /// Reads a text.
    pub(crate) fn text(&mut self, field: &'static str, value: Option<&Value>) -> Option<String> {
        self.read(field, value, |text| Some(text.to_owned()))
    }

    /// Reads a distance. `unit` is its unit if the page states it separately; else it may stand beside the number. Only a new car may
    /// have a mileage of zero; for others zero stands for a missing value.
    pub(crate) fn mileage(
        &mut self,
        value: Option<&Value>,
        unit: Option<&Value>,
        condition: Option<Condition>,
    ) -> Option<Mileage> {
        let unit = unit.or_else(|| distance::unit_within(value?)).and_then(value::plain);
        let unit = unit.unwrap_or_default();
        let parse = |text: &str| distance::read(&format!("{text} {}", distance::unit_text(&unit)));
        let mileage = self.read("mileage", value, parse)?;
        if mileage.value == 0 && condition != Some(Condition::New) {
            self.warn(Code::Placeholder, "mileage", "0");
            return None;
        }
        Some(mileage)
    }

    /// Reads an amount of money that is an asking price or the manufacturer's price. Any other
    /// amount gives a warning.
    pub(crate) fn amount(
        &mut self,
        field: &'static str,
        value: Option<&Value>,
        labels: &str,
    ) -> Option<Amount> {
        let text = value::plain(value?)?;
        let code = match price::read(&text, labels) {
            Some(amount @ (Amount::Asking(_) | Amount::Msrp(_))) => return Some(amount),
            Some(Amount::Other(code)) => code,
            None if text.contains(|c: char| c.is_ascii_digit()) => Code::Unreadable,
            // Words in place of a price, such as "Contact us" or "Call for price".
            Some(Amount::Zero) | None => Code::Placeholder,
        };
        self.warn(code, field, &text);
        None
    }

    /// Reads an amount in cents where its position already tells which amount it is.
    pub(crate) fn cents(&mut self, field: &'static str, value: Option<&Value>) -> Option<u64> {
        match self.amount(field, value, "")? {
            Amount::Asking(cents) | Amount::Msrp(cents) => Some(cents),
            Amount::Other(_) | Amount::Zero => None,
        }
    }

    /// Reads the addresses of pictures.
    pub(crate) fn images(&self, value: Option<&Value>) -> Option<Vec<String>> {
        let images = value.map(|value| value::images(value, self.base));
        images.filter(|images| !images.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn warnings(reader: Reader<'_>) -> Vec<(Code, &'static str, String)> {
        let parts = |warning: Warning| (warning.code, warning.field, warning.value);
        reader.into_warnings().into_iter().map(parts).collect()
    }

    #[test]
    fn missing_values_give_no_warning_and_placeholders_give_one() {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut reader = Reader::new(Provenance::DataLayer, &base, &budget);
        assert_eq!(reader.text("trim", None), None);
        assert_eq!(reader.text("trim", Some(&json!(null))), None);
        assert_eq!(reader.text("trim", Some(&json!(" "))), None);
        assert_eq!(reader.text("trim", Some(&json!("N/A"))), None);
        assert_eq!(reader.text("trim", Some(&json!("N/A"))), None);
        assert_eq!(reader.text("trim", Some(&json!("EX"))), Some("EX".into()));
        assert_eq!(reader.read("year", Some(&json!("soon")), value::year), None);
        assert_eq!(reader.cents("msrp_cents", Some(&json!(0))), None);
        assert_eq!(reader.cents("msrp_cents", Some(&json!("Contact Us"))), None);
        assert_eq!(reader.cents("msrp_cents", Some(&json!("1-2"))), None);
        assert_eq!(reader.cents("msrp_cents", Some(&json!("$9/mo"))), None);
        let expected = [
            (Code::Placeholder, "trim", "N/A".to_owned()),
            (Code::Unreadable, "year", "soon".to_owned()),
            (Code::Placeholder, "msrp_cents", "0".to_owned()),
            (Code::Placeholder, "msrp_cents", "Contact Us".to_owned()),
            (Code::Unreadable, "msrp_cents", "1-2".to_owned()),
            (Code::MonthlyPayment, "msrp_cents", "$9/mo".to_owned()),
        ];
        assert_eq!(warnings(reader), expected);
    }

    #[test]
    fn a_mileage_of_zero_is_valid_only_for_a_new_car() {
        let base: Url = "https://www.dealer.example/".parse().unwrap();
        let budget = Budget::unlimited();
        let mut reader = Reader::new(Provenance::JsonLd, &base, &budget);
        let (zero, unit) = (json!(0), json!("KMT"));
        let new = reader.mileage(Some(&zero), Some(&unit), Some(Condition::New));
        assert_eq!(new.map(|mileage| mileage.value), Some(0));
        assert_eq!(reader.mileage(Some(&zero), None, Some(Condition::Used)), None);
        assert_eq!(reader.mileage(Some(&zero), None, None), None);
        assert_eq!(warnings(reader), [(Code::Placeholder, "mileage", "0".to_owned())]);
    }
}
