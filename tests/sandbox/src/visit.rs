//! What a call asks of a dealer site, for the record and the faults.

use serde::{Deserialize, Serialize};

/// What a call asks of a dealer site, whether or not the site has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The slug of the site.
    pub site: String,
    /// The part of the site.
    pub endpoint: Endpoint,
    /// The VIN of the car whose page is requested. Null for other parts, and if the site has no
    /// such car (any more).
    pub vin: Option<String>,
    /// The list that is requested, by the name that the site gives it.
    pub alias: Option<String>,
    /// The position, from 0, of the first car requested from the list.
    pub start: Option<usize>,
}

/// The parts of a dealer site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The home page.
    Home,
    /// `robots.txt`.
    Robots,
    /// The page of one car.
    Detail,
    /// The older inventory endpoint, `GET apis/widget/…/getInventory`.
    Widget,
    /// The newer inventory endpoint, `POST api/widget/ws-inv-data/getInventory`.
    InventoryPost,
    /// Any other path or method; answered with 404.
    Other,
}
