//! What a call wants of a dealer site, for the record and the faults.

use serde::{Deserialize, Serialize};

/// What a call wants of a dealer site: what it says, whether or not there is such a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The slug of the site.
    pub site: String,
    /// The part of the site.
    pub endpoint: Endpoint,
    /// The car whose page it is; null for other parts, and where there is no such car (any more).
    pub vin: Option<String>,
    /// The list that is wanted, by the name that the site knows it under.
    pub alias: Option<String>,
    /// The place, from 0, of the first car wanted of the list.
    pub start: Option<usize>,
}

/// The parts of a dealer site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// The home page.
    Home,
    /// The page of a car.
    Detail,
    /// The older inventory endpoint, `GET apis/widget/…/getInventory`.
    Widget,
    /// The newer one, `POST api/widget/ws-inv-data/getInventory`.
    InventoryPost,
    /// Anything else, which is not found.
    Other,
}
