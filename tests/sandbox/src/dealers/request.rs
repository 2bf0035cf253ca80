//! Parses the calls to a site.

use axum::http::request::Parts;

use super::address::Address;
use super::listing::{self, Window};
use super::{inventory_post, pages, widget};
use crate::reply::Reply;
use crate::visit::{Endpoint, Visit};

/// A parsed call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Home,
    Robots,
    /// The page of the car at the call's address.
    Car,
    List(Endpoint, Window),
    /// A call that is invalid, with the answer to it. Like any other answer it is subject to
    /// faults.
    Wrong(Reply),
}

impl Ask {
    /// The answer for an empty list; `None` for a call that lists nothing.
    pub(super) fn empty_list(&self) -> Option<Reply> {
        match self {
            Self::List(_, window) => Some(listing::empty(window)),
            Self::Home | Self::Robots | Self::Car | Self::Wrong(_) => None,
        }
    }
}

/// Parses a call. The visit still lacks the VIN of a car's page, because only the site knows it.
pub(super) fn read(address: &Address, parts: &Parts, body: &[u8]) -> (Visit, Ask) {
    let segments: Vec<&str> = address.rest.split('/').collect();
    let reads = matches!(parts.method.as_str(), "GET" | "HEAD");
    let posts = parts.method.as_str() == "POST";
    let (endpoint, ask) = match segments.as_slice() {
        [""] if reads => (Endpoint::Home, Ask::Home),
        ["robots.txt"] if reads => (Endpoint::Robots, Ask::Robots),
        ["new" | "used" | "certified", _, _] if reads => (Endpoint::Detail, Ask::Car),
        ["apis", "widget", name, "getInventory"] if reads => {
            let window = widget::read(name, parts.uri.query().unwrap_or_default());
            (Endpoint::Widget, Ask::List(Endpoint::Widget, window))
        }
        ["api", "widget", "ws-inv-data", "getInventory"] if posts => {
            let endpoint = Endpoint::InventoryPost;
            let ask = match inventory_post::read(body) {
                Ok(window) => Ask::List(endpoint, window),
                Err(refusal) => Ask::Wrong(refusal),
            };
            (endpoint, ask)
        }
        _ => (Endpoint::Other, Ask::Wrong(pages::not_found())),
    };
    let window = match &ask {
        Ask::List(_, window) => Some(window),
        Ask::Home | Ask::Robots | Ask::Car | Ask::Wrong(_) => None,
    };
    let visit = Visit {
        site: address.slug.clone(),
        endpoint,
        vin: None,
        alias: window.map(|window| window.alias.clone()),
        start: window.map(|window| window.start),
    };
    (visit, ask)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    const NEW: &str = "INVENTORY_LISTING_DEFAULT_AUTO_NEW";

    fn ask(method: &str, uri: &str, body: &str) -> (Visit, Ask) {
        let (parts, ()) = Request::builder().method(method).uri(uri).body(()).unwrap().into_parts();
        let address = Address::of("lakeside.localhost", parts.uri.path()).unwrap();
        read(&address, &parts, body.as_bytes())
    }

    #[test]
    fn each_endpoint_is_recognised_by_method_and_path() {
        let cases = [
            ("GET", "/", Endpoint::Home),
            ("GET", "/new/Ford/2025-Ford-Ranger-1.htm", Endpoint::Detail),
            ("HEAD", "/certified/Ford/2021-Ford-Ranger-1.htm", Endpoint::Detail),
            ("POST", "/new/Ford/2025-Ford-Ranger-1.htm", Endpoint::Other),
            ("POST", "/api/widget/ws-inv-data/getInventory", Endpoint::InventoryPost),
            ("GET", "/api/widget/ws-inv-data/getInventory", Endpoint::Other),
            ("GET", "/apis/widget/A:inventory-data-bus1/getInventory", Endpoint::Widget),
            ("GET", "/robots.txt", Endpoint::Robots),
        ];
        for (method, uri, endpoint) in cases {
            let (visit, _) = ask(method, uri, "");
            assert_eq!(visit.endpoint, endpoint, "{method} {uri}");
            assert_eq!(visit.site, "lakeside");
        }
    }

    #[test]
    fn a_visit_names_its_list_and_page() {
        let uri =
            format!("/apis/widget/{NEW}:inventory-data-bus1/getInventory?start=35&pageSize=100");
        let (visit, Ask::List(_, window)) = ask("GET", &uri, "") else { panic!("it is no list") };
        assert_eq!((visit.alias.as_deref(), visit.start), (Some(NEW), Some(35)));
        assert_eq!(window.page_size, Some(100));
        let body = format!(r#"{{"pageAlias":"{NEW}","inventoryParameters":{{"start":["70"]}}}}"#);
        let (visit, _) = ask("POST", "/api/widget/ws-inv-data/getInventory", &body);
        assert_eq!((visit.alias.as_deref(), visit.start), (Some(NEW), Some(70)));
    }

    #[test]
    fn only_a_list_can_be_empty() {
        let (_, home) = ask("GET", "/", "");
        assert_eq!(home.empty_list(), None);
        let (_, list) = ask("GET", "/apis/widget/A/getInventory", "");
        assert!(list.empty_list().is_some());
    }
}
