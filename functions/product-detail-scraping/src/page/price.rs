//! Decides which amount on a page is the price. Sites put payments, discounts, fees and the
//! manufacturer's price in its place. A wrong price is worse than none.

use std::ops::RangeInclusive;

use super::{
    agreement::close,
    quality::{Code, Conflict, Quality, Warning},
    record::Details,
    value,
    vocabulary::{Found, Provenance},
};

/// The range of car prices, in cents: 1,000 to 5,000,000 dollars. Amounts below are payments and
/// fees. Amounts above are mistakes, such as cents taken for dollars.
const PLAUSIBLE_CENTS: RangeInclusive<u64> = 100_000..=500_000_000;

/// The largest factor between two prices of one car. No discount explains a larger one.
const MAX_SPREAD: u64 = 2;

/// An amount below the car's worth divided by this is a payment, a fee or an accessory.
const FRAGMENT_DIVISOR: u64 = 10;

/// Most asking prices kept of one source.
const MAX_PRICES: usize = 8;

/// Longest label read, in characters.
const MAX_LABEL_CHARS: usize = 200;

/// The name of the price field in reports.
const FIELD: &str = "price_cents";

// The words that tell what an amount is. A `_BESIDE` list holds words that count only next to the
// amount, because they are ambiguous elsewhere: "MO" is also a state, "off" a part of trim names.
const PAYMENT: [&str; 15] = [
    "biweekly",
    "finance",
    "installment",
    "installments",
    "lease",
    "mon",
    "month",
    "monthly",
    "months",
    "payment",
    "payments",
    "wee",
    "week",
    "weekly",
    "weeks",
];
const PAYMENT_BESIDE: [&str; 2] = ["mo", "wk"];
const SAVINGS: [&str; 10] = [
    "discount",
    "discounts",
    "incentive",
    "incentives",
    "rebate",
    "rebates",
    "save",
    "saving",
    "savings",
    "cashback",
];
const SAVINGS_BESIDE: [&str; 1] = ["off"];
const FEE: [&str; 7] = ["deposit", "destination", "fee", "fees", "freight", "tax", "taxes"];
const FEE_BESIDE: [&str; 1] = ["down"];
const ACCESSORIES: [&str; 3] = ["accessories", "accessory", "addons"];
const MSRP: [&str; 6] = ["list", "msrp", "srp", "sticker", "strikethrough", "suggested"];

/// An amount on a page, classified by the words around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// The price asked for the car, in cents.
    Asking(u64),
    /// The manufacturer's price, in cents.
    Msrp(u64),
    /// An amount that is no price. The code tells what it is.
    Other(Code),
    /// Zero, which stands for a missing amount.
    Zero,
}

/// Parses an amount and classifies it by its labels and by the words beside it. `None` if the text
/// does not contain exactly one unambiguous number.
pub(crate) fn read(text: &str, labels: &str) -> Option<Amount> {
    let number = value::number(text)?;
    let cents = number.whole * 100 + number.hundredths;
    let beside = words(&number.around);
    let mut all = words(labels);
    all.extend_from_slice(&beside);
    let says =
        |said: &[String], meant: &[&str]| said.iter().any(|word| meant.contains(&word.as_str()));
    Some(if cents == 0 {
        Amount::Zero
    } else if says(&all, &PAYMENT) || says(&beside, &PAYMENT_BESIDE) {
        Amount::Other(Code::MonthlyPayment)
    } else if says(&all, &SAVINGS) || says(&beside, &SAVINGS_BESIDE) {
        Amount::Other(Code::Savings)
    } else if says(&all, &FEE) || says(&beside, &FEE_BESIDE) {
        Amount::Other(Code::Fee)
    } else if says(&all, &ACCESSORIES) {
        Amount::Other(Code::Accessories)
    } else if says(&all, &MSRP) {
        Amount::Msrp(cents)
    } else {
        Amount::Asking(cents)
    })
}

