//! Fetches pages from a dealer's site: tries its two endpoints in turn and interprets their
//! responses.

use std::time::Duration;

use ::inventory::long_text;
use evenkeel::{
    base::time::Clock,
    failure::{Class, Failure},
    http::{Content, FetchError, Fetched, Outbound, Request, transport::Transport},
    job::{
        Gate, Run,
        robots::{FORBIDDEN, Robots, UNREACHABLE},
    },
    ports::Control,
    telemetry,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    endpoint::{self, Endpoint, SiteId},
    inventory::{self, Page},
    payload::{Condition, TYPE},
};

/// The payload field from which every address of a feed is derived; named in failures.
const FIELD: &str = "payload.site_url";

/// Largest response with an inventory page, in bytes; 10,000 cars take about ten million.
const MAX_PAGE_BYTES: usize = 16 * 1024 * 1024;

/// What earlier requests have shown about a site. It is stored with the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The endpoint that returned the last page.
    pub endpoint: Option<Endpoint>,
}

/// A site, called through the gates of one run.
pub(crate) struct Site<'a, N, C, T, G> {
    pub(crate) outbound: &'a Outbound<C, T>,
    pub(crate) robots: &'a Robots<N, C>,
    pub(crate) url: &'a Url,
    pub(crate) run: &'a Run<'a, G>,
    /// Whether the site's owner has permitted the read.
    pub(crate) authorised: bool,
}

impl<N: Control, C: Clock, T: Transport, G: Gate> Site<'_, N, C, T, G> {
    /// Fails with code `robots` if the site's robots.txt forbids an address, unless its owner has permitted the read.
    async fn may_call(&self, address: &Url) -> Result<(), Failure> {
        // A run that may make no call needs no permission for one.
        if self.run.is_last {
            return Ok(());
        }
        match self.robots.allows(self.outbound, address, self.run).await {
            Ok(true) => return Ok(()),
            Err(failure) if !self.authorised || failure.code() != UNREACHABLE => {
                return Err(failure);
            }
            _ => {}
        }
        let host = address.host_str().unwrap_or_default();
        if self.authorised {
            let (key, trace) = (&self.run.key, self.run.trace.as_ref());
            telemetry::robots_overruled(TYPE, key, trace, host);
            return Ok(());
        }
        let why = format!(
            "the robots.txt of {host} forbids its inventory; ask its owner, and then send authorised"
        );
        Err(Failure::new(Class::Permanent, FORBIDDEN, why))
    }

    /// Fetches the page of a list that begins with entry `start`, counted from 0.
    ///
    /// Calls the endpoint that returned the last page, or the widget at first. If the call fails,
    /// or if the list is empty from the beginning (as for a wrong alias), calls the other endpoint
    /// as well. An empty list counts only if both endpoints agree, or if there is no other
    /// endpoint.
    pub(crate) async fn page(
        &self,
        known: &mut Known,
        condition: Condition,
        start: u32,
    ) -> Result<Page, Failure> {
        let first = known.endpoint.clone().unwrap_or(Endpoint::Widget);
        let one = self.ask(&first, condition, start).await;
        match &one {
            Ok(page) if start > 0 || !page.vehicles.is_empty() => {
                known.endpoint = Some(first);
                return one;
            }
            Err(failure) if is_final(failure) => return one,
            _ => {}
        }
        let other = match &first {
            Endpoint::Widget => self.site_id().await.map(|id| id.map(Endpoint::Service)),
            Endpoint::Service(_) => Ok(Some(Endpoint::Widget)),
        };
        let (other, two) = match other {
            Ok(Some(other)) => {
                let two = self.ask(&other, condition, start).await;
                (Some(other), two)
            }
            // There is no other endpoint, so the first result counts.
            Ok(None) => return one,
            Err(failure) => (None, Err(failure)),
        };
        let absent = |failure: &Failure| failure.class() == Class::Permanent;
        match (one, two) {
            (_, Ok(page)) if !page.vehicles.is_empty() => {
                known.endpoint = other;
                Ok(page)
            }
            (Ok(empty), Ok(_)) => Ok(empty),
            (Ok(empty), Err(failure)) if absent(&failure) => Ok(empty),
            (Err(failure), Ok(empty)) if absent(&failure) => {
                known.endpoint = other;
                Ok(empty)
            }
            // A missing endpoint says nothing about the other one, whose failure counts.
            (Err(failure), Err(other)) if absent(&failure) => Err(other),
            (Err(failure), _) | (Ok(_), Err(failure)) => Err(failure),
        }
    }

    async fn ask(
        &self,
        endpoint: &Endpoint,
        condition: Condition,
        start: u32,
    ) -> Result<Page, Failure> {
        let asked = endpoint.request(self.url, condition, start);
        self.may_call(&asked.url).await?;
        let request = match asked.body {
            Some(body) => Request::post(FIELD, asked.url.as_str(), body),
            None => Request::get(FIELD, asked.url.as_str()),
        };
        let request = request.accepting("application/json").at_most(MAX_PAGE_BYTES);
        self.run
            .call(async |limit| {
                let content = fetch(self.outbound, &request, limit).await?;
                read(content.body, self.url.clone()).await
            })
            .await
    }

    /// Finds the id that the newer endpoint requires on the site's front page; `None` if it is not
    /// there.
    async fn site_id(&self) -> Result<Option<SiteId>, Failure> {
        // Without the newer endpoint, its id is of no use.
        let newer = Endpoint::Service(SiteId::unknown());
        self.may_call(&newer.request(self.url, Condition::New, 0).url).await?;
        self.may_call(self.url).await?;
        let request = Request::get(FIELD, self.url.as_str()).accepting("text/html");
        let page = self.run.call(async |limit| fetch(self.outbound, &request, limit).await).await?;
        Ok(endpoint::find_site_id(&page.body))
    }
}

