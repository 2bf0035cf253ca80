//! Fake dealer sites of the kind that Dealer.com hosts, limited to what the project reads.
//!
//! A site has a stock of cars, generated from a seed, and shapes that say how it shows them. It
//! serves two inventory endpoints, a home page, and a page for every car. Its address is
//! `/dealers/SLUG`. It also answers on its own host, `SLUG.localhost`, for clients that can resolve
//! this name. Calls never change a site; only the control endpoint does.
//!
//! Much of the behaviour is known only from observation of real sites. There the sandbox takes the
//! interpretation that is hardest on the client: it caps the page size silently, and answers a list
//! with an unknown name as an empty one.

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
mod platform;
mod platforms;
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
pub use platform::Platform;
use request::Ask;
pub use settings::{Alias, SiteChange, SiteSettings, Twist};
pub use shapes::{
    Gaps, Images, Layout, Links, PastEnd, Prices, Scalars, Shapes, Title, TotalCount, Vins,
};
pub use site::SiteReport;

/// Serves all sites. It is a fallback because a site on its own host can use any path.
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
        // The call addresses no site, so there is nothing to record.
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
    // The site existed when the call was admitted, and sites are never removed. The lookup is
    // repeated because the lock has been released since.
    let Some(site) = state.sites.get(&address.slug) else { return pages::not_found() };
    match ask {
        Ask::Home => known.answer(pages::home(site, address), site.changed_ms()),
        Ask::Robots => site.robots().map_or_else(pages::not_found, Reply::plain),
        Ask::Car => match pages::car(site, address) {
            Some(page) if site.has_etags() => known.answer(page, site.changed_ms()),
            Some(page) => Reply::html(200, Some(page)),
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
