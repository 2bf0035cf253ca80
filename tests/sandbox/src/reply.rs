//! An answer, before it becomes an HTTP response.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The page that a web application firewall sends instead of the answer.
const FIREWALL_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Request blocked</title></head>\
<body><h1>Sorry, you have been blocked</h1><p>The request was blocked by the security rules of \
this site.</p></body></html>\n";

/// The page that a bot challenge sends instead of the answer.
const CHALLENGE_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>One moment, please</title>\
<meta name=\"robots\" content=\"noindex\"></head><body><h1>Verifying that you are human</h1>\
<p>This site checks the security of your connection before it lets you in. Enable JavaScript and \
cookies to continue.</p><form id=\"challenge-form\" method=\"post\"><div class=\"captcha\"></div>\
</form></body></html>\n";

/// An answer, and the link that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) link_id: Option<String>,
    content_type: Option<&'static str>,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    /// An answer with the content type of JSON, whatever its body is.
    pub(crate) fn text(status: u16, body: String) -> Self {
        let content_type = Some("application/json");
        Self { status, link_id: None, content_type, headers: Vec::new(), body }
    }

    /// An HTML page: the given one, or a firewall's if there is none.
    pub(crate) fn plain(text: &str) -> Self {
        Self { content_type: Some("text/plain; charset=utf-8"), ..Self::text(200, text.to_owned()) }
    }

    pub(crate) fn html(status: u16, body: Option<String>) -> Self {
        let body = body.unwrap_or_else(|| FIREWALL_PAGE.to_owned());
        Self { content_type: Some("text/html; charset=utf-8"), ..Self::text(status, body) }
    }

    /// A bot challenge, with status 403.
    pub(crate) fn challenge() -> Self {
        Self::html(403, Some(CHALLENGE_PAGE.to_owned()))
    }

    /// A 304: the client's copy is still valid.
    pub(crate) fn not_modified() -> Self {
        Self { content_type: None, ..Self::text(304, String::new()) }
    }

    /// Adds a header, whose name must be in lower case.
    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the link that the answer is about.
    pub(crate) fn about(self, link_id: &str) -> Self {
        Self { link_id: Some(link_id.to_owned()), ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
