//! The elements in which a page shows a price, and the amounts in them.

use std::collections::BTreeMap;

use inventory::budget::Budget;

use super::{
    markup::Tag,
    others::names_others,
    price::{self, Amount},
    value::{self, CURRENCIES},
};

/// Longest text kept of an element, in bytes.
const MAX_TEXT_BYTES: usize = 200;

/// Most blocks of prices that are read, and most amounts of one.
const MAX_BLOCKS: usize = 8;
const MAX_AMOUNTS: usize = 8;

const STRUCK: [&str; 3] = ["s", "del", "strike"];

/// The parts of a class name that say that an amount is a former price.
const STRUCK_CLASSES: [&str; 12] = [
    "strike",
    "was-price",
    "price-was",
    "old-price",
    "price-old",
    "former",
    "crossed",
    "line-through",
    "compare-at",
    "price--compare",
    "price-compare",
    "original-price",
];

/// Class names of elements that no visitor sees.
const HIDDEN_CLASSES: [&str; 5] = ["hidden", "d-none", "hide", "ng-hide", "is-hidden"];

/// The amounts in an element whose class says that it shows a price.
#[derive(Debug, Default)]
pub(super) struct PriceBlock {
    pub(super) struck: Vec<u64>,
    pub(super) asked: Vec<u64>,
    pub(super) msrp: Option<u64>,
    /// The currency that a sign beside an asking price stands for.
    pub(super) currency: Option<&'static str>,
    /// Whether it belongs to another car: it stands in a link, among cars that are similar, or where no visitor sees it.
    pub(super) is_of_other: bool,
    /// The place of its end among the texts.
    pub(super) at: usize,
}

/// Steps for each byte of a class name that is read for the first time.
const CLASS_STEPS: usize = 32;

/// What a class name takes in memory beside its text, which is the page's.
const CLASS_BYTES: usize = 64;

/// What the class of an element says of it.
#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "any of them may hold with any other")]
struct Class {
    /// It shows a former price.
    is_struck: bool,
    /// It shows other cars than the page's.
    names_others: bool,
    /// It shows what a car costs.
    shows_price: bool,
    /// It hides what it has.
    is_hidden: bool,
}

impl Class {
    fn of(class: &str) -> Self {
        let class = class.to_ascii_lowercase();
        Self {
            is_struck: STRUCK_CLASSES.iter().any(|part| class.contains(part)),
            names_others: names_others(&class),
            shows_price: class.split_ascii_whitespace().any(|name| name.contains("price")),
            is_hidden: class.split_ascii_whitespace().any(|name| HIDDEN_CLASSES.contains(&name)),
        }
    }
}

/// The elements around the present place.
pub(super) struct Around<'a> {
    budget: &'a Budget,
    /// Classes that were read: pages repeat few of them on many elements.
    classes: BTreeMap<&'a str, Class>,
    /// Blocks of prices that may still be read.
    blocks_left: usize,
    struck: usize,
    /// Elements whose class says that they strike out, each with the open elements of its name.
    struck_by_class: Vec<(String, usize)>,
    /// The same for those whose class says that they show other cars.
    of_others: Vec<(String, usize)>,
    /// The same for those that are hidden.
    hidden: Vec<(String, usize)>,
    /// Entries of menus to choose from.
    choices: usize,
    pub(super) links: usize,
    pub(super) headings: usize,
    /// Headings of sections.
    pub(super) subheadings: usize,
    /// The elements that show a price, each with the open elements of its name.
    blocks: Vec<Block>,
}

struct Block {
    element: String,
    depth: usize,
    amounts: PriceBlock,
    text: String,
    struck_text: String,
    /// Whether it has heard the text before.
    has_last: bool,
}

impl<'a> Around<'a> {
    /// Nothing around yet. Reading is paid from `budget`.
    pub(super) fn new(budget: &'a Budget) -> Self {
        Self {
            budget,
            classes: BTreeMap::new(),
            blocks_left: MAX_BLOCKS,
            struck: 0,
            struck_by_class: Vec::new(),
            of_others: Vec::new(),
            hidden: Vec::new(),
            choices: 0,
            links: 0,
            headings: 0,
            subheadings: 0,
            blocks: Vec::new(),
        }
    }

