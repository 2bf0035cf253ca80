//! Finds the tags of a page in one pass: enough of HTML to reach scripts, `meta` elements and
//! properties.
//!
//! No tree is built, so no memory is needed beyond the page, time is linear in its size, and a
//! broken tag affects nothing but itself.

/// Longest tag, in bytes. Real tags contain at most a few addresses. Longer ones are skipped.
const MAX_TAG_BYTES: usize = 64 * 1024;

/// Most attributes read of one tag.
const MAX_ATTRIBUTES: usize = 100;

/// Bytes of a page that are searched in vain for the ends of quoted values. Each such search reads up to a whole window,
/// so that many of them would take quadratic time; beyond this, the first `>` ends a tag.
const MAX_VAIN_BYTES: usize = 16 * MAX_TAG_BYTES;

/// Elements whose content is plain text up to their own end tag, even if it looks like tags.
const RAW_TEXT: [&str; 4] = ["script", "style", "textarea", "title"];

/// Elements without content, which have no end tag.
const VOID: [&str; 13] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track",
    "wbr",
];

/// A tag and the text that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// The element's name, as written.
    pub name: &'a str,
    /// Whether it is an end tag.
    pub closing: bool,
    /// The text between the name and the `>`.
    pub attributes: &'a str,
    /// The text up to the next tag. After the start tag of a script, it is the whole script.
    pub text: &'a str,
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

    /// The value of an attribute, as written. It is empty if the attribute has no value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut attributes = Attributes { rest: self.attributes }.take(MAX_ATTRIBUTES);
        attributes.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The tags of a page in document order, except those in comments and in the text of scripts.
#[derive(Clone, Debug)]
pub struct Tags<'a> {
    rest: &'a str,
    /// Whether the rest of the page may contain the end of a comment. Once a search found none, a
    /// search for every later comment would take quadratic time.
    comments_end: bool,
    /// What is left of [`MAX_VAIN_BYTES`].
    vain_left: usize,
}

impl<'a> Tags<'a> {
    /// Iterates from the start of the page.
    #[must_use]
    pub fn new(html: &'a str) -> Self {
        Self { rest: html, comments_end: true, vain_left: MAX_VAIN_BYTES }
    }

    /// The text after a comment. A comment without end counts as text, so that the rest of a
    /// truncated page is still read.
    fn after_comment(&mut self, comment: &'a str) -> &'a str {
        let empty = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->"));
        if let Some(rest) = empty {
            return rest;
        }
        if self.comments_end {
            // `--!>` ends a comment, too (HTML standard, section 13.2.5.51).
            let dashes = comment.match_indices("--").map(|(at, _)| &comment[at..]);
            let mut ends = dashes
                .filter_map(|rest| ["-->", "--!>"].iter().find_map(|end| rest.strip_prefix(end)));
            if let Some(rest) = ends.next() {
                return rest;
            }
        }
        self.comments_end = false;
        comment
    }

    /// Reads the tag whose `<` has just been consumed.
    fn tag(&mut self) -> Option<Tag<'a>> {
        let closing = self.rest.starts_with('/');
        let named = if closing { &self.rest[1..] } else { self.rest };
        if !named.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let window = &named[..named.floor_char_boundary(MAX_TAG_BYTES)];
        // A quoted value without end must not hide the rest of the page. In that case the first `>`
        // ends the tag. Without any `>`, the window contains no tag.
        let quoted = (self.vain_left > 0).then(|| tag_end(window)).flatten();
        if quoted.is_none() {
            self.vain_left = self.vain_left.saturating_sub(window.len());
        }
        let Some(end) = quoted.or_else(|| window.find('>')) else {
            self.rest = &named[window.len()..];
            return None;
        };
        let inner = &window[..end];
        let name_ends = inner.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, attributes) = inner.split_at(name_ends.unwrap_or(inner.len()));
        let after = &named[end + 1..];
        let raw = RAW_TEXT.iter().any(|raw| !closing && raw.eq_ignore_ascii_case(name));
        let text_ends = if raw { raw_text_end(after, name) } else { after.find('<') };
        let (text, rest) = after.split_at(text_ends.unwrap_or(after.len()));
        self.rest = rest;
        Some(Tag { name, closing, attributes, text })
    }
}

impl<'a> Iterator for Tags<'a> {
    type Item = Tag<'a>;

    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let at = self.rest.find('<')?;
            self.rest = &self.rest[at + 1..];
            if let Some(comment) = self.rest.strip_prefix("!--") {
                self.rest = self.after_comment(comment);
            } else if let Some(tag) = self.tag() {
                return Some(tag);
            }
        }
    }
}

/// The index of the `>` that ends a tag: the first one outside a quoted value. A quotation mark
/// begins a quoted value only after `=`.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut value_begins = false;
    for (index, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) => {
                if byte == open {
                    quote = None;
                }
            }
            (None, b'>') => return Some(index),
            (None, b'"' | b'\'') if value_begins => {
                quote = Some(byte);
                value_begins = false;
            }
            (None, b'=') => value_begins = true,
            (None, _) if byte.is_ascii_whitespace() => {}
            (None, _) => value_begins = false,
        }
    }
    None
}

