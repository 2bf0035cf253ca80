//! Addresses that are permitted, and many that are not.

use std::net::{Ipv4Addr, Ipv6Addr};

/// URLs that must never be called, and a part of each refusal.
pub(super) const HOSTILE: [(&str, &str); 124] = [
    // IPv4, in every spelling of the loopback address.
    ("http://127.0.0.1/", "loopback"),
    ("http://127.0.0.1:8080/", "loopback"),
    ("https://127.255.255.254/", "loopback"),
    ("http://127.1/", "loopback"),
    ("http://127.0.1/", "loopback"),
    ("http://2130706433/", "loopback"),
    ("http://0x7f000001/", "loopback"),
    ("http://0X7F.1/", "loopback"),
    ("http://0x7f.0.0.1/", "loopback"),
    ("http://0177.0.0.1/", "loopback"),
    ("http://0000177.0.0.1/", "loopback"),
    ("http://017700000001/", "loopback"),
    ("http://127.0.0.1./", "loopback"),
    ("http://%31%32%37.0.0.1/", "loopback"),
    ("http://１２７.０.０.１/", "loopback"),
    ("http://①②⑦.⓪.⓪.①/", "loopback"),
    ("http://127。0。0。1/", "loopback"),
    ("hTTp://2130706433", "loopback"),
    ("\u{9} http://127.0.0.1/", "loopback"),
    ("ht\ntp://127.0.\t0.1/", "loopback"),
    ("http:127.0.0.1", "loopback"),
    ("http:/127.0.0.1/", "loopback"),
    ("http:////127.0.0.1/", "loopback"),
    ("http:\\\\127.0.0.1\\", "loopback"),
    ("http://0/", "unspecified"),
    ("http://0.0.0.0/", "unspecified"),
    ("http://0x0:80/", "unspecified"),
    ("http://00.0.0.0./", "unspecified"),
    // IPv6.
    ("http://[::]/", "unspecified"),
    ("http://[::1]/", "loopback"),
    ("http://[0:0:0:0:0:0:0:1]:80/", "loopback"),
    ("http://[0000::0001]/", "loopback"),
    ("http://[::ffff:127.0.0.1]/", "IPv4-mapped"),
    ("http://[::FFFF:7F00:1]/", "IPv4-mapped"),
    ("http://[::ffff:169.254.169.254]/", "IPv4-mapped"),
    ("http://[::ffff:8.8.8.8]/", "IPv4-mapped"),
    ("http://[::127.0.0.1]/", "IPv4-compatible"),
    ("http://[::ffff:0:127.0.0.1]/", "IPv4-translated"),
    ("http://[64:ff9b::10.0.0.1]/", "NAT64"),
    ("http://[64:ff9b::a9fe:a9fe]/", "NAT64"),
    ("http://[64:ff9b:1::a00:1]/", "NAT64"),
    ("http://[2002:7f00:1::]/", "6to4"),
    ("http://[2001:0:7f00:1::]/", "Teredo"),
    ("http://[fe80::1]/", "link-local"),
    ("http://[fe80::1%25eth0]/", "invalid IPv6"),
    ("http://[fc00::1]/", "unique local"),
    ("http://[fd00:ec2::254]/latest/meta-data/", "metadata"),
    ("http://[fec0::1]/", "site-local"),
    ("http://[ff02::1]/", "multicast"),
    ("http://[2001:db8::1]/", "documentation"),
    ("http://[100::1]/", "reserved"),
    ("http://[::1", "invalid IPv6"),
    ("http://[::1]www.example.com/", "invalid IPv6"),
    // Private networks, cloud services, and addresses that no host has.
    ("http://10.0.0.1/", "private"),
    ("http://10.1/", "private"),
    ("http://012.0.0.1/", "private"),
    ("http://172.16.0.1/", "private"),
    ("http://172.31.255.255/", "private"),
    ("http://192.168.1.1/", "private"),
    ("http://3232235777/", "private"),
    ("http://100.64.0.1/", "carrier-grade NAT"),
    ("http://169.254.1.1/", "link-local"),
    ("http://169.254.169.254/latest/meta-data/", "metadata"),
    ("http://2852039166/", "metadata"),
    ("http://0xa9fea9fe/", "metadata"),
    ("http://0xA9.0xFE.43518/", "metadata"),
    ("http://0251.0376.0251.0376/", "metadata"),
    ("http://169.254.170.2/v2/credentials", "metadata"),
    ("http://168.63.129.16/", "metadata"),
    ("http://198.18.0.1/", "benchmarking"),
    ("http://192.0.2.1/", "documentation"),
    ("http://192.88.99.1/", "6to4"),
    ("http://224.0.0.1/", "multicast"),
    ("http://240.0.0.1/", "reserved"),
    ("http://255.255.255.255/", "reserved"),
    // Names of local networks.
    ("http://localhost/", "local networks"),
    ("http://LOCALHOST./", "local networks"),
    ("http://site.localhost/", "local networks"),
    ("http://localhost.localdomain/", "local networks"),
    ("http://loc%61lhost/", "local networks"),
    ("http://ｌｏｃａｌｈｏｓｔ/", "local networks"),
    ("http://printer.local/", "local networks"),
    ("http://intranet/", "local networks"),
    ("http://router.home.arpa/", "local networks"),
    ("http://ip-10-0-0-1.ec2.internal/", "local networks"),
    ("http://metadata.google.internal./computeMetadata/v1/", "local networks"),
    // The host differs from the one that a reader would see.
    ("http://user:secret@www.example.com/", "password"),
    ("http://user@www.example.com/", "password"),
    ("http://www.example.com@127.0.0.1/", "password"),
    ("http://www.example.com:80@10.0.0.1/", "password"),
    ("http://www.example.com%40127.0.0.1/", "no address"),
    ("http://127.0.0.1#@www.example.com/", "loopback"),
    ("http://127.0.0.1?@www.example.com/", "loopback"),
    ("http://127.0.0.1\\@www.example.com/", "loopback"),
    ("http://127.0.0.1/@www.example.com/", "loopback"),
    // Other schemes.
    ("file:///etc/passwd", "scheme"),
    ("FILE:///etc/passwd", "scheme"),
    ("ftp://www.example.com/", "scheme"),
    ("gopher://www.example.com:70/_GET", "scheme"),
    ("dict://www.example.com:11211/stats", "scheme"),
    ("ws://www.example.com/", "scheme"),
    ("data:text/html,hello", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("blob:https://www.example.com/1", "scheme"),
    ("view-source:http://127.0.0.1/", "scheme"),
    ("unix:/run/docker.sock", "scheme"),
    // Ports of other services.
    ("http://www.example.com:22/", "port 22"),
    ("http://www.example.com:0/", "port 0"),
    ("https://www.example.com:6379/", "port 6379"),
    ("http://8.8.8.8:53/", "port 53"),
    ("http://www.example.com:65536/", "invalid port"),
    // Not a URL.
    ("", "no address"),
    ("127.0.0.1", "no address"),
    ("//127.0.0.1/", "no address"),
    ("/etc/passwd", "no address"),
    ("http://", "empty host"),
    ("http://?x", "empty host"),
    ("http://./", "no address"),
    ("http://www..example.com/", "no address"),
    ("http://www.example.com../", "no address"),
    ("http://www.example.com$/", "no address"),
    ("http://256.256.256.256/", "invalid IPv4"),
    ("http://1.2.3.4.5/", "invalid IPv4"),
    ("http://0x7f.0.0.0x100/", "invalid IPv4"),
];

/// URLs that are permitted, and the form in which they are called.
pub(super) const GOOD: [(&str, &str); 13] = [
    ("http://www.example.com", "http://www.example.com/"),
    ("HTTPS://WWW.Example.COM/Path?Query", "https://www.example.com/Path?Query"),
    ("https://www.example.com/a?b=c#part", "https://www.example.com/a?b=c"),
    ("http://www.example.com:80/", "http://www.example.com/"),
    ("https://www.example.com:443/", "https://www.example.com/"),
    ("https://www.example.com:80/", "https://www.example.com:80/"),
    ("https://www.example.com./cars", "https://www.example.com/cars"),
    ("https://münchen.example/", "https://xn--mnchen-3ya.example/"),
    ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
    ("https://used_cars.example.com/", "https://used_cars.example.com/"),
    ("http://localhost.example.com/", "http://localhost.example.com/"),
    ("http://8.8.8.8/", "http://8.8.8.8/"),
    ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
];

/// URLs that are refused even if the local machine is within reach.
pub(super) const NEVER: [(&str, &str); 11] = [
    ("http://[::ffff:127.0.0.1]/", "IPv4-mapped"),
    ("http://[::127.0.0.1]/", "IPv4-compatible"),
    ("http://0.0.0.0:8080/", "unspecified"),
    ("http://10.0.0.1:8080/", "private"),
    ("http://169.254.169.254/", "metadata"),
    ("http://[fe80::1]/", "link-local"),
    ("http://user@127.0.0.1:8080/", "password"),
    ("ftp://127.0.0.1/", "scheme"),
    ("http://printer.local/", "local networks"),
    ("http://intranet:8080/", "local networks"),
    ("http://localhost.localdomain/", "local networks"),
];

/// Locations of hostile redirects, and a part of each refusal.
pub(super) const HOSTILE_LOCATIONS: [(&str, &str); 14] = [
    ("http://127.0.0.1/", "loopback"),
    ("http:127.0.0.1", "loopback"),
    ("//127.0.0.1/", "loopback"),
    ("\\\\127.0.0.1\\", "loopback"),
    ("/\\127.0.0.1/", "loopback"),
    ("//[::1]/", "loopback"),
    ("//2852039166/latest/meta-data/", "metadata"),
    ("//localhost/", "local networks"),
    ("//www.example.com:22/", "port 22"),
    ("//user:secret@www.example.com/", "password"),
    ("file:///etc/passwd", "scheme"),
    ("ftp://www.example.com/", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("http://", "empty host"),
];

/// IPv4 addresses that no message may reach: of the machine, of private networks, of clouds' metadata services.
pub(super) const INSIDE: [Ipv4Addr; 8] = [
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::LOCALHOST,
    Ipv4Addr::new(10, 0, 0, 1),
    Ipv4Addr::new(172, 16, 0, 1),
    Ipv4Addr::new(192, 168, 1, 1),
    Ipv4Addr::new(100, 64, 0, 1),
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
];

/// An IPv4 address as IPv6 addresses embed it: mapped, compatible, translated, NAT64 (the well-known prefix, and
/// the one for local use), 6to4, Teredo (which inverts it).
pub(super) fn embedded(ip: Ipv4Addr) -> [Ipv6Addr; 7] {
    let low = u128::from(ip.to_bits());
    [
        ip.to_ipv6_mapped(),
        Ipv6Addr::from_bits(low),
        Ipv6Addr::from_bits((0xffff_u128 << 48) | low),
        Ipv6Addr::from_bits((0x64_ff9b_u128 << 96) | low),
        Ipv6Addr::from_bits((0x64_ff9b_0001_u128 << 80) | low),
        Ipv6Addr::from_bits((0x2002_u128 << 112) | (low << 80) | 1),
        Ipv6Addr::from_bits(
            (0x2001_u128 << 112) | (0x0a00_0001_u128 << 64) | u128::from(!ip.to_bits()),
        ),
    ]
}

/// The ways to write an IPv6 address in a URL: shortened, in capitals, with every digit, and with its end as IPv4.
pub(super) fn spelled(ip: Ipv6Addr) -> [String; 4] {
    let full = ip.segments().map(|segment| format!("{segment:04x}"));
    let head = &full[..6].join(":");
    let [a, b, c, d] = [12, 13, 14, 15].map(|place| ip.octets()[place]);
    [
        ip.to_string(),
        ip.to_string().to_ascii_uppercase(),
        full.join(":"),
        format!("{head}:{a}.{b}.{c}.{d}"),
    ]
}