    /// Whether the present place is within a block of a price.
    pub(super) fn is_in_block(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Notes a tag. Returns the block of a price that it ends, at most [`MAX_BLOCKS`] times.
    pub(super) fn pass(&mut self, tag: &Tag<'a>) -> Option<PriceBlock> {
        self.count(tag);
        if tag.closing {
            return self.ended();
        }
        let class = tag.attribute("class").unwrap_or_default();
        let style = tag.attribute("style").unwrap_or_default();
        let is_hidden = tag.attribute("hidden").is_some();
        if class.is_empty() && style.is_empty() && !is_hidden || tag.is_void() {
            return None;
        }
        let says = self.class(class);
        let hides = |style: &str| style.contains("display:none") || style.contains("display: none");
        let is_struck = says.is_struck || style.contains("line-through");
        mark(&mut self.struck_by_class, tag, is_struck);
        mark(&mut self.of_others, tag, says.names_others && !is_struck);
        mark(&mut self.hidden, tag, is_hidden || says.is_hidden || hides(style));
        if says.shows_price && self.blocks.is_empty() && self.blocks_left > 0 {
            let is_of_other = self.links > 0 || self.is_among_others() || self.is_aside();
            let amounts = PriceBlock { is_of_other, ..PriceBlock::default() };
            let (text, struck_text) = (class.to_ascii_lowercase(), String::new());
            let element = tag.name.to_owned();
            let has_last = false;
            self.blocks.push(Block { element, depth: 1, amounts, text, struck_text, has_last });
        }
        None
    }

    /// Whether the present place is among other cars.
    pub(super) fn is_among_others(&self) -> bool {
        !self.of_others.is_empty()
    }

    /// Whether no visitor sees the present place, or it is one of several that may be chosen.
    pub(super) fn is_aside(&self) -> bool {
        !self.hidden.is_empty() || self.choices > 0
    }

    /// Whether the present place is struck out.
    pub(super) fn is_struck(&self) -> bool {
        self.struck > 0 || !self.struck_by_class.is_empty()
    }

    /// What a class says. One that the budget does not pay for says nothing.
    fn class(&mut self, class: &'a str) -> Class {
        if let Some(known) = self.classes.get(class) {
            return *known;
        }
        if !self.budget.step(class.len() * CLASS_STEPS) || !self.budget.keep(CLASS_BYTES) {
            return Class::default();
        }
        let says = Class::of(class);
        self.classes.insert(class, says);
        says
    }

    /// Counts the open elements of each kind.
    fn count(&mut self, tag: &Tag<'_>) {
        let is = |names: &[&str]| names.iter().any(|name| tag.name.eq_ignore_ascii_case(name));
        let is_closing = tag.closing;
        let step = |count: usize| if is_closing { count.saturating_sub(1) } else { count + 1 };
        if is(&STRUCK) {
            self.struck = step(self.struck);
        } else if is(&["a"]) {
            self.links = step(self.links);
        } else if is(&["option", "label"]) {
            self.choices = step(self.choices);
        } else if is(&["h1"]) {
            self.headings = step(self.headings);
        } else if is(&["h2", "h3", "h4", "h5"]) {
            self.subheadings = step(self.subheadings);
        }
        let blocks = self.blocks.iter_mut().map(|block| (&block.element, &mut block.depth));
        let marked = self.struck_by_class.iter_mut().chain(&mut self.of_others);
        let marked = marked.chain(&mut self.hidden);
        let marked = marked.map(|(element, depth)| (&*element, depth));
        for (element, depth) in blocks.chain(marked) {
            if element.eq_ignore_ascii_case(tag.name) && !tag.is_void() {
                *depth = step(*depth);
            }
        }
        self.struck_by_class.retain(|(_, depth)| *depth > 0);
        self.of_others.retain(|(_, depth)| *depth > 0);
        self.hidden.retain(|(_, depth)| *depth > 0);
    }

    /// The block whose element has ended.
    fn ended(&mut self) -> Option<PriceBlock> {
        let ended = self.blocks.iter().position(|block| block.depth == 0)?;
        let block = self.blocks.swap_remove(ended);
        self.blocks_left -= 1;
        Some(block.read())
    }

    /// Notes a text.
    pub(super) fn hear(&mut self, text: &str) {
        let is_struck = self.is_struck();
        for block in &mut self.blocks {
            block.hear(text, is_struck);
        }
    }

    /// Notes a `part` that goes on where the text before it ends; `whole` is both.
    pub(super) fn hear_part(&mut self, part: &str, whole: &str) {
        let is_struck = self.is_struck();
        for block in &mut self.blocks {
            let has_last = block.has_last;
            let heard = if is_struck { &mut block.struck_text } else { &mut block.text };
            if has_last && heard.len() < MAX_TEXT_BYTES {
                heard.push_str(part);
            } else if has_last {
                // A number without its end would be another one.
                heard.truncate(heard.rfind(SEPARATOR).unwrap_or_default());
            } else {
                block.hear(whole, is_struck);
            }
        }
    }
}

/// Notes an element that `is_meant`.
fn mark(list: &mut Vec<(String, usize)>, tag: &Tag<'_>, is_meant: bool) {
    if is_meant && list.len() < MAX_BLOCKS {
        list.push((tag.name.to_owned(), 1));
    }
}

/// What stands between two texts of a block.
const SEPARATOR: &str = " | ";

impl Block {
    fn hear(&mut self, text: &str, is_struck: bool) {
        self.has_last = true;
        let heard = if is_struck { &mut self.struck_text } else { &mut self.text };
        if heard.len() < MAX_TEXT_BYTES {
            heard.push_str(SEPARATOR);
            heard.push_str(text);
        }
    }

