//! Decides which amount on a page is the price. Sites put payments, discounts, fees and the
//! manufacturer's price in its place. A wrong price is worse than none.
//!
//! The rule, in this order (this crate's README.md has the reasons):
//!
//! 1. A car that is sold has no price.
//! 2. The words around an amount tell its kind. Only asking prices go on.
//! 3. Amounts that no car of that year costs are dropped, and those that are explained by others: copies of the
//!    manufacturer's price or of a retail value, former prices that the page strikes out, the difference between two
//!    other amounts, fragments of the car's worth, and a discount on a new car that few buyers get.
//! 4. The most trusted source of the rest gives the price: what the page shows its visitors, then the data layer,
//!    linked data, the `meta` elements, and the feed. If sources of the page disagree by more than
//!    [`MOST_DISAGREEMENT`], there is no price.

use std::ops::RangeInclusive;

pub(crate) use super::amount::{Amount, read};
use super::{
    agreement::close,
    quality::{Code, Conflict, Quality, Warning},
    record::Details,
    vocabulary::{Condition, Found, Provenance},
};

/// The range of the manufacturer's prices and retail values, in cents: 1,000 to 5,000,000 dollars.
const PLAUSIBLE_CENTS: RangeInclusive<u64> = 100_000..=500_000_000;

/// The least that a car of a model year from this on costs, in cents, the newest first. Below are payments and fees.
const LEAST: [(u16, u64); 4] = [(2022, 800_000), (2018, 400_000), (2012, 200_000), (0, 100_000)];

/// The same for the price that the dealer's own system gives of an old car.
const LEAST_OF_DEALER: u64 = 30_000;

/// The same of an unknown model year, unless a second source names the amount.
const LEAST_ALONE: u64 = 200_000;

/// A car of unknown condition is used if its model year is before this one, or if it has been driven this far, in miles
/// or kilometres.
const MAYBE_NEW_FROM: u16 = 2022;
const DRIVEN_FROM: u32 = 5_000;

/// Model years before this one are old.
const OLD_BEFORE: u16 = 2012;

/// Prices, in dollars, that stand for one that is not known yet.
const PLACEHOLDERS: [u64; 6] = [111_111, 123_456, 999_999, 1_111_111, 1_234_567, 9_999_999];

/// Above this, in cents, an amount needs another beside it that is near: it may be cents taken for dollars.
const MOST_ALONE: u64 = 100_000_000;

/// The largest factor between two prices of one car. No discount explains a larger one.
const MAX_SPREAD: u64 = 2;

/// The largest difference between the prices of two sources of a page, in percent of the higher one.
const MOST_DISAGREEMENT: u64 = 10;

/// The largest discount on a new car that anybody gets, in percent. Larger ones have conditions.
const MOST_DISCOUNT: u64 = 40;

/// An amount below the car's worth divided by this is a payment, a fee or an accessory.
const FRAGMENT_DIVISOR: u64 = 10;

/// Most asking prices kept of one source.
const MAX_PRICES: usize = 8;

/// The name of the price field in reports.
const FIELD: &str = "price_cents";

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

/// Removes manufacturer's prices and retail values outside [`PLAUSIBLE_CENTS`], and warns about each.
pub(crate) fn sift(sources: &mut [(Provenance, Details)], quality: &mut Quality) {
    for (from, details) in sources {
        let mut is_plausible = |field: &'static str, cents: u64| {
            let is_plausible = PLAUSIBLE_CENTS.contains(&cents);
            if !is_plausible {
                let cents = cents.to_string();
                quality.warn(Warning::new(Code::Implausible, *from, field, &cents));
            }
            is_plausible
        };
        details.msrp_cents = details.msrp_cents.filter(|cents| is_plausible("msrp_cents", *cents));
        details.retail_value_cents =
            details.retail_value_cents.filter(|cents| is_plausible("retail_value_cents", *cents));
    }
}

/// An asking price and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) from: Provenance,
    pub(crate) cents: u64,
}

/// What is known of the car beside its asking prices. Amounts are in cents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    /// The manufacturer's price.
    pub(crate) msrp: Option<u64>,
    /// The value according to a price guide.
    pub(crate) retail: Option<u64>,
    /// Former prices, which the page strikes out.
    pub(crate) struck: Vec<u64>,
    /// Payments, savings and fees, which the page shows its visitors as such, or a source names so.
    pub(crate) others: Vec<(u64, Code)>,
    /// The model year.
    pub(crate) year: Option<u16>,
    pub(crate) condition: Option<Condition>,
    /// The odometer reading, in either unit.
    pub(crate) mileage: Option<u32>,
    /// The currencies that sources of the page state.
    pub(crate) currencies: Vec<(Provenance, String)>,
    /// Whether a source says that the car is sold.
    pub(crate) is_sold: bool,
}

/// Why an amount, among all that are left, is not the price.
type Reason = fn(&Evidence, &Asked, &[Asked]) -> Option<Code>;

