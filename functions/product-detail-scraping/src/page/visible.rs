//! What a page shows its visitors: its heading, its addresses, the rows that label a fact, and the block of its price.

use inventory::budget::Budget;
use url::Url;

use super::{
    markup::{Markup, Tag},
    price::{self, Amount},
    price_block::{Around, CURRENCIES, PriceBlock, names_others},
    record::Details,
    value::{self, clean, clean_text},
    vocabulary::{Availability, Condition},
};

/// Most texts kept of a page, and the longest in bytes.
const MAX_TEXTS: usize = 5_000;
const MAX_TEXT_BYTES: usize = 200;

/// Elements whose content no visitor sees.
const UNSEEN: [&str; 7] =
    ["iframe", "noembed", "noframes", "noscript", "script", "style", "template"];

/// Steps for a tag, for each byte of a text, and for an amount with the words around it.
const TAG_STEPS: usize = 16;
const TEXT_STEPS: usize = 4;
const AMOUNT_STEPS: usize = 1_000;

/// Sentences that say that a car is sold.
const SOLD: [&str; 7] = [
    "has been sold",
    "vehicle is sold",
    "car is sold",
    "is already sold",
    "already been sold",
    "no longer available",
    "is no longer for sale",
];

/// Words after "sold" that make it say something else, as in "sold by".
const SOLD_ELSEWISE: [&str; 8] = ["as", "by", "for", "here", "in", "new", "with", "without"];

/// How far from the row of the VIN its facts stand, in texts.
const NEAR: usize = 60;

/// Most amounts kept that are no prices.
const MAX_OTHERS: usize = 50;

/// Labels of rows, in lower case, without the colon.
const VIN_LABELS: [&str; 6] =
    ["vin", "vin #", "vin number", "vin no", "vin no.", "vehicle identification number"];
const PRICE_LABELS: [&str; 10] = [
    "price",
    "internet price",
    "sale price",
    "selling price",
    "asking price",
    "our price",
    "your price",
    "dealer price",
    "final price",
    "cash price",
];
const MSRP_LABELS: [&str; 2] = ["msrp", "list price"];
const MILEAGE_LABELS: [&str; 3] = ["mileage", "miles", "odometer"];
const METRIC_LABELS: [&str; 4] = ["kilometers", "kilometres", "km", "kms"];
const STOCK_LABELS: [&str; 5] = ["stock", "stock #", "stock number", "stock no", "stk #"];

/// What a page shows its visitors.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    /// The text of the first heading.
    pub(crate) heading: String,
    /// The title of the window.
    title: String,
    /// The address that the page gives as its own.
    canonical: Option<String>,
    /// The VIN that an attribute of the whole page's element has.
    of_body: Option<String>,
    texts: Vec<Text>,
    prices: Vec<PriceBlock>,
    /// Amounts that are no prices, by the words beside them.
    others: Vec<u64>,
    /// The place of the heading among the texts.
    heading_at: Option<usize>,
    /// Whether a heading has announced other cars.
    shows_others: bool,
}

#[derive(Debug)]
struct Text {
    text: String,
    /// Whether it stands in a link, which leads elsewhere.
    is_link: bool,
}

/// Reads what a page shows.
pub(crate) fn read(markup: &Markup<'_>, budget: &Budget) -> Visible {
    let mut visible = Visible::default();
    let mut around = Around::new(budget);
    for tag in markup.tags() {
        if !budget.step(TAG_STEPS) {
            break;
        }
        if UNSEEN.iter().any(|name| tag.begins(name)) {
            continue;
        }
        visible.note(&tag);
        if let Some(block) = around.pass(&tag) {
            let is_of_other = block.is_of_other || visible.shows_others;
            visible.prices.push(PriceBlock { at: visible.texts.len(), is_of_other, ..block });
        }
        if !visible.hear(&tag, &mut around, budget) {
            break;
        }
    }
    visible
}

/// The address that others on the page are relative to.
pub(crate) fn base(markup: &Markup<'_>, address: &Url) -> Url {
    let mut bases = markup.tags().filter(|tag| tag.begins("base"));
    let base = bases.find_map(|tag| tag.attribute("href").map(clean));
    base.and_then(|base| address.join(&base).ok()).unwrap_or_else(|| address.clone())
}

