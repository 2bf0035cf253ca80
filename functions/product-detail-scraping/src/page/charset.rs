//! The text of a page's bytes: the character set comes from a byte-order mark, the header, or a `meta` element, as in a
//! browser (HTML standard, section 13.2.3.2).

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};
use inventory::budget::Budget;

use super::{MAX_PAGE_BYTES, markup::Markup};

/// Bytes at the start of a page in which a `meta` element may name its character set.
const SEARCHED_BYTES: usize = 1_024;

/// The text of a page. `header` is the character set that its `Content-Type` names. Bytes that have no meaning become
/// U+FFFD.
#[must_use]
pub fn text(body: Vec<u8>, header: Option<&str>) -> String {
    // A page in UTF-8 is often declared to be something else; the reverse cannot happen by chance.
    let (body, is_cut) = match String::from_utf8(body) {
        Ok(text) => {
            let unmarked = text.strip_prefix('\u{feff}').map(str::to_owned);
            return unmarked.unwrap_or(text);
        }
        // A page in UTF-8 that was cut within a character is not in another character set.
        Err(error) => {
            let is_cut = error.utf8_error().error_len().is_none();
            (error.into_bytes(), is_cut)
        }
    };
    let declared = header.and_then(labelled).or_else(|| of_meta(&body));
    let declared = declared.filter(|encoding| *encoding != UTF_8).unwrap_or(WINDOWS_1252);
    let encoding = if is_cut { UTF_8 } else { declared };
    let (decoded, ..) = encoding.decode(&body);
    // A byte may become three. What is beyond the limit of a page is not read, but tells that there is more.
    let kept = decoded.floor_char_boundary(MAX_PAGE_BYTES + 4);
    decoded[..kept].to_owned()
}

fn labelled(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.as_bytes())
}

/// The value of `charset=` in a content type.
fn charset(content_type: &str) -> Option<&str> {
    let at = content_type.to_ascii_lowercase().find("charset=")?;
    let value = content_type[at + "charset=".len()..].trim_start_matches(['"', '\'', ' ']);
    value.split([';', '"', '\'', ' ', ',']).next().filter(|label| !label.is_empty())
}

fn of_meta(body: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&body[..body.len().min(SEARCHED_BYTES)]);
    let markup = Markup::of(&head, &Budget::of(head.len()));
    let mut metas = markup.tags().filter(|tag| tag.begins("meta"));
    metas.find_map(|tag| {
        let label = tag.attribute("charset").or_else(|| tag.attribute("content").and_then(charset));
        label.and_then(labelled)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_character_set_is_that_of_the_header_or_the_page() {
        let latin = b"<meta charset=iso-8859-1><p>\xe9toile \x80</p>";
        let utf = "<meta charset=iso-8859-1><p>étoile €</p>";
        let cyrillic = b"<p>\xcc\xee\xf1\xea\xe2\xe0</p>";
        let cases: [(&[u8], Option<&str>, &str); 6] = [
            (latin, None, "<meta charset=iso-8859-1><p>étoile €</p>"),
            (utf.as_bytes(), Some("iso-8859-1"), utf),
            (cyrillic, Some("windows-1251"), "<p>Москва</p>"),
            (b"<p>\xe9</p>", None, "<p>é</p>"),
            (b"<p>\xe9x", Some("utf-8"), "<p>éx"),
            (b"", None, ""),
        ];
        for (body, header, expected) in cases {
            assert_eq!(text(body.to_vec(), header), expected, "{header:?}");
        }
    }

    #[test]
    fn a_page_that_was_cut_within_a_character_keeps_its_character_set() {
        let page = "<p>étoile é".as_bytes();
        assert_eq!(text(page[..page.len() - 1].to_vec(), None), "<p>étoile \u{fffd}");
    }

    #[test]
    fn a_page_that_grows_when_it_is_decoded_is_cut() {
        let page = vec![0x80; MAX_PAGE_BYTES];
        assert!((MAX_PAGE_BYTES + 1..MAX_PAGE_BYTES + 8).contains(&text(page, None).len()));
    }
}
