use std::time::Duration;

use proptest::prelude::*;
use reqwest::header::{HeaderName, HeaderValue};

use super::*;
use crate::rebrandly::Link;

const NOW: Time = Time::from_millis(1_800_000_000_000);
type Headers = &'static [(&'static str, &'static str)];

const JSON: Headers = &[("content-type", "application/json")];

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&str, &str)| {
        (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
    };
    pairs.iter().map(pair).collect()
}

fn read(status: u16, pairs: &[(&str, &str)], body: &str) -> Failure {
    let status = StatusCode::from_u16(status).unwrap();
    classify(status, &headers(pairs), body.as_bytes(), NOW).into()
}

/// serde's messages quote what they find, and the body of an answer may repeat the key.
#[test]
fn an_answer_of_another_shape_is_not_quoted() {
    for (body, expected) in [
        (r#""planted-key""#, "an answer that is no link: other JSON than expected at 1:13"),
        (r#"{"id":["planted-key"]}"#, "an answer that is no link: other JSON than expected at 1:6"),
        ("planted-key", "an answer that is no link: no JSON at 1:1"),
    ] {
        let failure: Failure = read_json::<Link>(body.as_bytes()).unwrap_err().into();
        assert_eq!((failure.code(), failure.message()), ("not_json", expected), "{body}");
    }
}

/// What may have made a link counts against the month's allowance.
#[test]
fn only_a_refusal_and_a_call_that_reached_nobody_make_nothing() {
    let classified = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        classify(status, &headers(JSON), body.as_bytes(), NOW).made_nothing()
    };
    for refused in [400, 401, 402, 403, 404, 429] {
        assert!(classified(refused, "{}"), "{refused}");
    }
    for unknown in [302, 408, 500, 502, 503, 504] {
        assert!(!classified(unknown, "{}"), "{unknown}");
    }
    let page = classify(StatusCode::FORBIDDEN, &headers(&[]), b"<html>", NOW);
    assert!(!page.made_nothing(), "a page in between may have cut off the answer");
    let lost = ["timeout", "reset", "not_json", "answer_too_long"];
    assert!(lost.iter().all(|code| !trouble(*code, "").made_nothing()));
    assert!(["connect", "dns"].iter().all(|code| trouble(*code, "").made_nothing()));
    assert!(RebrandlyError::SlashtagTaken.made_nothing());
}

#[test]
fn each_response_maps_to_its_class_and_code() {
    let nested = r#"{"message":"Invalid format","code":"InvalidFormat","source":"link",
        "errors":[{"code":"AlreadyExists","property":"slashtag","message":"Already exists"}]}"#;
    let flat = r#"{"code":"AlreadyExists","property":"slashtag","message":"Already exists"}"#;
    let other_field = r#"{"code":"InvalidFormat","errors":[
        {"code":"AlreadyExists","property":"title","message":"slashtag Already exists"}]}"#;
    let invalid = r#"{"code":"InvalidFormat","message":"Already exists? No: slashtag too long",
        "errors":[{"code":"InvalidLength","property":"slashtag"}]}"#;
    let untyped = r#"{"code":"AlreadyExists","property":"slashtag","errors":null}"#;
    let single = r#"{"code":1001,"property":["slashtag"],
        "errors":{"code":"AlreadyExists","property":"slashtag"}}"#;
    let domain = r#"{"code":"NotFound","errors":[{"code":"X","property":"domain.fullName"}]}"#;
    let both = r#"{"code":"InvalidFormat","errors":[
        {"code":"X","property":"domain"},{"code":"Y","property":"title"}]}"#;
    let page = "<html><body>Attention required</body></html>";
    let cases: &[(u16, Headers, &str, Class, &str)] = &[
        (403, JSON, nested, Class::Conflict, "slashtag_taken"),
        (403, JSON, flat, Class::Conflict, "slashtag_taken"),
        (403, &[], flat, Class::Conflict, "slashtag_taken"),
        (400, JSON, nested, Class::Conflict, "slashtag_taken"),
        (403, JSON, untyped, Class::Conflict, "slashtag_taken"),
        (400, JSON, single, Class::Conflict, "slashtag_taken"),
        (
            403,
            JSON,
            r#"{"code":"AlreadyExists","property":[1]}"#,
            Class::Conflict,
            "slashtag_taken",
        ),
        (403, JSON, other_field, Class::Permanent, "refused"),
        (403, JSON, domain, Class::Systemic, "configuration"),
        (400, JSON, domain, Class::Systemic, "configuration"),
        (400, JSON, both, Class::Permanent, "refused"),
        (403, JSON, invalid, Class::Permanent, "refused"),
        (403, JSON, r#"{"code":"LimitReached","message":"m"}"#, Class::Systemic, "plan_limit"),
        (
            403,
            JSON,
            r#"{"code":"X","errors":[{"code":"QuotaExceeded"}]}"#,
            Class::Systemic,
            "plan_limit",
        ),
        (403, JSON, "{}", Class::Systemic, "http_403"),
        (403, &[("content-type", "text/html; charset=utf-8")], page, Class::Transient, "html"),
        (403, &[], page, Class::Transient, "html"),
        (404, &[], "\n  <!doctype html>", Class::Transient, "html"),
        (400, JSON, r#"{"message":"bad json"}"#, Class::Systemic, "http_4xx"),
        (401, JSON, r#"{"code":"Unauthorized"}"#, Class::Systemic, "http_401"),
        (401, &[], "", Class::Systemic, "http_401"),
        (402, JSON, "{}", Class::Systemic, "http_402"),
        (404, JSON, r#"{"code":"NotFound"}"#, Class::Systemic, "http_404"),
        (408, &[], "", Class::Transient, "http_408"),
        (429, &[], "", Class::Throttled, "http_429"),
        (429, &[("content-type", "text/html")], page, Class::Throttled, "http_429"),
        (500, JSON, "{}", Class::Transient, "http_500"),
        (503, &[("content-type", "text/html")], page, Class::Transient, "http_503"),
        (302, &[], "", Class::Transient, "http_302"),
        (400, JSON, "\u{0}garbage", Class::Systemic, "http_4xx"),
        (413, JSON, "{}", Class::Permanent, "refused"),
    ];
    for (status, pairs, body, class, code) in cases {
        let failure = read(*status, pairs, body);
        assert_eq!((failure.class(), failure.code()), (*class, *code), "{status} {body}");
    }
}

/// A code that nobody knows, and no field: if it were about the job, every job of a feed would die of it.
#[test]
fn a_refusal_that_names_no_field_of_the_job_is_about_the_account() {
    let cases: &[(u16, &str, Class, &str)] = &[
        (403, r#"{"code":"Forbidden","message":"Not allowed"}"#, Class::Systemic, "http_403"),
        (403, r#"{"code":"X","errors":[{"code":"Y"}]}"#, Class::Systemic, "http_403"),
        (405, r#"{"code":"X"}"#, Class::Systemic, "http_4xx"),
        (410, "", Class::Systemic, "http_4xx"),
        (415, r#"{"code":"X","property":"title"}"#, Class::Permanent, "refused"),
        (400, r#"{"code":"X"}"#, Class::Systemic, "http_4xx"),
        (409, "{}", Class::Systemic, "http_4xx"),
        (422, r#"{"code":"X"}"#, Class::Systemic, "http_4xx"),
        (422, r#"{"code":"X","property":"title"}"#, Class::Permanent, "refused"),
    ];
    for (status, body, class, code) in cases {
        let failure = read(*status, JSON, body);
        assert_eq!((failure.class(), failure.code()), (*class, *code), "{status} {body}");
    }
}

#[test]
fn the_delay_of_a_429_is_read_in_every_form_and_defaults_to_one_second() {
    let cases: &[(Headers, u64)] = &[
        (&[], 1),
        (&[("retry-after", "17")], 17),
        (&[("retry-after", " 17 ")], 17),
        (&[("retry-after", "Fri, 15 Jan 2027 08:01:00 GMT")], 60),
        (&[("retry-after", "Fri, 15 Jan 2027 07:00:00 GMT")], 0),
        (&[("retry-after", "soon"), ("x-ratelimit-reset", "9")], 9),
        (&[("x-ratelimit-reset", "1800000030")], 30),
        (&[("x-ratelimit-reset", "1800000030000")], 30),
        (&[("x-ratelimit-reset", "soon")], 1),
    ];
    for (pairs, seconds) in cases {
        let asked = read(429, pairs, "").retry_after();
        assert_eq!(asked, Some(Duration::from_secs(*seconds)), "{pairs:?}");
    }
    let unavailable = read(503, &[("retry-after", "5")], "");
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(5)));
}

#[test]
fn a_link_needs_only_id_and_short_url() {
    let link: Link = read_json(br#"{"id":"1","shortUrl":"go.example/a","clicks":3}"#).unwrap();
    assert_eq!((link.id.as_str(), link.destination), ("1", None));
    for body in ["", "<html>", "[]", r#"{"id":"1"}"#] {
        let failure = Failure::from(read_json::<Link>(body.as_bytes()).unwrap_err());
        assert_eq!((failure.class(), failure.code()), (Class::Transient, "not_json"), "{body}");
    }
}

#[test]
fn a_key_quoted_by_the_service_is_redacted() {
    let body = r#"{"code":"Unauthorized","message":"Invalid API key: hunter2!"}"#;
    let error = classify(StatusCode::UNAUTHORIZED, &headers(JSON), body.as_bytes(), NOW);
    let failure = Failure::from(error.without(&Secret::new("hunter2!")));
    assert!(failure.message().contains("[redacted]"), "{failure}");
    assert!(!failure.message().contains("hunter2"), "{failure}");
}

#[test]
fn a_link_without_a_slashtag_is_named_by_its_short_url() {
    let link = |body: &str| read_json::<Link>(body.as_bytes()).unwrap();
    let bare = link(r#"{"id":"1","shortUrl":"go.example/Acme-1"}"#);
    assert!(bare.is_named("acme-1") && !bare.is_named("acme-2"));
    let named = link(r#"{"id":"1","shortUrl":"go.example/x","slashtag":"acme-1"}"#);
    assert!(named.is_named("ACME-1") && !named.is_named("x"));
}

proptest! {
    #[test]
    fn any_response_is_classified(
        status in 300_u16..600,
        body in ".{0,120}",
        after in ".{0,12}",
    ) {
        let status = StatusCode::from_u16(status).unwrap();
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&after) {
            headers.insert("retry-after", value);
        }
        let failure = Failure::from(classify(status, &headers, body.as_bytes(), NOW));
        prop_assert!(!failure.code().is_empty());
    }
}
