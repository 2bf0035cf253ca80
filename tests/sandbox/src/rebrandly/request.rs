//! Parses the calls to the API.

use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::account::{DomainName, Draft};
use super::answers::{self, FieldError};
use super::link::{self, Link};
use crate::reply::Reply;
use crate::subject::Subject;

const TITLE_MIN: usize = 3;
const TITLE_MAX: usize = 255;

/// A parsed call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Create(Draft),
    List(Filter),
    Get(String),
    Update(String, Change),
    Delete(String),
    /// A call that is invalid, with the answer to it. Like any other answer it is subject to key,
    /// limits and faults.
    Wrong(Reply),
}

/// Which links to list: those that meet every condition given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    domain: Option<String>,
    slashtag: Option<String>,
    /// The last link of the page before.
    pub(super) last: Option<String>,
}

impl Filter {
    pub(super) fn matches(&self, link: &Link) -> bool {
        let is = |want: &Option<String>, have: &str| {
            want.as_ref().is_none_or(|want| want.eq_ignore_ascii_case(have))
        };
        is(&self.domain, &link.domain.full_name) && is(&self.slashtag, &link.slashtag)
    }
}

/// New values for a link. `None` leaves a field as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) destination: Option<String>,
    pub(super) title: Option<String>,
    slashtag: Option<String>,
}

impl Change {
    /// Whether it asks for another slashtag, which the service does not allow.
    pub(super) fn renames(&self, link: &Link) -> bool {
        self.slashtag.as_ref().is_some_and(|slashtag| *slashtag != link.slashtag)
    }
}

/// Parses a call. The subject, which the record and the faults use, holds what the call says even
/// if it is invalid.
pub(super) fn read(parts: &Parts, body: &[u8]) -> (Subject, Ask) {
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let json = serde_json::from_slice::<Map<String, Value>>(body).ok();
    let said = |name| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let filter = filter(query);
    let subject = Subject {
        method: parts.method.as_str().to_owned(),
        path: path.to_owned(),
        slashtag: said("slashtag").or_else(|| filter.slashtag.clone()),
        destination: said("destination"),
        ..Subject::default()
    };
    let segments: Vec<&str> = path.split('/').skip(2).collect();
    let ask = match (parts.method.as_str(), segments.as_slice()) {
        ("POST", ["links"]) => json.as_ref().map_or_else(bad_json, create),
        ("POST", ["links", id]) => json.as_ref().map_or_else(bad_json, |json| update(id, json)),
        ("GET", ["links"]) => Ask::List(filter),
        ("GET", ["links", id]) => Ask::Get((*id).to_owned()),
        ("DELETE", ["links", id]) => Ask::Delete((*id).to_owned()),
        _ => Ask::Wrong(answers::not_found()),
    };
    (subject, ask)
}

fn bad_json() -> Ask {
    Ask::Wrong(answers::bad_json())
}

fn filter(query: &str) -> Filter {
    let mut filter = Filter::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "domain.fullName" => filter.domain = Some(value.into_owned()),
            "slashtag" => filter.slashtag = Some(value.into_owned()),
            "last" => filter.last = Some(value.into_owned()),
            // The vendor offers more conditions; the project uses none of them.
            _ => {}
        }
    }
    filter
}

fn create(json: &Map<String, Value>) -> Ask {
    let mut fields = Fields { json, errors: Vec::new() };
    let destination = fields.destination();
    if destination.is_none() && fields.errors.is_empty() {
        fields.errors.push(("destination", "Required"));
    }
    let slashtag = fields.slashtag();
    let title = fields.title();
    let domain = fields.domain();
    match destination {
        Some(destination) if fields.errors.is_empty() => {
            Ask::Create(Draft { destination, slashtag, title, domain })
        }
        _ => Ask::Wrong(answers::invalid(&fields.errors)),
    }
}

fn update(id: &str, json: &Map<String, Value>) -> Ask {
    let mut fields = Fields { json, errors: Vec::new() };
    let destination = fields.destination();
    let title = fields.title();
    let slashtag = fields.slashtag();
    if fields.errors.is_empty() {
        Ask::Update(id.to_owned(), Change { destination, title, slashtag })
    } else {
        Ask::Wrong(answers::invalid(&fields.errors))
    }
}

