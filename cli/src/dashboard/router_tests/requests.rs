//! Which requests each route answers: foreign hosts, other sites, missing tokens and read-only dashboards are refused.

use super::*;

#[tokio::test]
async fn every_route_answers_its_own_pages_and_refuses_foreign_hosts_and_other_sites() {
    for (path, method, values) in TABLE {
        let is_write = method == "POST";
        let values = if is_write { with_token(values) } else { values.to_owned() };
        let origin = if is_write { ORIGIN } else { ("accept", "*/*") };
        let cases: [(u16, &[(&str, &str)]); 8] = [
            (if is_write { 303 } else { 200 }, &[HOST, OWN_SITE, origin]),
            (421, &[("host", "evil.example:8770"), OWN_SITE, origin]),
            (421, &[("host", "127.0.0.1:1"), OWN_SITE, origin]),
            (421, &[OWN_SITE, origin]),
            (421, &[HOST, ("host", "evil.example"), OWN_SITE, origin]),
            (403, &[HOST, ("sec-fetch-site", "cross-site"), origin]),
            (403, &[HOST, ("sec-fetch-site", "same-site"), origin]),
            (403, &[HOST, OWN_SITE, ("sec-fetch-site", "cross-site"), origin]),
        ];
        for (status, headers) in cases {
            let ports = whole(path);
            let request = sent(method, path, &values, headers);
            let (found, answered, text) = answer(&ports, request).await;
            assert_eq!(found.as_u16(), status, "{path} {headers:?}: {text}");
            assert!(answered.contains_key("content-security-policy"), "{path}");
            let asked = status < 400 && ["/act", "/confirm"].contains(&path);
            assert_eq!(ports.invoked().len(), usize::from(asked), "{path} {headers:?}");
        }
        let absolute = format!("http://evil.example:8770{path}");
        let request = sent(method, &absolute, &values, &[HOST, OWN_SITE, origin]);
        let (found, ..) = answer(&ports(), request).await;
        assert_eq!(found.as_u16(), 421, "{absolute}");
    }
}

/// The status that is expected of a form with this body and these headers.
type Case<'a> = (u16, &'a str, &'a [(&'a str, &'a str)]);

#[tokio::test]
async fn a_route_that_changes_something_needs_its_origin_and_its_token() {
    for (path, method, values) in TABLE {
        let own: &[(&str, &str)] = &[HOST, OWN_SITE, ORIGIN];
        if method == "GET" {
            // A page that only reads needs no token, and takes no form.
            for other in ["POST", "DELETE", "PUT"] {
                let (found, headers, _) =
                    answer(&ports(), sent(other, path, &with_token(values), own)).await;
                assert_eq!(found, StatusCode::METHOD_NOT_ALLOWED, "{other} {path}");
                assert!(headers.contains_key("allow"), "{other} {path}");
            }
            continue;
        }
        let token = with_token(values);
        let wrong = format!("{values}&token={}", "0".repeat(TOKEN.len()));
        let twice = format!("{token}&token=");
        let cases: [Case<'_>; 9] = [
            (303, &token, &[HOST, ORIGIN]),
            (303, &token, &[HOST, OWN_SITE]),
            (403, &token, &[HOST]),
            (403, &token, &[HOST, OWN_SITE, ("origin", "null")]),
            (403, &token, &[HOST, ("origin", "http://evil.example")]),
            (403, &token, &[HOST, ("origin", "http://127.0.0.1:1")]),
            (403, values, own),
            (403, &wrong, own),
            (400, &twice, own),
        ];
        for (status, values, headers) in cases {
            let ports = whole(path);
            let (found, _, text) = answer(&ports, sent(method, path, values, headers)).await;
            assert_eq!(found.as_u16(), status, "{path} {values} {headers:?}: {text}");
            assert_eq!(ports.invoked().is_empty(), status >= 400, "{path} {values}");
        }
        let (found, ..) = answer(&ports(), sent("GET", path, "", own)).await;
        assert_eq!(found, StatusCode::METHOD_NOT_ALLOWED, "{path} cannot be opened");
    }
}

#[tokio::test]
async fn a_read_only_dashboard_refuses_every_change_and_shows_no_way_to_it() {
    for (path, method, values) in TABLE {
        let values = if method == "POST" { with_token(values) } else { values.to_owned() };
        let ports = whole(path);
        let request = sent(method, path, &values, &[HOST, OWN_SITE, ORIGIN]);
        let (found, _, text) = answer_of(&ports, None, request).await;
        let is_refused = ["/act", "/confirm"].contains(&path);
        assert_eq!(found.as_u16(), if is_refused { 403 } else { 200 }, "{path}: {text}");
        assert_eq!(ports.invoked(), [], "{path}");
        if !path.starts_with("/static") {
            for part in ["method=\"post\"", "action=\"/confirm\"", "\"/confirm?", "token"] {
                assert!(!text.contains(part), "{path} has {part}");
            }
        }
    }
}
