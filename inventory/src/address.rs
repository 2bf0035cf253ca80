//! The normal form of a web address. What is checked, compared and sent is the same text.

use url::Url;

/// What an invalid address should have been.
const EXPECTED: &str = "not an address, expected http:// or https://";

/// Parses an address and returns it in its normal form: as the WHATWG URL standard serialises it, with host names in
/// ASCII, and with percent-encoding only where RFC 3986 (section 6.2.2) asks for it, in upper case.
///
/// White space around it is dropped. The error says what was expected.
pub fn normal(text: &str) -> Result<Url, &'static str> {
    let text = text.trim();
    // The standard drops line breaks within an address, and encodes spaces. Both are mistakes of the sender.
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("white space or a control character within the address, expected none");
    }
    let url: Url = text.parse().map_err(|_| EXPECTED)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(EXPECTED);
    }
    let mut url = without_final_dot(url).ok_or(EXPECTED)?;
    // Most addresses have nothing to normalise, and each setter parses anew.
    if url.as_str().contains('%') {
        let path = settled(url.path());
        url.set_path(&path);
        let query = url.query().map(settled);
        url.set_query(query.as_deref());
    }
    Ok(url)
}

/// The address without dots at the end of its host: `acme.example.` is `acme.example` (RFC 1034, section 3.1), with the
/// same limits and breakers. `None` if no host remains.
#[must_use]
pub fn without_final_dot(mut url: Url) -> Option<Url> {
    if let Some(host) = url.host_str().filter(|host| host.ends_with('.')) {
        let host = host.trim_end_matches('.').to_owned();
        url.set_host(Some(&host)).ok()?;
    }
    Some(url)
}

/// Decoding may leave what looks like another encoding: `%%341`. It is repeated until nothing changes; each time the text
/// becomes shorter.
fn settled(text: &str) -> String {
    let mut settled = unescaped(text);
    loop {
        let again = unescaped(&settled);
        if again == settled {
            return settled;
        }
        settled = again;
    }
}

/// The text with percent-encoded letters, digits and `-._~` decoded, and other encodings in upper case.
fn unescaped(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        rest = &rest[at..];
        let digits = rest.get(1..3).filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            normal.push('%');
            rest = &rest[1..];
            continue;
        };
        let code = u8::from_str_radix(digits, 16).unwrap_or_default();
        if code.is_ascii_alphanumeric() || b"-._~".contains(&code) {
            normal.push(char::from(code));
        } else {
            normal.push('%');
            normal.push_str(&digits.to_ascii_uppercase());
        }
        rest = &rest[3..];
    }
    normal.push_str(rest);
    normal
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_address_have_one_normal_form() {
        let cases = [
            (" https://www.acme.example/used/car ", "https://www.acme.example/used/car"),
            ("HTTPS://WWW.Acme.Example:443/a/../b", "https://www.acme.example/b"),
            ("https://acme.example/%7euser/%41?q=%e9%2f", "https://acme.example/~user/A?q=%E9%2F"),
            ("https://müller.example/ä", "https://xn--mller-kva.example/%C3%A4"),
            ("http://acme.example", "http://acme.example/"),
            ("https://acme.example/100%", "https://acme.example/100%"),
            ("https://acme.example/%%341", "https://acme.example/A"),
            ("https://acme.example/#/photos", "https://acme.example/#/photos"),
            ("https://WWW.acme.example.:443/car.", "https://www.acme.example/car."),
            ("https://acme.example../", "https://acme.example/"),
            ("http://127.0.0.1./", "http://127.0.0.1/"),
        ];
        for (text, expected) in cases {
            assert_eq!(normal(text).map(String::from), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let texts = [
            "",
            "acme.example",
            "ftp://acme.example/",
            "https://",
            "https://./",
            "https://a b.example/",
        ];
        let inner =
            ["https://acme.example/used/\ncar", "https://acme.example/a b", "https://a\u{0}"];
        for text in texts.into_iter().chain(inner) {
            assert!(normal(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_normal_form_is_its_own(path in "[a-zA-Z0-9%./?=&é#-]{0,40}") {
            if let Ok(once) = normal(&format!("https://acme.example/{path}")) {
                prop_assert_eq!(normal(once.as_str()).map(String::from), Ok(String::from(once)));
            }
        }
    }
}
