#[path = "target_tests/addresses.rs"]
mod addresses;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::addresses::{GOOD, HOSTILE, HOSTILE_LOCATIONS, INSIDE, NEVER, embedded, spelled};
use super::*;

const PUBLIC: Rules = Rules { hosts: Hosts::public(), reach: Reach::Public };
const LOCAL: Rules = Rules { hosts: Hosts::public(), reach: Reach::WithLoopback };

fn refused(rules: &Rules, address: &str, expected: &str) {
    match rules.check(address) {
        Ok(target) => panic!("{address:?} is permitted as {}", target.url()),
        Err(refusal) => assert!(refusal.to_string().contains(expected), "{address:?}: {refusal}"),
    }
}

#[test]
fn hostile_urls_are_refused_for_the_right_reason() {
    for (address, expected) in HOSTILE {
        refused(&PUBLIC, address, expected);
    }
}

#[test]
fn every_embedding_of_an_inner_address_is_refused_in_every_spelling() {
    let from = PUBLIC.check("https://www.example.com/a").unwrap();
    let mut hostile = BTreeSet::new();
    for ip in INSIDE.into_iter().flat_map(embedded) {
        assert!(special(ip.into()).is_some(), "{ip}");
        hostile.extend(spelled(ip));
    }
    assert!(hostile.len() >= 200, "{} addresses", hostile.len());
    for host in hostile {
        for address in
            [format!("http://[{host}]/latest/meta-data/"), format!("https://[{host}]:443/")]
        {
            assert!(matches!(PUBLIC.check(&address), Err(Refusal::Address { .. })), "{address}");
            let redirect = PUBLIC.check_redirect(&from, &address);
            assert!(matches!(redirect, Err(Refusal::Address { .. })), "{address}");
            assert!(
                LOCAL.check(&address).is_err(),
                "{address}: also where tests reach their machine"
            );
        }
    }
}

#[test]
fn permitted_urls_are_normalized() {
    for (address, expected) in GOOD {
        let target = PUBLIC.check(address).unwrap_or_else(|why| panic!("{address}: {why}"));
        assert_eq!(target.url().as_str(), expected);
    }
}

#[test]
fn lengths_are_limited() {
    let address = |bytes: usize| format!("{:x<bytes$}", "https://www.example.com/");
    assert!(PUBLIC.check(&address(MAX_ADDRESS_BYTES)).is_ok());
    let long = address(MAX_ADDRESS_BYTES + 1);
    assert_eq!(PUBLIC.check(&long), Err(Refusal::TooLong(MAX_ADDRESS_BYTES + 1)));
    let label = |bytes| format!("http://{}.example.com/", "x".repeat(bytes));
    assert!(PUBLIC.check(&label(MAX_LABEL_BYTES)).is_ok());
    refused(&PUBLIC, &label(MAX_LABEL_BYTES + 1), "no name");
    let name = |labels| format!("http://{}example.com/", "label.".repeat(labels));
    assert!(PUBLIC.check(&name(40)).is_ok());
    refused(&PUBLIC, &name(41), "no name");
}

#[test]
fn with_loopback_opens_the_local_machine_and_any_port() {
    let opened = [
        "http://127.0.0.1:8080/",
        "http://127.0.0.53/",
        "http://2130706433:9/",
        "https://[::1]:8443/",
        "http://localhost:4566/",
        "http://LakeSide.LocalHost.:8080/cars",
        "https://www.example.com:8443/",
    ];
    for address in opened {
        assert!(LOCAL.check(address).is_ok(), "{address}");
        assert!(PUBLIC.check(address).is_err(), "{address}");
    }
    for (address, expected) in NEVER {
        refused(&LOCAL, address, expected);
    }
}