impl Visible {
    fn note(&mut self, tag: &Tag<'_>) {
        let is_canonical =
            || tag.attribute("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical"));
        if tag.begins("title") && self.title.is_empty() {
            self.title = clean_text(tag.text);
        } else if tag.begins("link") && is_canonical() {
            self.canonical = self.canonical.take().or_else(|| tag.attribute("href").map(clean));
        } else if ["body", "html", "main"].iter().any(|name| tag.begins(name)) {
            self.of_body = self.of_body.take().or_else(|| tag.attribute("data-vin").map(clean));
        }
    }

    /// Keeps the text after a tag. False if nothing more may be read.
    fn hear(&mut self, tag: &Tag<'_>, around: &mut Around<'_>, budget: &Budget) -> bool {
        let is_full = self.texts.len() >= MAX_TEXTS;
        let is_heard = !is_full || around.headings + around.subheadings > 0 || around.is_in_block();
        let text = beginning(tag.text);
        if tag.begins("title") || !is_heard || text.trim_ascii().is_empty() {
            return true;
        }
        let text = clean_text(text);
        let may_be_amount = !is_full && text.contains(CURRENCIES);
        let steps = text.len() * TEXT_STEPS + if may_be_amount { AMOUNT_STEPS } else { 0 };
        if !budget.step(steps) || !budget.keep(text.len() + size_of::<Text>()) {
            return false;
        }
        if text.is_empty() {
            return true;
        }
        if around.headings > 0 && self.heading.len() < MAX_TEXT_BYTES {
            let blank = if self.heading.is_empty() { "" } else { " " };
            self.heading = format!("{}{blank}{text}", self.heading);
        }
        if around.headings > 0 {
            self.heading_at.get_or_insert(self.texts.len());
        }
        self.shows_others = self.shows_others || around.subheadings > 0 && names_others(&text);
        let before = self.texts.last().map_or("", |before| before.text.as_str());
        if may_be_amount
            && self.others.len() < MAX_OTHERS
            && let Some(Amount::Other(_)) = price::read(&text, before)
            && let Some(amount) = value::number(&text)
        {
            self.others.push(amount.whole * 100 + amount.hundredths);
        }
        around.hear(&text);
        if !is_full {
            self.texts.push(Text { text, is_link: around.links > 0 });
        }
        true
    }

    /// Whether the heading, the title, the page's own address or its outermost element has the VIN.
    pub(crate) fn is_headed(&self, vin: &str, has_word: impl Fn(&str, &str) -> bool) -> bool {
        let canonical = self.canonical.as_deref().unwrap_or_default();
        let of_body = self.of_body.as_deref().unwrap_or_default();
        let texts = [self.heading.as_str(), &self.title, canonical, of_body];
        texts.iter().any(|text| has_word(text, vin))
    }

    /// The heading as what is known of a car.
    pub(crate) fn headed(&self) -> Details {
        Details {
            title: (!self.heading.is_empty()).then(|| self.heading.clone()),
            ..Details::default()
        }
    }

    /// The VINs in rows that label them, outside of links.
    pub(crate) fn labelled_vins(&self) -> Vec<String> {
        let mut vins: Vec<String> = self
            .rows(&VIN_LABELS)
            .map(|(_, vin)| vin)
            .filter_map(|text| value::vin(&text.into()))
            .collect();
        vins.sort();
        vins.dedup();
        vins
    }

    /// The rows with one of these labels: the place of each, and its value.
    fn rows<'v>(&'v self, labels: &'v [&str]) -> impl Iterator<Item = (usize, String)> + 'v {
        self.texts.iter().enumerate().filter(|(_, text)| !text.is_link).filter_map(|(at, text)| {
            let lower = text.text.to_lowercase();
            let is_label = |label: &str| labels.contains(&label.trim_end_matches([':', '.', ' ']));
            if is_label(&lower) {
                let next = self.texts.get(at + 1).filter(|next| !next.is_link)?;
                return Some((at, next.text.clone()));
            }
            let (label, value) = text.text.split_once(':')?;
            is_label(&label.to_lowercase()).then(|| (at, value.trim().to_owned()))
        })
    }

    /// The details that stand in labelled rows near that of the VIN, if the page labels no other VIN.
    pub(crate) fn details(&self, vin: &str, condition: Option<Condition>) -> Details {
        let mut details = Details::default();
        let own = self
            .rows(&VIN_LABELS)
            .find(|(_, text)| value::vin(&text.clone().into()).is_some_and(|found| found == vin));
        if let Some((place, _)) = own.filter(|_| self.labelled_vins() == [vin]) {
            let near = |labels: &'static [&'static str]| {
                let rows = self.rows(labels).filter(move |(at, _)| at.abs_diff(place) <= NEAR);
                let mut values: Vec<String> = rows.map(|(_, value)| value).collect();
                values.dedup();
                if values.len() == 1 { values.pop() } else { None }
            };
            let amount = |label: &'static [&'static str], said: &str| {
                near(label).and_then(|text| price::read(&text, said))
            };
            details.price(
                amount(&PRICE_LABELS, "").filter(|amount| matches!(amount, Amount::Asking(_))),
            );
            details.price(amount(&MSRP_LABELS, "msrp"));
            // The label may have the unit.
            let metric = near(&METRIC_LABELS).map(|text| format!("{text} km"));
            details.mileage = metric
                .or_else(|| near(&MILEAGE_LABELS))
                .and_then(|text| value::mileage(&text))
                .filter(|mileage| mileage.value > 0 || condition == Some(Condition::New));
            details.stock_number = near(&STOCK_LABELS).filter(|text| !value::is_placeholder(text));
        }
        details.availability = self.says_sold().then_some(Availability::Sold);
        details.title = self.headed().title;
        details
    }

    /// Whether the heading or a sentence outside of links says that the car is sold.
    fn says_sold(&self) -> bool {
        let heading = self.heading.to_lowercase();
        let mut words =
            heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        let in_heading = words.any(|word| word == "sold");
        let mut after = heading.split("sold").skip(1).map(|rest| {
            let rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
            rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()
        });
        let is_of_dealer = after.any(|next| SOLD_ELSEWISE.contains(&next));
        let texts = self.texts.iter().filter(|text| !text.is_link);
        let sentences = texts.map(|text| text.text.to_lowercase());
        // "If this vehicle is no longer available …" says nothing of it.
        let mut sentences =
            sentences.filter(|text| !text.contains("if ") && !text.contains("may "));
        in_heading && !is_of_dealer
            || sentences.any(|text| SOLD.iter().any(|phrase| says(&text, phrase)))
    }

    /// The price that the page shows, if it shows just one outside of links.
    pub(crate) fn price(&self) -> Option<u64> {
        let mut asked: Vec<u64> = self.own_blocks().flat_map(|block| block.asked.clone()).collect();
        asked.sort_unstable();
        asked.dedup();
        if asked.len() == 1 { asked.pop() } else { None }
    }

    /// The manufacturer's price that the page shows.
    pub(crate) fn msrp(&self) -> Option<u64> {
        self.own_blocks().find_map(|block| block.msrp)
    }

    /// The amounts that the page shows as former prices.
    pub(crate) fn struck(&self) -> Vec<u64> {
        self.own_blocks().flat_map(|block| block.struck.clone()).collect()
    }

    /// The blocks of prices near the heading or the row of the VIN that belong to no other car.
    fn own_blocks(&self) -> impl Iterator<Item = &PriceBlock> {
        let row = self.rows(&VIN_LABELS).next().map(|(at, _)| at);
        let places = [self.heading_at, row];
        let is_near = move |block: &PriceBlock| {
            let known = places.iter().flatten();
            places.iter().all(Option::is_none)
                || known.into_iter().any(|at| at.abs_diff(block.at) <= NEAR)
        };
        self.prices.iter().filter(move |block| !block.is_of_other && is_near(block))
    }

    /// Payments, savings and fees, which the page shows as such.
    pub(crate) fn other_amounts(&self) -> &[u64] {
        &self.others
    }
}

