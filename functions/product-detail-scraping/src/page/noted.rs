//! What the texts of a page say of amounts and distances, wherever they stand.

use super::{
    amount::is_per_period,
    distance,
    price::{self, Amount},
    quality::Code,
    shown_text::PageText,
    value::{self, CURRENCIES},
    vocabulary::Mileage,
};

/// Most amounts kept of each kind, and most distances.
const MAX_AMOUNTS: usize = 50;
const MAX_DISTANCES: usize = 20;

/// Longest text that labels the amount behind it, in bytes, and most words of one with a full stop: a sentence speaks of
/// other things.
const MAX_LABEL_BYTES: usize = 60;
const MAX_WORDS: usize = 3;

/// Amounts, in cents, and distances.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Amounts that are no prices, by the words beside them.
    pub(super) others: Vec<(u64, Code)>,
    /// Amounts that are struck out.
    pub(super) struck: Vec<u64>,
    /// What looked like an amount until its end was read.
    pub(super) broken: Vec<u64>,
    /// Distances with their unit.
    pub(super) distances: Vec<Mileage>,
}

impl Noted {
    /// Whether a text may have an amount or a distance that counts. Reading it takes much more than this.
    pub(super) fn may_matter(text: &PageText) -> bool {
        let has_digit = text.text.contains(|c: char| c.is_ascii_digit());
        has_digit && (may_be_amount(text) || may_be_distance(text))
    }

    /// Notes a text and the one before it, which may be its label.
    pub(super) fn hear(&mut self, text: &PageText, before: &str) {
        let is_own = !text.is_of_other && !text.is_link;
        if is_own && may_be_distance(text) && self.distances.len() < MAX_DISTANCES {
            self.distances.extend(distance::within(&text.text));
        }
        let Some(cents) = amount(&text.text).filter(|_| may_be_amount(text)) else { return };
        if is_own && text.is_struck && self.struck.len() < MAX_AMOUNTS {
            self.struck.push(cents);
        }
        let is_amount = text.text.contains(CURRENCIES) || is_payment(&text.text);
        let is_sentence = before.ends_with('.') && before.split(' ').count() > MAX_WORDS;
        // What has an amount of its own labels no other.
        let is_label =
            before.len() <= MAX_LABEL_BYTES && !is_sentence && !before.contains(CURRENCIES);
        let before = if is_label { before } else { "" };
        if let Some(Amount::Other(code)) = price::read(&text.text, before)
            && is_amount
            && self.others.len() < MAX_AMOUNTS
        {
            self.others.push((cents, code));
        }
    }

    /// Notes that an amount was another one before its end was read.
    pub(super) fn replace(&mut self, before: Option<u64>, after: Option<u64>) {
        let broken = before.filter(|_| before != after && self.broken.len() < MAX_AMOUNTS);
        self.broken.extend(broken);
    }
}

fn may_be_amount(text: &PageText) -> bool {
    text.is_struck || text.text.contains(CURRENCIES) || is_payment(&text.text)
}

/// Whether a text without the sign of a currency may be a payment.
fn is_payment(text: &str) -> bool {
    text.contains(" per ") || text.contains(['/', '.']) && is_per_period(text)
}

fn may_be_distance(text: &PageText) -> bool {
    ["km", "KM", "Km", " mi", " Mi", "ilom"].iter().any(|unit| text.text.contains(unit))
}

/// The only amount in a text, in cents.
pub(super) fn amount(text: &str) -> Option<u64> {
    value::number(text).map(|number| number.whole * 100 + number.hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::vocabulary::Unit;

    fn noted(texts: &[PageText]) -> Noted {
        let mut noted = Noted::default();
        for text in texts.iter().filter(|text| Noted::may_matter(text)) {
            noted.hear(text, "");
        }
        noted
    }

    #[test]
    fn payments_former_prices_and_distances_are_noted() {
        let text = |text: &str| PageText { text: text.into(), ..PageText::default() };
        let struck = PageText { is_struck: true, ..text("$24,995") };
        let of_other = PageText { is_of_other: true, ..struck_copy(&struck) };
        let texts = [
            text("1,489/mo"),
            text("$2,000 off"),
            text("$18,995"),
            text("45,000 km"),
            text("45,000"),
            text("32 MPG"),
            text("Blue, 12,345 mi, one owner"),
            struck,
            of_other,
        ];
        let found = noted(&texts);
        assert_eq!(found.others, [(148_900, Code::MonthlyPayment), (200_000, Code::Savings)]);
        assert_eq!(found.struck, [2_499_500]);
        let metric = Mileage { value: 45_000, unit: Unit::Kilometres };
        let miles = Mileage { value: 12_345, unit: Unit::Miles };
        assert_eq!(found.distances, [metric, miles]);
        let sentence = "It was sold and serviced here.";
        let mut noted = Noted::default();
        noted.hear(&text("$18,995"), sentence);
        assert!(noted.others.is_empty());
        noted.hear(&text("Now $18,995"), "Was $20,995");
        assert!(noted.others.is_empty());
        noted.hear(&text("$18,995"), "Was");
        assert_eq!(noted.others, [(1_899_500, Code::FormerPrice)]);
    }

    fn struck_copy(text: &PageText) -> PageText {
        PageText { text: text.text.clone(), is_struck: text.is_struck, ..PageText::default() }
    }

    #[test]
    fn an_amount_whose_end_makes_it_another_is_no_amount() {
        let mut noted = Noted::default();
        noted.replace(Some(1_800), Some(1_899_500));
        noted.replace(Some(148_900), Some(148_900));
        noted.replace(None, Some(1));
        assert_eq!(noted.broken, [1_800]);
    }
}
