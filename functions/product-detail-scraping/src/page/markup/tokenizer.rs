//! Cuts a page into tags and texts, in one pass. Every byte is looked at a few times at most, whatever the page is:
//! each search that finds nothing is remembered, so that it is not made again for every tag.

use std::ops::Range;

use inventory::budget::Budget;
use memchr::{memchr, memchr2, memmem};

use super::{Attribute, Markup, Token};

/// Longest tag, in bytes. Real tags contain at most a few addresses. Longer ones are skipped.
const MAX_TAG_BYTES: usize = 64 * 1024;

/// Most attributes kept of one tag.
const MAX_ATTRIBUTES: usize = 100;

/// The share of the budget's memory that tags may take: the rest is for their readers.
const MEMORY_SHARE: usize = 2;

/// Elements whose content is plain text up to their own end tag, even if it looks like tags.
const RAW_TEXT: [&str; 8] =
    ["iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"];

/// Reads the tags of a page, as far as the budget goes.
pub(super) fn read<'a>(html: &'a str, budget: &Budget) -> Markup<'a> {
    let mut tokenizer = Tokenizer {
        html,
        at: 0,
        markup: Markup::default(),
        budget,
        bytes_left: budget.bytes_left() / MEMORY_SHARE,
        plain_until: 0,
        comments_end: true,
        declarations_end: true,
        escapes_end: true,
    };
    tokenizer.run();
    tokenizer.markup
}

struct Tokenizer<'a, 'b> {
    html: &'a str,
    /// The place up to which the page is read.
    at: usize,
    markup: Markup<'a>,
    budget: &'b Budget,
    /// Bytes of memory that tags may still take.
    bytes_left: usize,
    /// Up to here, a quoted value that has a `<` in it does not hide the end of its tag: a quotation mark before has
    /// no partner.
    plain_until: usize,
    /// Whether the rest of the page may contain the end of a comment, of a declaration, and of a script that has a
    /// script in a comment.
    comments_end: bool,
    declarations_end: bool,
    escapes_end: bool,
}

/// Where a tag ends.
struct End {
    /// The place of its `>`.
    at: usize,
    self_closing: bool,
}

