//! The payload of a `dealer_com_feed` message.

use evenkeel::payload::{Payload, Problems};
use inventory::address;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::links::{Links, is_false};

/// The job type's name in messages, records and metrics.
pub const TYPE: &str = "dealer_com_feed";

/// Longest name of a dealer, in characters: the same limit as in `url_shortening` payloads.
const MAX_SLUG: usize = 100;

/// Most accounts of one feed.
const MAX_ACCOUNTS: usize = 20;

/// Digits of the hash by which a read with too many new cars is confirmed.
pub(crate) const CONFIRM_DIGITS: usize = 16;

/// Longest address of a site, in characters.
const MAX_ADDRESS: usize = 2048;

/// The payload of a `dealer_com_feed` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Feed {
    /// The dealer's short name, under which its cars are stored.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// An address on the dealer's site, http or https. Only scheme, host and port are used.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub site_url: String,
    /// The lists of the site to read; all of them if left out.
    #[serde(default = "every_condition")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub conditions: Vec<Condition>,
    /// The jobs to create for new and changed cars.
    #[serde(default)]
    pub fan_out: FanOut,
    /// How the cars' links are made.
    #[serde(default, skip_serializing_if = "Links::is_default")]
    pub links: Links,
    /// Whose cars of a group's site these are, as the site names accounts; left out, all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 20)))]
    pub account_ids: Vec<String>,
    /// Most new cars of one read; left out, half of the known cars, but at least 300, and 2,000 at a dealer's first
    /// read. With more, the job ends as `anomaly` and creates no job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub max_new: Option<u32>,
    /// What such a job has named: lets exactly its new cars through.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-f]{16}$")))]
    pub confirm: Option<String>,
    /// Whether the site's owner has permitted the read, whatever its robots.txt says.
    #[serde(default, skip_serializing_if = "is_false")]
    pub authorised: bool,
    /// Whether to read only: nothing is stored, and no job is created.
    #[serde(default, skip_serializing_if = "is_false")]
    pub dry_run: bool,
}

/// A list of a site's inventory. Many sites list a certified car among the used ones as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Condition {
    /// The site's list of new cars.
    New,
    /// The site's list of used cars.
    Used,
    /// Used cars that the manufacturer certifies.
    Certified,
}

impl Condition {
    /// All lists, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::New, Self::Used, Self::Certified];

    /// The list's name in messages, records and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Used => "used",
            Self::Certified => "certified",
        }
    }
}

fn every_condition() -> Vec<Condition> {
    Condition::ALL.to_vec()
}

/// The jobs to create for a new or changed car. Both are on by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FanOut {
    /// Whether to scrape the car's detail page (`product_detail_scraping`).
    pub scrape: bool,
    /// Whether to create the car's short link (`url_shortening`).
    pub shorten: bool,
}

impl FanOut {
    /// A feed that makes no jobs.
    pub const NONE: Self = Self { scrape: false, shorten: false };

    /// The jobs that are in either of the two: their union.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { scrape: self.scrape || other.scrape, shorten: self.shorten || other.shorten }
    }
}

impl Default for FanOut {
    fn default() -> Self {
        Self { scrape: true, shorten: true }
    }
}

impl Feed {
    fn check_limits(&mut self, problems: &mut Problems) {
        self.account_ids.sort_unstable();
        self.account_ids.dedup();
        if self.account_ids.len() > MAX_ACCOUNTS {
            let count = self.account_ids.len();
            problems.add("account_ids", format!("{count}, expected at most {MAX_ACCOUNTS}"));
        }
        for id in &self.account_ids {
            problems.check_length("account_ids", id.trim(), 1, MAX_SLUG);
        }
        if self.max_new == Some(0) {
            problems.add("max_new", "0, expected at least 1");
        }
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if let Some(confirm) = &self.confirm
            && (confirm.len() != CONFIRM_DIGITS || !confirm.bytes().all(is_digit))
        {
            problems
                .add("confirm", "not the 16 digits that a job which ended as anomaly has named");
        }
    }

    /// The site's address. Parsing cannot fail after [`Payload::check`] has found no problem.
    pub fn site(&self) -> Result<Url, url::ParseError> {
        self.site_url.parse()
    }
}

impl Payload for Feed {
    fn check(&mut self, problems: &mut Problems) {
        self.dealer_slug = self.dealer_slug.trim().to_owned();
        problems.check_length("dealer_slug", &self.dealer_slug, 1, MAX_SLUG);
        if !self.dealer_slug.chars().any(|c| c.is_ascii_alphanumeric()) {
            problems.add("dealer_slug", "no letter or digit, expected at least one of a-z and 0-9");
        }
        problems.check_length("site_url", self.site_url.trim(), 1, MAX_ADDRESS);
        match origin(&self.site_url) {
            Ok(site) => self.site_url = site,
            Err(problem) => problems.add("site_url", problem),
        }
        self.links.check(problems);
        if let Ok(site) = self.site()
            && !self.links.allow_when_gone(&site)
        {
            problems.add(
                "links.when_gone",
                "on another domain than the site, expected that or one of links.domains",
            );
        }
        self.check_limits(problems);
        self.conditions.sort_unstable();
        self.conditions.dedup();
        if self.conditions.is_empty() {
            problems.add("conditions", "empty, expected at least one of new, used, certified");
        }
    }
}

