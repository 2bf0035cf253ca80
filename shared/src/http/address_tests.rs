use proptest::prelude::*;

use super::*;

/// The first and last address of every network, and those just outside.
const V4_EDGES: [(&str, Option<Special>); 58] = [
    ("0.0.0.0", Some(Special::Unspecified)),
    ("0.255.255.255", Some(Special::Unspecified)),
    ("1.0.0.0", None),
    ("9.255.255.255", None),
    ("10.0.0.0", Some(Special::Private)),
    ("10.255.255.255", Some(Special::Private)),
    ("11.0.0.0", None),
    ("100.63.255.255", None),
    ("100.64.0.0", Some(Special::Shared)),
    ("100.100.100.200", Some(Special::Metadata)),
    ("100.127.255.255", Some(Special::Shared)),
    ("100.128.0.0", None),
    ("126.255.255.255", None),
    ("127.0.0.0", Some(Special::Loopback)),
    ("127.255.255.255", Some(Special::Loopback)),
    ("128.0.0.0", None),
    ("168.63.129.15", None),
    ("168.63.129.16", Some(Special::Metadata)),
    ("168.63.129.17", None),
    ("169.253.255.255", None),
    ("169.254.0.0", Some(Special::LinkLocal)),
    ("169.254.169.253", Some(Special::LinkLocal)),
    ("169.254.169.254", Some(Special::Metadata)),
    ("169.254.170.2", Some(Special::Metadata)),
    ("169.254.170.23", Some(Special::Metadata)),
    ("169.254.255.255", Some(Special::LinkLocal)),
    ("169.255.0.0", None),
    ("172.15.255.255", None),
    ("172.16.0.0", Some(Special::Private)),
    ("172.31.255.255", Some(Special::Private)),
    ("172.32.0.0", None),
    ("191.255.255.255", None),
    ("192.0.0.0", Some(Special::Reserved)),
    ("192.0.0.192", Some(Special::Metadata)),
    ("192.0.0.255", Some(Special::Reserved)),
    ("192.0.1.0", None),
    ("192.0.2.0", Some(Special::Documentation)),
    ("192.0.2.255", Some(Special::Documentation)),
    ("192.0.3.0", None),
    ("192.88.98.255", None),
    ("192.88.99.0", Some(Special::SixToFour)),
    ("192.88.100.0", None),
    ("192.167.255.255", None),
    ("192.168.0.0", Some(Special::Private)),
    ("192.168.255.255", Some(Special::Private)),
    ("192.169.0.0", None),
    ("198.17.255.255", None),
    ("198.18.0.0", Some(Special::Benchmarking)),
    ("198.19.255.255", Some(Special::Benchmarking)),
    ("198.20.0.0", None),
    ("198.51.100.7", Some(Special::Documentation)),
    ("203.0.113.7", Some(Special::Documentation)),
    ("223.255.255.255", None),
    ("224.0.0.0", Some(Special::Multicast)),
    ("239.255.255.255", Some(Special::Multicast)),
    ("240.0.0.0", Some(Special::Reserved)),
    ("255.255.255.254", Some(Special::Reserved)),
    ("255.255.255.255", Some(Special::Reserved)),
];

const V6_EDGES: [(&str, Option<Special>); 52] = [
    ("::", Some(Special::Unspecified)),
    ("::1", Some(Special::Loopback)),
    ("::2", Some(Special::Compatible)),
    ("::127.0.0.1", Some(Special::Compatible)),
    ("::255.255.255.255", Some(Special::Compatible)),
    ("::1:0:0", Some(Special::Reserved)),
    ("::ffff:0.0.0.0", Some(Special::Mapped)),
    ("::ffff:127.0.0.1", Some(Special::Mapped)),
    ("::ffff:8.8.8.8", Some(Special::Mapped)),
    ("::ffff:0:10.0.0.1", Some(Special::Translated)),
    ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", Some(Special::Reserved)),
    ("64:ff9b::", Some(Special::Nat64)),
    ("64:ff9b::8.8.8.8", Some(Special::Nat64)),
    ("64:ff9b::1:0:0", Some(Special::Reserved)),
    ("64:ff9b:1::", Some(Special::Nat64)),
    ("64:ff9b:1:ffff:ffff:ffff:ffff:ffff", Some(Special::Nat64)),
    ("64:ff9b:2::", Some(Special::Reserved)),
    ("100::1", Some(Special::Reserved)),
    ("1fff:ffff::", Some(Special::Reserved)),
    ("2000::", None),
    ("2000:ffff::1", None),
    ("2001::", Some(Special::Teredo)),
    ("2001:0:ffff:ffff:ffff:ffff:ffff:ffff", Some(Special::Teredo)),
    ("2001:1::1", Some(Special::Reserved)),
    ("2001:2::", Some(Special::Benchmarking)),
    ("2001:2:0:ffff:ffff:ffff:ffff:ffff", Some(Special::Benchmarking)),
    ("2001:10::1", Some(Special::Reserved)),
    ("2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", Some(Special::Reserved)),
    ("2001:200::", None),
    ("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", None),
    ("2001:db8::", Some(Special::Documentation)),
    ("2001:db8:ffff::1", Some(Special::Documentation)),
    ("2001:db9::", None),
    ("2001:4860:4860::8888", None),
    ("2002::", Some(Special::SixToFour)),
    ("2002:ffff:ffff::1", Some(Special::SixToFour)),
    ("2003::", None),
    ("2606:4700:4700::1111", None),
    ("3ffe::", None),
    ("3fff::1", Some(Special::Documentation)),
    ("3fff:1000::", None),
    ("4000::", Some(Special::Reserved)),
    ("5f00::1", Some(Special::Reserved)),
    ("fbff::", Some(Special::Reserved)),
    ("fc00::", Some(Special::UniqueLocal)),
    ("fd00:ec2::254", Some(Special::Metadata)),
    ("fd20:ce::254", Some(Special::Metadata)),
    ("fdff::1", Some(Special::UniqueLocal)),
    ("fe80::1", Some(Special::LinkLocal)),
    ("febf::1", Some(Special::LinkLocal)),
    ("fec0::1", Some(Special::SiteLocal)),
    ("ff02::1", Some(Special::Multicast)),
];

