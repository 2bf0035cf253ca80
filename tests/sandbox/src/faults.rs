//! The faults that a test can inject: which calls they strike, and what happens to those.

use serde::{Deserialize, Serialize};

use crate::subject::Subject;
use crate::visit::{Endpoint, Visit};

/// A fault to inject.
///
/// At most one fault strikes a call: the oldest that matches it and is not spent. A call that is
/// refused for its key or by the rate limit is not struck, so `calls: N` means N calls that would
/// otherwise have been served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens to a call that is struck.
    pub kind: FaultKind,
    /// Which calls it may strike; all calls if left out.
    #[serde(default)]
    pub on: Target,
    /// How many of those calls it strikes.
    pub scope: Scope,
    /// Strike after the work is done, so that only the answer is lost, replaced or late.
    #[serde(default)]
    pub after_work: bool,
}

impl Fault {
    /// Whether it may strike the call: its kind applies to the call, and its target matches.
    pub(crate) fn suits(&self, subject: &Subject) -> bool {
        let possible = self.kind != FaultKind::Collapse || subject.empty_list.is_some();
        possible && self.on.matches(subject)
    }

    /// Checks what the types cannot express. The error names the field.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let FaultKind::Status(answer) = &self.kind
            && !(200..=599).contains(&answer.status)
        {
            return Err("kind.status: must be from 200 to 599".to_owned());
        }
        if self.after_work && self.kind == FaultKind::Hang {
            return Err("after_work: to hang after the work is to \"hold\"".to_owned());
        }
        self.scope.check()
    }
}

/// What happens to a call that is struck.
///
/// In JSON: a name, `{"latency_ms": N}`, or `{"status": N, …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "snake_case",
    expecting = "expected \"reset\", \"hang\", \"hold\", \"html\", \"challenge\", \"collapse\", \
                 {\"latency_ms\": N} or {\"status\": N, \"body\"?: text, \"html\"?: bool, \
                 \"retry_after\"?: seconds}"
)]
pub enum FaultKind {
    /// The TCP connection is reset without an answer.
    Reset,
    /// The call waits until it is released, and is then served. If the client leaves first, the
    /// work is never done.
    Hang,
    /// The work is done, but the answer waits until the call is released.
    Hold,
    /// The answer is a firewall's HTML page with status 403. For another status, use a
    /// [`CannedAnswer`] with `html`.
    Html,
    /// The answer is a bot challenge: status 403, and a page that asks the visitor to prove that
    /// they are human.
    Challenge,
    /// The answer is an empty list that looks valid: status 200 and a total of 0. This strikes only
    /// calls for the inventory of a dealer site; other calls are neither struck nor counted.
    Collapse,
    /// The call is served this many milliseconds later. As with a slow server, the work is done
    /// even if the client stops waiting.
    #[serde(rename = "latency_ms")]
    Latency(u64),
    /// The given answer replaces the real one.
    #[serde(untagged)]
    Status(CannedAnswer),
}

impl FaultKind {
    /// The name that the record of calls shows.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::Hold => "hold",
            Self::Html => "html",
            Self::Challenge => "challenge",
            Self::Collapse => "collapse",
            Self::Latency(_) => "latency",
            Self::Status(_) => "status",
        }
    }

    /// A fault that answers with this status and the default body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Status(CannedAnswer { status, ..CannedAnswer::default() })
    }
}

/// An answer that replaces the real one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CannedAnswer {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// The body. If left out: a JSON error, or a firewall's page if `html` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether the content type is HTML instead of JSON.
    #[serde(default)]
    pub html: bool,
    /// The value of a `Retry-After` header, in seconds. No such header if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Which calls a fault may strike: those that meet every condition given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Target {
    /// The HTTP method; any method if left out.
    pub method: Option<Method>,
    /// The slashtag in the body or the query, ignoring case.
    pub slashtag: Option<String>,
    /// The exact destination in the body. A GET has none.
    pub destination: Option<String>,
    /// A substring of the destination in the body.
    pub destination_contains: Option<String>,
    /// The third party that is called.
    pub service: Option<Service>,
    /// The slug of the dealer site.
    pub site: Option<String>,
    /// The part of a dealer site.
    pub endpoint: Option<Endpoint>,
    /// The VIN of the car whose page is requested, ignoring case.
    pub vin: Option<String>,
}

