//! The texts that a page shows, and which of them are parts of one: a number may be cut by the tags within it.

use super::{markup::Tag, value::CURRENCIES};

/// A text of the page.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may hold with any other")]
pub(super) struct PageText {
    pub(super) text: String,
    /// Whether it stands in a link, which leads elsewhere.
    pub(super) is_link: bool,
    /// Whether it is struck out.
    pub(super) is_struck: bool,
    /// Whether it stands among other cars.
    pub(super) is_of_other: bool,
    /// Whether no visitor sees it now, or it is one of several that may be chosen.
    pub(super) is_aside: bool,
}

/// Elements that do not end a line.
const INLINE: [&str; 25] = [
    "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "data", "em", "font", "i", "ins",
    "label", "mark", "nobr", "q", "small", "span", "strong", "sub", "sup", "time", "u", "var",
];

/// Words that belong to the number before them: units, abbreviations, periods.
const SUFFIXES: [&str; 22] = [
    "biweekly",
    "cad",
    "eur",
    "gbp",
    "k",
    "kilometers",
    "kilometres",
    "km",
    "kms",
    "m",
    "mi",
    "mile",
    "miles",
    "mo",
    "mpg",
    "mth",
    "pcm",
    "pm",
    "pw",
    "usd",
    "wk",
    "yr",
];

/// Those of them that are hardly ever the label of another number.
const UNITS: [&str; 4] = ["km", "kms", "mi", "mi."];

/// Beginnings of texts that tell of which period the amount before them is, in lower case.
const PERIODS: [&str; 12] = [
    "per ",
    "p/m",
    "p.m",
    "p/w",
    "p.w",
    "a month",
    "a week",
    "each month",
    "every month",
    "due at",
    "due on",
    "/",
];

/// How a text follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    /// It is a text of its own.
    Apart,
    /// It goes on where the other ends.
    Glued,
    /// It goes on behind a space.
    Spaced,
    /// It is a footnote, or the cents of an amount.
    Dropped,
}

/// What lies between two texts.
#[derive(Debug, Default)]
pub(super) struct Seam {
    has_gap: bool,
    has_line: bool,
    is_raised: bool,
}

impl Seam {
    /// Notes a tag, and the white space before the text behind it.
    pub(super) fn pass(&mut self, tag: &Tag<'_>) {
        let is_inline = INLINE.iter().any(|name| name.eq_ignore_ascii_case(tag.name));
        self.has_line |= !is_inline && !tag.name.is_empty();
        if tag.name.eq_ignore_ascii_case("sup") {
            self.is_raised = !tag.closing;
        }
        self.has_gap |= tag.text.starts_with(char::is_whitespace);
    }

    /// Begins anew behind a text, as written.
    pub(super) fn begin(&mut self, text: &str) {
        self.has_gap = text.ends_with(char::is_whitespace);
        self.has_line = false;
    }

    /// How `next` follows the text `before` it.
    pub(super) fn join(&self, before: &str, next: &str) -> Join {
        let (Some(last), Some(first)) = (before.chars().last(), next.chars().next()) else {
            return Join::Apart;
        };
        let is_digit = |c: char| c.is_ascii_digit();
        if CURRENCIES.contains(&last) && is_digit(first) && before.len() <= MAX_SIGN_BYTES {
            return Join::Glued;
        }
        let number = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        let is_number = number.contains(is_digit)
            && number
                .chars()
                .all(|c| is_digit(c) || [',', '.'].contains(&c) || CURRENCIES.contains(&c));
        if !is_number {
            return Join::Apart;
        }
        let is_cut = !is_digit(last);
        let goes_on = next == ","
            || next.strip_prefix([',', '.', '\'']).unwrap_or(next).starts_with(is_digit);
        if goes_on && !self.has_gap && self.is_raised {
            return raised(number, next);
        }
        if goes_on && !self.has_gap && (!self.has_line || !is_digit(first) || is_cut) {
            return Join::Glued;
        }
        self.suffix(number, next)
    }

    /// How a text follows a number that may be its unit, or the period of a payment.
    fn suffix(&self, number: &str, next: &str) -> Join {
        let lower = next[..next.floor_char_boundary(MAX_SUFFIX_BYTES)].to_lowercase();
        let word = lower.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        if PERIODS.iter().any(|period| lower.starts_with(period)) {
            return if next.starts_with('/') { Join::Glued } else { Join::Spaced };
        }
        let is_suffix = SUFFIXES.contains(&word) && next.len() <= MAX_SUFFIX_BYTES;
        // In a line of its own, or behind a year, it may be the label of what follows.
        let is_year =
            number.len() == 4 && ["19", "20"].iter().any(|century| number.starts_with(century));
        let is_label = is_year
            || self.has_line && (!UNITS.contains(&lower.as_str()) || number.contains(CURRENCIES));
        match is_suffix && !is_label {
            true if self.has_gap || self.has_line => Join::Spaced,
            true => Join::Glued,
            false => Join::Apart,
        }
    }
}

