//! What a page shows its visitors: its heading, its addresses, its texts, and the blocks of its price.

use inventory::budget::Budget;
use url::Url;

use super::{
    headings::Headings,
    likeness,
    markup::{Markup, Tag},
    noted::{Noted, amount},
    others::{heads_others, says_others},
    price_block::{Around, PriceBlock},
    quality::Code,
    record::Details,
    rows::{self, NEAR},
    shown_text::{Join, PageText, Seam},
    sold,
    value::{clean, clean_text},
    vocabulary::{Condition, Mileage},
};

/// Most texts kept of a page, and the longest in bytes.
const MAX_TEXTS: usize = 5_000;
const MAX_TEXT_BYTES: usize = 200;

/// Elements whose content no visitor sees.
const UNSEEN: [&str; 7] =
    ["iframe", "noembed", "noframes", "noscript", "script", "style", "template"];

/// Steps for a tag, for each byte of a text, and for an amount or a title with the words around it.
const TAG_STEPS: usize = 20;
const TEXT_STEPS: usize = 6;
const AMOUNT_STEPS: usize = 1_000;

/// Most texts that are looked at as titles of other cars.
const MAX_TITLES: usize = 50;

/// What a page shows its visitors.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    headings: Headings,
    /// The title of the window.
    title: String,
    /// The address that the page gives as its own.
    canonical: Option<String>,
    /// The VIN that an attribute of the whole page's element has.
    of_body: Option<String>,
    /// The language of the page.
    language: Option<String>,
    texts: Vec<PageText>,
    prices: Vec<PriceBlock>,
    noted: Noted,
    /// The place of the first row that labels a VIN among the texts.
    vin_row: Option<usize>,
    /// Places of texts that may be titles of cars.
    titles: Vec<usize>,
    /// Whether a heading or a sentence has announced other cars.
    shows_others: bool,
}

