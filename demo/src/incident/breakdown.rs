//! What breaks, how, and when.

use sandbox::dealers::Endpoint;
use sandbox::{CannedAnswer, Fault, FaultKind, Method, Scope, Service, Target};

use super::event::{Action, Event, FEEDS, slot};
use super::site::Sites;

/// The link shortener breaks just before the jobs at these places.
const CONNECTIONS_BREAK: usize = 38;
const LIMIT_IS_REACHED: usize = 58;
const SERVICE_BREAKS: usize = 92;

/// How long it answers 429, and how long it answers 500.
const LIMITED_MS: u64 = 1_500;
const BROKEN_MS: u64 = 2_000;

/// The site of this feed fails its first two calls: the widget's endpoint, and the page that names
/// the other endpoint. So one run fails as a whole. A third failure would open the site's breaker
/// for two minutes.
const FAILING_FEED: usize = 1;
const FAILING_CALLS: u64 = 2;

/// The site of this feed answers its first call with a web page instead of data.
const CLOSED_FEED: usize = 3;

/// The site of this feed turns away whoever reads its pages, until after the end. The breaker of its pages opens with
/// the first call; all jobs that the feed makes of its cars then end with the feed's data, so nothing waits for the
/// five minutes until the first probe.
const WALLED_FEED: usize = 2;
const WALLED_MS: u64 = 600_000;

/// For pictures of an outage: the link shortener refuses some links for good, and then is down for minutes.
const LINKS_ARE_REFUSED: usize = 70;
const REFUSED_LINKS: u64 = 6;
const DOWN_MS: u64 = 300_000;

/// How it refuses a link.
const REFUSAL: &str =
    r#"{"code":"InvalidFormat","property":"destination","message":"Not allowed"}"#;

/// The web page that it answers.
const MAINTENANCE: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>We will be right back\
    </title></head>\n<body><h1>Scheduled maintenance</h1></body></html>\n";

/// The dependency whose breaker opens: the pages of the site that turns readers away.
pub(super) fn walled(sites: &Sites) -> String {
    let url = sites.fed.get(WALLED_FEED).map(|site| site.url.as_str()).unwrap_or_default();
    let address = url.split_once("://").map_or(url, |(_, address)| address);
    format!("page/{}", address.split([':', '/']).next().unwrap_or_default())
}

/// All breakdowns, in no order.
pub(crate) fn breakdowns(seed: u64, sites: &Sites) -> Vec<Event> {
    let mut events = of_the_shortener(seed);
    events.extend(of_sites(sites));
    events
}

fn of_the_shortener(seed: u64) -> Vec<Event> {
    let calls = Target { service: Some(Service::Rebrandly), ..Target::default() };
    let posts = Target { method: Some(Method::Post), ..calls.clone() };
    let fault = |on: &Target, kind: FaultKind, scope: Scope, after_work: bool| Fault {
        kind,
        on: on.clone(),
        scope,
        after_work,
    };
    let busy = CannedAnswer { status: 429, retry_after: Some(2), ..CannedAnswer::default() };
    let some = Scope { share: Some(0.4), seed: Some(seed), ..Scope::for_ms(BROKEN_MS) };
    let connections = vec![
        fault(&posts, FaultKind::Reset, Scope::calls(1), false),
        fault(&posts, FaultKind::Reset, Scope::calls(1), true),
        fault(&posts, FaultKind::Html, Scope::calls(1), false),
    ];
    let limit = fault(&calls, FaultKind::Status(busy), Scope::for_ms(LIMITED_MS), false);
    let broken = vec![
        fault(&posts, FaultKind::status(500), some, true),
        fault(&posts, FaultKind::status(500), Scope::for_ms(BROKEN_MS), false),
    ];
    [
        (
            CONNECTIONS_BREAK,
            "two connections are reset, and a firewall answers with a page",
            connections,
        ),
        (LIMIT_IS_REACHED, "for 1.5 s every call is answered 429", vec![limit]),
        (
            SERVICE_BREAKS,
            "for 2 s links are answered 500, some of them after they were made",
            broken,
        ),
    ]
    .into_iter()
    .map(|(place, how, faults)| Event { at: slot(place), action: Action::Break(how, faults) })
    .collect()
}

