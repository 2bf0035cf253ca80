//! What a `dealer_com_feed` message carries.

use evenkeel::payload::{Payload, Problems};
use serde::{Deserialize, Serialize};
use url::Url;

/// Longest name of a dealer, in characters, as in the shortening jobs that come of a feed.
const MAX_SLUG: usize = 100;

/// Longest address of a site, in characters.
const MAX_ADDRESS: usize = 2048;

/// The payload of a `dealer_com_feed` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Feed {
    /// The dealer whose cars they are.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// The dealer's site: http or https. Scheme, host and port count: the inventory stands at the
    /// site's root, whichever page was copied.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub site_url: String,
    /// Which of the site's lists to read; all of them if left out.
    #[serde(default = "every_condition")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    pub conditions: Vec<Condition>,
    /// Which jobs to make for new and changed cars.
    #[serde(default)]
    pub fan_out: FanOut,
}

/// One of the lists that a site keeps. The same car may stand in two: many sites list certified
/// cars among the used ones as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Condition {
    /// Never owned.
    New,
    /// Owned before.
    Used,
    /// Owned before, and vouched for by the maker.
    Certified,
}

impl Condition {
    /// Every list, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::New, Self::Used, Self::Certified];

    /// The name in messages, records and metrics.
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

/// Which jobs a new or changed car gives rise to: both, unless the sender says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FanOut {
    /// Read its detail page.
    pub scrape: bool,
    /// Make its short link.
    pub shorten: bool,
}

impl FanOut {
    /// Neither.
    pub const NONE: Self = Self { scrape: false, shorten: false };

    /// What either has.
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
    /// The site's address. It cannot fail once [`Payload::check`] has found nothing wrong.
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
        if self.dealer_slug.chars().any(char::is_control) {
            problems.add("dealer_slug", "a control character, expected printable text");
        }
        problems.check_length("site_url", self.site_url.trim(), 1, MAX_ADDRESS);
        match origin(&self.site_url) {
            Ok(site) => self.site_url = site,
            Err(problem) => problems.add("site_url", problem),
        }
        self.conditions.sort_unstable();
        self.conditions.dedup();
        if self.conditions.is_empty() {
            problems.add("conditions", "empty, expected at least one of new, used, certified");
        }
    }
}

/// Scheme, host and port of an address, so that every page of one site is the same work.
fn origin(address: &str) -> Result<String, &'static str> {
    const NO_ADDRESS: &str = "not an address, expected http:// or https://";
    let url: Url = address.trim().parse().map_err(|_| NO_ADDRESS)?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(NO_ADDRESS);
    }
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
    fn what_is_left_out_is_everything() {
        let read = read(&json!({"dealer_slug": "acme", "site_url": "https://acme.example"}));
        let feed = read.unwrap().payload;
        assert_eq!(feed.conditions, Condition::ALL);
        assert_eq!(feed.fan_out, FanOut { scrape: true, shorten: true });
        let fan_out: FanOut = serde_json::from_value(json!({"shorten": false})).unwrap();
        assert_eq!(fan_out, FanOut { scrape: true, shorten: false });
    }

    #[test]
    fn the_same_site_is_the_same_job_however_it_is_written() {
        let plain = json!({"dealer_slug": "acme", "site_url": "https://www.acme.example",
            "conditions": ["new", "used"]});
        let copied = json!({"dealer_slug": " acme ",
            "site_url": " HTTPS://WWW.Acme.Example:443/new-inventory/index.htm?make=x#top ",
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
    fn every_wrong_field_is_named() {
        let good = json!({"dealer_slug": "acme", "site_url": "https://acme.example"});
        let cases = [
            (json!({"dealer_slug": " "}), "payload.dealer_slug: 0 characters, expected 1 to 100"),
            (json!({"dealer_slug": "--"}), "payload.dealer_slug: no letter or digit"),
            (json!({"site_url": "acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "ftp://acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "mailto:a@acme.example"}), "payload.site_url: not an address"),
            (json!({"site_url": "https://u:p@acme.example"}), "payload.site_url: a user name"),
            (json!({"conditions": []}), "payload.conditions: empty, expected at least one of new"),
            (json!({"conditions": ["new", "sold"]}), "payload.conditions[1]: unknown variant"),
            (json!({"fan_out": {"print": true}}), "payload.fan_out.print: unknown field"),
            (json!({"fan_out": {"scrape": "yes"}}), "payload.fan_out.scrape: invalid type"),
            (json!({"pages": 3}), "payload.pages: unknown field"),
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
        fn what_is_accepted_is_in_its_normal_form(
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
