//! Checks what the text of a URL shows: scheme, credentials, host and port.
//!
//! The `url` crate parses a host as browsers do (WHATWG URL): it decodes percent signs, maps
//! full-width and other look-alike digits, turns names into lower-case punycode, and turns any
//! spelling of an IPv4 address (`2130706433`, `0x7f.1`, `0177.0.0.1`) into the usual one. This
//! module checks the result, and the client calls the same result. A name does not show which
//! addresses are behind it; [`super::resolve`] checks those when the client connects.

use std::{fmt, net::IpAddr};

use url::{Host, ParseError, Url};

use super::address::{Reach, Special, special};

/// Longest URL and longest `Location`, in bytes: the limit for a URL in a job's payload.
pub(crate) const MAX_ADDRESS_BYTES: usize = 2048;

/// Longest host name, in bytes (RFC 1035, section 2.3.4).
const MAX_NAME_BYTES: usize = 253;

/// Longest label of a host name, in bytes (RFC 1035, section 2.3.4).
const MAX_LABEL_BYTES: usize = 63;

/// The default ports of http and https.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// Names that only local resolvers know. Their addresses would be refused too, but the lookup
/// itself would show which names exist. Sources: RFC 6761, RFC 6762 with its appendix G, RFC 8375,
/// and the factory settings of routers and resolvers.
const LOCAL_NAMES: [&str; 10] = [
    LOCALHOST,
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
];

/// The local machine, and the names under it (RFC 6761, section 6.3).
const LOCALHOST: &str = "localhost";

/// Why a URL is not called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Refusal {
    /// It is not a valid URL, for this reason.
    Malformed(String),
    /// It is too long, with this length in bytes.
    TooLong(usize),
    /// Its scheme is neither http nor https.
    Scheme(String),
    /// It contains a user name or a password.
    Credentials,
    /// Its port is not one of a web server.
    Port(u16),
    /// Its host has a name of local networks.
    LocalName(String),
    /// Its host is not one that the job type may call.
    NotListed(String),
    /// Its host is an IP address that cannot belong to a public host.
    Address { ip: IpAddr, special: Special },
    /// Its host name resolves to such an IP address.
    Resolved {
        host: String,
        /// The first of its addresses that is refused.
        ip: IpAddr,
        special: Special,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "no address: {why}"),
            Self::TooLong(bytes) => {
                write!(f, "{bytes} bytes, expected at most {MAX_ADDRESS_BYTES}")
            }
            Self::Scheme(scheme) => write!(f, "scheme {scheme:?}, expected http or https"),
            Self::Credentials => f.write_str("a user name or password in it, expected none"),
            Self::Port(port) => write!(f, "port {port}, expected 80 or 443"),
            Self::LocalName(host) => write!(f, "{host:?} is a name of local networks"),
            Self::NotListed(host) => write!(f, "{host:?} is not one of the hosts allowed"),
            Self::Address { ip, special } => write!(f, "{ip} is {special}"),
            Self::Resolved { host, ip, special } => {
                write!(f, "{host:?} leads to {ip}, which is {special}")
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// The hosts that a job type may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Option<Vec<String>>);

impl Hosts {
    /// Any public host.
    #[must_use]
    pub const fn public() -> Self {
        Self(None)
    }

    /// These domains and every name under them, in ASCII. No IP address is under a domain.
    #[must_use]
    pub fn under<T: AsRef<str>>(domains: impl IntoIterator<Item = T>) -> Self {
        let normal = |domain: T| domain.as_ref().trim_matches('.').to_ascii_lowercase();
        Self(Some(domains.into_iter().map(normal).filter(|domain| !domain.is_empty()).collect()))
    }

    /// Whether the host is included. An empty list includes none.
    fn have(&self, host: &str) -> bool {
        let Self(domains) = self;
        domains.as_ref().is_none_or(|domains| domains.iter().any(|domain| is_under(host, domain)))
    }
}

/// Whether a name is the domain or a subdomain; the same ending letters do not suffice.
fn is_under(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether a name means the local machine, regardless of what its lookup would return.
pub(crate) fn is_localhost(name: &str) -> bool {
    is_under(name, LOCALHOST)
}

/// The rules by which URLs are checked.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) hosts: Hosts,
    pub(crate) reach: Reach,
}

/// A URL that has been checked; the client calls no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(Url);

impl Target {
    pub(crate) const fn url(&self) -> &Url {
        &self.0
    }

    /// The host, for messages: unlike the URL's query, it cannot contain a token.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether scheme, host and port are the same.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }
}

impl Rules {
    /// Parses and checks a URL from outside.
    pub(crate) fn check(&self, address: &str) -> Result<Target, Refusal> {
        self.read(address, Url::parse)
    }

    /// Parses and checks where an answer from `from` redirects to.
    pub(crate) fn check_redirect(&self, from: &Target, location: &str) -> Result<Target, Refusal> {
        self.read(location, |location| from.url().join(location))
    }

    fn read<'a>(
        &self,
        text: &'a str,
        parse: impl FnOnce(&'a str) -> Result<Url, ParseError>,
    ) -> Result<Target, Refusal> {
        if text.len() > MAX_ADDRESS_BYTES {
            return Err(Refusal::TooLong(text.len()));
        }
        self.permit(parse(text).map_err(malformed)?)
    }

    fn permit(&self, mut url: Url) -> Result<Target, Refusal> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refusal::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        // A final dot marks a complete name, and all names here are complete. Certificates and
        // virtual hosts use the name without it.
        let complete = url.domain().and_then(|name| name.strip_suffix('.')).map(str::to_owned);
        if let Some(name) = complete {
            url.set_host(Some(&name)).map_err(malformed)?;
        }
        url.set_fragment(None);
        match url.host() {
            Some(Host::Ipv4(ip)) => self.permit_ip(ip.into())?,
            Some(Host::Ipv6(ip)) => self.permit_ip(ip.into())?,
            Some(Host::Domain(name)) => self.permit_name(name)?,
            None => return Err(Refusal::Malformed("no host".into())),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !self.reach.has_loopback() && !USUAL_PORTS.contains(&port) {
            return Err(Refusal::Port(port));
        }
        Ok(Target(url))
    }

    fn permit_ip(&self, ip: IpAddr) -> Result<(), Refusal> {
        if let Some(special) = self.reach.refuses(ip) {
            return Err(Refusal::Address { ip, special });
        }
        // The only special address within reach is the local machine, which no list names.
        if special(ip).is_none() && self.hosts != Hosts::public() {
            return Err(Refusal::NotListed(ip.to_string()));
        }
        Ok(())
    }

    fn permit_name(&self, name: &str) -> Result<(), Refusal> {
        let sound = |label: &str| (1..=MAX_LABEL_BYTES).contains(&label.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if name.len() > MAX_NAME_BYTES || !name.split('.').all(sound) || !name.bytes().all(plain) {
            return Err(Refusal::Malformed("its host is no name".into()));
        }
        if is_localhost(name) && self.reach.has_loopback() {
            return Ok(());
        }
        // A name without a dot is looked up in the local domain.
        if !name.contains('.') || LOCAL_NAMES.iter().any(|local| is_under(name, local)) {
            return Err(Refusal::LocalName(name.to_owned()));
        }
        if !self.hosts.have(name) {
            return Err(Refusal::NotListed(name.to_owned()));
        }
        Ok(())
    }
}

fn malformed(error: ParseError) -> Refusal {
    Refusal::Malformed(error.to_string())
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