#[test]
fn every_network_has_the_right_bounds() {
    for (text, expected) in V4_EDGES.into_iter().chain(V6_EDGES) {
        let ip: IpAddr = text.parse().unwrap();
        assert_eq!(special(ip), expected, "{text}");
    }
}

#[test]
fn every_network_is_listed_by_its_first_address() {
    for (net, bits, kind) in V4 {
        assert!((1..=32).contains(&bits), "{net}/{bits}");
        assert!(net.to_bits().trailing_zeros() >= 32 - bits, "{net}/{bits}");
        assert!(special(net.into()).is_some(), "{net}/{bits}: {kind}");
    }
    for (net, bits, kind) in V6 {
        assert!((1..=128).contains(&bits), "{net}/{bits}");
        assert!(net.to_bits().trailing_zeros() >= 128 - bits, "{net}/{bits}");
        assert!(special(net.into()).is_some(), "{net}/{bits}: {kind}");
    }
}

#[test]
fn with_loopback_opens_loopback_and_nothing_else() {
    for (text, expected) in V4_EDGES.into_iter().chain(V6_EDGES) {
        let ip: IpAddr = text.parse().unwrap();
        assert_eq!(Reach::Public.refuses(ip), expected, "{text}");
        let opened = expected.filter(|special| *special != Special::Loopback);
        assert_eq!(Reach::WithLoopback.refuses(ip), opened, "{text}");
    }
    assert_eq!(Reach::default(), Reach::Public);
}

/// Any address, and with the same probability one in or beside a network of the table, which a
/// uniform draw would rarely hit.
fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let near = (0..V4.len(), any::<u32>(), -1_i32..=1).prop_map(|(row, chance, step)| {
        let (net, bits, _) = V4[row];
        let within = net.to_bits() | chance.checked_shr(bits).unwrap_or(0);
        Ipv4Addr::from_bits(within.wrapping_add_signed(step))
    });
    prop_oneof![any::<u32>().prop_map(Ipv4Addr::from_bits), near]
}

fn any_v6() -> impl Strategy<Value = Ipv6Addr> {
    let near = (0..V6.len(), any::<u128>(), -1_i128..=1).prop_map(|(row, chance, step)| {
        let (net, bits, _) = V6[row];
        let within = net.to_bits() | chance.checked_shr(bits).unwrap_or(0);
        Ipv6Addr::from_bits(within.wrapping_add_signed(step))
    });
    prop_oneof![any::<u128>().prop_map(Ipv6Addr::from_bits), near]
}

proptest! {
    #[test]
    fn ipv4_agrees_with_the_standard_library(ip in any_v4()) {
        let found = special(ip.into());
        let is = |kind| found == Some(kind);
        prop_assert_eq!(is(Special::Loopback), ip.is_loopback());
        prop_assert_eq!(is(Special::Private), ip.is_private());
        prop_assert_eq!(is(Special::Documentation), ip.is_documentation());
        prop_assert_eq!(is(Special::Multicast), ip.is_multicast());
        prop_assert!(!ip.is_unspecified() || is(Special::Unspecified));
        prop_assert!(!ip.is_broadcast() || is(Special::Reserved));
        prop_assert!(!ip.is_link_local() || is(Special::LinkLocal) || is(Special::Metadata));
        prop_assert!(!is(Special::LinkLocal) || ip.is_link_local());
    }

    #[test]
    fn ipv6_agrees_with_the_standard_library(ip in any_v6()) {
        let found = special(ip.into());
        let is = |kind| found == Some(kind);
        prop_assert_eq!(is(Special::Unspecified), ip.is_unspecified());
        prop_assert_eq!(is(Special::Loopback), ip.is_loopback());
        prop_assert_eq!(is(Special::Multicast), ip.is_multicast());
        prop_assert_eq!(is(Special::LinkLocal), ip.is_unicast_link_local());
        prop_assert_eq!(is(Special::Mapped), ip.to_ipv4_mapped().is_some());
        let local = is(Special::UniqueLocal) || is(Special::Metadata);
        prop_assert_eq!(local, ip.is_unique_local());
        let outside = ip.segments()[0] >> 13 != 1;
        prop_assert!(!outside || found.is_some(), "{ip} is outside 2000::/3");
    }

    #[test]
    fn no_ipv6_form_of_an_ipv4_address_is_permitted(ip in any::<u32>()) {
        let tail = u128::from(ip);
        let forms = [
            tail,
            (0xffff_u128 << 32) | tail,
            (0xffff_u128 << 48) | tail,
            (0x64_ff9b_u128 << 96) | tail,
            (0x64_ff9b_0001_u128 << 80) | tail,
            (0x2002_u128 << 112) | (tail << 80),
            (0x2001_u128 << 112) | (tail << 64) | (!tail & 0xffff_ffff),
        ];
        for form in forms {
            let form = Ipv6Addr::from_bits(form);
            prop_assert!(special(form.into()).is_some(), "{form}");
        }
    }
}