/// Longest text before an amount that ends with its currency's sign, and longest text of a suffix, in bytes.
const MAX_SIGN_BYTES: usize = 60;
const MAX_SUFFIX_BYTES: usize = 24;

/// How a raised text follows the one before it. Digits may be the last ones of a number, its cents, or a footnote.
pub(super) fn raised(before: &str, text: &str) -> Join {
    let digits = text.trim();
    let number =
        before.rsplit(|c: char| !c.is_ascii_digit() && c != ',').next().unwrap_or_default();
    let is_number = number.ends_with(|c: char| c.is_ascii_digit());
    if !is_number || !digits.contains(|c: char| c.is_ascii_digit()) {
        return Join::Glued;
    }
    let is_whole = number.rsplit_once(',').is_some_and(|(_, group)| group.len() == 3);
    match digits.trim_start_matches([',', '.']).len() {
        _ if digits.starts_with(',') || digits == "0" => Join::Glued,
        3 if !is_whole => Join::Glued,
        1 | 2 if is_whole || digits.starts_with('.') => Join::Dropped,
        _ => Join::Spaced,
    }
}

#[cfg(test)]
mod tests {
    use inventory::budget::Budget;

    use super::*;
    use crate::page::markup::Markup;

    /// The texts of a page, joined.
    fn joined(html: &str) -> Vec<String> {
        let budget = Budget::unlimited();
        let markup = Markup::of(html, &budget);
        let (mut seam, mut texts) = (Seam::default(), Vec::<String>::new());
        for tag in markup.tags() {
            seam.pass(&tag);
            let text = tag.text.trim();
            if text.is_empty() {
                continue;
            }
            let before = texts.last().map_or("", String::as_str);
            let join = seam.join(before, text);
            seam.begin(tag.text);
            match (join, texts.last_mut()) {
                (Join::Glued, Some(last)) => last.push_str(text),
                (Join::Spaced, Some(last)) => *last = format!("{last} {text}"),
                (Join::Dropped, _) => {}
                _ => texts.push(text.to_owned()),
            }
        }
        texts
    }

    #[test]
    fn a_number_that_tags_cut_is_put_together() {
        let cases: [(&str, &[&str]); 26] = [
            ("<b>42<span>,000</span></b>", &["42,000"]),
            ("<b>$18<span>,</span>500</b>", &["$18,500"]),
            ("<div>18<div>,995</div></div>", &["18,995"]),
            ("<b>142</b><b>,350 mi</b>", &["142,350 mi"]),
            ("<sup>$</sup><b>18,995</b>", &["$18,995"]),
            ("<b>$1,489</b><span>/mo</span>", &["$1,489/mo"]),
            ("<b>$1,489</b> <p>/mo</p>", &["$1,489/mo"]),
            ("<p>$1,489</p><p>per month</p>", &["$1,489 per month"]),
            ("<b>45,000</b> <small>km</small>", &["45,000 km"]),
            ("<b>42</b><small>K</small>", &["42K"]),
            ("<b>1850<sup>0</sup></b>", &["18500"]),
            ("<b>1850<sup>99</sup></b>", &["1850 99"]),
            ("<b>18995<sup>1</sup></b>", &["18995 1"]),
            ("<b>18,995<sup>1</sup></b>", &["18,995"]),
            ("<b>18,995<sup>00</sup></b>", &["18,995"]),
            ("<td>2019</td><td>42,000</td>", &["2019", "42,000"]),
            ("<td>45,000</td><td>km</td>", &["45,000 km"]),
            ("<td>2019</td><td>KM</td><td>42,000</td>", &["2019", "KM", "42,000"]),
            ("<b>2019</b> <b>Miles</b>", &["2019", "Miles"]),
            ("<dd>1HGCM82633A004352</dd><dt>Kilometres</dt>", &["1HGCM82633A004352", "Kilometres"]),
            ("<b>2019</b> <b>42,000</b>", &["2019", "42,000"]),
            ("<b>Price</b><b>$18,995</b>", &["Price", "$18,995"]),
            ("<b>1HGCM82633A004352</b><b>Stock: A1</b>", &["1HGCM82633A004352", "Stock: A1"]),
            ("<b>$18,995</b><b>Mileage</b>", &["$18,995", "Mileage"]),
            (
                "<b>$18,995</b><p>Monthly payments from $299</p>",
                &["$18,995", "Monthly payments from $299"],
            ),
            ("<b>4 doors</b>,<b>5 seats</b>", &["4 doors", ",", "5 seats"]),
        ];
        for (html, expected) in cases {
            assert_eq!(joined(html), expected, "{html}");
        }
    }
}
