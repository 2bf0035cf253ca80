//! The tags of a page with their attributes and texts, found in one pass: enough of HTML to reach scripts, `meta`
//! elements and properties. All readers of a page walk the same tags.
//!
//! No tree is built. What has an end is read as the HTML standard says (section 13.2.5); what has none must not hide
//! the rest of a truncated page, so a broken tag or comment affects nothing but itself.

use inventory::budget::Budget;

mod tokenizer;

/// Elements without content, which have no end tag.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// A tag and the text that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The element's name, as written. It is empty if a text follows no tag, but a comment or the start of the page.
    pub name: &'a str,
    /// Whether it is an end tag.
    pub closing: bool,
    /// Whether it ends with `/>`.
    pub self_closing: bool,
    /// The text up to the next tag or comment, with its character references. After the start tag of a script, it is
    /// the whole script.
    pub text: &'a str,
    attributes: &'a [Attribute<'a>],
}

/// An attribute of a tag, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Tag<'a> {
    /// Whether it is the start tag of an element of this name.
    #[must_use]
    pub fn begins(&self, name: &str) -> bool {
        !self.closing && self.name.eq_ignore_ascii_case(name)
    }

    /// Whether it is of an element without content.
    #[must_use]
    pub fn is_void(&self) -> bool {
        VOID.iter().any(|name| name.eq_ignore_ascii_case(self.name))
    }

    /// The value of an attribute, as written: the first, if the name is there twice. It is empty if the attribute has
    /// no value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
            .map(|attribute| attribute.value)
    }

    /// The names and values of the attributes, as written and in their order. End tags have none.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.attributes.iter().map(|attribute| (attribute.name, attribute.value))
    }
}

/// The tags of a page in document order, except those in comments and in the text of scripts.
#[derive(Clone, Debug, Default)]
pub struct Markup<'a> {
    tokens: Vec<Token<'a>>,
    /// The attributes of all tags, in their order.
    attributes: Vec<Attribute<'a>>,
}

/// A tag without its attributes.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    name: &'a str,
    text: &'a str,
    /// Where its attributes end among those of the page. They begin where those of the tag before it end.
    attributes_end: usize,
    closing: bool,
    self_closing: bool,
}

impl<'a> Markup<'a> {
    /// Reads the tags of a page. Those beyond the budget are left out.
    #[must_use]
    pub fn of(html: &'a str, budget: &Budget) -> Self {
        tokenizer::read(html, budget)
    }

    /// The tags in document order.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        let mut from = 0;
        self.tokens.iter().map(move |token| {
            let attributes = &self.attributes[from..token.attributes_end];
            from = token.attributes_end;
            Tag {
                name: token.name,
                closing: token.closing,
                self_closing: token.self_closing,
                text: token.text,
                attributes,
            }
        })
    }
}

/// Decodes the character references of an attribute or of data. Unknown ones stay unchanged, and those without a
/// semicolon where a letter follows, as in addresses (HTML standard, section 13.2.5.72).
#[must_use]
pub fn decode(text: &str) -> String {
    htmlize::unescape_attribute(text).into_owned()
}

/// Decodes the character references of an element's text, where some need no semicolon.
#[must_use]
pub fn decode_text(text: &str) -> String {
    htmlize::unescape(text).into_owned()
}

#[cfg(test)]
#[path = "markup_tests.rs"]
mod tests;
