//! The answer of both inventory endpoints: one page of a list.

use serde_json::{Value, json};

use super::address::Address;
use super::car::Car;
use super::shapes::{Layout, PastEnd, Shapes, TotalCount};
use super::site::Site;
use super::vehicle;
use crate::reply::Reply;

/// The part of a list that a call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The name of the list.
    pub(super) alias: String,
    /// The position of the first car, from 0.
    pub(super) start: usize,
    pub(super) page_size: Option<usize>,
    /// The id of the site, as the call gives it. `None` for the older endpoint, which takes no id.
    pub(super) site_id: Option<String>,
}

/// One page of a list.
///
/// The site's cap shortens the page silently: the page size in the answer is the requested one.
pub(super) fn answer(site: &Site, address: &Address, window: &Window) -> Reply {
    Reply::json(200, &body(site, address, window))
}

/// An empty list that looks valid, as an answer to any call for a list.
pub(super) fn empty(window: &Window) -> Reply {
    let page_size = window.page_size.unwrap_or_default();
    let page_info = json!({"totalCount": 0, "pageSize": page_size, "trackingData": []});
    Reply::json(200, &json!({"pageInfo": page_info, "inventory": []}))
}

fn body(site: &Site, address: &Address, window: &Window) -> Value {
    let meant = window.site_id.as_ref().is_none_or(|id| *id == site.site_id());
    let listed = if meant { site.listed(&window.alias) } else { Vec::new() };
    let shapes = site.shapes();
    let wanted = window.page_size.filter(|wanted| *wanted > 0).unwrap_or(usize::MAX);
    let length = wanted.min(site.page_cap());
    let start = match shapes.past_end {
        PastEnd::LastPage if window.start >= listed.len() => {
            listed.len().saturating_sub(1) / length * length
        }
        PastEnd::LastPage | PastEnd::Empty => window.start,
    };
    let page = || listed.iter().skip(start).take(length);
    let entries = |entry: fn(&Car, &Shapes, &Address) -> Value| -> Vec<Value> {
        page()
            .map(|(number, car)| {
                let misfit = vehicle::misfit(*number, shapes.misfits);
                misfit.unwrap_or_else(|| entry(car, shapes, address))
            })
            .collect()
    };
    let mut page_info = json!({
        "pageSize": shapes.number(whole(window.page_size.unwrap_or(length))),
        "pageStart": shapes.number(whole(window.start)),
        "trackingData": entries(vehicle::tracking),
    });
    if shapes.total_count == TotalCount::Exact {
        page_info["totalCount"] = shapes.number(whole(listed.len()));
    }
    match shapes.layout {
        Layout::Inventory => json!({"pageInfo": page_info, "inventory": entries(vehicle::entry)}),
        Layout::TrackingData => json!({"pageInfo": page_info}),
    }
}

/// A count as a `u32`, or the largest `u32` if it is larger.
fn whole(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "listing_tests.rs"]
mod tests;
