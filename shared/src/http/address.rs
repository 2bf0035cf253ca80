//! IP addresses that are refused: all that cannot belong to a public host.
//!
//! A message can name any URL, and the function that fetches it reaches services that the sender
//! does not: those of its own machine, of its network and of the cloud. If a URL could lead there,
//! the sender could use the function to attack them ("server-side request forgery").
//!
//! Source: IANA's registries of special-purpose addresses, IPv4 and IPv6. In IPv6, hosts have
//! addresses only in `2000::/3`, so all others are refused even if the table does not name them. An
//! IPv6 address that embeds an IPv4 address is always refused: no public host has such an address
//! of its own, and the gateway that unpacks it may stand anywhere. (In a subnet with DNS64, every
//! IPv4 host would appear to have one; the functions do not run in such subnets.)

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The purpose of an IP address that cannot belong to a public host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Special {
    /// "This host on this network": a connection to it reaches the local machine.
    Unspecified,
    /// The local machine.
    Loopback,
    /// A private network (RFC 1918).
    Private,
    /// Between a provider and its customers, behind carrier-grade NAT (RFC 6598).
    Shared,
    /// The local link, without a router.
    LinkLocal,
    /// The metadata service of a cloud, which hands out a machine's credentials.
    Metadata,
    /// Tests of network devices (RFC 2544, RFC 5180).
    Benchmarking,
    /// Examples in documents.
    Documentation,
    /// A group of hosts.
    Multicast,
    /// Reserved for protocols or for future use.
    Reserved,
    /// IPv4-mapped, as sockets show an IPv4 peer: `::ffff:0:0/96` (RFC 4291).
    Mapped,
    /// IPv4-compatible: `::/96` (RFC 4291, deprecated).
    Compatible,
    /// IPv4-translated, for stateless translation: `::ffff:0:0:0/96` (RFC 2765).
    Translated,
    /// IPv4 behind a NAT64 translator: `64:ff9b::/96` (RFC 6052), and for local use
    /// `64:ff9b:1::/48` (RFC 8215).
    Nat64,
    /// IPv4 behind a 6to4 router: `2002::/16` (RFC 3056), and the anycast address of such routers
    /// (RFC 7526).
    SixToFour,
    /// IPv4 in a Teredo tunnel: `2001::/32` (RFC 4380).
    Teredo,
    /// A private network of IPv6 (RFC 4193).
    UniqueLocal,
    /// The deprecated predecessor of the unique local addresses (RFC 3879).
    SiteLocal,
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::Shared => "an address of carrier-grade NAT",
            Self::LinkLocal => "a link-local address",
            Self::Metadata => "the address of a cloud's metadata service",
            Self::Benchmarking => "an address for benchmarking",
            Self::Documentation => "an address for documentation",
            Self::Multicast => "a multicast address",
            Self::Reserved => "a reserved address",
            Self::Mapped => "an IPv4-mapped address",
            Self::Compatible => "an IPv4-compatible address",
            Self::Translated => "an IPv4-translated address",
            Self::Nat64 => "a NAT64 address",
            Self::SixToFour => "a 6to4 address",
            Self::Teredo => "a Teredo address",
            Self::UniqueLocal => "a unique local address",
            Self::SiteLocal => "a site-local address",
        })
    }
}

/// IPv4 networks: address, prefix length, purpose. The first match counts, so single addresses
/// stand before the networks that contain them.
const V4: [(Ipv4Addr, u32, Special); 21] = [
    // Credentials: EC2 and most other clouds, ECS, EKS. Those of Alibaba and Oracle lie in other
    // networks; that of Azure lies in public address space.
    (Ipv4Addr::new(169, 254, 169, 254), 32, Special::Metadata),
    (Ipv4Addr::new(169, 254, 170, 2), 32, Special::Metadata),
    (Ipv4Addr::new(169, 254, 170, 23), 32, Special::Metadata),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Special::Metadata),
    (Ipv4Addr::new(192, 0, 0, 192), 32, Special::Metadata),
    (Ipv4Addr::new(168, 63, 129, 16), 32, Special::Metadata),
    (Ipv4Addr::UNSPECIFIED, 8, Special::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Special::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Special::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Special::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Special::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Special::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Special::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Special::Documentation),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Special::SixToFour),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Special::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Special::Benchmarking),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Special::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Special::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Special::Multicast),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Special::Reserved),
];

/// IPv6 networks, in the same form as [`V4`].
const V6: [(Ipv6Addr, u32, Special); 20] = [
    // Credentials: EC2, EKS, Google.
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Special::Metadata),
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23), 128, Special::Metadata),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, Special::Metadata),
    (Ipv6Addr::UNSPECIFIED, 128, Special::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Special::Loopback),
    (Ipv6Addr::UNSPECIFIED, 96, Special::Compatible),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96, Special::Mapped),
    (Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96, Special::Translated),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, Special::Nat64),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, Special::Nat64),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Special::Teredo),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, Special::Benchmarking),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Special::Reserved),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Special::Documentation),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Special::SixToFour),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Special::Documentation),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Special::UniqueLocal),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Special::LinkLocal),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Special::SiteLocal),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Special::Multicast),
];

/// The network in which all IPv6 hosts have their addresses: `2000::/3`.
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// The purpose of the address, or `None` if it may belong to a public host.
pub(crate) fn special(ip: IpAddr) -> Option<Special> {
    match ip {
        IpAddr::V4(ip) => special_v4(ip),
        IpAddr::V6(ip) => special_v6(ip),
    }
}

fn special_v4(ip: Ipv4Addr) -> Option<Special> {
    let common = |net: &Ipv4Addr| (ip.to_bits() ^ net.to_bits()).leading_zeros();
    V4.iter().find(|(net, bits, _)| common(net) >= *bits).map(|(_, _, special)| *special)
}

fn special_v6(ip: Ipv6Addr) -> Option<Special> {
    let common = |net: &Ipv6Addr| (ip.to_bits() ^ net.to_bits()).leading_zeros();
    let named = V6.iter().find(|(net, bits, _)| common(net) >= *bits);
    let (hosts, bits) = GLOBAL_UNICAST;
    let unnamed = (common(&hosts) < bits).then_some(Special::Reserved);
    named.map(|(_, _, special)| *special).or(unnamed)
}

/// Which IP addresses the outbound client may reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Public hosts only, on ports 80 and 443.
    #[default]
    Public,
    /// Also the local machine, on any port: for tests and the local stack, which run the stand-ins
    /// of third parties there.
    WithLoopback,
}

impl Reach {
    /// Why the address is out of reach, or `None` if it is within reach.
    pub(crate) fn refuses(self, ip: IpAddr) -> Option<Special> {
        special(ip).filter(|special| !(self.has_loopback() && *special == Special::Loopback))
    }

    /// Whether the local machine is within reach.
    pub(crate) const fn has_loopback(self) -> bool {
        matches!(self, Self::WithLoopback)
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
