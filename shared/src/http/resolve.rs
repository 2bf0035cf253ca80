//! Resolves host names and checks the IP addresses at the same moment. The client connects to the
//! checked addresses and never resolves again, so a name that resolves differently a second time
//! ("DNS rebinding") gains nothing.
//!
//! One refused address refuses the name: a public host has no reason to list a private address.
//! Hosts that are IP addresses never get here; [`super::target`] checks them.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{
    address::Reach,
    target::{Refusal, is_localhost},
};

/// Addresses of one name that are checked; the others are not used. Large sites list about ten.
const MAX_ADDRESSES: usize = 64;

/// Resolves host names.
pub trait Resolver: Send + Sync + 'static {
    /// The IP addresses of a host, in the order in which to try them.
    fn lookup(&self, host: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        // The port is irrelevant here: the client takes it from the URL.
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// A resolver that permits only addresses within reach.
pub(crate) struct Guard<R> {
    resolver: Arc<R>,
    reach: Reach,
}

impl<R> Guard<R> {
    pub(crate) fn new(resolver: R, reach: Reach) -> Self {
        Self { resolver: Arc::new(resolver), reach }
    }
}

impl<R: Resolver> Resolve for Guard<R> {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(addresses(Arc::clone(&self.resolver), name, self.reach))
    }
}

/// Why a name is not connected to, as the type that the client expects.
type Unreachable = Box<dyn std::error::Error + Send + Sync>;

async fn addresses<R: Resolver>(
    resolver: Arc<R>,
    name: Name,
    reach: Reach,
) -> Result<Addrs, Unreachable> {
    let host = name.as_str();
    let found = if reach.has_loopback() && is_localhost(host) {
        // Not every system resolver knows the names under localhost.
        vec![Ipv4Addr::LOCALHOST.into()]
    } else {
        resolver.lookup(host).await?
    };
    Ok(Box::new(permit(host, &found, reach)?.into_iter()))
}

/// The addresses to connect to, with port 0, if all of them are within reach.
fn permit(host: &str, found: &[IpAddr], reach: Reach) -> Result<Vec<SocketAddr>, Unreachable> {
    let found = &found[..found.len().min(MAX_ADDRESSES)];
    if let Some((ip, special)) = found.iter().find_map(|ip| Some((*ip, reach.refuses(*ip)?))) {
        let host = host.to_owned();
        return Err(Refusal::Resolved { host, ip, special }.into());
    }
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
    }
    Ok(found.iter().map(|ip| SocketAddr::new(*ip, 0)).collect())
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