    /// The amounts in the texts of the block, as far as their labels are certain. If there is more than one, each needs a
    /// label of its own before it: where labels follow the amounts, or some have none, nothing is certain.
    fn read(self) -> PriceBlock {
        let mut block = self.amounts;
        let mut texts = self.text.split(SEPARATOR);
        let class = texts.next().unwrap_or_default();
        let texts: Vec<&str> = texts.collect();
        let is_amount = |text: &str| text.contains(CURRENCIES) && value::number(text).is_some();
        let places: Vec<usize> = (0..texts.len()).filter(|at| is_amount(texts[*at])).collect();
        let may_be = |at: &&usize| {
            !matches!(price::read(texts[**at], ""), Some(Amount::Other(_) | Amount::Zero))
        };
        let is_alone = places.iter().filter(may_be).count() == 1;
        let mut from = 0;
        for (number, at) in places.iter().enumerate() {
            let next = places.get(number + 1).copied().unwrap_or(texts.len());
            let before = texts[from..*at].iter().rev().find(|text| has_words(text)).copied();
            let after = texts[*at + 1..next].iter().find(|text| has_words(text)).copied();
            from = *at + 1;
            let label = before.unwrap_or_default();
            if !is_alone && number == 0 && before.is_none() && !has_words(texts[*at]) {
                break;
            }
            match price::read(texts[*at], &format!("{class} {label}")) {
                Some(Amount::Asking(cents)) => {
                    let again = after.and_then(|after| price::read(texts[*at], after));
                    let is_meant = again.is_none_or(|again| matches!(again, Amount::Asking(_)));
                    let is_named = says_price(label) || says_price(texts[*at]);
                    if block.asked.len() < MAX_AMOUNTS && (is_alone && is_meant || is_named) {
                        block.asked.push(cents);
                        block.currency = block.currency.or(value::currency_beside(texts[*at]));
                    }
                }
                Some(Amount::Msrp(cents)) => block.msrp = block.msrp.or(Some(cents)),
                _ => {}
            }
        }
        let struck = self.struck_text.split(SEPARATOR);
        let amounts = struck.filter_map(value::number);
        let cents = amounts.map(|amount| amount.whole * 100 + amount.hundredths);
        block.struck = cents.take(MAX_AMOUNTS).collect();
        block
    }
}

fn has_words(text: &str) -> bool {
    text.contains(char::is_alphabetic)
}

/// Whether a label says that its amount is the price asked now.
fn says_price(label: &str) -> bool {
    const WORDS: [&str; 10] =
        ["asking", "cash", "dealer", "final", "internet", "now", "our", "price", "sale", "selling"];
    let label = label.to_lowercase();
    label.split(|c: char| !c.is_alphabetic()).any(|word| WORDS.contains(&word))
}