impl<'a> Tokenizer<'a, '_> {
    fn run(&mut self) {
        let text = self.text();
        if !text.trim_ascii().is_empty() {
            self.push("", text, false, false);
        }
        while self.at < self.html.len() {
            let before = self.at;
            let is_read = self.construct();
            let steps = self.at - before;
            if !is_read || !self.budget.step(steps + 1) {
                self.budget.exceed();
                return;
            }
        }
    }

    /// Reads what begins with the `<` at this place, and the text behind it. False if there is no room for it.
    fn construct(&mut self) -> bool {
        let bytes = self.html.as_bytes();
        let next = self.at + 1;
        match bytes.get(next) {
            Some(b'/') if bytes.get(next + 1).is_some_and(u8::is_ascii_alphabetic) => {
                self.tag(next + 1, true)
            }
            Some(byte) if byte.is_ascii_alphabetic() => self.tag(next, false),
            // A comment, a declaration, or what the standard calls a bogus comment.
            _ => {
                self.at = if bytes[next..].starts_with(b"!--") {
                    self.after_comment(next + 3)
                } else {
                    self.after_declaration(next)
                };
                let text = self.text();
                text.trim_ascii().is_empty() || self.push("", text, false, false)
            }
        }
    }

    /// The text from here to the next tag or comment. A `<` that begins neither is part of it.
    fn text(&mut self) -> &'a str {
        let (html, from) = (self.html, self.at);
        let bytes = html.as_bytes();
        while let Some(found) = memchr(b'<', &bytes[self.at..]) {
            let at = self.at + found;
            self.at = at;
            let begins = match bytes.get(at + 1) {
                Some(b'!' | b'?' | b'/') => true,
                Some(byte) => byte.is_ascii_alphabetic(),
                None => false,
            };
            if begins {
                return &html[from..at];
            }
            self.at = at + 1;
        }
        self.at = html.len();
        &html[from..]
    }

    /// The place behind a comment whose text begins at `from`. A comment without end counts as text, so that the rest
    /// of a truncated page is still read.
    fn after_comment(&mut self, from: usize) -> usize {
        let bytes = self.html.as_bytes();
        let text = &bytes[from..];
        if let Some(empty) = [&b">"[..], b"->"].iter().find(|end| text.starts_with(end)) {
            return from + empty.len();
        }
        let mut at = 0;
        while self.comments_end
            && let Some(found) = memchr(b'>', &text[at..])
        {
            let end = at + found;
            if text[..end].ends_with(b"--") || text[..end].ends_with(b"--!") {
                return from + end + 1;
            }
            at = end + 1;
        }
        self.budget.step(at);
        self.comments_end = false;
        from
    }

    /// The place behind a declaration or a bogus comment, which the next `>` ends.
    fn after_declaration(&mut self, from: usize) -> usize {
        if !self.declarations_end {
            return from;
        }
        let end = memchr(b'>', &self.html.as_bytes()[from..]);
        self.declarations_end = end.is_some();
        end.map_or(from, |end| from + end + 1)
    }

    /// Reads the tag whose name begins at `from`, and the text behind it. A tag without end is skipped. False if there
    /// is no room for it.
    fn tag(&mut self, from: usize, closing: bool) -> bool {
        let html = self.html;
        let limit = html.floor_char_boundary(from + MAX_TAG_BYTES);
        let is_end = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let length = html.as_bytes()[from..limit].iter().position(is_end);
        let name = &html[from..length.map_or(limit, |length| from + length)];
        let kept = self.markup.attributes.len();
        let Some(end) = self.end(from + name.len(), limit) else {
            self.markup.attributes.truncate(kept);
            self.at = limit;
            let text = self.text();
            return text.trim_ascii().is_empty() || self.push("", text, false, false);
        };
        if closing {
            self.markup.attributes.truncate(kept);
        }
        self.at = end.at + 1;
        let raw = RAW_TEXT.iter().any(|raw| !closing && raw.eq_ignore_ascii_case(name));
        let text = if raw { self.raw_text(name) } else { self.text() };
        self.push(name, text, closing, end.self_closing)
    }

    /// Reads the attributes from here to the end of their tag; `None` if the tag has no end before `limit`.
    ///
    /// A quoted value without end must not hide the rest of the page. In that case the first `>` ends the tag.
    fn end(&mut self, from: usize, limit: usize) -> Option<End> {
        let bytes = self.html.as_bytes();
        let kept = self.markup.attributes.len();
        let is_plain = from < self.plain_until;
        let next = if is_plain { memchr(b'<', &bytes[from..limit]) } else { None };
        let until = next.map_or(limit, |next| from + next);
        if let Some(end) = self.attributes(from, until, false) {
            return Some(end);
        }
        self.budget.step(until - from);
        if !is_plain {
            self.plain_until = limit;
        }
        self.markup.attributes.truncate(kept);
        let end = from + memchr(b'>', &bytes[from..limit])?;
        self.attributes(from, end, true)
    }

    /// Reads the attributes between `at` and the `>` that ends their tag. If there is none before `limit`, the tag ends
    /// there if it is `cut`.
    fn attributes(&mut self, mut at: usize, limit: usize, cut: bool) -> Option<End> {
        let bytes = self.html.as_bytes();
        let most = self.markup.attributes.len() + MAX_ATTRIBUTES;
        loop {
            let from = at;
            at += length(&bytes[at..limit], |byte| byte.is_ascii_whitespace() || byte == b'/');
            let self_closing = at > from && bytes[at - 1] == b'/';
            match bytes[..limit].get(at) {
                None => return cut.then_some(End { at: limit, self_closing }),
                Some(b'>') => return Some(End { at, self_closing }),
                Some(_) => {}
            }
            // Whatever the first character is, it belongs to the name, so every step makes progress.
            let name_ends = |byte: u8| byte.is_ascii_whitespace() || b"/>=".contains(&byte);
            let name = at..at + 1 + length(&bytes[at + 1..limit], |byte| !name_ends(byte));
            at = name.end;
            let equals = at + length(&bytes[at..limit], |byte| byte.is_ascii_whitespace());
            let mut value = at..at;
            if bytes[..limit].get(equals) == Some(&b'=') {
                let blank = |byte: u8| byte.is_ascii_whitespace();
                let begin = equals + 1 + length(&bytes[equals + 1..limit], blank);
                (value, at) = self.value(begin, limit, cut)?;
            }
            if self.markup.attributes.len() < most {
                let attribute = Attribute { name: &self.html[name], value: &self.html[value] };
                self.markup.attributes.push(attribute);
            }
        }
    }

    /// The attribute's value that begins at `from`, and the place behind it; `None` if its quotation mark has no
    /// partner before `limit`, unless the tag is `cut` there.
    fn value(&self, from: usize, limit: usize, cut: bool) -> Option<(Range<usize>, usize)> {
        let bytes = &self.html.as_bytes()[..limit];
        let quote = bytes.get(from).copied().filter(|byte| b"\"'".contains(byte));
        let Some(quote) = quote else {
            let is_part = |byte: u8| !byte.is_ascii_whitespace() && byte != b'>';
            let end = from + length(&bytes[from..], is_part);
            return Some((from..end, end));
        };
        match memchr(quote, &bytes[from + 1..]) {
            Some(length) => Some((from + 1..from + 1 + length, from + length + 2)),
            None => cut.then_some((from + 1..limit, limit)),
        }
    }

    /// The text of an element whose content is no markup, up to its own end tag or that of the page.
    fn raw_text(&mut self, name: &str) -> &'a str {
        let (html, from) = (self.html, self.at);
        let text = &html.as_bytes()[from..];
        let mut end = None;
        if name.eq_ignore_ascii_case("script") && self.escapes_end {
            end = script_end(text);
            if end.is_none() {
                self.escapes_end = false;
                self.budget.step(text.len());
            }
        }
        let end = end.or_else(|| raw_text_end(text, name));
        self.at = end.map_or(html.len(), |end| from + end);
        &html[from..self.at]
    }

    fn push(&mut self, name: &'a str, text: &'a str, closing: bool, self_closing: bool) -> bool {
        let attributes_end = self.markup.attributes.len();
        let before = self.markup.tokens.last().map_or(0, |token| token.attributes_end);
        let bytes = size_of::<Token<'_>>() + (attributes_end - before) * size_of::<Attribute<'_>>();
        let Some(left) = self.bytes_left.checked_sub(bytes) else { return false };
        self.bytes_left = left;
        self.budget.keep(bytes);
        self.markup.tokens.push(Token { name, text, attributes_end, closing, self_closing });
        true
    }
}