/// Reads a page of a list, a long one beside the runtime's thread.
async fn read(body: Vec<u8>, site: Url) -> Result<Page, Failure> {
    let page = long_text::read(body.len(), move || inventory::read(&body, &site)).await?;
    page.map_err(Failure::from)
}

async fn fetch<C: Clock, T: Transport>(
    outbound: &Outbound<C, T>,
    request: &Request<'_>,
    limit: Duration,
) -> Result<Box<Content>, Failure> {
    match outbound.fetch(request, limit).await {
        Ok(Fetched::Content(content)) => Ok(content),
        Ok(Fetched::NotModified) => {
            Err(Failure::new(Class::Transient, "http_304", "not asked for"))
        }
        // A bot wall is respected, never circumvented. The failure says what to do instead.
        Err(error @ FetchError::BotWall { .. }) => {
            let message = format!("{error}; ask the dealer for an authorised feed");
            Err(Failure::new(Class::Systemic, "bot_wall", message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the other endpoint must not be called after this failure.
fn is_final(failure: &Failure) -> bool {
    matches!(failure.class(), Class::Systemic | Class::Throttled | Class::Deferred)
        || failure.code() == "address_refused"
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use ::inventory::long_text::LONG_BYTES;

    use super::*;

    /// An inventory of one car, of at least this many bytes.
    fn reading(bytes: usize) -> impl Future<Output = Result<Page, Failure>> {
        let car = r#"{"vin": "1HGCM82633A004352"}"#;
        let body = format!(r#"{{"inventory": [{car}], "x": "{}"}}"#, "a".repeat(bytes));
        read(body.into_bytes(), "https://www.dealer.example".parse().unwrap())
    }

    /// Whether something else goes on while a page of this length is read.
    async fn lets_others_go_on(bytes: usize) -> bool {
        tokio::select! {
            biased;
            _ = reading(bytes) => false,
            () = ready(()) => true,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_feed_is_read_while_others_go_on() {
        assert!(!lets_others_go_on(0).await);
        assert!(lets_others_go_on(LONG_BYTES).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_waits_for_a_long_feed() {
        for bytes in [0, LONG_BYTES] {
            let within = tokio::time::timeout(Duration::from_millis(1), reading(bytes)).await;
            assert_eq!(within.unwrap().unwrap().vehicles.len(), 1, "{bytes}");
        }
    }
}
