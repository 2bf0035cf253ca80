//! Dealer sites of the kind that Dealer.com hosts, as far as the project reads them.
//!
//! A site is a stock of cars made up from a seed, and the shapes in which it shows them: both
//! inventory endpoints, the home page, and a page for every car. It stands at `/dealers/SLUG`, and
//! also on a host of its own, `SLUG.localhost`, for those whom a name can lead there. Nothing that
//! a call asks for changes a site; only the control endpoint does.
//!
//! What is known only from the wild is played in its hardest reading: the page size is cut without
//! a word, and a list with a wrong name is an empty one.

mod address;
mod car;
mod data_layer;
mod draws;
mod inventory_post;
mod json_ld;
mod known;
mod listing;
mod markup;
mod model;
mod page_shapes;
mod pages;
mod request;
mod settings;
mod shapes;
pub(crate) mod site;
mod stock;
mod vehicle;
mod vin;
mod widget;

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::{Extension, Router};

use crate::connection::Connection;
use crate::exchange::Exchange;
use crate::reply::Reply;
use crate::subject::Subject;
pub use crate::visit::{Endpoint, Visit};
use crate::world::{State, World};

use address::Address;
pub(crate) use address::site_path;
pub use car::{Car, Condition};
use known::Known;
pub use page_shapes::{Dialect, Flaw, JsonLd, PageShapes, Place, SiteIdShape};
use request::Ask;
pub use settings::{Alias, SiteChange, SiteSettings, Twist};
pub use shapes::{
    Gaps, Images, Layout, Links, PastEnd, Prices, Scalars, Shapes, Title, TotalCount, Vins,
};
pub use site::SiteReport;

/// All sites. A fallback, because a site on a host of its own has any path for itself.
pub(crate) fn router() -> Router<Arc<World>> {
    Router::new().fallback(serve)
}

async fn serve(
    Shared(world): Shared<Arc<World>>,
    Extension(connection): Extension<Connection>,
    parts: Parts,
    body: Bytes,
) -> Reply {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(address) = Address::of(host, parts.uri.path()) else {
        // No third party is meant, so there is nothing to record.
        return pages::not_found();
    };
    let (mut visit, ask) = request::read(&address, &parts, &body);
    if ask == Ask::Car {
        visit.vin = world.lock().sites.vin_at(&address);
    }
    let subject = Subject {
        method: parts.method.as_str().to_owned(),
        path: address.recorded(),
        empty_list: ask.empty_list(),
        visit: Some(visit),
        ..Subject::default()
    };
    let slug = address.slug.clone();
    let admit = move |state: &mut State, _: u64| match state.sites.get(&slug) {
        Some(_) => Ok(()),
        None => Err(pages::not_found()),
    };
    let known = Known::of(&parts.headers);
    let work = move |state: &mut State, _: u64| work(state, &address, ask, &known);
    Exchange::run(world, connection, &subject, admit, work).await
}

fn work(state: &State, address: &Address, ask: Ask, known: &Known) -> Reply {
    // There when the call was let in, and sites do not go away; but the lock was let go since.
    let Some(site) = state.sites.get(&address.slug) else { return pages::not_found() };
    match ask {
        Ask::Home => known.answer(pages::home(site, address), site.changed_ms()),
        Ask::Car => match pages::car(site, address) {
            Some(page) => known.answer(page, site.changed_ms()),
            None => pages::not_found(),
        },
        Ask::List(endpoint, window) if site.serves(endpoint) => {
            listing::answer(site, address, &window)
        }
        Ask::List(..) => pages::not_found(),
        Ask::Wrong(reply) => reply,
    }
}

#[cfg(test)]
mod tests;
