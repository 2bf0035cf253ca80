//! Requests to the two inventory endpoints of a site, and the site's id, which the newer endpoint
//! requires.

use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use crate::{field, payload::Condition};

/// Number of cars requested per page. Some sites return fewer without saying so.
pub const PAGE_SIZE: u32 = 100;

/// How much of a page is searched for the site's id, in bytes. The id is in one of the first
/// scripts.
const SEARCHED_BYTES: usize = 4 * 1024 * 1024;

/// Most mentions of an id that are compared, for each spelling of its key.
const MAX_MENTIONS: usize = 100;

/// Longest site id, in bytes; those observed are shorter than 50.
const MAX_ID_BYTES: usize = 100;

/// Most quotes and backslashes on one side of a colon; JSON nested in two strings has three.
const MAX_QUOTES: usize = 4;

/// Dealer.com's id of a site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteId(String);

impl SiteId {
    /// Stands in for an id where only the endpoint's address matters.
    pub(crate) const fn unknown() -> Self {
        Self(String::new())
    }
}

impl SiteId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One of a site's two inventory endpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The widget of the listing page: a GET.
    Widget,
    /// The newer service: a POST that names the site.
    Service(SiteId),
}

/// A request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The absolute address, with the query.
    pub url: Url,
    /// The JSON body of a POST; `None` means a GET.
    pub body: Option<String>,
}

impl Endpoint {
    /// The request for the page of a list that begins with entry `start`, counted from 0.
    #[must_use]
    pub fn request(&self, site: &Url, condition: Condition, start: u32) -> Request {
        let list = list_name(condition);
        let mut url = site.clone();
        url.set_fragment(None);
        match self {
            Self::Widget => {
                url.set_path(&format!(
                    "/apis/widget/INVENTORY_LISTING_DEFAULT_AUTO_{list}:inventory-data-bus1\
                     /getInventory"
                ));
                url.set_query(Some(&format!("start={start}&pageSize={PAGE_SIZE}")));
                Request { url, body: None }
            }
            Self::Service(SiteId(site_id)) => {
                url.set_path("/api/widget/ws-inv-data/getInventory");
                url.set_query(None);
                let body = json!({
                    "siteId": site_id,
                    "locale": "en_US",
                    "device": "DESKTOP",
                    "pageAlias": format!("INVENTORY_LISTING_DEFAULT_AUTO_{list}"),
                    "pageId": format!(
                        "{site_id}_SITEBUILDER_INVENTORY_SEARCH_RESULTS_AUTO_{list}_V1_1"
                    ),
                    "windowId": "inventory-data-bus2",
                    "widgetName": "ws-inv-data",
                    "inventoryParameters": {"start": [start.to_string()]},
                    "preferences": {
                        "pageSize": PAGE_SIZE.to_string(),
                        "listing.config.id": listing(condition),
                    },
                    "includePricing": true,
                });
                Request { url, body: Some(body.to_string()) }
            }
        }
    }
}

/// A list's name in page aliases. For an unknown alias the site returns an empty list, not an
/// error.
const fn list_name(condition: Condition) -> &'static str {
    match condition {
        Condition::New => "NEW",
        Condition::Used => "USED",
        Condition::Certified => "CERTIFIED_USED",
    }
}

/// A list's name in the preferences.
const fn listing(condition: Condition) -> &'static str {
    match condition {
        Condition::New => "auto-new",
        Condition::Used => "auto-used",
        Condition::Certified => "auto-certified-used",
    }
}

/// Finds the site's id in one of its pages.
///
/// Third-party scripts on the page may have a `siteId` of their own. A value that also occurs in a
/// page name, as `ID_SITEBUILDER_`, is therefore preferred to the first one.
#[must_use]
pub fn find_site_id(page: &[u8]) -> Option<SiteId> {
    let page = &page[..page.len().min(SEARCHED_BYTES)];
    let given = given_ids(page);
    let built = page_prefixes(page);
    let confirmed = given.iter().find(|id| built.contains(id));
    let id = *confirmed.or(given.first()).or(built.first())?;
    Some(SiteId(String::from_utf8_lossy(id).into_owned()))
}

