//! Which site a call addresses, and how that site's own URLs begin.

/// The path under which all sites are served.
const FOLDER: &str = "/dealers/";

/// The domain in which every site has its own host.
const HOSTS: &str = ".localhost";

/// The longest slug: a label of a host name has at most 63 characters.
const SLUG_MAX: usize = 63;

pub(super) const SLUG_RULE: &str = "must be 1 to 63 of a-z, 0-9 and -, with no - at either end";

/// The path of a site on the sandbox.
pub(crate) fn site_path(slug: &str) -> String {
    format!("{FOLDER}{slug}")
}

/// Whether the text obeys [`SLUG_RULE`].
pub(super) fn is_slug(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=SLUG_MAX).contains(&text.len())
        && text.chars().all(fine)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// An address on a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) slug: String,
    /// The path on the site, without the leading slash.
    pub(super) rest: String,
    origin: String,
    /// What precedes every path of the site: nothing if the site is on its own host.
    prefix: String,
}

impl Address {
    /// Parses the host and the path of a call. `None` if they cannot name a site.
    pub(super) fn of(host: &str, path: &str) -> Option<Self> {
        let origin = format!("http://{host}");
        let (slug, rest, prefix) = if let Some(below) = path.strip_prefix(FOLDER) {
            let (slug, rest) = below.split_once('/').unwrap_or((below, ""));
            (slug.to_owned(), rest, site_path(slug))
        } else {
            let name = host.split(':').next()?.to_ascii_lowercase();
            let slug = name.strip_suffix(HOSTS)?.to_owned();
            (slug, path.trim_start_matches('/'), String::new())
        };
        let rest = rest.to_owned();
        is_slug(&slug).then_some(Self { slug, rest, origin, prefix })
    }

    /// A path on the site, from the root of its host.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.prefix)
    }

    /// The full URL of a path on the site.
    pub(super) fn url(&self, rest: &str) -> String {
        format!("{}{}", self.origin, self.path(rest))
    }

    /// The path in the record, which is the same for both addresses of a site.
    pub(super) fn recorded(&self) -> String {
        format!("{}/{}", site_path(&self.slug), self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_found_by_its_path_and_by_its_host() {
        let by_path = Address::of("127.0.0.1:8080", "/dealers/lakeside/new/Ford/car.htm").unwrap();
        assert_eq!(
            (by_path.slug.as_str(), by_path.rest.as_str()),
            ("lakeside", "new/Ford/car.htm")
        );
        assert_eq!(by_path.path("x"), "/dealers/lakeside/x");
        assert_eq!(by_path.url("x"), "http://127.0.0.1:8080/dealers/lakeside/x");
        let by_host = Address::of("Lakeside.localhost:8080", "/new/Ford/car.htm").unwrap();
        assert_eq!(by_host.path("x"), "/x");
        assert_eq!(by_host.url("x"), "http://Lakeside.localhost:8080/x");
        assert_eq!(by_host.recorded(), by_path.recorded());
    }

    #[test]
    fn the_home_page_is_found_with_and_without_a_slash() {
        for path in ["/dealers/lakeside", "/dealers/lakeside/"] {
            let address = Address::of("127.0.0.1:8080", path).unwrap();
            assert_eq!((address.slug.as_str(), address.rest.as_str()), ("lakeside", ""), "{path}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_a_site_is_none() {
        let long = format!("/dealers/{}", "x".repeat(SLUG_MAX + 1));
        for path in ["/", "/other", "/dealers", "/dealers/", "/dealers/Up/", "/dealers/-a", &long] {
            assert_eq!(Address::of("127.0.0.1:8080", path), None, "{path}");
        }
        for host in ["", "localhost", "localhost:80", ".localhost", "a.b.localhost", "a.example"] {
            assert_eq!(Address::of(host, "/"), None, "{host}");
        }
    }
}
