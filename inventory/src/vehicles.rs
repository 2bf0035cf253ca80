//! What is kept of a dealer's cars: one item each, and one for the list as a whole.
//!
//! Who reads a feed compares it with what is kept; who reads a page falls back on it.

use std::future::Future;

use evenkeel::{base::time::Time, ports::PortError};

/// A car as it is kept, without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its VIN.
    pub vin: String,
    /// Content hash of what is kept; `None` once it is no longer listed, so that it is new when it
    /// comes back.
    pub hash: Option<String>,
    /// Which list it was in.
    pub list: String,
    /// When it was kept last.
    pub kept_at: Time,
}

/// A car to keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vehicle {
    /// Its VIN.
    pub vin: String,
    /// Content hash of its data; `None` if it is no longer listed.
    pub hash: Option<String>,
    /// Which list it was in.
    pub list: String,
    /// Its data as JSON.
    pub data: String,
}

/// Where cars are kept.
pub trait Vehicles: Send + Sync {
    /// Every car of a dealer, as of every write before the call.
    fn known(&self, dealer: &str) -> impl Future<Output = Result<Vec<Known>, PortError>> + Send;

    /// A car's data as JSON, if it is kept.
    fn data(
        &self,
        dealer: &str,
        vin: &str,
    ) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Keeps these cars, over whatever was kept of them; harmless when repeated.
    fn keep(
        &self,
        dealer: &str,
        vehicles: &[Vehicle],
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Marks cars as no longer listed, unless they were kept at `began` or later; their data stays for
    /// some months.
    fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What was noted of the dealer's list as a whole.
    fn list(&self, dealer: &str) -> impl Future<Output = Result<Option<String>, PortError>> + Send;

    /// Notes something of the dealer's list as a whole.
    fn keep_list(
        &self,
        dealer: &str,
        note: &str,
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}
