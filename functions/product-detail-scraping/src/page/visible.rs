//! What a page shows its visitors: its heading, its addresses, the rows that label a fact, and the block of its price.

use url::Url;

use super::{
    markup::{Tag, Tags},
    price::{self, Amount},
    record::Details,
    value::{self, clean},
    vocabulary::Condition,
};

/// Most texts kept of a page, and the longest in bytes.
const MAX_TEXTS: usize = 5_000;
const MAX_TEXT_BYTES: usize = 200;

/// Most open blocks of prices, and most amounts of one.
const MAX_BLOCKS: usize = 8;
const MAX_AMOUNTS: usize = 8;

/// How far from the row of the VIN its facts stand, in texts.
const NEAR: usize = 60;

const STRUCK: [&str; 3] = ["s", "del", "strike"];

/// The parts of a class name that say that an amount is a former price.
const STRUCK_CLASSES: [&str; 5] = ["strike", "was-price", "old-price", "former", "crossed"];

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
const MILEAGE_LABELS: [&str; 5] = ["mileage", "miles", "odometer", "kilometers", "kilometres"];
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
    /// The address that others are relative to, if the page sets one.
    pub(crate) base: Option<String>,
    texts: Vec<Text>,
    prices: Vec<PriceBlock>,
}

#[derive(Debug)]
struct Text {
    text: String,
    /// Whether it stands in a link, which leads elsewhere.
    is_link: bool,
}

/// The amounts in an element whose class says that it shows a price.
#[derive(Debug, Default)]
struct PriceBlock {
    struck: Vec<u64>,
    asked: Vec<u64>,
    msrp: Option<u64>,
    is_link: bool,
}

/// The elements around the present place.
#[derive(Default)]
struct Around {
    struck: usize,
    links: usize,
    headings: usize,
    /// The elements that show a price, each with the open elements of its name.
    blocks: Vec<Block>,
}

struct Block {
    element: String,
    depth: usize,
    amounts: PriceBlock,
    text: String,
    struck_text: String,
}

/// Reads what a page shows.
pub(crate) fn read(html: &str) -> Visible {
    let mut visible = Visible::default();
    let mut around = Around::default();
    for tag in Tags::new(html) {
        if ["script", "style", "template", "noscript"].iter().any(|name| tag.begins(name)) {
            continue;
        }
        visible.note(&tag);
        if let Some(block) = around.pass(&tag)
            && visible.prices.len() < MAX_BLOCKS
        {
            visible.prices.push(block);
        }
        visible.hear(&tag, &mut around);
    }
    visible
}

impl Visible {
    fn note(&mut self, tag: &Tag<'_>) {
        let is_canonical =
            || tag.attribute("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical"));
        if tag.begins("title") && self.title.is_empty() {
            self.title = clean(tag.text);
        } else if tag.begins("link") && is_canonical() {
            self.canonical = self.canonical.take().or_else(|| tag.attribute("href").map(clean));
        } else if ["body", "html", "main"].iter().any(|name| tag.begins(name)) {
            self.of_body = self.of_body.take().or_else(|| tag.attribute("data-vin").map(clean));
        } else if tag.begins("base") {
            self.base = self.base.take().or_else(|| tag.attribute("href").map(clean));
        }
    }

    /// Keeps the text after a tag.
    fn hear(&mut self, tag: &Tag<'_>, around: &mut Around) {
        if tag.begins("title") {
            return;
        }
        let text = clean(&tag.text[..tag.text.floor_char_boundary(MAX_TEXT_BYTES)]);
        if text.is_empty() {
            return;
        }
        if around.headings > 0 && self.heading.len() < MAX_TEXT_BYTES {
            let blank = if self.heading.is_empty() { "" } else { " " };
            self.heading = format!("{}{blank}{text}", self.heading);
        }
        around.hear(&text);
        if self.texts.len() < MAX_TEXTS {
            self.texts.push(Text { text, is_link: around.links > 0 });
        }
    }

    /// Whether the heading, the title, the page's own address or its outermost element has the VIN.
    pub(crate) fn is_headed(&self, vin: &str, has_word: impl Fn(&str, &str) -> bool) -> bool {
        let canonical = self.canonical.as_deref().unwrap_or_default();
        let of_body = self.of_body.as_deref().unwrap_or_default();
        let texts = [self.heading.as_str(), &self.title, canonical, of_body];
        texts.iter().any(|text| has_word(text, vin))
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
            details.mileage = near(&MILEAGE_LABELS)
                .and_then(|text| value::mileage(&text))
                .filter(|mileage| mileage.value > 0 || condition == Some(Condition::New));
            details.stock_number = near(&STOCK_LABELS).filter(|text| !value::is_placeholder(text));
        }
        details.title = (!self.heading.is_empty()).then(|| self.heading.clone());
        details
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

    fn own_blocks(&self) -> impl Iterator<Item = &PriceBlock> {
        self.prices.iter().filter(|block| !block.is_link)
    }

    /// The address that others on the page are relative to.
    pub(crate) fn address(&self, address: &Url) -> Url {
        let base = self.base.as_deref().and_then(|base| address.join(base).ok());
        base.unwrap_or_else(|| address.clone())
    }
}

