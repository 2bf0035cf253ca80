//! Conditional requests: whether the client's copy of a page is still valid (RFC 9110, section 13).

use axum::http::header::{HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue};

use crate::chance;
use crate::clock::http_date;
use crate::reply::Reply;

/// The conditions in the headers of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    etags: Option<String>,
    since: Option<String>,
}

impl Known {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let said = |name: HeaderName| {
            let value: Option<&HeaderValue> = headers.get(name);
            value.and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        Self { etags: said(IF_NONE_MATCH), since: said(IF_MODIFIED_SINCE) }
    }

    /// Answers with the page, or with 304 if the client's copy is still valid.
    pub(super) fn answer(&self, html: String, changed_ms: u64) -> Reply {
        let etag = format!("\"{:016x}\"", chance::draw(0, &html, 0));
        let modified = http_date(changed_ms);
        let reply = if self.is_good(&etag, &modified) {
            Reply::not_modified()
        } else {
            Reply::html(200, Some(html))
        };
        reply.with_header("etag", etag).with_header("last-modified", modified)
    }

    /// The date counts only if the call has no tag, and only if it equals the `last-modified` date
    /// of the page. Many servers compare it this way, and a client knows no other meaningful date.
    fn is_good(&self, etag: &str, modified: &str) -> bool {
        let matches = |known: &str| {
            let known = known.trim();
            known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag
        };
        match (&self.etags, &self.since) {
            (Some(etags), _) => etags.split(',').any(matches),
            (None, Some(since)) => since == modified,
            (None, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Fri, 01 Aug 2025 00:00:00 GMT";

    fn is_good(etags: Option<&str>, since: Option<&str>) -> bool {
        let known = Known { etags: etags.map(str::to_owned), since: since.map(str::to_owned) };
        known.is_good("\"a\"", DATE)
    }

    #[test]
    fn a_cached_copy_is_valid_by_its_etag_or_without_one_by_its_date() {
        for etags in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(is_good(Some(etags), None), "{etags}");
        }
        assert!(!is_good(Some("\"b\""), None));
        assert!(is_good(None, Some(DATE)));
        assert!(!is_good(None, Some("Fri, 01 Aug 2025 00:00:01 GMT")));
        assert!(!is_good(Some("\"b\""), Some(DATE)), "the tag decides");
        assert!(!is_good(None, None));
    }

    #[test]
    fn the_conditions_are_read_from_the_headers() {
        let mut headers = HeaderMap::new();
        assert_eq!(Known::of(&headers), Known::default());
        headers.insert(IF_NONE_MATCH, HeaderValue::from_static("\"a\""));
        let known = Known { etags: Some("\"a\"".to_owned()), since: None };
        assert_eq!(Known::of(&headers), known);
    }

    #[test]
    fn a_changed_page_has_another_etag() {
        let known = Known::default();
        let answer = |html: &str| format!("{:?}", known.answer(html.to_owned(), 0));
        assert_eq!(answer("a"), answer("a"));
        assert_ne!(answer("a"), answer("b"));
    }
}
