//! How a feed makes its cars' links: where they may lead, and with which parameters.

use evenkeel::payload::Problems;
use inventory::address;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Most further domains of one feed.
const MAX_DOMAINS: usize = 20;

/// Longest value of a UTM parameter, in characters.
const MAX_UTM: usize = 100;

/// The policy for the links of a feed's cars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Links {
    /// Whether a link is titled with year, make and model when it is made.
    #[serde(skip_serializing_if = "is_false")]
    pub title: bool,
    /// UTM parameters of the address that a link leads to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utm: Option<Utm>,
    /// Where the link of a car leads that is no longer listed; left out, where it led.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub when_gone: Option<String>,
    /// Whether a link that was deleted by hand is made again while its car is listed.
    #[serde(skip_serializing_if = "is_false")]
    pub recreate: bool,
    /// Registrable domains besides that of the site on which pages of cars may be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(length(max = 20)))]
    pub domains: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) const fn is_false(value: &bool) -> bool {
    !*value
}

/// UTM parameters, by which a site's analytics tell where a visitor comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs, reason = "the names are those of the parameters")]
pub struct Utm {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub medium: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

impl Utm {
    /// The parameters that are given, with their names in an address.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { source, medium, campaign, term, content } = self;
        let pairs = [
            ("utm_source", source),
            ("utm_medium", medium),
            ("utm_campaign", campaign),
            ("utm_term", term),
            ("utm_content", content),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

impl Links {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn check(&mut self, problems: &mut Problems) {
        for (name, value) in self.utm.iter().flat_map(Utm::pairs) {
            let field = format!("links.utm.{}", name.trim_start_matches("utm_"));
            problems.check_length(&field, value, 1, MAX_UTM);
        }
        if let Some(gone) = &mut self.when_gone {
            match address::normal(gone) {
                Ok(url) => *gone = url.into(),
                Err(problem) => problems.add("links.when_gone", problem),
            }
        }
        if self.domains.len() > MAX_DOMAINS {
            let count = self.domains.len();
            problems.add("links.domains", format!("{count}, expected at most {MAX_DOMAINS}"));
        }
        for domain in &mut self.domains {
            *domain = domain.trim().to_ascii_lowercase();
            if psl::domain_str(domain) != Some(domain.as_str()) {
                let expected = "expected a registrable domain such as example.com";
                problems.add("links.domains", format!("{domain:?}, {expected}"));
            }
        }
        self.domains.sort_unstable();
        self.domains.dedup();
    }

    /// Whether a feed of this site may make jobs for this page: it is on the same host, on the same registrable
    /// domain, or on one of the further domains.
    #[must_use]
    pub fn allow(&self, site: &Url, page: &Url) -> bool {
        if site.host() == page.host() {
            return true;
        }
        let Some(domain) = registrable(page) else { return false };
        registrable(site) == Some(domain) || self.domains.iter().any(|allowed| allowed == domain)
    }

    /// Whether links of cars that are gone may lead where the payload says: like a page, to an address of the dealer.
    pub(crate) fn allow_when_gone(&self, site: &Url) -> bool {
        let gone = self.when_gone.as_deref().and_then(|gone| gone.parse().ok());
        gone.is_none_or(|gone| self.allow(site, &gone))
    }

    /// Where the link of a car leads: to its page, with the UTM parameters instead of those that the page's address
    /// has. `None` if the page has no valid address.
    #[must_use]
    pub fn destination(&self, page: &str) -> Option<Url> {
        let mut url = address::normal(page).ok()?;
        let ours: Vec<(&str, &str)> = self.utm.iter().flat_map(Utm::pairs).collect();
        if ours.is_empty() {
            return Some(url);
        }
        let kept = url.query_pairs().filter(|(name, _)| ours.iter().all(|(our, _)| our != name));
        let kept: Vec<(String, String)> = kept.map(|(n, v)| (n.into(), v.into())).collect();
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(ours);
        address::normal(url.as_str()).ok()
    }
}

/// The registrable domain of an address, by the Public Suffix List; `None` for an IP address.
fn registrable(url: &Url) -> Option<&str> {
    match url.host()? {
        Host::Domain(domain) => psl::domain_str(domain),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn pages_are_on_the_registrable_domain_of_their_site() {
        let links = Links { domains: vec!["cars.example".into()], ..Links::default() };
        let site = url("https://www.acme.co.uk/");
        for (page, expected) in [
            ("https://www.acme.co.uk/car", true),
            ("https://inventory.acme.co.uk/car", true),
            ("http://acme.co.uk:8443/car", true),
            ("https://shop.cars.example/car", true),
            ("https://other.co.uk/car", false),
            ("https://acme.co.uk.evil.example/car", false),
            ("https://notcars.example/car", false),
            ("http://169.254.169.254/car", false),
        ] {
            assert_eq!(links.allow(&site, &url(page)), expected, "{page}");
        }
        let local = url("http://127.0.0.1:8080/");
        assert!(links.allow(&local, &url("http://127.0.0.1:8081/car")), "the same host");
        assert!(!links.allow(&local, &url("http://127.0.0.2/car")));
    }

    #[test]
    fn utm_parameters_replace_those_of_the_page() {
        let utm = Utm { source: Some("text & mail".into()), ..Utm::default() };
        let links = Links { utm: Some(utm), ..Links::default() };
        let page = "https://acme.example/car?id=7&utm_source=site&utm_medium=web";
        let expected = "https://acme.example/car?id=7&utm_medium=web&utm_source=text+%26+mail";
        assert_eq!(links.destination(page).unwrap().as_str(), expected);
        assert_eq!(links.destination(expected).unwrap().as_str(), expected, "once is enough");
        let plain = Links::default().destination("https://acme.example/car?a=%7e").unwrap();
        assert_eq!(plain.as_str(), "https://acme.example/car?a=~");
    }

    #[test]
    fn each_wrong_field_is_named() {
        let utm = Utm { campaign: Some(String::new()), ..Utm::default() };
        let mut links = Links {
            utm: Some(utm),
            when_gone: Some("acme".into()),
            domains: vec!["www.acme.example".into(), "com".into()],
            ..Links::default()
        };
        let mut problems = Problems::default();
        links.check(&mut problems);
        let said = problems.to_string();
        for field in ["links.utm.campaign: 0", "links.when_gone: not", "\"www.acme", "\"com\""] {
            assert!(said.contains(field), "{field}: {said}");
        }
    }
}
