//! The tables and the queues as the functions see them: cut off, silent, or with answers that are lost. Load and
//! judgement call AWS directly, and notice nothing.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use crate::forwarder::{Forwarder, Treat, Treatment, operation};

/// A service of AWS that functions call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Tables,
    Queues,
}

impl Service {
    /// What the names of its operations begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Tables => "DynamoDB_",
            Self::Queues => "AmazonSQS.",
        }
    }
}

/// What an outage does to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is refused with 503.
    Refuse,
    /// It waits for the end of the outage.
    Hang,
    /// It has its effect, and the caller is told of an error.
    LoseAnswer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outage {
    service: Service,
    way: Way,
    until: Instant,
    /// Calls that it has struck.
    struck: u64,
}

/// The outages of this run, the latest last.
#[derive(Debug, Default)]
struct Outages(Mutex<Vec<Outage>>);

/// The server between the functions and AWS. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Gate {
    forwarder: Forwarder,
    outages: Arc<Outages>,
}

impl Gate {
    /// Listens at a free port.
    pub(super) async fn start() -> Result<Self> {
        let outages = Arc::new(Outages::default());
        let treat: Arc<dyn Treat> = outages.clone();
        Ok(Self { forwarder: Forwarder::start(treat).await?, outages })
    }

    pub(super) fn url(&self) -> String {
        self.forwarder.url()
    }

    /// Forwards to this server from now on.
    pub(super) fn forward_to(&self, upstream: &str) {
        self.forwarder.forward_to(upstream);
    }

    /// Begins an outage that lasts so long, and returns its number.
    pub(super) fn cut(&self, service: Service, way: Way, lasts: Duration) -> usize {
        self.outages.cut(service, way, lasts)
    }

    /// Whether the outage of this number has struck a call.
    pub(super) fn has_struck(&self, number: usize) -> bool {
        self.outages.lock().get(number).is_some_and(|outage| outage.struck > 0)
    }
}

impl Outages {
    fn lock(&self) -> MutexGuard<'_, Vec<Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self, service: Service, way: Way, lasts: Duration) -> usize {
        let mut outages = self.lock();
        outages.push(Outage { service, way, until: Instant::now() + lasts, struck: 0 });
        outages.len() - 1
    }
}

impl Treat for Outages {
    fn treat(&self, headers: &HeaderMap) -> Treatment {
        let (operation, now) = (operation(headers), Instant::now());
        let mut outages = self.lock();
        // Of two at a time, the later one counts.
        let found = outages
            .iter_mut()
            .rev()
            .find(|outage| now < outage.until && operation.starts_with(outage.service.prefix()));
        let Some(outage) = found else { return Treatment::Forward };
        outage.struck += 1;
        match outage.way {
            Way::Refuse => Treatment::Refuse(StatusCode::SERVICE_UNAVAILABLE, ""),
            Way::Hang => Treatment::HoldUntil(outage.until),
            Way::LoseAnswer => Treatment::LoseAnswer,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TABLES: &str = "DynamoDB_20120810.PutItem";
    const QUEUES: &str = "AmazonSQS.SendMessage";

    fn call(operation: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-target", HeaderValue::from_static(operation));
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_strikes_its_service_until_its_end() {
        let outages = Outages::default();
        assert_eq!(outages.treat(&call(TABLES)), Treatment::Forward);
        let end = Instant::now() + Duration::from_secs(5);
        outages.cut(Service::Tables, Way::Hang, Duration::from_secs(5));
        assert_eq!(outages.treat(&call(TABLES)), Treatment::HoldUntil(end));
        assert_eq!(outages.treat(&call(QUEUES)), Treatment::Forward);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(outages.treat(&call(TABLES)), Treatment::Forward);
        assert_eq!(outages.lock()[0].struck, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_later_of_two_outages_counts() {
        let outages = Outages::default();
        outages.cut(Service::Queues, Way::Refuse, Duration::from_secs(9));
        let second = outages.cut(Service::Queues, Way::LoseAnswer, Duration::from_secs(3));
        assert_eq!(outages.treat(&call(QUEUES)), Treatment::LoseAnswer);
        tokio::time::advance(Duration::from_secs(3)).await;
        let refused = Treatment::Refuse(StatusCode::SERVICE_UNAVAILABLE, "");
        assert_eq!(outages.treat(&call(QUEUES)), refused);
        assert_eq!((second, outages.lock()[1].struck), (1, 1));
    }
}
