//! The answer to a request, and the validators for the next one.

use reqwest::header::{
    CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use serde::{Deserialize, Serialize};
use url::Url;

/// Longest `ETag` or `Last-Modified` that is kept, in bytes, because it is stored and sent with
/// every later request. Those seen are shorter than 100.
const MAX_VALIDATOR_BYTES: usize = 256;

/// A successful answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The answer has a body.
    Content(Box<Content>),
    /// 304: what the validators of the request were given for has not changed.
    NotModified,
}

/// The content at a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The final URL, after redirects.
    pub url: Url,
    /// The media type of the `Content-Type` header, in lower case and without parameters.
    pub media_type: Option<String>,
    /// The character set of the `Content-Type` header, in lower case. The content itself may name
    /// another one.
    pub charset: Option<String>,
    /// What to pass to [`Request::changed_since`](crate::http::Request::changed_since) next time,
    /// if the site gave any.
    pub validators: Option<Validators>,
    /// The whole body, decompressed.
    pub body: Vec<u8>,
}

impl Content {
    pub(crate) fn new(url: &Url, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let (media_type, charset) = content_type(headers);
        let validators = Validators::given(url, headers);
        Self { url: url.clone(), media_type, charset, validators, body }
    }
}

/// Parses `Content-Type` (RFC 9110, section 8.3): the media type, and the parameter `charset`.
fn content_type(headers: &HeaderMap) -> (Option<String>, Option<String>) {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_ascii_lowercase());
    let media_type = parts.next().and_then(filled);
    let charset = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_charset = name.trim_end().eq_ignore_ascii_case("charset");
        filled(value.trim_matches(['"', ' '])).filter(|_| is_charset)
    });
    (media_type, charset)
}

/// The validators by which a site recognizes what it has sent (RFC 9110, section 8.8). They are
/// sent only to the URL that gave them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_modified: Option<String>,
}

impl Validators {
    /// The validators of an answer, if it has any that are short enough to keep.
    fn given(url: &Url, headers: &HeaderMap) -> Option<Self> {
        let text = |name: HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= MAX_VALIDATOR_BYTES).then(|| value.to_owned())
        };
        let (etag, last_modified) = (text(ETAG), text(LAST_MODIFIED));
        let any = etag.is_some() || last_modified.is_some();
        any.then(|| Self { url: url.as_str().to_owned(), etag, last_modified })
    }

    /// Whether they include an ETag. A date alone does not tell two changes within a second apart.
    #[must_use]
    pub fn has_etag(&self) -> bool {
        self.etag.is_some()
    }

    /// Whether this URL gave them.
    pub(crate) fn are_of(&self, url: &Url) -> bool {
        self.url == url.as_str()
    }

    /// The headers that make a request conditional.
    pub(crate) fn conditions(&self) -> HeaderMap {
        let since = self.last_modified.as_deref();
        let pairs = [(IF_NONE_MATCH, self.etag.as_deref()), (IF_MODIFIED_SINCE, since)];
        let header = |(name, text): (HeaderName, Option<&str>)| {
            // They have been stored since. One that is not a valid header value is left out, which
            // costs one full answer.
            Some((name, HeaderValue::from_str(text?).ok()?))
        };
        pairs.into_iter().filter_map(header).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn media_type_and_charset_are_parsed() {
        let cases: [(&str, Option<&str>, Option<&str>); 10] = [
            ("text/html", Some("text/html"), None),
            ("Text/HTML; Charset=UTF-8", Some("text/html"), Some("utf-8")),
            ("text/html;charset=\"ISO-8859-1\"", Some("text/html"), Some("iso-8859-1")),
            ("text/html; a=b; charset = utf-8 ;c", Some("text/html"), Some("utf-8")),
            ("text/html; charset=", Some("text/html"), None),
            ("text/html; charset", Some("text/html"), None),
            ("text/html; xcharset=utf-8", Some("text/html"), None),
            ("; charset=utf-8", None, Some("utf-8")),
            ("application/json", Some("application/json"), None),
            ("", None, None),
        ];
        for (text, media_type, charset) in cases {
            let found = content_type(&headers(&[(CONTENT_TYPE, text)]));
            assert_eq!((found.0.as_deref(), found.1.as_deref()), (media_type, charset), "{text}");
        }
        assert_eq!(content_type(&HeaderMap::new()), (None, None));
    }

    #[test]
    fn validators_are_stored_and_sent_unchanged() {
        let (etag, date) = ("W/\"7\"", "Fri, 15 Jan 2027 08:00:00 GMT");
        let given = headers(&[(ETAG, etag), (LAST_MODIFIED, date)]);
        let address = url("https://www.example.com/a?b");
        let validators = Validators::given(&address, &given).unwrap();
        let stored = serde_json::to_string(&validators).unwrap();
        let validators: Validators = serde_json::from_str(&stored).unwrap();
        let expected = headers(&[(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, date)]);
        assert_eq!(validators.conditions(), expected);
        assert!(validators.are_of(&address));
        let dated = Validators::given(&address, &headers(&[(LAST_MODIFIED, date)])).unwrap();
        assert_eq!((validators.has_etag(), dated.has_etag()), (true, false));
        for other in ["https://www.example.com/a", "http://www.example.com/a?b"] {
            assert!(!validators.are_of(&url(other)), "{other}");
        }
    }

    #[test]
    fn long_or_missing_validators_are_not_kept() {
        let address = url("https://www.example.com/");
        let longest = "x".repeat(MAX_VALIDATOR_BYTES);
        assert!(Validators::given(&address, &headers(&[(ETAG, &longest)])).is_some());
        let long = longest + "x";
        assert_eq!(Validators::given(&address, &headers(&[(ETAG, &long)])), None);
        assert_eq!(Validators::given(&address, &HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn any_stored_validators_give_valid_headers(etag in ".{0,20}", last_modified in ".{0,20}") {
            let (etag, last_modified) = (Some(etag), Some(last_modified));
            let validators = Validators { url: String::new(), etag, last_modified };
            prop_assert!(validators.conditions().len() <= 2);
        }

        #[test]
        fn any_content_type_is_parsed(text in "[ -~]{0,60}") {
            let (media_type, charset) = content_type(&headers(&[(CONTENT_TYPE, &text)]));
            for hint in [media_type, charset].into_iter().flatten() {
                prop_assert!(!hint.is_empty() && hint.len() <= text.len(), "{hint:?}");
            }
        }
    }
}