/// Scheme, host and port of an address, so that the addresses of one site's pages give the same
/// job.
fn origin(text: &str) -> Result<String, &'static str> {
    let url = address::normal(text)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user name or password, expected an address without");
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use evenkeel::message::{Message, Rejection, decode};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn read(payload: &Value) -> Result<Message<Feed>, Rejection> {
        let body = json!({"version": 1, "type": "dealer_com_feed", "payload": payload});
        decode("dealer_com_feed", &body.to_string())
    }

    #[test]
    fn omitted_fields_mean_all_lists_and_all_jobs() {
        let read = read(&json!({"dealer_slug": "acme", "site_url": "https://acme.example"}));
        let feed = read.unwrap().payload;
        assert_eq!(feed.conditions, Condition::ALL);
        assert_eq!(feed.fan_out, FanOut { scrape: true, shorten: true });
        let fan_out: FanOut = serde_json::from_value(json!({"shorten": false})).unwrap();
        assert_eq!(fan_out, FanOut { scrape: true, shorten: false });
    }

    #[test]
    fn a_link_of_a_car_that_is_gone_leads_to_the_dealer() {
        let feed = |links: Value| {
            read(
                &json!({"dealer_slug": "acme", "site_url": "https://www.acme.example", "links": links}),
            )
        };
        for links in [
            json!({"when_gone": "https://shop.acme.example/stock"}),
            json!({"when_gone": "https://www.cars.example/", "domains": [" Cars.Example "]}),
        ] {
            assert!(feed(links.clone()).is_ok(), "{links}");
        }
        assert!(feed(json!({"when_gone": "https://www.cars.example/"})).is_err());
    }

    #[test]
    fn every_spelling_of_a_site_gives_the_same_job() {
        let plain = json!({"dealer_slug": "acme", "site_url": "https://www.acme.example",
            "conditions": ["new", "used"]});
        let copied = json!({"dealer_slug": " acme ",
            "site_url": " HTTPS://WWW.Acme.Example.:443/new-inventory/index.htm?make=x#top ",
            "conditions": ["used", "new", "used"], "fan_out": {}});
        assert_eq!(read(&plain).unwrap().key, read(&copied).unwrap().key);
        let other_port = json!({"dealer_slug": "acme", "conditions": ["new", "used"],
            "site_url": "https://www.acme.example:8443"});
        assert_ne!(read(&plain).unwrap().key, read(&other_port).unwrap().key);
        assert_eq!(
            read(&other_port).unwrap().payload.site().unwrap().as_str(),
            "https://www.acme.example:8443/"
        );
    }

    #[test]
    fn a_rejection_names_every_wrong_field() {
        let good = json!({"dealer_slug": "acme", "site_url": "https://acme.example"});
        let cases = [
            (json!({"dealer_slug": " "}), "payload.dealer_slug: 0 characters, expected 1 to 100"),
            (json!({"dealer_slug": "--"}), "payload.dealer_slug: no letter or digit"),
            (json!({"site_url": "acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "ftp://acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "mailto:a@acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "https://u:p@acme.example"}), "payload.site_url: a user name"),
            (
                json!({"site_url": "https://acme.example/new cars/"}),
                "payload.site_url: white space",
            ),
            (json!({"conditions": []}), "payload.conditions: empty, expected at least one of new"),
            (json!({"conditions": ["new", "sold"]}), "payload.conditions[1]: unknown variant"),
            (json!({"fan_out": {"print": true}}), "payload.fan_out.print: unknown field"),
            (json!({"fan_out": {"scrape": "yes"}}), "payload.fan_out.scrape: invalid type"),
            (json!({"pages": 3}), "payload.pages: unknown field"),
            (json!({"dealer_slug": "ac\u{7f}me"}), "payload.dealer_slug: a control character"),
            (
                json!({"links": {"utm": {"source": "a\u{7f}"}}}),
                "payload.links.utm.source: a control",
            ),
            (
                json!({"links": {"when_gone": "https://evil.example/x"}}),
                "payload.links.when_gone: on another domain than the site",
            ),
            (
                json!({"links": {"when_gone": "http://169.254.169.254/"}}),
                "payload.links.when_gone: on another domain than the site",
            ),
            (json!({"fan_out": [false, false]}), "payload.fan_out: a list, expected an object"),
            (json!({"links": []}), "payload.links: a list, expected an object"),
            (json!({"links": {"utm": ["a"]}}), "payload.links.utm: a list, expected an object"),
            (json!({"account_ids": ["a\n"]}), "payload.account_ids[0]: a control character"),
            (json!({"account_ids": ["a\u{85}b"]}), "payload.account_ids[0]: a control character"),
        ];
        for (wrong, expected) in cases {
            let mut payload = good.clone();
            for (field, value) in wrong.as_object().unwrap() {
                payload[field] = value.clone();
            }
            let rejection = read(&payload).unwrap_err();
            assert!(rejection.reason.contains(expected), "{wrong}: {rejection}");
        }
        let several = json!({"dealer_slug": "", "site_url": "x", "conditions": []});
        let reason = read(&several).unwrap_err().reason;
        for field in ["dealer_slug", "site_url", "conditions"] {
            assert!(reason.contains(&format!("payload.{field}: ")), "{field}: {reason}");
        }
    }

    proptest! {
        #[test]
        fn an_accepted_payload_is_in_its_normal_form(
            dealer_slug in ".{0,12}",
            site_url in "(https?://)?[a-zA-Z0-9.:@/]{0,20}",
        ) {
            if let Ok(message) = read(&json!({"dealer_slug": dealer_slug, "site_url": site_url})) {
                prop_assert!(message.payload.site().is_ok());
                let again: Value = serde_json::from_str(&message.canonical).unwrap();
                prop_assert_eq!(read(&again).unwrap(), message);
            }
        }
    }
}
