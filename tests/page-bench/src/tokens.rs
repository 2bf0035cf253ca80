//! Compares the tags, attributes and texts of random pages with those that html5gum finds. It follows the HTML standard
//! to the end, so pages in which a construct has no end are left out: there ours differs on purpose.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, Error, Token, Tokenizer};
use inventory::budget::Budget;
use product_detail_scraping::page::markup::{Markup, Tag, decode, decode_text};

/// Parts that begin, end or confuse constructs.
const PARTS: [&str; 44] = [
    "<",
    ">",
    "</",
    "/>",
    "<!",
    "<!--",
    "-->",
    "--!>",
    "--->",
    "<!-->",
    "->",
    "-",
    "!",
    "?",
    "<?",
    "<![CDATA[",
    "]]>",
    "<!doctype html>",
    "\"",
    "'",
    "=",
    "/",
    " ",
    "\n",
    "a",
    "B",
    "é",
    "5",
    "&amp;",
    "&copy",
    "&notit;",
    "&#x41;",
    "<a ",
    "<p>",
    "</p>",
    "<b c='",
    "<I d=\"",
    "<script>",
    "</script>",
    "<script ",
    "<title>",
    "</title>",
    "<style>",
    "</STYLE >",
];

const MOST_PARTS: u64 = 16;

/// What a page consists of: a text of a start tag, an end tag or a text.
#[derive(Debug, PartialEq, Eq)]
enum Item {
    Start { name: String, attributes: BTreeMap<String, String>, self_closing: bool },
    End(String),
    Text(String),
}

/// Fails with the first of so many random pages whose items differ.
pub(crate) fn compare(pages: u64) -> Result<(), String> {
    let mut compared = 0_u64;
    for seed in 1..=pages {
        let html = random(seed);
        let Some(expected) = of_html5gum(&html) else { continue };
        compared += 1;
        let found = ours(&html);
        if found != expected {
            return Err(format!("{html:?}\nours: {found:#?}\nhtml5gum: {expected:#?}"));
        }
    }
    // A generator that only makes broken pages would prove nothing.
    if compared < pages / 10 { Err(format!("only {compared} pages have all ends")) } else { Ok(()) }
}

/// A page that depends on the seed alone. The last part keeps its end from being that of a tag's name.
fn random(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = |most: u64| {
        // Xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from((state >> 8) % most).unwrap_or_default()
    };
    let count = next(MOST_PARTS) + 1;
    let most = PARTS.len() as u64;
    let parts: Vec<&str> = (0..count).map(|_| PARTS[next(most)]).collect();
    parts.concat() + "> ."
}

fn ours(html: &str) -> Vec<Item> {
    let mut items = Vec::new();
    for tag in Markup::of(html, &Budget::unlimited()).tags() {
        let name = tag.name.to_ascii_lowercase();
        let is_raw = !tag.closing && ["script", "style"].contains(&name.as_str());
        if tag.closing {
            items.push(Item::End(name));
        } else if !name.is_empty() {
            items.push(start(name, &tag));
        }
        hear(&mut items, &if is_raw { tag.text.to_owned() } else { decode_text(tag.text) });
    }
    items
}

fn start(name: String, tag: &Tag<'_>) -> Item {
    let mut attributes = BTreeMap::new();
    for (name, value) in tag.attributes() {
        attributes.entry(name.to_ascii_lowercase()).or_insert_with(|| decode(value));
    }
    Item::Start { name, attributes, self_closing: tag.self_closing }
}

/// The items that html5gum finds; `None` if a construct has no end.
fn of_html5gum(html: &str) -> Option<Vec<Item>> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut items = Vec::new();
    for token in Tokenizer::new_with_emitter(html, emitter).map_while(Result::ok) {
        match token {
            Token::StartTag(tag) => {
                let attributes = tag.attributes.iter();
                items.push(Item::Start {
                    name: text(&tag.name),
                    attributes: attributes
                        .map(|(name, value)| (text(name), text(&value.value)))
                        .collect(),
                    self_closing: tag.self_closing,
                });
            }
            Token::EndTag(tag) => items.push(Item::End(text(&tag.name))),
            Token::String(found) => hear(&mut items, &text(&found.value)),
            Token::Error(error) if has_no_end(&error.value) => return None,
            _ => {}
        }
    }
    Some(items)
}

fn has_no_end(error: &Error) -> bool {
    matches!(
        error,
        Error::EofBeforeTagName
            | Error::EofInCdata
            | Error::EofInComment
            | Error::EofInDoctype
            | Error::EofInScriptHtmlCommentLikeText
            | Error::EofInTag
    )
}

/// Adds a text without its white space, which readers do not see.
fn hear(items: &mut Vec<Item>, text: &str) {
    let text: String = text.split_whitespace().collect();
    if let Some(Item::Text(before)) = items.last_mut() {
        before.push_str(&text);
    } else if !text.is_empty() {
        items.push(Item::Text(text));
    }
}