/// How many bytes at the start are of a kind.
fn length(bytes: &[u8], is_meant: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_meant(*byte)).unwrap_or(bytes.len())
}

/// Whether a text begins with this prefix and this name, and no longer name.
fn names(text: &[u8], prefix: &[u8], name: &str) -> bool {
    let Some(rest) = text.strip_prefix(prefix) else { return false };
    let is_named =
        rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()));
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
    is_named && rest.get(name.len()).is_none_or(ends)
}

/// The place of the `</name` that ends raw text.
fn raw_text_end(text: &[u8], name: &str) -> Option<usize> {
    memmem::find_iter(text, b"</").find(|at| names(&text[*at..], b"</", name))
}

/// How deep in comments and scripts a place within a script is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// In the script itself.
    None,
    /// In a comment of the script.
    Comment,
    /// In a script within that comment. Its end tag does not end the outer script.
    Script,
}

/// The place of the `</script` that ends a script (HTML standard, sections 13.2.5.15 to 13.2.5.31).
fn script_end(text: &[u8]) -> Option<usize> {
    let mut escape = Escape::None;
    // The dashes of `<!--` may be those of the `-->` that ends the comment.
    let mut dashes_from = 0;
    let mut from = 0;
    loop {
        let rest = &text[from..];
        let found = match escape {
            Escape::None => memchr(b'<', rest),
            Escape::Comment | Escape::Script => memchr2(b'<', b'>', rest),
        };
        let at = from + found?;
        let here = &text[at..];
        from = at + 1;
        let ends = || names(here, b"</", "script");
        if here[0] == b'>' {
            if text[dashes_from..at].ends_with(b"--") {
                escape = Escape::None;
            }
        } else if escape == Escape::None && here.starts_with(b"<!--") {
            escape = Escape::Comment;
            dashes_from = at + 2;
            from = at + 4;
        } else if escape == Escape::Comment && names(here, b"<", "script") {
            escape = Escape::Script;
        } else if escape == Escape::Script && ends() {
            escape = Escape::Comment;
        } else if escape != Escape::Script && ends() {
            return Some(at);
        }
    }
}
