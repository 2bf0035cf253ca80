//! Slashtags: the part of a short link after the domain.
//!
//! The candidates depend only on the dealer, the VIN and the destination, and their order is fixed.
//! A retry, a duplicate message or a car listed again therefore finds the link that an earlier
//! attempt created, instead of creating a second one.

use std::cell::LazyCell;

use url::Url;

use crate::vin::Vin;
use evenkeel::base::hash::sha256_hex;

/// Longest slashtag that Rebrandly accepts, in characters (its API reference, `POST /v1/links`).
pub const MAX_LENGTH: usize = 40;

/// Number of candidates of one chain. Conflicts on all of them cannot be coincidence.
pub const MAX_CANDIDATES: usize = 9;

/// Hexadecimal digits of the hash in the first candidate with one; each further candidate has
/// [`HASH_STEP`] digits more.
const SHORTEST_HASH: usize = 4;
const HASH_STEP: usize = 2;

/// The candidates for one car of one dealer, in the order in which to try them:
/// `{dealer}-{vin6}`, `{dealer}-{vin8}`, then `{dealer}-{vin6}-{hash}` with a growing hash.
///
/// The hash is SHA-256 over the VIN and the normalised destination. All candidates differ. Each
/// consists of `[a-z0-9-]` and has at most [`MAX_LENGTH`] characters; the dealer's part is cut to
/// fit.
///
/// Each is made when it is asked for: nearly every car gets the first one, which needs no hash.
pub fn candidates<'a>(
    dealer_slug: &str,
    vin: &'a Vin,
    destination: &'a Url,
) -> impl Iterator<Item = String> + use<'a> {
    let dealer = slug(dealer_slug);
    let vin6 = vin.last(6).to_ascii_lowercase();
    let hash = LazyCell::new(move || sha256_hex(&[vin.as_str(), "\n", &normalised(destination)]));
    (0..MAX_CANDIDATES).map(move |index| {
        let tail = match index {
            0 => vin6.clone(),
            1 => vin.last(8).to_ascii_lowercase(),
            _ => format!("{vin6}-{}", &hash[..SHORTEST_HASH + HASH_STEP * (index - 2)]),
        };
        joined(&dealer, &tail)
    })
}

/// `{dealer}-{tail}`, with `dealer` cut so that the result has at most [`MAX_LENGTH`] characters.
fn joined(dealer: &str, tail: &str) -> String {
    let room = MAX_LENGTH - tail.len() - 1;
    let dealer = dealer[..dealer.len().min(room)].trim_end_matches('-');
    if dealer.is_empty() { tail.to_owned() } else { format!("{dealer}-{tail}") }
}

/// `name` in ASCII and lower case; each run of characters outside `[a-z0-9]` becomes one dash. Umlauts are written as
/// in German names, where `ü` and `u` are different letters; other letters as they sound.
#[must_use]
pub fn slug(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    let spelt = |c| match c {
        'ä' | 'Ä' => "ae",
        'ö' | 'Ö' => "oe",
        'ü' | 'Ü' => "ue",
        other => deunicode::deunicode_char(other).unwrap_or("-"),
    };
    for c in name.chars().flat_map(|c| spelt(c).chars()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// Whether two addresses are equal after normalisation.
#[must_use]
pub fn same_destination(one: &Url, other: &Url) -> bool {
    normalised(one) == normalised(other)
}

/// An address in the form in which addresses are compared: without scheme, `www.`, trailing slashes
/// of the path and anchor, because dealers' sites redirect between these variants. URL parsing has
/// already normalised the rest (host in lower case, default port, dot segments).
pub(crate) fn normalised(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix("www.").unwrap_or(host);
    let mut text = String::with_capacity(url.as_str().len());
    text.push_str(host);
    if let Some(port) = url.port() {
        text.extend([":", &port.to_string()]);
    }
    text.push_str(url.path().trim_end_matches('/'));
    if let Some(query) = url.query() {
        text.extend(["?", query]);
    }
    // Sites with client-side routing name the page in the fragment (`#/…`, `#!…`).
    if let Some(fragment) = url.fragment().filter(|text| text.starts_with(['/', '!'])) {
        text.extend(["#", fragment]);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn vin() -> Vin {
        Vin::parse("1HGCM82633A004352").unwrap()
    }

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The hash is `printf '1HGCM82633A004352\nacme.example/car/1' | sha256sum`.
    #[test]
    fn the_chain_of_candidates_is_fixed() {
        let (vin, destination) = (vin(), url("https://acme.example/car/1"));
        let chain: Vec<String> = candidates("Acme Motors", &vin, &destination).collect();
        assert_eq!(
            chain,
            [
                "acme-motors-004352",
                "acme-motors-3a004352",
                "acme-motors-004352-ee2a",
                "acme-motors-004352-ee2af2",
                "acme-motors-004352-ee2af2db",
                "acme-motors-004352-ee2af2db65",
                "acme-motors-004352-ee2af2db6595",
                "acme-motors-004352-ee2af2db659515",
                "acme-motors-004352-ee2af2db659515bd",
            ]
        );
    }

    #[test]
    fn names_of_dealers_are_spelt_in_ascii() {
        for (name, expected) in [
            ("Autohaus Müller", "autohaus-mueller"),
            ("Autohaus Möller", "autohaus-moeller"),
            ("Groß & Söhne", "gross-soehne"),
            ("Citroën Orléans", "citroen-orleans"),
            ("Škoda Łódź", "skoda-lodz"),
            ("O'Brien's", "o-brien-s"),
            ("日産", "ri-chan"),
            ("---", ""),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
    }

    #[test]
    fn addresses_are_compared_after_normalisation() {
        let one = url("https://www.acme.example/car/1?a=b");
        for same in [
            "http://acme.example/car/1/?a=b",
            "https://ACME.example:443/car/1?a=b#photos",
            "https://www.acme.example/x/../car/1?a=b",
        ] {
            assert!(same_destination(&one, &url(same)), "{same}");
        }
        for other in [
            "https://www.acme.example/car/1",
            "https://www.acme.example/car/2?a=b",
            "https://www.acme.example/Car/1?a=b",
            "https://www.acme.example:8443/car/1?a=b",
            "https://inventory.acme.example/car/1?a=b",
            "https://www.acme.example/car/1?a=b#/photos",
            "https://www.acme.example/car/1?a=b#!/photos",
        ] {
            assert!(!same_destination(&one, &url(other)), "{other}");
        }
    }

    proptest! {
        #[test]
        fn all_candidates_are_valid_and_distinct(
            dealer in ".{0,80}",
            vin in "[A-HJ-NPR-Z0-9]{17}",
            path in "[a-z0-9/]{0,30}",
        ) {
            let vin = Vin::parse(&vin).unwrap();
            let destination = url(&format!("https://dealer.example/{path}"));
            let chain: Vec<String> = candidates(&dealer, &vin, &destination).collect();
            prop_assert_eq!(chain.len(), MAX_CANDIDATES);
            prop_assert_eq!(chain.iter().collect::<HashSet<_>>().len(), chain.len());
            for tag in &chain {
                prop_assert!((1..=MAX_LENGTH).contains(&tag.len()), "{}", tag);
                let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                prop_assert!(tag.chars().all(valid), "{}", tag);
                prop_assert!(!tag.starts_with('-') && !tag.contains("--"), "{}", tag);
            }
            prop_assert!(candidates(&dealer, &vin, &destination).eq(chain));
        }
    }
}