impl Target {
    pub(crate) fn matches(&self, subject: &Subject) -> bool {
        let slashtag = subject.slashtag.as_deref().unwrap_or_default();
        let destination = subject.destination.as_deref().unwrap_or_default();
        self.method.is_none_or(|method| method.as_str() == subject.method)
            && self.slashtag.as_ref().is_none_or(|want| want.eq_ignore_ascii_case(slashtag))
            && self.destination.as_ref().is_none_or(|want| want == destination)
            && self.destination_contains.as_ref().is_none_or(|part| destination.contains(part))
            && self.visited(subject.visit.as_ref())
    }

    fn visited(&self, visit: Option<&Visit>) -> bool {
        let service = if visit.is_some() { Service::Dealers } else { Service::Rebrandly };
        let site = visit.map(|visit| visit.site.as_str());
        let endpoint = visit.map(|visit| visit.endpoint);
        let vin = visit.and_then(|visit| visit.vin.as_deref()).unwrap_or_default();
        self.service.is_none_or(|want| want == service)
            && self.site.as_deref().is_none_or(|want| site == Some(want))
            && self.endpoint.is_none_or(|want| endpoint == Some(want))
            && self.vin.as_ref().is_none_or(|want| want.eq_ignore_ascii_case(vin))
    }
}

/// The third parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The link shortener.
    Rebrandly,
    /// All dealer sites.
    Dealers,
}

/// The HTTP methods that a fault can be limited to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// How many of the matching calls a fault strikes: those within every bound given. At least one of
/// `calls`, `share` and `for_ms` is required, so that no fault strikes every call forever by
/// mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scope {
    /// The number of calls to strike, at least 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// The share of the matching calls to strike, above 0 and up to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Selects the calls that the share strikes; 0 if left out. Each draw depends only on the seed,
    /// on the content of the call and on how often the same call was made before. Concurrent calls
    /// are therefore struck the same way in whatever order they arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How long it strikes, in milliseconds from when the fault was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
}

impl Scope {
    /// Strikes the next `calls` matching calls.
    #[must_use]
    pub fn calls(calls: u64) -> Self {
        Self { calls: Some(calls), ..Self::default() }
    }

    /// Strikes a share of all matching calls, without an end.
    #[must_use]
    pub fn share(share: f64, seed: u64) -> Self {
        Self { share: Some(share), seed: Some(seed), ..Self::default() }
    }

    /// Strikes every matching call for this many milliseconds.
    #[must_use]
    pub fn for_ms(for_ms: u64) -> Self {
        Self { for_ms: Some(for_ms), ..Self::default() }
    }
}

impl Scope {
    fn check(&self) -> Result<(), String> {
        let Self { calls, share, seed, for_ms } = self;
        if calls.is_none() && share.is_none() && for_ms.is_none() {
            return Err("scope: needs calls, share or for_ms".to_owned());
        }
        if *calls == Some(0) {
            return Err("scope.calls: must be at least 1".to_owned());
        }
        if share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err("scope.share: must be above 0 and at most 1".to_owned());
        }
        if seed.is_some() && share.is_none() {
            return Err("scope.seed: means nothing without share".to_owned());
        }
        Ok(())
    }
}

