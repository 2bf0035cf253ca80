//! A fake of the link shortener Rebrandly, API v1, limited to what the project calls.
//!
//! It behaves as the vendor documents. Where the documentation says nothing, it takes the
//! interpretation that is harder on the client: a deleted link keeps its slashtag, rate limits
//! apply to sliding windows, and a list returns one page of 25 links.

pub(crate) mod account;
mod answers;
mod link;
mod request;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::request::Parts;
use axum::routing::any;
use axum::{Extension, Router};

use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::reply::Reply;
use crate::world::{State, World};

use account::Refused;
pub use link::{CreatedBy, Domain, Link, LinkStatus, Preload};
use request::Ask;

/// The number of links on a page of the list.
const PAGE: usize = 25;

/// The routes of the API, under `/v1`.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new().route("/v1/{*path}", any(serve))
}

async fn serve(
    Shared(world): Shared<Arc<World>>,
    Extension(connection): Extension<Connection>,
    parts: Parts,
    body: Bytes,
) -> Reply {
    let (subject, ask) = request::read(&parts, &body);
    // A header that is not valid text matches no key, so it counts as missing.
    let key = parts.headers.get("apikey").and_then(|key| key.to_str().ok()).map(str::to_owned);
    let admit = move |state: &mut State, now_ms| admit(state, now_ms, key.as_deref());
    let work = move |state: &mut State, now_ms| work(state, now_ms, ask);
    Exchange::run(world, connection, &subject, admit, work).await
}

fn admit(state: &mut State, now_ms: u64, key: Option<&str>) -> Result<(), Reply> {
    let settings = &state.settings;
    if !key.is_some_and(|key| settings.api_keys.iter().any(|known| known == key)) {
        return Err(answers::unauthorized());
    }
    state
        .limits
        .take(now_ms, settings.rate_per_second, settings.rate_per_hour)
        .map_err(|free_at_ms| answers::too_many(settings.retry_after, now_ms, free_at_ms))
}

fn work(state: &mut State, now_ms: u64, ask: Ask) -> Reply {
    let State { settings, account, .. } = state;
    match ask {
        Ask::Create(draft) => match account.create(draft, now_ms, settings.plan_limit) {
            Ok(link) => answers::link(link),
            Err(Refused::Taken) => {
                answers::conflict(settings.conflict_shape, account.next_conflict())
            }
            Err(Refused::UnknownDomain) => answers::invalid(&[("domain", "Unknown domain")]),
            Err(Refused::PlanFull) => answers::plan_full(),
        },
        Ask::List(filter) => {
            let listed = account.listed(now_ms, settings.read_lag_ms);
            let before = filter.last.as_ref();
            let rest = listed.skip_while(|link| before.is_some_and(|last| link.id != *last));
            let rest = rest.skip(usize::from(before.is_some()));
            answers::links(rest.filter(|link| filter.matches(link)).take(PAGE))
        }
        Ask::Get(id) => {
            let mut listed = account.listed(now_ms, settings.read_lag_ms);
            listed.find(|link| link.id == id).map_or_else(answers::not_found, answers::link)
        }
        Ask::Update(id, change) => match account.own(&id) {
            None => answers::not_found(),
            Some(link) if change.renames(link) => {
                answers::invalid(&[("slashtag", "Cannot be changed")])
            }
            Some(link) => {
                link.change(change.destination, change.title, now_ms);
                answers::link(link)
            }
        },
        Ask::Delete(id) => account.own(&id).map_or_else(answers::not_found, |link| {
            link.delete(now_ms);
            answers::link(link)
        }),
        Ask::Wrong(reply) => reply,
    }
}

#[cfg(test)]
mod tests;