/// The index of the `</name` that ends raw text.
fn raw_text_end(text: &str, name: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = text[from..].find("</") {
        let start = from + at;
        let after = &text.as_bytes()[start + 2..];
        let named = after.get(..name.len()).is_some_and(|head| {
            head.eq_ignore_ascii_case(name.as_bytes())
                && after.get(name.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
        });
        if named {
            return Some(start);
        }
        from = start + 2;
    }
    None
}

/// Iterates over the names and values of a tag's attributes.
struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if text.is_empty() {
            return None;
        }
        // A name has at least one character, so every step makes progress.
        let mut ends = text.char_indices().skip(1);
        let end = ends.find(|&(_, c)| c.is_ascii_whitespace() || c == '=' || c == '/');
        let (name, rest) = text.split_at(end.map_or(text.len(), |(index, _)| index));
        let Some(value) = rest.trim_ascii_start().strip_prefix('=') else {
            self.rest = rest;
            return Some((name, ""));
        };
        let value = value.trim_ascii_start();
        let (value, rest) = if let Some(quote) = value.chars().next().filter(|c| "\"'".contains(*c))
        {
            let inner = &value[1..];
            inner.split_once(quote).unwrap_or((inner, ""))
        } else {
            let end = value.find(|c: char| c.is_ascii_whitespace());
            value.split_at(end.unwrap_or(value.len()))
        };
        self.rest = rest;
        Some((name, value))
    }
}

/// Decodes the character references in a text. Unknown ones stay unchanged, and those without a semicolon where a
/// letter follows, as in addresses (HTML standard, section 13.2.5.72).
#[must_use]
pub fn decode(text: &str) -> String {
    htmlize::unescape_attribute(text).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(html: &str) -> Vec<String> {
        let spelt = |tag: Tag<'_>| format!("{}{}", if tag.closing { "/" } else { "" }, tag.name);
        Tags::new(html).map(spelt).collect()
    }

    #[test]
    fn tags_are_found_and_lookalikes_are_not() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a < b, c > d", &[]),
            ("<p>1 <b>2</b>", &["p", "b", "/b"]),
            ("<!doctype html><html>", &["html"]),
            ("<!-- <p> --><b>", &["b"]),
            ("<!--><p>", &["p"]),
            ("<!-- <p>", &["p"]),
            ("<a title='>'><b>", &["a", "b"]),
            ("<a title=5\"><b>", &["a", "b"]),
            ("<a title=\"never closed><b>", &["a", "b"]),
            ("<script>if (a<b) '<p>'</script ><b>", &["script", "/script", "b"]),
            ("<SCRIPT><p></Script><b>", &["SCRIPT", "/Script", "b"]),
            ("<script></scripted></script>", &["script", "/script"]),
            ("<title><p>", &["title"]),
            ("<p", &[]),
        ];
        for (html, expected) in cases {
            assert_eq!(names(html), *expected, "{html}");
        }
    }

    #[test]
    fn attributes_are_read_in_every_notation() {
        let tag = Tags::new("<x a=1 B = 'two 2' c=\"3>\" d e=/f/>").next().unwrap();
        let expected = [
            ("a", Some("1")),
            ("b", Some("two 2")),
            ("C", Some("3>")),
            ("d", Some("")),
            ("e", Some("/f/")),
            ("f", None),
        ];
        for (name, value) in expected {
            assert_eq!(tag.attribute(name), value, "{name}");
        }
    }

    #[test]
    fn an_unclosed_tag_hides_at_most_one_window() {
        let long = format!("<p {}><b>", "a ".repeat(MAX_TAG_BYTES));
        assert_eq!(names(&long), ["b"]);
    }

    #[test]
    fn references_are_decoded_once() {
        let cases = [
            ("", ""),
            ("a&amp;b", "a&b"),
            ("&amp;quot;", "&quot;"),
            ("17&quot; &#39;&#x27; &lt;b&gt;", "17\" '' <b>"),
            ("&#xD800;&#99999999;&#;&;&", "\u{fffd}\u{fffd}&#;&;&"),
            ("4MATIC&reg; &eacute;toile &rsquo;", "4MATIC® étoile ’"),
            ("&copy=1;&é;", "&copy=1;&é;"),
        ];
        for (text, expected) in cases {
            assert_eq!(decode(text), expected);
        }
    }

    proptest! {
        #[test]
        fn tags_are_together_no_longer_than_the_page(html in "[<>/!='\" a-cé-]{0,200}|.{0,200}") {
            let length = |tag: Tag<'_>| tag.name.len() + tag.attributes.len() + tag.text.len();
            prop_assert!(Tags::new(&html).map(length).sum::<usize>() <= html.len());
            for tag in Tags::new(&html) {
                let _ = tag.attribute("a");
            }
        }

        #[test]
        fn decoding_never_lengthens_a_text(text in "[&#xamp;0-9é]{0,100}|.{0,100}") {
            prop_assert!(decode(&text).len() <= text.len());
        }
    }
}