/// The values of all `siteId` keys and `site-id` attributes.
fn given_ids(page: &[u8]) -> Vec<&[u8]> {
    const KEYS: [&[u8]; 2] = [b"siteId", b"site-id"];
    let mut ids = Vec::new();
    for key in KEYS {
        // `websiteId` is another key.
        let mentions = positions(page, key).filter(|&at| at == 0 || !is_word(page[at - 1]));
        ids.extend(mentions.filter_map(|at| value(&page[at + key.len()..])).take(MAX_MENTIONS));
    }
    ids
}

/// The prefixes of the site's page names, up to `_SITEBUILDER_`.
fn page_prefixes(page: &[u8]) -> Vec<&[u8]> {
    let prefix = |at: usize| {
        let before = &page[at.saturating_sub(MAX_ID_BYTES)..at];
        let length = before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        (length > 0).then(|| &before[before.len() - length..])
    };
    positions(page, b"_SITEBUILDER_").filter_map(prefix).take(MAX_MENTIONS).collect()
}

/// The offsets at which `needle` occurs in `page`.
fn positions(page: &[u8], needle: &[u8]) -> impl Iterator<Item = usize> {
    let windows = page.windows(needle.len()).enumerate();
    windows.filter(move |(_, window)| *window == needle).map(|(at, _)| at)
}

/// The quoted id after a key: `":"x"`, `: 'x'` or `="x"`, also escaped for a script or an
/// attribute.
fn value(after_key: &[u8]) -> Option<&[u8]> {
    let rest = after_quotes(after_key).trim_ascii_start();
    let rest = match rest.split_first()? {
        (b':' | b'=', rest) => rest.trim_ascii_start(),
        _ => return None,
    };
    let inner = after_quotes(rest);
    let length = inner.iter().take(MAX_ID_BYTES + 1).take_while(|byte| is_id(**byte)).count();
    let closed = matches!(inner.get(length), Some(b'"' | b'\'' | b'\\' | b'&'));
    let quoted = closed && inner.len() < rest.len();
    let id = &inner[..length];
    let named = std::str::from_utf8(id).is_ok_and(|id| !field::is_placeholder(id));
    (quoted && named && length <= MAX_ID_BYTES).then_some(id)
}

/// The text after its leading quotes.
fn after_quotes(text: &[u8]) -> &[u8] {
    const QUOTES: [&[u8]; 6] = [b"\"", b"'", b"\\", b"&quot;", b"&#34;", b"&#39;"];
    let mut rest = text;
    for _ in 0..MAX_QUOTES {
        match QUOTES.iter().find(|quote| rest.starts_with(quote)) {
            Some(quote) => rest = &rest[quote.len()..],
            None => break,
        }
    }
    rest
}

const fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn site() -> Url {
        "https://www.acme.example".parse().unwrap()
    }

    fn found(page: &str) -> Option<String> {
        find_site_id(page.as_bytes()).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn the_widget_gets_its_parameters_in_the_query() {
        let cases = [
            (Condition::New, 0, "NEW:inventory-data-bus1/getInventory?start=0&pageSize=100"),
            (Condition::Used, 35, "USED:inventory-data-bus1/getInventory?start=35&pageSize=100"),
            (
                Condition::Certified,
                7,
                "CERTIFIED_USED:inventory-data-bus1/getInventory?start=7&pageSize=100",
            ),
        ];
        for (condition, start, tail) in cases {
            let request = Endpoint::Widget.request(&site(), condition, start);
            let expected = format!(
                "https://www.acme.example/apis/widget/INVENTORY_LISTING_DEFAULT_AUTO_{tail}"
            );
            assert_eq!((request.url.as_str(), request.body), (expected.as_str(), None));
        }
    }

    #[test]
    fn the_service_gets_its_parameters_in_the_body() {
        let endpoint = Endpoint::Service(SiteId("acmemotors".into()));
        let request = endpoint.request(&site(), Condition::Certified, 70);
        let address = "https://www.acme.example/api/widget/ws-inv-data/getInventory";
        assert_eq!(request.url.as_str(), address);
        let body: Value = serde_json::from_str(&request.body.unwrap()).unwrap();
        let expected = json!({
            "siteId": "acmemotors", "locale": "en_US", "device": "DESKTOP",
            "pageAlias": "INVENTORY_LISTING_DEFAULT_AUTO_CERTIFIED_USED",
            "pageId": "acmemotors_SITEBUILDER_INVENTORY_SEARCH_RESULTS_AUTO_CERTIFIED_USED_V1_1",
            "windowId": "inventory-data-bus2", "widgetName": "ws-inv-data",
            "inventoryParameters": {"start": ["70"]},
            "preferences": {"pageSize": "100", "listing.config.id": "auto-certified-used"},
            "includePricing": true,
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn an_endpoint_round_trips_through_json() {
        for endpoint in [Endpoint::Widget, Endpoint::Service(SiteId("acmemotors".into()))] {
            let text = serde_json::to_string(&endpoint).unwrap();
            assert_eq!(serde_json::from_str::<Endpoint>(&text).unwrap(), endpoint);
        }
    }

    #[test]
    fn the_site_id_is_found_in_every_spelling() {
        let pages = [
            r#"<script>var x = {"siteId":"acmemotors","b":1}</script>"#,
            "<script>DDC = { siteId : 'acmemotors' };</script>",
            r#"<script>DDC.siteId = "acmemotors";</script>"#,
            r#"<script>parse("{\"siteId\":\"acmemotors\"}")</script>"#,
            "<div data-props='{&quot;siteId&quot;: &quot;acmemotors&quot;}'>",
            r#"<body data-site-id="acmemotors">"#,
            r#"{"pageId":"acmemotors_SITEBUILDER_INVENTORY_SEARCH_RESULTS_AUTO_NEW_V1_1"}"#,
        ];
        for page in pages {
            assert_eq!(found(page).as_deref(), Some("acmemotors"), "{page}");
        }
    }

    #[test]
    fn text_that_is_not_a_site_id_is_ignored() {
        let long = format!(r#""siteId":"{}""#, "x".repeat(MAX_ID_BYTES + 1));
        let far = format!(r#"{}"siteId":"acmemotors""#, " ".repeat(SEARCHED_BYTES));
        let pages: [&str; 13] = [
            "",
            "siteId",
            r#""websiteId":"other""#,
            r#""siteId":null"#,
            r#""siteId":"null""#,
            r#""siteId":"""#,
            r#""siteId":"two words""#,
            r#""siteId":12345"#,
            r#""siteId":"cut"#,
            r#"siteId("acme")"#,
            r#""_SITEBUILDER_""#,
            &long,
            &far,
        ];
        for page in pages {
            assert_eq!(found(page), None, "{}", &page[..page.len().min(40)]);
        }
    }

    #[test]
    fn an_id_that_occurs_in_page_names_is_preferred() {
        let page = r#"chat({"siteId":"77-chat"}); DDC({"siteId":"acmemotors",
            "pageId":"acmemotors_SITEBUILDER_HOME_V1_1"})"#;
        assert_eq!(found(page).as_deref(), Some("acmemotors"));
        let unconfirmed = r#"{"siteId":"first"} {"siteId":"second"} other_SITEBUILDER_HOME"#;
        assert_eq!(found(unconfirmed).as_deref(), Some("first"));
    }

    proptest! {
        #[test]
        fn an_id_found_in_any_page_is_valid(
            page in r#"([ -~]{0,8}(siteId|site-id|_SITEBUILDER_|"|:|&quot;|\\)){0,8}"#,
        ) {
            if let Some(id) = found(&page) {
                prop_assert!((1..=MAX_ID_BYTES).contains(&id.len()) && page.contains(&id));
                prop_assert!(id.bytes().all(is_id));
            }
        }

        #[test]
        fn any_bytes_are_searched_without_panic(
            page in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let _ = find_site_id(&page);
        }
    }
}