impl Around {
    /// Notes a tag. Returns the block of a price that it ends.
    fn pass(&mut self, tag: &Tag<'_>) -> Option<PriceBlock> {
        let is = |names: &[&str]| names.iter().any(|name| tag.name.eq_ignore_ascii_case(name));
        let step = |count: usize| if tag.closing { count.saturating_sub(1) } else { count + 1 };
        if is(&STRUCK) {
            self.struck = step(self.struck);
        } else if is(&["a"]) {
            self.links = step(self.links);
        } else if is(&["h1"]) {
            self.headings = step(self.headings);
        }
        for block in &mut self.blocks {
            if block.element.eq_ignore_ascii_case(tag.name) {
                block.depth = if tag.closing { block.depth - 1 } else { block.depth + 1 };
            }
        }
        if tag.closing {
            let ended = self.blocks.iter().position(|block| block.depth == 0)?;
            let block = self.blocks.swap_remove(ended);
            // The block within another says more exactly what it shows; the outer one would count it again.
            return self.blocks.is_empty().then(|| block.read());
        }
        let class = tag.attribute("class").unwrap_or_default().to_ascii_lowercase();
        if STRUCK_CLASSES.iter().any(|part| class.contains(part)) && !self.blocks.is_empty() {
            // Ends with the block, which errs on the side of no price.
            self.struck += 1;
        }
        let shows_price = class.split_ascii_whitespace().any(|name| name.contains("price"));
        if shows_price && self.blocks.is_empty() && self.blocks.len() < MAX_BLOCKS {
            let amounts = PriceBlock { is_link: self.links > 0, ..PriceBlock::default() };
            let (text, struck_text) = (class, String::new());
            let element = tag.name.to_owned();
            self.blocks.push(Block { element, depth: 1, amounts, text, struck_text });
        }
        None
    }

    fn hear(&mut self, text: &str) {
        let is_struck = self.struck > 0;
        for block in &mut self.blocks {
            let heard = if is_struck { &mut block.struck_text } else { &mut block.text };
            if heard.len() < MAX_TEXT_BYTES {
                heard.push_str(" | ");
                heard.push_str(text);
            }
        }
    }
}

impl Block {
    /// The amounts in the texts of the block. The words of a text and of the one before it tell what an amount is.
    fn read(self) -> PriceBlock {
        let mut block = self.amounts;
        let mut before = "";
        for text in self.text.split(" | ") {
            let amount = price::read(text, before);
            match amount.filter(|_| text.contains(['$', '€', '£'])) {
                Some(Amount::Asking(cents)) if block.asked.len() < MAX_AMOUNTS => {
                    block.asked.push(cents);
                }
                Some(Amount::Msrp(cents)) => block.msrp = block.msrp.or(Some(cents)),
                _ => {}
            }
            before = text;
        }
        let struck = self.struck_text.split(" | ");
        let amounts = struck.filter_map(value::number);
        let cents = amounts.map(|amount| amount.whole * 100 + amount.hundredths);
        block.struck = cents.take(MAX_AMOUNTS).collect();
        block
    }
}