impl Details {
    /// Adds an amount that the source states: every asking price up to [`MAX_PRICES`], but only the
    /// first manufacturer's price.
    pub(crate) fn price(&mut self, amount: Option<Amount>) {
        match amount {
            Some(Amount::Asking(cents)) => {
                if self.asking_cents.len() < MAX_PRICES && !self.asking_cents.contains(&cents) {
                    self.asking_cents.push(cents);
                }
            }
            Some(Amount::Msrp(cents)) => self.msrp_cents = self.msrp_cents.or(Some(cents)),
            Some(Amount::Other(_) | Amount::Zero) | None => {}
        }
    }
}

/// The words of a label in lower case. Camel case separates words: `ListPrice` is two.
fn words(label: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for c in label.chars().take(MAX_LABEL_CHARS) {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// Removes the amounts outside [`PLAUSIBLE_CENTS`] and warns about each.
pub(crate) fn sift(sources: &mut [(Provenance, Details)], quality: &mut Quality) {
    for (from, details) in sources {
        let mut is_plausible = |field: &'static str, cents: u64| {
            let is_plausible = PLAUSIBLE_CENTS.contains(&cents);
            if !is_plausible {
                quality.warn(implausible(*from, field, cents));
            }
            is_plausible
        };
        details.asking_cents.retain(|cents| is_plausible(FIELD, *cents));
        details.msrp_cents = details.msrp_cents.filter(|cents| is_plausible("msrp_cents", *cents));
        details.retail_value_cents =
            details.retail_value_cents.filter(|cents| is_plausible("retail_value_cents", *cents));
    }
}

fn implausible(from: Provenance, field: &'static str, cents: u64) -> Warning {
    Warning::new(Code::Implausible, from, field, &cents.to_string())
}

/// An asking price and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) from: Provenance,
    pub(crate) cents: u64,
}

/// Chooses the price among the amounts asked, which are ordered by trust in their sources. `msrp`
/// is the manufacturer's price and `retail` the car's retail value, both in cents.
///
/// Copies of the manufacturer's price and fragments are discarded first. Of the rest, the first is
/// the price, unless two differ by more than the factor [`MAX_SPREAD`]: then there is no price. In
/// either case `quality` lists amounts that differ.
pub(crate) fn settle(
    asked: &[Asked],
    msrp: Option<u64>,
    retail: Option<u64>,
    quality: &mut Quality,
) -> Option<Found<u64>> {
    let own = without_echoes(asked, msrp, quality);
    let whole = without_fragments(&own, msrp.or(retail), quality);
    let Some(first) = whole.first() else {
        quality.missing.push(FIELD);
        return None;
    };
    let lowest = whole.iter().map(|asked| asked.cents).min()?;
    let highest = whole.iter().map(|asked| asked.cents).max()?;
    if highest > lowest.saturating_mul(MAX_SPREAD) {
        quality.conflicting.push(conflict(whole.iter()));
        return None;
    }
    // A source may list several prices. Only its first, the most binding one, is compared.
    let is_main = |at: usize| whole[..at].iter().all(|earlier| earlier.from != whole[at].from);
    let main: Vec<Asked> = (0..whole.len()).filter(|at| is_main(*at)).map(|at| whole[at]).collect();
    if main.iter().any(|other| !close(&first.cents, &other.cents)) {
        quality.conflicting.push(conflict(main.iter()));
    }
    quality.found.push(FIELD);
    Some(Found { value: first.cents, from: first.from })
}

fn conflict<'a>(asked: impl Iterator<Item = &'a Asked>) -> Conflict {
    Conflict::between(FIELD, asked.map(|asked| (asked.from, asked.cents)))
}

/// Discards the amounts that only repeat the manufacturer's price. If the dealer's own system asks
/// exactly that amount, it is the price, and nothing is discarded.
fn without_echoes(asked: &[Asked], msrp: Option<u64>, quality: &mut Quality) -> Vec<Asked> {
    let repeats = |asked: &Asked| Some(asked.cents) == msrp;
    let is_meant = asked.iter().any(|asked| asked.from.is_the_dealers() && repeats(asked));
    let is_echo = |asked: &Asked| repeats(asked) && !is_meant;
    for echo in asked.iter().filter(|asked| is_echo(asked)) {
        let cents = echo.cents.to_string();
        quality.warn(Warning::new(Code::MsrpEcho, echo.from, FIELD, &cents));
    }
    asked.iter().filter(|asked| !is_echo(asked)).copied().collect()
}

