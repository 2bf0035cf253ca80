use std::{collections::VecDeque, sync::Mutex};

use super::*;
use crate::http::address::Special;

/// Returns one prepared answer for each lookup, in order.
struct Scripted(Mutex<VecDeque<Vec<IpAddr>>>);

impl Resolver for Scripted {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let next = self.0.lock().unwrap().pop_front();
        next.ok_or_else(|| io::Error::other("asked too often"))
    }
}

fn parse(answer: &[&str]) -> Vec<IpAddr> {
    answer.iter().map(|ip| ip.parse().unwrap()).collect()
}

fn guard(reach: Reach, answers: &[&[&str]]) -> Guard<Scripted> {
    let answers = answers.iter().map(|answer| parse(answer)).collect();
    Guard::new(Scripted(Mutex::new(answers)), reach)
}

async fn resolve(guard: &Guard<Scripted>, host: &str) -> Result<Vec<SocketAddr>, Unreachable> {
    Ok(guard.resolve(host.parse().unwrap()).await?.collect())
}

#[tokio::test]
async fn public_addresses_keep_their_order() {
    let guard = guard(Reach::Public, &[&["8.8.8.8", "2606:4700:4700::1111", "1.1.1.1"]]);
    let found = resolve(&guard, "www.example.com").await.unwrap();
    let expected: Vec<SocketAddr> = ["8.8.8.8:0", "[2606:4700:4700::1111]:0", "1.1.1.1:0"]
        .iter()
        .map(|address| address.parse().unwrap())
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn one_refused_address_refuses_the_name() {
    let hostile = [
        ("10.0.0.1", Special::Private),
        ("127.0.0.1", Special::Loopback),
        ("0.0.0.0", Special::Unspecified),
        ("169.254.169.254", Special::Metadata),
        ("100.64.0.1", Special::Shared),
        ("::1", Special::Loopback),
        ("::ffff:10.0.0.1", Special::Mapped),
        ("64:ff9b::10.0.0.1", Special::Nat64),
        ("fd00:ec2::254", Special::Metadata),
    ];
    for (address, special) in hostile {
        for answer in [vec![address], vec!["8.8.8.8", address], vec![address, "8.8.8.8"]] {
            let guard = guard(Reach::Public, &[&answer]);
            let error = resolve(&guard, "www.example.com").await.unwrap_err();
            let (host, ip) = ("www.example.com".into(), address.parse().unwrap());
            let refusal = Refusal::Resolved { host, ip, special };
            assert_eq!(error.downcast_ref::<Refusal>(), Some(&refusal), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn every_lookup_of_a_name_is_checked() {
    let guard = guard(Reach::Public, &[&["8.8.8.8"], &["192.168.0.1"], &["8.8.8.8"]]);
    assert_eq!(resolve(&guard, "www.example.com").await.unwrap().len(), 1);
    let error = resolve(&guard, "www.example.com").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"www.example.com\" leads to 192.168.0.1, which is a private address"
    );
    assert_eq!(resolve(&guard, "www.example.com").await.unwrap().len(), 1, "and the third time");
}

#[tokio::test]
async fn with_loopback_resolves_localhost_and_opens_no_other_network() {
    let guard = guard(Reach::WithLoopback, &[&["127.0.0.2"], &["10.0.0.1"]]);
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    for name in ["localhost", "lakeside.localhost"] {
        assert_eq!(resolve(&guard, name).await.unwrap(), [loopback], "{name} is not looked up");
    }
    assert_eq!(resolve(&guard, "www.example.com").await.unwrap().len(), 1, "a loopback address");
    assert!(resolve(&guard, "www.example.com").await.is_err(), "a private address");
}

#[tokio::test]
async fn a_name_without_an_address_is_an_error() {
    let guard = guard(Reach::Public, &[&[]]);
    let error = resolve(&guard, "www.example.com").await.unwrap_err();
    assert_eq!(error.to_string(), "the name has no address");
    let error = resolve(&guard, "www.example.com").await.unwrap_err();
    assert!(error.is::<io::Error>(), "the resolver's error is passed on: {error}");
}

#[tokio::test]
async fn only_checked_addresses_are_used() {
    let mut answer = vec!["8.8.8.8"; MAX_ADDRESSES];
    answer.push("10.0.0.1");
    let guard = guard(Reach::Public, &[&answer]);
    let found = resolve(&guard, "www.example.com").await.unwrap();
    assert_eq!(found.len(), MAX_ADDRESSES);
}

#[tokio::test]
async fn the_system_resolver_accepts_an_ip_address() {
    let found = SystemResolver.lookup("192.0.2.7").await.unwrap();
    assert_eq!(found, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
}
