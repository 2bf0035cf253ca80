//! The jobs of a run: of all three types while it storms, and afterwards some that go well.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::ground::{Ground, Message, SITES};
use crate::incident::job::Kind;

/// Time between two rounds. Each has a link.
const EVERY: Duration = Duration::from_secs(2);

/// Rounds between two pages, two feeds, two links on both queues, and two bodies that are no message.
const PAGE_EVERY: u32 = 2;
const FEED_EVERY: u32 = 14;
const TWICE_EVERY: u32 = 6;
const FLAW_EVERY: u32 = 10;

/// Jobs that go well: links, and for each site pages and reads of its feed. A breaker closes after a few successes.
const HEALTHY: u32 = 4;

/// Sends jobs until it is dropped. Fails if AWS or the sandbox does.
pub(super) async fn flow(on: &Ground<'_>) -> Result<Infallible> {
    let mut rounds = interval(EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0_u32;
    loop {
        rounds.tick().await;
        round = round.wrapping_add(1);
        let id = format!("job-{round}");
        let link = Message::new(Kind::Shortening, &id, &link(round));
        on.send(vec![link]).await?;
        if round.is_multiple_of(TWICE_EVERY) {
            on.send_again(u64::from(round), true).await?;
        }
        if round.is_multiple_of(FLAW_EVERY) {
            on.send(vec![flawed(round)]).await?;
        }
        let site = site_of(round);
        if round.is_multiple_of(PAGE_EVERY) {
            let pages = on.pages(site).await?;
            // All sites have as many cars at first, so each page has its turn.
            let place =
                usize::try_from(round / PAGE_EVERY).unwrap_or_default() % pages.len().max(1);
            let page = pages.get(place).map(|page| Message::new(Kind::Scraping, &id, page));
            on.send(page.into_iter().collect()).await?;
        }
        if round % FEED_EVERY == 1 {
            let feed = on.grown(site, round / FEED_EVERY, &id).await?;
            on.send(vec![feed]).await?;
        }
    }
}

/// Sends jobs that go well, so that each breaker sees enough successes to close.
pub(super) async fn healthy(on: &Ground<'_>, round: u32) -> Result<()> {
    for number in 0..HEALTHY {
        let id = format!("healthy-{round}-{number}");
        let car = 900_000 + round * HEALTHY + number;
        let mut jobs = vec![Message::new(Kind::Shortening, &id, &link(car))];
        for site in SITES {
            let pages = on.pages(site).await?;
            let place = usize::try_from(number).unwrap_or_default() % pages.len().max(1);
            let id = format!("{id}-{site}");
            jobs.extend(pages.get(place).map(|page| Message::new(Kind::Scraping, &id, page)));
            jobs.push(on.feed(site, &id));
        }
        on.send(jobs).await?;
    }
    Ok(())
}

/// The site whose turn it is.
fn site_of(round: u32) -> &'static str {
    let place = usize::try_from(round / 2).unwrap_or_default() % SITES.len();
    SITES.get(place).copied().unwrap_or(SITES[0])
}

/// The payload of a shortening job; the number makes car and address.
fn link(number: u32) -> Value {
    json!({
        "destination": format!("https://www.acme.example/new/{number}"),
        "dealer_slug": "acme",
        "vin": format!("1HGCM82633A{number:06}"),
    })
}

/// A message that is rejected: its VIN is too short.
fn flawed(number: u32) -> Message {
    let payload = json!({
        "destination": format!("https://www.acme.example/flawed/{number}"),
        "dealer_slug": "acme",
        "vin": "1HGCM82633A",
    });
    let message = Message::new(Kind::Shortening, &format!("flawed-{number}"), &payload);
    Message { key: None, ..message }
}

#[cfg(test)]
mod tests {
    use super::{FEED_EVERY, SITES, site_of};

    #[test]
    fn each_site_has_its_turn_with_feeds_and_pages() {
        for site in SITES {
            assert!((1..=6).any(|round| site_of(round * 2) == site), "pages of {site}");
            assert!((0..6).any(|feed| site_of(feed * FEED_EVERY + 1) == site), "feeds of {site}");
        }
    }
}