/// An active fault, and how often it has struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The fault's number, which [`crate::Client::remove_fault`] takes.
    pub id: u64,
    /// The fault as it was added.
    pub fault: Fault,
    /// The number of calls that it has struck.
    pub struck: u64,
    /// Whether it will strike no more calls.
    pub spent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Fault, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn fault_kinds_round_trip_through_json() {
        let kinds = [
            (r#""reset""#, FaultKind::Reset),
            (r#""hang""#, FaultKind::Hang),
            (r#""hold""#, FaultKind::Hold),
            (r#""html""#, FaultKind::Html),
            (r#""challenge""#, FaultKind::Challenge),
            (r#""collapse""#, FaultKind::Collapse),
            (r#"{"latency_ms":250}"#, FaultKind::Latency(250)),
            (r#"{"status":500,"html":false}"#, FaultKind::status(500)),
        ];
        for (json, kind) in kinds {
            assert_eq!(serde_json::from_str::<FaultKind>(json).unwrap(), kind, "{json}");
            assert_eq!(serde_json::to_string(&kind).unwrap(), json);
        }
    }

    #[test]
    fn an_unknown_kind_is_refused_with_the_known_ones() {
        for kind in [r#""explode""#, r#"{"latency_ms":"x"}"#, r#"{"status":500,"bdy":""}"#, "7"] {
            let error = serde_json::from_str::<FaultKind>(kind).unwrap_err().to_string();
            assert!(error.contains(r#"expected "reset", "hang""#), "{kind}: {error}");
        }
    }

    #[test]
    fn problems_of_a_fault_name_the_field() {
        let cases = [
            (r#"{"kind":"reset","scope":{}}"#, "scope: "),
            (r#"{"kind":"reset","scope":{"calls":0}}"#, "scope.calls: "),
            (r#"{"kind":"reset","scope":{"share":1.5}}"#, "scope.share: "),
            (r#"{"kind":"reset","scope":{"calls":1,"seed":1}}"#, "scope.seed: "),
            (r#"{"kind":{"status":101},"scope":{"calls":1}}"#, "kind.status: "),
            (r#"{"kind":"hang","scope":{"calls":1},"after_work":true}"#, "after_work: "),
        ];
        for (json, field) in cases {
            let error = parse(json).unwrap().check().unwrap_err();
            assert!(error.starts_with(field), "{json}: {error}");
        }
        let fine = r#"{"kind":"reset","on":{"method":"POST"},"scope":{"share":0.2,"for_ms":5}}"#;
        assert_eq!(parse(fine).unwrap().check(), Ok(()));
    }

    #[test]
    fn a_target_matches_only_if_every_condition_holds() {
        let post = Subject {
            method: "POST".to_owned(),
            slashtag: Some("Ab-1".to_owned()),
            destination: Some("https://dealer.test/car?vin=1".to_owned()),
            ..Subject::default()
        };
        let target = Target { slashtag: Some("aB-1".to_owned()), ..Target::default() };
        assert!(Target::default().matches(&post));
        assert!(target.matches(&post));
        assert!(Target { method: Some(Method::Post), ..target.clone() }.matches(&post));
        assert!(!Target { method: Some(Method::Get), ..target.clone() }.matches(&post));
        let part = Some("dealer.test".to_owned());
        assert!(Target { destination_contains: part.clone(), ..target.clone() }.matches(&post));
        assert!(!Target { destination: part, ..target }.matches(&post));
    }

    #[test]
    fn a_target_distinguishes_services_and_sites() {
        let link = Subject { method: "GET".to_owned(), ..Subject::default() };
        let visit = Visit {
            site: "lakeside".to_owned(),
            endpoint: Endpoint::Detail,
            vin: Some("1HGCM82633A004352".to_owned()),
            alias: None,
            start: None,
        };
        let page = Subject { visit: Some(visit), ..link.clone() };
        let json = [
            r#"{"service":"dealers"}"#,
            r#"{"site":"lakeside"}"#,
            r#"{"endpoint":"detail"}"#,
            r#"{"site":"lakeside","vin":"1hgcm82633a004352"}"#,
        ];
        for json in json {
            let target: Target = serde_json::from_str(json).unwrap();
            assert!(target.matches(&page) && !target.matches(&link), "{json}");
        }
        let json = [
            r#"{"service":"rebrandly"}"#,
            r#"{"site":"harbor"}"#,
            r#"{"endpoint":"home"}"#,
            r#"{"vin":"1M8GDM9AXKP042788"}"#,
        ];
        for json in json {
            let target: Target = serde_json::from_str(json).unwrap();
            assert!(!target.matches(&page), "{json}");
        }
        let links = Target { service: Some(Service::Rebrandly), ..Target::default() };
        assert!(links.matches(&link));
    }
}
