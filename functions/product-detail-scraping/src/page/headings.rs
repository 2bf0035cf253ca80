//! The headings of a page, and what the page's own says of its car.

use super::{likeness::year_in, vocabulary::Condition};

/// Most headings kept, and the longest in bytes.
const MAX_HEADINGS: usize = 4;
const MAX_BYTES: usize = 200;

/// The first headings of a page. Its own is the first that has a model year, or the first at all.
#[derive(Debug, Default)]
pub(super) struct Headings {
    /// The text of each, and its place among the texts.
    all: Vec<(usize, String)>,
    /// Whether the last of them goes on.
    is_open: bool,
}

impl Headings {
    /// Notes a text within a heading, at this place among the texts. It may go on where the one before it ends.
    pub(super) fn hear(&mut self, text: &str, is_part: bool, place: usize) {
        if !self.is_open && self.all.len() < MAX_HEADINGS {
            self.all.push((place, String::new()));
            self.is_open = true;
        }
        if let Some((_, heading)) = self.all.last_mut()
            && self.is_open
            && heading.len() < MAX_BYTES
        {
            let blank = if heading.is_empty() || is_part { "" } else { " " };
            heading.push_str(blank);
            heading.push_str(text);
        }
    }

    /// Notes the end of a heading.
    pub(super) fn end(&mut self) {
        self.is_open = false;
    }

    /// Whether there is none yet.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn own(&self) -> Option<&(usize, String)> {
        let dated = self.all.iter().find(|(_, text)| year_in(text).is_some());
        dated.or_else(|| self.all.first())
    }

    /// The text of the page's heading.
    pub(super) fn text(&self) -> &str {
        self.own().map_or("", |(_, text)| text)
    }

    /// The place of the page's heading among the texts.
    pub(super) fn place(&self) -> Option<usize> {
        self.own().map(|(place, _)| *place)
    }

    /// The condition that the page's heading begins with: "New 2026", "Certified Pre-Owned".
    pub(super) fn condition(&self) -> Option<Condition> {
        let words = self.text().split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| !word.is_empty()).take(4).map(str::to_lowercase);
        let words: Vec<String> = words.collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_year = |word: &str| word.len() == 4 && year_in(word).is_some();
        match words.as_slice() {
            ["new", year, ..] | ["brand", "new", year, ..] if is_year(year) => Some(Condition::New),
            ["used" | "certified" | "cpo" | "preowned", ..] | ["pre", "owned", ..] => {
                Some(Condition::Used)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings(texts: &[&str]) -> Headings {
        let mut headings = Headings::default();
        for (place, text) in texts.iter().enumerate() {
            headings.hear(text, false, place);
            headings.end();
        }
        headings
    }

    #[test]
    fn the_heading_of_a_page_is_the_first_with_a_year() {
        let own = |texts: &[&str]| {
            let headings = headings(texts);
            (headings.text().to_owned(), headings.place())
        };
        assert_eq!(own(&["Acme", "2019 Honda", "2021 Kia"]), ("2019 Honda".into(), Some(1)));
        assert_eq!(own(&["Acme", "Honda"]), ("Acme".into(), Some(0)));
        assert_eq!(own(&[]), (String::new(), None));
        let mut parts = Headings::default();
        parts.hear("2019", false, 0);
        parts.hear("Mazda CX", false, 1);
        parts.hear("-50", true, 2);
        assert_eq!(parts.text(), "2019 Mazda CX-50");
    }

    #[test]
    fn a_heading_says_the_condition_only_where_it_begins() {
        for (text, expected) in [
            ("New 2026 Acme Coupe", Some(Condition::New)),
            ("Brand new 2026 Acme Coupe", Some(Condition::New)),
            ("Used 2019 Honda", Some(Condition::Used)),
            ("Certified Pre-Owned 2021 Honda", Some(Condition::Used)),
            ("Pre-Owned 2021 Honda", Some(Condition::Used)),
            ("New arrival! 2019 Honda", None),
            ("Like new 2019 Honda", None),
            ("2019 Honda", None),
        ] {
            assert_eq!(headings(&[text]).condition(), expected, "{text}");
        }
    }
}