/// Chooses the price among the amounts asked, which are ordered by trust in their sources. `quality` lists the amounts
/// that were dropped, and those that differ.
pub(crate) fn settle(
    asked: &[Asked],
    evidence: &Evidence,
    quality: &mut Quality,
) -> Option<Found<u64>> {
    let left = evidence.unexplained(asked, quality);
    let Some(first) = left.first() else {
        quality.missing.push(FIELD);
        return None;
    };
    let main = main_of_each(&left);
    // The dealer's own system names each of its amounts; the others say no more than that they are prices.
    let unnamed = |asked: &&Asked| !matches!(asked.from, Provenance::DataLayer | Provenance::Feed);
    let is_main = |asked: &&Asked| main.contains(asked);
    let compared: Vec<Asked> =
        left.iter().filter(|asked| unnamed(asked) || is_main(asked)).copied().collect();
    if spreads(left.iter(), MAX_SPREAD) || disagree(&compared) {
        quality.conflicting.push(conflict(if disagree(&compared) { &compared } else { &left }));
        return None;
    }
    if evidence.mixes_currencies(&main) {
        quality.conflicting.push(conflict(&main));
        return None;
    }
    if main.iter().any(|other| !close(&first.cents, &other.cents)) {
        quality.conflicting.push(conflict(&main));
    }
    quality.found.push(FIELD);
    Some(Found { value: first.cents, from: first.from })
}

/// The first amount of each source. A source may list several prices; the first is the most binding one.
fn main_of_each(asked: &[Asked]) -> Vec<Asked> {
    let is_main = |at: usize| asked[..at].iter().all(|earlier| earlier.from != asked[at].from);
    (0..asked.len()).filter(|at| is_main(*at)).map(|at| asked[at]).collect()
}

fn spreads<'a>(asked: impl Iterator<Item = &'a Asked> + Clone, factor: u64) -> bool {
    let lowest = asked.clone().map(|asked| asked.cents).min().unwrap_or_default();
    let highest = asked.map(|asked| asked.cents).max().unwrap_or_default();
    highest > lowest.saturating_mul(factor)
}

/// Whether sources of the page disagree. The feed is older than the page.
fn disagree(main: &[Asked]) -> bool {
    let of_page = || main.iter().filter(|asked| asked.from != Provenance::Feed);
    let lowest = of_page().map(|asked| asked.cents).min().unwrap_or_default();
    let highest = of_page().map(|asked| asked.cents).max().unwrap_or_default();
    lowest.saturating_mul(100) < highest.saturating_mul(100 - MOST_DISAGREEMENT)
}

fn conflict(asked: &[Asked]) -> Conflict {
    Conflict::between(FIELD, asked.iter().map(|asked| (asked.from, asked.cents)))
}

impl Evidence {
    /// The amounts that may be the price. Each that may not gives a warning.
    fn unexplained(&self, asked: &[Asked], quality: &mut Quality) -> Vec<Asked> {
        let mut left = asked.to_vec();
        let reasons: [Reason; 9] = [
            |evidence, _, _| evidence.is_sold.then_some(Code::Sold),
            |evidence, one, all| evidence.is_implausible(one, all).then_some(Code::Implausible),
            |evidence, one, _| evidence.struck.contains(&one.cents).then_some(Code::FormerPrice),
            |evidence, one, _| {
                let other = evidence.others.iter().find(|(cents, _)| *cents == one.cents);
                other.map(|(_, code)| *code)
            },
            |evidence, one, all| is_echo(evidence.msrp, one, all).then_some(Code::MsrpEcho),
            |evidence, one, all| is_echo(evidence.retail, one, all).then_some(Code::RetailEcho),
            |evidence, one, all| evidence.is_difference(one, all).then_some(Code::Savings),
            |evidence, one, all| evidence.is_fragment(one, all).then_some(Code::Implausible),
            |evidence, one, all| evidence.is_conditional(one, all).then_some(Code::Conditional),
        ];
        for reason in reasons {
            let (dropped, kept): (Vec<Asked>, Vec<Asked>) =
                left.iter().partition(|one| reason(self, one, &left).is_some());
            for one in dropped {
                let cents = one.cents.to_string();
                if let Some(code) = reason(self, &one, &left) {
                    quality.warn(Warning::new(code, one.from, FIELD, &cents));
                }
            }
            left = kept;
        }
        left
    }

    /// Whether no car of its year costs that.
    fn is_implausible(&self, one: &Asked, all: &[Asked]) -> bool {
        let year = self.year.unwrap_or_default();
        let least = LEAST.iter().find(|(from, _)| *from <= year).map_or(0, |(_, least)| *least);
        let is_alone = self.year.is_none() && !is_shared(one, all);
        let least = if is_alone { LEAST_ALONE } else { least };
        let is_old = self.year.is_some_and(|year| year < OLD_BEFORE);
        let is_known = is_old && one.from == Provenance::DataLayer;
        let least = if is_known { LEAST_OF_DEALER } else { least };
        let worths = all.iter().filter(|other| other.from != one.from).map(|other| other.cents);
        let mut worths = worths.chain(self.msrp).chain(self.retail);
        let is_near = |worth: u64| worth.saturating_mul(MAX_SPREAD) >= one.cents;
        let is_placeholder = PLACEHOLDERS.contains(&(one.cents / 100));
        is_placeholder || one.cents < least || one.cents > MOST_ALONE && !worths.any(is_near)
    }