/// Discards the amounts that are too far below the car's worth to be its price, unless a second
/// source names them. Without a known `worth`, the highest amount that two sources agree on is
/// used.
fn without_fragments(asked: &[Asked], worth: Option<u64>, quality: &mut Quality) -> Vec<Asked> {
    let is_shared = |one: &Asked| {
        asked.iter().any(|other| other.from != one.from && close(&other.cents, &one.cents))
    };
    let shared = asked.iter().filter(|asked| is_shared(asked)).map(|asked| asked.cents).max();
    let worth = worth.or(shared).unwrap_or(0);
    let is_tiny = |asked: &Asked| asked.cents.saturating_mul(FRAGMENT_DIVISOR) < worth;
    let is_fragment = |asked: &Asked| is_tiny(asked) && !is_shared(asked);
    for fragment in asked.iter().filter(|asked| is_fragment(asked)) {
        quality.warn(implausible(fragment.from, FIELD, fragment.cents));
    }
    asked.iter().filter(|asked| !is_fragment(asked)).copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DEALER: Provenance = Provenance::DataLayer;
    const LINKED: Provenance = Provenance::JsonLd;
    const SOCIAL: Provenance = Provenance::OpenGraph;

    #[test]
    fn an_amount_is_classified_by_the_words_around_it() {
        let cases = [
            ("$25,995", "", Some(Amount::Asking(2_599_500))),
            ("25995.50", "Offer Internet Price", Some(Amount::Asking(2_599_550))),
            ("389", "UnitPriceSpecification MON", Some(Amount::Other(Code::MonthlyPayment))),
            ("$389/mo", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("$389 per month", "", Some(Amount::Other(Code::MonthlyPayment))),
            ("389", "http://purl.example/v1#LeaseOut", Some(Amount::Other(Code::MonthlyPayment))),
            ("$2,000 off", "", Some(Amount::Other(Code::Savings))),
            ("2000", "YouSave", Some(Amount::Other(Code::Savings))),
            ("$1,995 down", "", Some(Amount::Other(Code::Fee))),
            ("899", "Dealer doc fee", Some(Amount::Other(Code::Fee))),
            ("1295", "Accessories total", Some(Amount::Other(Code::Accessories))),
            ("27,000", "https://schema.org/ListPrice", Some(Amount::Msrp(2_700_000))),
            ("MSRP: $27,000", "", Some(Amount::Msrp(2_700_000))),
            // Names of towns and trims are not labels.
            ("25995", "St. Louis, MO", Some(Amount::Asking(2_599_500))),
            ("25995", "Tacoma TRD Off-Road", Some(Amount::Asking(2_599_500))),
            ("$0", "", Some(Amount::Zero)),
            ("0.00", "monthly", Some(Amount::Zero)),
            ("Contact Us", "", None),
            ("$21,995 - $24,995", "", None),
        ];
        for (text, labels, expected) in cases {
            assert_eq!(read(text, labels), expected, "{text} {labels}");
        }
    }

    fn settled(
        asked: &[(Provenance, u64)],
        msrp: Option<u64>,
    ) -> (Option<(u64, Provenance)>, Quality) {
        let asked: Vec<Asked> = asked
            .iter()
            .map(|(from, dollars)| Asked { from: *from, cents: dollars * 100 })
            .collect();
        let mut quality = Quality::default();
        let msrp = msrp.map(|dollars| dollars * 100);
        let price = settle(&asked, msrp, None, &mut quality);
        (price.map(|price| (price.value / 100, price.from)), quality)
    }

    #[test]
    fn the_first_plausible_amount_is_the_price() {
        type Case<'a> = (&'a [(Provenance, u64)], Option<u64>, Option<(u64, Provenance)>);
        let cases: &[Case<'_>] = &[
            (&[], None, None),
            (&[(DEALER, 25_995), (LINKED, 25_495)], None, Some((25_995, DEALER))),
            // A copy of the manufacturer's price, alone and beside the dealer's own price.
            (&[(LINKED, 27_000)], Some(27_000), None),
            (&[(LINKED, 27_000), (SOCIAL, 25_995)], Some(27_000), Some((25_995, SOCIAL))),
            (&[(DEALER, 27_000), (LINKED, 27_000)], Some(27_000), Some((27_000, DEALER))),
            // Fragments, recognised by the manufacturer's price or by two sources that agree.
            (&[(LINKED, 1_295)], Some(27_000), None),
            (&[(DEALER, 1_295), (LINKED, 25_995)], Some(27_000), Some((25_995, LINKED))),
            (&[(LINKED, 1_295), (DEALER, 25_995), (SOCIAL, 25_995)], None, Some((25_995, DEALER))),
            // An old car for less than a tenth of its original price, confirmed by two sources.
            (&[(DEALER, 3_995), (LINKED, 3_995)], Some(45_000), Some((3_995, DEALER))),
            // Contradictions that are too large.
            (&[(DEALER, 25_995), (LINKED, 9_995)], None, None),
            (&[(DEALER, 25_995), (DEALER, 2_599)], None, None),
        ];
        for (asked, msrp, expected) in cases {
            let (price, quality) = settled(asked, *msrp);
            assert_eq!(price, *expected, "{asked:?} {msrp:?}");
            assert_eq!(quality.found.len(), usize::from(expected.is_some()));
        }
    }

    #[test]
    fn a_contradiction_lists_both_amounts() {
        let (_, quality) = settled(&[(DEALER, 25_995), (LINKED, 9_995)], None);
        let expected = json!([{"field": "price_cents", "claims": [
            {"from": "data_layer", "value": 2_599_500},
            {"from": "json_ld", "value": 999_500},
        ]}]);
        assert_eq!(json!(quality.conflicting), expected);
        assert!(quality.missing.is_empty());
    }

    #[test]
    fn implausible_amounts_are_removed_with_a_warning() {
        let details = Details {
            asking_cents: vec![38_900, 2_599_500, 2_599_500_000],
            msrp_cents: Some(1),
            ..Details::default()
        };
        let mut sources = [(LINKED, details)];
        let mut quality = Quality::default();
        sift(&mut sources, &mut quality);
        assert_eq!(sources[0].1.asking_cents, [2_599_500]);
        assert_eq!(sources[0].1.msrp_cents, None);
        let values: Vec<_> =
            quality.warnings.iter().map(|warning| warning.value.as_str()).collect();
        assert_eq!(values, ["38900", "2599500000", "1"]);
    }

    proptest! {
        #[test]
        fn the_price_is_one_of_the_amounts_or_reported_as_missing(
            dollars in prop::collection::vec(1_000_u64..100_000, 0..6),
            msrp in prop::option::of(1_000_u64..100_000),
        ) {
            let sources = [DEALER, LINKED, SOCIAL];
            let asked = dollars.iter().enumerate().map(|(at, amount)| (sources[at % 3], *amount));
            let asked: Vec<_> = asked.collect();
            let (price, quality) = settled(&asked, msrp);
            let reported = [quality.found.len(), quality.missing.len(), quality.conflicting.len()];
            prop_assert!(reported.iter().sum::<usize>() >= 1);
            prop_assert_eq!(price.is_some(), quality.found == ["price_cents"]);
            if let Some((price, from)) = price {
                prop_assert!(asked.contains(&(from, price)));
            }
        }

        #[test]
        fn a_text_without_digits_is_no_amount(text in "[$0-9.,/a-z ]{0,40}", labels in ".{0,300}") {
            let amount = read(&text, &labels);
            prop_assert!(amount.is_none() || text.contains(|c: char| c.is_ascii_digit()));
        }
    }
}