#[test]
fn a_list_of_hosts_includes_its_domains_and_subdomains() {
    let listed = Hosts::under(["Example.COM", ".cars.example.org.", ""]);
    let rules = Rules { hosts: listed, reach: Reach::Public };
    let allowed = [
        "https://example.com/",
        "https://EXAMPLE.com./",
        "https://www.example.com/",
        "https://a.b.example.com/",
        "https://cars.example.org/",
    ];
    for address in allowed {
        assert!(rules.check(address).is_ok(), "{address}");
    }
    let others = [
        "https://example.org/",
        "https://notexample.com/",
        "https://example.com.example.net/",
        "https://example.comm/",
        "https://com/",
        "https://8.8.8.8/",
        // With a Cyrillic letter, and the same name in punycode.
        "https://\u{435}xample.com/",
        "https://xn--xample-2of.com/",
    ];
    for address in others {
        assert!(rules.check(address).is_err(), "{address}");
    }
    let none = Rules { hosts: Hosts::under([""; 0]), reach: Reach::WithLoopback };
    assert!(none.check("https://www.example.com/").is_err());
    assert!(none.check("http://127.0.0.1:8080/").is_ok(), "no list restricts the local machine");
}

#[test]
fn a_redirect_is_resolved_against_its_page_and_checked_like_any_url() {
    let from = PUBLIC.check("https://www.example.com/a/b?c").unwrap();
    let good = [
        ("", "https://www.example.com/a/b?c"),
        ("d", "https://www.example.com/a/d"),
        ("/d", "https://www.example.com/d"),
        ("?d", "https://www.example.com/a/b?d"),
        ("//other.example.com/d", "https://other.example.com/d"),
        ("http://www.example.com/", "http://www.example.com/"),
    ];
    for (location, expected) in good {
        assert_eq!(PUBLIC.check_redirect(&from, location).unwrap().url().as_str(), expected);
    }
    for (location, expected) in HOSTILE_LOCATIONS {
        let refusal = PUBLIC.check_redirect(&from, location).unwrap_err();
        assert!(refusal.to_string().contains(expected), "{location:?}: {refusal}");
    }
    let long = "x".repeat(MAX_ADDRESS_BYTES + 1);
    assert!(matches!(PUBLIC.check_redirect(&from, &long), Err(Refusal::TooLong(_))));
}

#[test]
fn an_origin_is_scheme_host_and_port() {
    let target = |address| LOCAL.check(address).unwrap();
    let home = target("https://www.example.com/a");
    assert!(target("https://WWW.example.com:443/b?c").has_origin_of(&home));
    let others =
        ["http://www.example.com/a", "https://www.example.com:8443/a", "https://example.com/a"];
    for other in others {
        assert!(!target(other).has_origin_of(&home), "{other}");
    }
}

proptest! {
    /// The spelling of an IPv4 address makes no difference.
    #[test]
    fn every_spelling_of_an_ipv4_address_gets_the_same_answer(ip in any::<[u8; 4]>()) {
        let [a, b, c, d] = ip;
        let whole = u32::from_be_bytes(ip);
        let rest = whole & 0x00ff_ffff;
        let spellings = [
            format!("{a}.{b}.{c}.{d}"),
            whole.to_string(),
            format!("{whole:#x}"),
            format!("0{whole:o}"),
            format!("{a}.{rest}"),
            format!("{a:#x}.0{b:o}.{c}.{d}."),
        ];
        let expected = special(IpAddr::from(ip)).is_some();
        for spelling in spellings {
            let refused = PUBLIC.check(&format!("http://{spelling}/")).is_err();
            prop_assert_eq!(refused, expected, "{}", spelling);
        }
    }

    /// A permitted URL parses to itself and is permitted again.
    #[test]
    fn a_permitted_url_is_plain(address in "(https?:)?[/\\\\]{0,3}[ -~]{0,40}|\\PC{0,40}") {
        if let Ok(target) = PUBLIC.check(&address) {
            let url = target.url();
            prop_assert!(matches!(url.scheme(), "http" | "https"));
            prop_assert!(url.username().is_empty() && url.password().is_none());
            prop_assert!(!target.host().is_empty() && !target.host().ends_with('.'));
            let again = PUBLIC.check(url.as_str());
            prop_assert_eq!(again, Ok(target));
        }
    }

    #[test]
    fn any_location_is_permitted_or_refused(location in "\\PC{0,60}") {
        let from = PUBLIC.check("https://www.example.com/a/b").unwrap();
        if let Ok(next) = PUBLIC.check_redirect(&from, &location) {
            prop_assert!(PUBLIC.check(next.url().as_str()).is_ok());
        }
    }
}