    /// Whether an amount is the difference between two others, such as between the manufacturer's price and the price.
    fn is_difference(&self, one: &Asked, all: &[Asked]) -> bool {
        let higher = all.iter().map(|other| other.cents).chain(self.msrp).chain(self.retail);
        let lower = || all.iter().filter(|other| other.from != one.from).map(|other| other.cents);
        let is_rest = |high: u64, low: u64| {
            low > one.cents && high.saturating_sub(low).abs_diff(one.cents) <= 100
        };
        let mut higher = higher.filter(|high| *high > one.cents);
        higher.any(|high| lower().any(|low| is_rest(high, low)))
    }

    /// Whether an amount is too far below the car's worth to be its price, unless a second source names it, or it is
    /// the dealer's own price of an old car. Without a known worth, the highest amount that two sources agree on is
    /// used.
    fn is_fragment(&self, one: &Asked, all: &[Asked]) -> bool {
        let shared =
            all.iter().filter(|asked| is_shared(asked, all)).map(|asked| asked.cents).max();
        let worth = self.msrp.or(self.retail).or(shared).unwrap_or(0);
        let is_old = self.year.is_some_and(|year| year < OLD_BEFORE);
        let is_meant = is_old && one.from == Provenance::DataLayer;
        one.cents.saturating_mul(FRAGMENT_DIVISOR) < worth && !is_shared(one, all) && !is_meant
    }

    /// Whether an amount is so far below the manufacturer's price of a new car that few buyers get it. A car whose
    /// condition no source states may be new, too.
    fn is_conditional(&self, one: &Asked, all: &[Asked]) -> bool {
        let is_driven = || self.mileage.is_some_and(|mileage| mileage >= DRIVEN_FROM);
        let is_old = || self.year.is_some_and(|year| year < MAYBE_NEW_FROM);
        let may_be_new = match self.condition {
            Some(condition) => condition == Condition::New,
            None => !is_driven() && !is_old() && !is_shared(one, all),
        };
        let Some(msrp) = self.msrp.filter(|_| may_be_new) else { return false };
        one.cents.saturating_mul(100) < msrp.saturating_mul(100 - MOST_DISCOUNT)
    }

    /// Whether the amounts are of several currencies, or may be.
    fn mixes_currencies(&self, main: &[Asked]) -> bool {
        let currency = |asked: &Asked| {
            let stated = self.currencies.iter().find(|(from, _)| *from == asked.from);
            stated.map(|(_, currency)| currency.as_str())
        };
        let of_page = || main.iter().filter(|asked| asked.from != Provenance::Feed);
        let differ = |one: &Asked, other: &Asked| match (currency(one), currency(other)) {
            (Some(one), Some(other)) => one != other,
            (Some(stated), None) => stated != "USD" && !close(&one.cents, &other.cents),
            (None, _) => false,
        };
        of_page().any(|one| of_page().any(|other| differ(one, other)))
    }
}

/// Whether a second source names an amount.
fn is_shared(one: &Asked, all: &[Asked]) -> bool {
    all.iter().any(|other| other.from != one.from && close(&other.cents, &one.cents))
}

/// Whether an amount only repeats the manufacturer's price or the retail value, as templates for search engines do. If
/// the dealer's own system or the page's text asks exactly that amount, it is the price.
fn is_echo(of: Option<u64>, one: &Asked, all: &[Asked]) -> bool {
    let repeats = |asked: &Asked| Some(asked.cents) == of;
    let is_dealers = |asked: &Asked| asked.from.is_the_dealers() && asked.from != Provenance::Page;
    let is_meant = all.iter().any(|asked| is_dealers(asked) && repeats(asked));
    repeats(one) && !is_meant
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DEALER: Provenance = Provenance::DataLayer;
    const LINKED: Provenance = Provenance::JsonLd;
    const SOCIAL: Provenance = Provenance::OpenGraph;

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
        let price = settle(&asked, &Evidence { msrp, ..Evidence::default() }, &mut quality);
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
            msrp_cents: Some(1),
            retail_value_cents: Some(2_599_500_000),
            ..Details::default()
        };
        let mut sources = [(LINKED, details)];
        let mut quality = Quality::default();
        sift(&mut sources, &mut quality);
        assert_eq!((sources[0].1.msrp_cents, sources[0].1.retail_value_cents), (None, None));
        let values: Vec<_> =
            quality.warnings.iter().map(|warning| warning.value.as_str()).collect();
        assert_eq!(values, ["1", "2599500000"]);
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
    }
}