/// The beginning of a text. A long one is cut between words, and not behind a number, which might go on.
fn beginning(text: &str) -> &str {
    let text = text.trim_ascii();
    if text.len() <= MAX_TEXT_BYTES {
        return text;
    }
    let mut cut = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    while let Some(end) = cut.rfind(|c: char| c.is_ascii_whitespace()) {
        cut = cut[..end].trim_ascii_end();
        let last = cut.rsplit(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
        if !last.contains(|c: char| c.is_ascii_digit()) {
            return cut;
        }
    }
    ""
}

/// Whether a sentence, in lower case, says this of a car. "This vehicle is sold as is" does not say that it is sold.
fn says(sentence: &str, phrase: &str) -> bool {
    sentence.match_indices(phrase).any(|(at, _)| {
        let rest = sentence[at + phrase.len()..].trim_start();
        let next = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        !(phrase.ends_with("sold") && SOLD_ELSEWISE.contains(&next))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_words_and_never_within_a_number() {
        let indented = format!("\n{}$24995", " ".repeat(300));
        assert_eq!(beginning(&indented), "$24995");
        let long = format!("{} price $24 995 and more", "word ".repeat(38).trim_end());
        let cut = beginning(&long);
        assert!(cut.ends_with("price") && cut.len() < MAX_TEXT_BYTES, "{cut}");
        assert_eq!(beginning(&"9".repeat(400)), "");
    }

    #[test]
    fn only_what_says_that_a_car_is_sold_says_so() {
        let is_sold = |sentence: &str| SOLD.iter().any(|phrase| says(sentence, phrase));
        for sentence in ["this vehicle has been sold.", "this car is sold", "it is already sold!"] {
            assert!(is_sold(sentence), "{sentence}");
        }
        for sentence in [
            "this vehicle is sold as-is, without warranty.",
            "each car is sold with two keys",
            "5,000 cars already sold!",
        ] {
            assert!(!is_sold(sentence), "{sentence}");
        }
    }
}