/// The fields of a body, and the errors found in them so far.
struct Fields<'a> {
    json: &'a Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Fields<'_> {
    fn destination(&mut self) -> Option<String> {
        self.text("destination", link::DESTINATION_RULE, link::is_destination)
    }

    fn slashtag(&mut self) -> Option<String> {
        self.text("slashtag", link::SLASHTAG_RULE, link::is_slashtag)
    }

    fn title(&mut self) -> Option<String> {
        self.text("title", "Must be 3 to 255 characters", |text| {
            (TITLE_MIN..=TITLE_MAX).contains(&text.chars().count())
        })
    }

    fn domain(&mut self) -> DomainName {
        let Some(domain) = self.json.get("domain").filter(|domain| !domain.is_null()) else {
            return DomainName::Default;
        };
        let named = |name| domain.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(id) = named("id") {
            DomainName::Id(id)
        } else if let Some(full_name) = named("fullName") {
            DomainName::FullName(full_name)
        } else {
            self.errors.push(("domain", "Must have an id or a fullName"));
            DomainName::Default
        }
    }

    /// A field that is missing or null is `None`. A field that is not a string or breaks the rule
    /// is an error.
    fn text(
        &mut self,
        name: &'static str,
        rule: &'static str,
        is_fine: impl Fn(&str) -> bool,
    ) -> Option<String> {
        match self.json.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if is_fine(text) => Some(text.clone()),
            Some(_) => {
                self.errors.push((name, rule));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::*;

    fn ask(method: &str, uri: &str, body: &str) -> (Subject, Ask) {
        let (parts, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        read(&parts, body.as_bytes())
    }

    fn create(body: &Value) -> Ask {
        ask("POST", "/v1/links", &body.to_string()).1
    }

    #[test]
    fn a_link_needs_only_a_destination() {
        let destination = "https://dealer.test/car".to_owned();
        let expected = Draft { destination, ..Draft::default() };
        let body = json!({"destination": "https://dealer.test/car", "title": null, "tags": []});
        assert_eq!(create(&body), Ask::Create(expected));
    }

    #[test]
    fn each_invalid_field_of_a_new_link_is_named() {
        let good = "https://dealer.test/";
        let long = format!("{good}{}", "x".repeat(2048));
        let cases = [
            (json!({}), "destination"),
            (json!({"destination": 5}), "destination"),
            (json!({"destination": "ftp://dealer.test/"}), "destination"),
            (json!({"destination": "dealer.test"}), "destination"),
            (json!({"destination": long}), "destination"),
            (json!({"destination": good, "slashtag": ""}), "slashtag"),
            (json!({"destination": good, "slashtag": "a b"}), "slashtag"),
            (json!({"destination": good, "slashtag": "x".repeat(41)}), "slashtag"),
            (json!({"destination": good, "title": "ab"}), "title"),
            (json!({"destination": good, "title": "x".repeat(256)}), "title"),
            (json!({"destination": good, "domain": {}}), "domain"),
        ];
        for (body, property) in cases {
            let Ask::Wrong(reply) = create(&body) else { panic!("{body} was taken") };
            assert_eq!(reply.status, 403);
            let text = format!("{reply:?}").replace('\\', "");
            assert!(text.contains(&format!(r#""property":"{property}""#)), "{body}: {text}");
        }
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_a_bad_request() {
        for body in ["", "{", "[]", "\"x\""] {
            let (_, ask) = ask("POST", "/v1/links", body);
            assert_eq!(ask, Ask::Wrong(answers::bad_json()), "{body}");
        }
    }

    #[test]
    fn the_subject_is_read_from_valid_and_invalid_calls() {
        let (subject, _) = ask("POST", "/v1/links", r#"{"slashtag":"a b","destination":"nope"}"#);
        assert_eq!(subject.slashtag.as_deref(), Some("a b"));
        assert_eq!(subject.destination.as_deref(), Some("nope"));
        let (subject, list) = ask("GET", "/v1/links?domain.fullName=go.test&slashtag=a%2Db", "");
        assert_eq!(subject.slashtag.as_deref(), Some("a-b"));
        let filter = Filter {
            domain: Some("go.test".to_owned()),
            slashtag: Some("a-b".to_owned()),
            last: None,
        };
        assert_eq!(list, Ask::List(filter));
    }

    #[test]
    fn other_paths_are_not_found() {
        for (method, uri) in
            [("GET", "/v1/account"), ("PUT", "/v1/links"), ("GET", "/v1/links/a/b")]
        {
            assert_eq!(ask(method, uri, "").1, Ask::Wrong(answers::not_found()), "{method} {uri}");
        }
    }
}