/// An outage of the link shortener that lasts. Its breaker opens with the fifth call and stays open; jobs park.
pub(super) fn lasting_outage() -> [Event; 2] {
    let calls = Target { service: Some(Service::Rebrandly), ..Target::default() };
    let posts = Target { method: Some(Method::Post), ..calls.clone() };
    let refusal =
        CannedAnswer { status: 400, body: Some(REFUSAL.to_owned()), ..CannedAnswer::default() };
    let fault = |kind, on, scope| Fault { kind, on, scope, after_work: false };
    let refused = fault(FaultKind::Status(refusal), posts, Scope::calls(REFUSED_LINKS));
    let down = fault(FaultKind::status(503), calls, Scope::for_ms(DOWN_MS));
    [
        (LINKS_ARE_REFUSED, "six links are refused for good", refused),
        (SERVICE_BREAKS, "for five minutes every call is answered 503", down),
    ]
    .map(|(place, how, fault)| Event { at: slot(place), action: Action::Break(how, vec![fault]) })
}

/// Each fault is in place one job before the feed is sent.
fn of_sites(sites: &Sites) -> impl Iterator<Item = Event> {
    let page = CannedAnswer {
        status: 200,
        body: Some(MAINTENANCE.to_owned()),
        html: true,
        ..CannedAnswer::default()
    };
    [
        (
            FAILING_FEED,
            "the site of the next feed answers its first two calls with 500",
            FaultKind::status(500),
            Target::default(),
            Scope::calls(FAILING_CALLS),
        ),
        (
            WALLED_FEED,
            "the site of the next feed asks who reads its pages to prove that they are human",
            FaultKind::Challenge,
            Target { endpoint: Some(Endpoint::Detail), ..Target::default() },
            Scope::for_ms(WALLED_MS),
        ),
        (
            CLOSED_FEED,
            "the site of the next feed answers its first call with a web page and 200",
            FaultKind::Status(page),
            Target { endpoint: Some(Endpoint::Widget), ..Target::default() },
            Scope::calls(1),
        ),
    ]
    .into_iter()
    .filter_map(move |(feed, how, kind, on, scope)| {
        let site = Some(sites.fed.get(feed)?.slug.clone());
        let on = Target { service: Some(Service::Dealers), site, ..on };
        let fault = Fault { kind, on, scope, after_work: false };
        let at = slot(FEEDS.get(feed)?.saturating_sub(1));
        Some(Event { at, action: Action::Break(how, vec![fault]) })
    })
}

#[cfg(test)]
mod tests {
    use sandbox::{InProcess, Service, Settings};

    use super::{breakdowns, lasting_outage, walled};
    use crate::incident::event::Action;
    use crate::incident::site::Sites;

    #[tokio::test]
    async fn the_sandbox_takes_every_fault_and_none_strikes_both_services() {
        let client = InProcess::start(Settings::default(), 0).client();
        let mut services = Vec::new();
        let events = breakdowns(7, &Sites::made_up());
        for event in events.into_iter().chain(lasting_outage()) {
            let Action::Break(how, faults) = event.action else { panic!("something else") };
            for fault in &faults {
                client.add_fault(fault).await.expect(how);
                let service = fault.on.service.expect("a service");
                assert_eq!(service == Service::Dealers, fault.on.site.is_some(), "{how}");
                services.push(service);
            }
        }
        let of = |service: Service| services.iter().filter(|one| **one == service).count();
        assert_eq!((of(Service::Rebrandly), of(Service::Dealers)), (6 + 2, 3));
    }

    #[test]
    fn a_breaker_of_pages_goes_by_their_host() {
        assert_eq!(walled(&Sites::made_up()), "page/granite-state-ford.localhost");
    }
}
