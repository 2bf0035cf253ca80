//! The feed of a dealer: each read creates jobs for the pages of cars and for links to them, which are written before
//! their messages are sent.

use std::time::Duration;

use evenkeel::testing::Draw;
use sandbox::dealers::{SiteChange, SiteSettings};
use serde_json::json;

use super::{
    plan::{Plan, when},
    sent::{Kind, Sent},
};
use crate::bench::Bench;

/// The slug of the dealer.
const SLUG: &str = "lake-motors";

/// Stands for the address of the dealer's site in a body. The site's own is known once the sandbox runs.
const SITE: &str = "https://lake-motors.example";

/// Numbers of the messages for feeds, beyond those of all other messages.
const FIRST: u64 = 60_000;

/// How often the feed is read.
const READS: u64 = 3;

/// The cars of the site at first, and how many more come with each change.
const CARS: u32 = 2;
const MORE_CARS: u32 = 2;

/// Sets up the dealer's site, if the plan has feeds.
pub(crate) async fn prepare(bench: &Bench, plan: &Plan) {
    if plan.features.has("feeds") {
        let settings = SiteSettings { cars: CARS, ..SiteSettings::default() };
        bench.control().put_site(SLUG, &settings).await.unwrap();
    }
}

/// Lists more cars: those of this change and of all before it.
pub(crate) async fn grow(bench: &Bench, change: u32) {
    let cars = Some(CARS + MORE_CARS * change);
    let change = SiteChange { cars, ..SiteChange::default() };
    bench.control().change_site(SLUG, &change).await.unwrap();
}

/// When the site lists more cars.
pub(crate) fn changes(plan: &Plan) -> Vec<(Duration, u32)> {
    if !plan.features.has("feeds") {
        return Vec::new();
    }
    let mut times: Vec<_> =
        (0..READS - 1).map(|nth| when(plan.draw(), "site grows", nth)).collect();
    times.sort_unstable();
    times.into_iter().zip(1..).collect()
}

/// The messages for the reads of the feed.
pub(crate) fn sends(plan: &Plan) -> Vec<Sent> {
    let reads = if plan.features.has("feeds") { READS } else { 0 };
    (0..reads).map(|nth| read(plan.draw(), nth)).collect()
}

fn read(draw: Draw, nth: u64) -> Sent {
    let (number, id) = (FIRST + nth, format!("feed-{nth}"));
    let payload = json!({"dealer_slug": SLUG, "site_url": SITE});
    let body = json!({"version": 1, "type": dealer_com_feed::TYPE, "id": id, "payload": payload});
    Sent {
        number,
        at: when(draw, "feeds", nth),
        kind: Kind::Feed,
        is_high: false,
        group: SLUG.to_owned(),
        body: body.to_string(),
        key: Some(format!("{}#g:{id}", dealer_com_feed::TYPE)),
        takes_ms: None,
        forgery: None,
    }
}

/// A body as it is sent, with the address of the site.
pub(crate) fn addressed(bench: &Bench, body: &str) -> String {
    body.replace(SITE, &bench.control().site_origin(SLUG))
}
