//! Prices: each is stored under the name that the site uses, and none is computed from others.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    entry::{Entry, items, reading},
    field::{self, Reading},
};

/// An amount in hundredths of the site's currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cents(pub u64);

/// The prices of a car, by the site's names. Which of them a buyer pays differs between dealers, so
/// none is preferred here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prices {
    /// The price that the site marks as final: after the discounts that every buyer gets.
    pub final_price: Option<Cents>,
    /// `internetPrice`: the advertised price.
    pub internet: Option<Cents>,
    /// `salePrice`.
    pub sale: Option<Cents>,
    /// `askingPrice`.
    pub asking: Option<Cents>,
    /// `retailPrice` or `retailValue`.
    pub retail: Option<Cents>,
    /// `msrp`: the price suggested by the manufacturer.
    pub msrp: Option<Cents>,
}

impl Prices {
    pub(crate) fn read(entry: &mut Entry<'_>) -> Self {
        Self {
            final_price: final_price(entry),
            internet: price(entry, "internet_price", &["internetPrice"]),
            sale: price(entry, "sale_price", &["salePrice"]),
            asking: price(entry, "asking_price", &["askingPrice"]),
            retail: price(entry, "retail_price", &["retailPrice", "retailValue"]),
            msrp: price(entry, "msrp", &["msrp"]),
        }
    }
}

/// The price under one of `names`: a field, or a line of the price list with such a class.
fn price(entry: &mut Entry<'_>, field: &'static str, names: &[&str]) -> Option<Cents> {
    let holders = [entry.object("trackingPricing"), Some(entry.fields()), entry.object("pricing")];
    let mut values: Vec<&Value> = Vec::new();
    for holder in holders.into_iter().flatten() {
        values.extend(names.iter().filter_map(|name| holder.get(*name)));
    }
    let lines = lines(entry).into_iter().filter(|line| line.is_called(names));
    values.extend(lines.map(|line| line.value));
    settle(entry, field, values)
}

/// The price marked as final: the field `finalPrice`, or a line with `isFinalPrice`.
fn final_price(entry: &mut Entry<'_>) -> Option<Cents> {
    let own = entry.object("pricing").and_then(|pricing| pricing.get("finalPrice"));
    let marked = lines(entry).into_iter().filter(|line| line.is_final).map(|line| line.value);
    let values = own.into_iter().chain(marked).collect();
    settle(entry, "final_price", values)
}

fn settle(entry: &mut Entry<'_>, field: &'static str, values: Vec<&Value>) -> Option<Cents> {
    let readings = values.into_iter().filter_map(|value| reading(value, amount));
    entry.settle(field, readings)
}

/// A line of the price list, `pricing.dprice`.
struct Line<'a> {
    class: &'a str,
    is_final: bool,
    value: &'a Value,
}

impl Line<'_> {
    fn is_called(&self, names: &[&str]) -> bool {
        let mut words = self.class.split_whitespace();
        words.any(|word| names.iter().any(|name| name.eq_ignore_ascii_case(word)))
    }

    /// Whether the amount is not the car's price but a discount, a monthly payment, a fee, or a
    /// price that only some buyers get.
    fn is_trap(&self) -> bool {
        const TRAPS: [&str; 10] = [
            "accessor",
            "conditional",
            "discount",
            "fee",
            "incentive",
            "lease",
            "month",
            "payment",
            "rebate",
            "saving",
        ];
        let class = self.class.to_ascii_lowercase();
        TRAPS.iter().any(|trap| class.contains(*trap))
    }
}

/// The lines of the price list that are prices of the car.
fn lines<'a>(entry: &Entry<'a>) -> Vec<Line<'a>> {
    let list = items(entry.object("pricing").and_then(|pricing| pricing.get("dprice")));
    let lines = list.iter().filter(|line| !is_marked(line, "isDiscount")).filter_map(|line| {
        Some(Line {
            class: line.get("typeClass").and_then(Value::as_str).unwrap_or_default(),
            is_final: is_marked(line, "isFinalPrice"),
            value: line.get("value")?,
        })
    });
    lines.filter(|line| !line.is_trap()).collect()
}

/// Whether the flag `mark` of a line is true.
fn is_marked(line: &Value, mark: &str) -> bool {
    let flag = line.get(mark).and_then(field::text);
    flag.is_some_and(|flag| field::flag(&flag) == Reading::Found(true))
}

/// An amount such as `$23,995`, `23995.50` or `23 995 $`. Zero and a text without a digit, such as
/// "Contact Us", are placeholders. A text with more than an amount, such as `$299/mo`, is
/// unreadable.
fn amount(text: &str) -> Reading<Cents> {
    if field::is_placeholder(text) || !text.contains(|c: char| c.is_ascii_digit()) {
        return Reading::Placeholder;
    }
    match cents(text) {
        Some(Cents(0)) => Reading::Placeholder,
        found => found.into(),
    }
}

fn cents(text: &str) -> Option<Cents> {
    let (whole, rest) = field::whole(without_currency(text))?;
    let hundredths = match rest.strip_prefix('.') {
        Some(fraction) => hundredths(fraction)?,
        None if rest.is_empty() => 0,
        None => return None,
    };
    Some(Cents(u64::from(whole) * 100 + hundredths))
}

/// The first two digits of a decimal fraction; further digits are dropped.
fn hundredths(fraction: &str) -> Option<u64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let two: String = fraction.chars().chain(['0']).take(2).collect();
    two.parse().ok()
}

/// The amount without its currency signs and without the asterisk of a footnote.
fn without_currency(text: &str) -> &str {
    const BEFORE: [&str; 5] = ["US$", "CA$", "USD", "CAD", "$"];
    const BEHIND: [&str; 3] = ["USD", "CAD", "$"];
    let text = text.trim().trim_end_matches('*').trim_end();
    let text = BEFORE.iter().find_map(|sign| text.strip_prefix(*sign)).unwrap_or(text).trim_start();
    let text = text.strip_prefix('$').unwrap_or(text).trim_start();
    BEHIND.iter().find_map(|sign| text.strip_suffix(*sign)).unwrap_or(text).trim_end()
}

#[cfg(test)]
#[path = "price_tests.rs"]
mod tests;