/// Reads what a page shows.
pub(crate) fn read(markup: &Markup<'_>, budget: &Budget) -> Visible {
    let mut visible = Visible::default();
    let mut around = Around::new(budget);
    let mut seam = Seam::default();
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
        seam.pass(&tag);
        if !visible.hear(&tag, &mut around, &mut seam, budget) {
            break;
        }
    }
    visible.find_others();
    visible.vin_row = rows::first_vin(&visible.texts);
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
            self.language = self.language.take().or_else(|| tag.attribute("lang").map(clean));
        } else if tag.closing && tag.name.eq_ignore_ascii_case("h1") {
            self.headings.end();
        }
    }

    /// Keeps the text after a tag. False if nothing more may be read.
    fn hear(
        &mut self,
        tag: &Tag<'_>,
        around: &mut Around<'_>,
        seam: &mut Seam,
        budget: &Budget,
    ) -> bool {
        let is_full = self.texts.len() >= MAX_TEXTS;
        let is_heard = !is_full || around.headings + around.subheadings > 0 || around.is_in_block();
        let text = beginning(tag.text);
        if tag.begins("title") || !is_heard || text.trim_ascii().is_empty() {
            return true;
        }
        let text = clean_text(text);
        if !budget.step(text.len() * TEXT_STEPS) || !budget.keep(text.len() + size_of::<PageText>())
        {
            return false;
        }
        if text.is_empty() {
            return true;
        }
        let last =
            self.texts.last().filter(|last| !is_full && last.is_struck == around.is_struck());
        let join = last.map_or(Join::Apart, |last| seam.join(&last.text, &text));
        seam.begin(tag.text);
        self.head(&text, join, around);
        match join {
            Join::Dropped => true,
            Join::Glued | Join::Spaced => {
                let blank = if join == Join::Spaced { " " } else { "" };
                self.hear_part(&format!("{blank}{text}"), around, budget)
            }
            Join::Apart => self.hear_whole(text, is_full, around, budget),
        }
    }

    /// Notes the text of a heading, and what announces other cars.
    fn head(&mut self, text: &str, join: Join, around: &Around<'_>) {
        if around.headings > 0 {
            self.headings.hear(text, join == Join::Glued, self.texts.len());
        }
        let is_announced = around.subheadings > 0 && heads_others(text)
            || !self.headings.is_empty() && around.links == 0 && says_others(text);
        self.shows_others = self.shows_others || is_announced;
    }

    /// Keeps a text of its own. False if nothing more may be read.
    fn hear_whole(
        &mut self,
        text: String,
        is_full: bool,
        around: &mut Around<'_>,
        budget: &Budget,
    ) -> bool {
        around.hear(&text);
        if is_full {
            return true;
        }
        let is_title = likeness::year_in(text.get(..4).unwrap_or_default()).is_some();
        if is_title && self.titles.len() < MAX_TITLES {
            self.titles.push(self.texts.len());
        }
        self.texts.push(PageText {
            text,
            is_link: around.links > 0,
            is_struck: around.is_struck(),
            is_of_other: self.shows_others || around.is_among_others(),
            is_aside: around.is_aside(),
        });
        self.judge(budget)
    }

    /// Puts a part behind the last text, which goes on with it. False if nothing more may be read.
    fn hear_part(&mut self, part: &str, around: &mut Around<'_>, budget: &Budget) -> bool {
        let Some(last) = self.texts.last_mut() else { return true };
        let before = amount(&last.text);
        if last.text.len() + part.len() > MAX_TEXT_BYTES {
            // A number without its end would be another one.
            last.text.clear();
        } else {
            last.text.push_str(part);
        }
        if !budget.step(last.text.len() * TEXT_STEPS) {
            return false;
        }
        around.hear_part(part, &last.text);
        self.noted.replace(before, amount(&last.text));
        self.judge(budget)
    }

    /// Notes what the last text says of amounts and of distances. False if nothing more may be read.
    fn judge(&mut self, budget: &Budget) -> bool {
        let before = self.texts.len().checked_sub(2).map_or("", |at| self.texts[at].text.as_str());
        let Some(text) = self.texts.last().filter(|text| Noted::may_matter(text)) else {
            return true;
        };
        if !budget.step(AMOUNT_STEPS) {
            return false;
        }
        self.noted.hear(text, before);
        true
    }

    /// Finds where other cars begin behind the page's heading.
    fn find_others(&mut self) {
        let (from, heading) = (self.headings.place(), self.headings.text());
        let Some(from) = from else { return };
        let is_other = |at: &&usize| {
            let text = &self.texts[**at];
            **at > from && likeness::announces_another(&text.text, heading)
        };
        let others_from = self.titles.iter().find(is_other).copied();
        if let Some(others_from) = others_from {
            self.texts[others_from..].iter_mut().for_each(|text| text.is_of_other = true);
            let behind = self.prices.iter_mut().filter(|block| block.at > others_from);
            behind.for_each(|block| block.is_of_other = true);
        }
    }

    /// The places of the heading and of the row of the VIN among the texts.
    fn places(&self) -> [Option<usize>; 2] {
        [self.headings.place(), self.vin_row]
    }

    /// Whether the page has no heading, and its outermost element has the VIN.
    pub(crate) fn is_of_body(&self, vin: &str) -> bool {
        let of_body = self.of_body.as_deref().unwrap_or_default();
        self.headings.text().is_empty() && of_body.eq_ignore_ascii_case(vin)
    }

    /// Whether the heading or the page's own address has the VIN.
    pub(crate) fn is_headed(&self, vin: &str, has_word: impl Fn(&str, &str) -> bool) -> bool {
        let canonical = self.canonical.as_deref().unwrap_or_default();
        [self.headings.text(), canonical].iter().any(|text| has_word(text, vin))
    }

    /// The title of the window as what is known of a car, if it has the VIN and the heading is of the same car.
    pub(crate) fn titled(
        &self,
        vin: &str,
        has_word: impl Fn(&str, &str) -> bool,
    ) -> Option<Details> {
        let title = titled(&self.title);
        let agrees = || {
            let headed = self.headed();
            likeness::titles_agree(&title, &headed) == Some(true)
                && !likeness::comparisons(&title, &headed).contains(&false)
        };
        let is_meant = has_word(&self.title, vin) && (self.headings.text().is_empty() || agrees());
        is_meant.then_some(title)
    }

    /// Whether the heading does not contradict the words of the page's own address.
    pub(crate) fn is_headed_like_its_address(&self) -> bool {
        let address = self.canonical.as_deref().unwrap_or_default();
        let address = titled(&address.replace(['/', '-', '_', '+', '.'], " "));
        !likeness::comparisons(&address, &self.headed()).contains(&false)
    }

    /// Whether the heading says that the car is not there.
    pub(crate) fn is_gone(&self) -> bool {
        sold::is_gone(self.headings.text())
    }

    /// The heading as what is known of a car.
    pub(crate) fn headed(&self) -> Details {
        titled(self.headings.text())
    }

    /// The VINs in rows that label them, outside of links.
    pub(crate) fn labelled_vins(&self) -> Vec<String> {
        rows::vins(&self.texts)
    }

    /// The details that stand in the heading, and in labelled rows near the row of the VIN. If the page labels no VIN
    /// and `is_ours` beyond doubt, those near its heading count.
    pub(crate) fn details(
        &self,
        vin: &str,
        condition: Option<Condition>,
        is_ours: bool,
    ) -> Details {
        let condition = condition.or_else(|| self.headings.condition());
        let details = self.place(vin, is_ours).map(|at| rows::details(&self.texts, at, condition));
        let availability =
            sold::state(self.headings.text(), &self.title, &self.texts, self.places());
        // "Sorry, this car is gone" is the title of no car.
        let is_title = !self.is_gone() || likeness::year_in(self.headings.text()).is_some();
        let title = self.headed().title.filter(|_| is_title);
        let condition = self.headings.condition();
        Details { title, condition, availability, ..details.unwrap_or_default() }
    }

    /// Where the facts of the car stand among the texts.
    fn place(&self, vin: &str, is_ours: bool) -> Option<usize> {
        let is_unlabelled = || is_ours && self.vin_row.is_none();
        rows::place(&self.texts, vin).or_else(|| self.places()[0].filter(|_| is_unlabelled()))
    }

    /// The price that the page shows, if it shows just one outside of links.
    pub(crate) fn price(&self) -> Option<u64> {
        let blocks = self.own_blocks().flat_map(|block| block.asked.clone());
        let mut asked: Vec<u64> =
            blocks.filter(|cents| !self.noted.broken.contains(cents)).collect();
        asked.sort_unstable();
        asked.dedup();
        if asked.len() == 1 { asked.pop() } else { None }
    }

    /// The currency that a sign beside that price stands for.
    pub(crate) fn currency(&self) -> Option<&'static str> {
        self.own_blocks().find_map(|block| block.currency)
    }

    /// The manufacturer's price that the page shows.
    pub(crate) fn msrp(&self) -> Option<u64> {
        let shown = self.own_blocks().filter_map(|block| block.msrp);
        shown.into_iter().find(|cents| !self.noted.broken.contains(cents))
    }

    /// The amounts that the page shows as former prices.
    pub(crate) fn struck(&self, vin: &str, is_ours: bool) -> Vec<u64> {
        let blocks = self.own_blocks().flat_map(|block| block.struck.clone());
        let row = self.place(vin, is_ours).and_then(|place| rows::former(&self.texts, place));
        blocks.chain(self.noted.struck.iter().copied()).chain(row).collect()
    }

    /// The blocks of prices near the heading or the row of the VIN that belong to no other car.
    fn own_blocks(&self) -> impl Iterator<Item = &PriceBlock> {
        let places = self.places();
        let is_near = move |block: &PriceBlock| {
            let known = places.iter().flatten();
            places.iter().all(Option::is_none)
                || known.into_iter().any(|at| at.abs_diff(block.at) <= NEAR)
        };
        self.prices.iter().filter(move |block| !block.is_of_other && is_near(block))
    }

    /// Payments, savings and fees, which the page shows as such.
    pub(crate) fn other_amounts(&self) -> &[(u64, Code)] {
        &self.noted.others
    }

    /// The distances that the page shows with their unit.
    pub(crate) fn distances(&self) -> &[Mileage] {
        &self.noted.distances
    }

    /// Whether the page's language is that of a country where cars show kilometres, or may.
    pub(crate) fn is_abroad(&self) -> bool {
        let Some(language) = self.language.as_deref() else { return false };
        let mut parts = language.split(['-', '_']);
        let is_english = parts
            .next()
            .is_some_and(|name| ["en", "es"].iter().any(|known| known.eq_ignore_ascii_case(name)));
        let region = parts.next_back().filter(|region| region.len() == 2);
        region.map_or(!is_english, |region| !region.eq_ignore_ascii_case("us"))
    }
}

fn titled(title: &str) -> Details {
    Details { title: (!title.is_empty()).then(|| title.to_owned()), ..Details::default() }
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
}
