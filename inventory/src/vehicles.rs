//! The port to the table of vehicles: one item per car of a dealer, and one about the whole list.
//!
//! The feed job compares each read with the stored cars. The page job falls back on their data.

use std::future::Future;

use evenkeel::{base::time::Time, ports::PortError};

/// A stored car, without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The sort key: 17 characters, upper case.
    pub vin: String,
    /// Content hash of the data; `None` once the car is unlisted, so that it counts as new if it is
    /// listed again.
    pub hash: Option<String>,
    /// Name of the list in which the car was last seen: `new`, `used` or `certified`.
    pub list: String,
    /// When the car was last stored by [`Vehicles::keep`].
    pub kept_at: Time,
}

/// A car to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vehicle {
    /// The sort key: 17 characters, upper case.
    pub vin: String,
    /// Content hash of the data; `None` if the car's jobs are not created yet.
    pub hash: Option<String>,
    /// Name of the list in which the car was seen: `new`, `used` or `certified`.
    pub list: String,
    /// The car's data as JSON.
    pub data: String,
}

/// The table of vehicles.
pub trait Vehicles: Send + Sync {
    /// All stored cars of a dealer, unlisted ones included. The read is strongly consistent: it
    /// shows every write that ended before the call.
    fn known(&self, dealer: &str) -> impl Future<Output = Result<Vec<Known>, PortError>> + Send;

    /// A car's data as JSON; `None` if the car is not stored.
    fn data(
        &self,
        dealer: &str,
        vin: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Stores these cars, replacing earlier items. Idempotent.
    fn keep(
        &self,
        dealer: &str,
        vehicles: &[Vehicle],
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Marks cars as unlisted by removing their hashes, except cars stored at `began` or later. The
    /// items of unlisted cars expire 180 days after `now`. Idempotent.
    fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The note about the dealer's list as a whole, as [`Vehicles::keep_list`] stored it.
    fn list(&self, dealer: &str) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Stores a note about the dealer's list as a whole, replacing the earlier one.
    fn keep_list(
        &self,
        dealer: &str,
        note: &str,
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
