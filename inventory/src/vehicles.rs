//! The port to the table of vehicles.
//!
//! A dealer is a partition. Each item has one writer:
//!
//! | sort key | what it holds | writer |
//! |---|---|---|
//! | `car#VIN` | the car as the feed lists it | `dealer_com_feed` |
//! | `link#VIN` | the car's link: a [`KeptLink`] | `url_shortening` |
//! | `page#VIN` | the car as its page shows it | `product_detail_scraping` |
//! | `#list` | the list as a whole | `dealer_com_feed` |

use std::{future::Future, time::Duration};

use evenkeel::{base::time::Time, ports::PortError};

use crate::link::KeptLink;

/// How long the items of an unlisted car and of its page are kept.
pub const RETENTION: Duration = Duration::from_hours(180 * 24);

/// The beginning of the sort keys of pages.
pub const PAGE_PREFIX: &str = "page#";

/// A stored car, without its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// 17 characters, upper case.
    pub vin: String,
    /// Content hash of the data; `None` once the car is unlisted, so that it counts as new if it is
    /// listed again.
    pub hash: Option<String>,
    /// Name of the list in which the car was last seen: `new`, `used` or `certified`.
    pub list: String,
    /// When the car was last stored by [`Vehicles::keep`].
    pub kept_at: Time,
    /// Marks of the latest addresses of its page ([`crate::link::mark`]), the latest last.
    pub addresses: Vec<String>,
    /// Which link the feed has asked for last, in the feed's notation.
    pub asked: Option<String>,
    /// Content hash of the data, if its jobs are not created yet.
    pub pending: Option<String>,
}

/// What the feed knows of a car that matters to its link.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Whether the dealer lists the car.
    pub is_listed: bool,
    /// As in [`Known::addresses`].
    pub addresses: Vec<String>,
}

/// A car to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vehicle {
    /// 17 characters, upper case.
    pub vin: String,
    /// Content hash of the data for which the car's jobs were created; `None` if there were none.
    pub hash: Option<String>,
    /// Name of the list in which the car was seen: `new`, `used` or `certified`.
    pub list: String,
    /// The car's data as JSON.
    pub data: String,
    /// As in [`Known::addresses`].
    pub addresses: Vec<String>,
    /// As in [`Known::asked`].
    pub asked: Option<String>,
    /// As in [`Known::pending`].
    pub pending: Option<String>,
}

/// A car's page as it was scraped last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPage {
    /// The result of the scraping as JSON.
    pub page: String,
    /// What the result rests on, as JSON in the notation of the scraping; `None` if it must not be used again.
    pub basis: Option<String>,
    /// When the site was asked for the page, by the clock of who asked.
    pub asked_at: Option<Time>,
}

/// What is stored of a car that matters to the scraping of its page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarAndPage {
    /// The car's data as JSON.
    pub data: Option<String>,
    /// The car as its page showed it at the last scraping.
    pub page: Option<KeptPage>,
}

/// The table of vehicles.
pub trait Vehicles: Send + Sync {
    /// All stored cars of a dealer, unlisted ones included. The read is strongly consistent: it
    /// shows every write that ended before the call.
    fn known(&self, dealer: &str) -> impl Future<Output = Result<Vec<Known>, PortError>> + Send;

    /// The data of these cars as JSON, each a dealer and a VIN, in their order; `None` for a car that is not stored. At
    /// most 100 cars.
    fn data(
        &self,
        cars: &[(String, String)],
    ) -> impl Future<Output = Result<Vec<Option<String>>, PortError>> + Send;

    /// The data of these cars and their pages, in one call and in the order of the cars, each a dealer and a VIN. At
    /// most 50 cars. Strongly consistent.
    fn with_pages(
        &self,
        cars: &[(String, String)],
    ) -> impl Future<Output = Result<Vec<CarAndPage>, PortError>> + Send;

    /// Stores these cars, replacing earlier items. Idempotent.
    fn keep(
        &self,
        dealer: &str,
        vehicles: &[Vehicle],
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Marks cars as unlisted by removing their hashes, except cars stored at `began` or later. The
    /// items of unlisted cars, and those of their pages, expire 180 days after `now`, also a page that is stored later.
    /// A failure leaves no car marked without its page. Idempotent.
    fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Stores cars that are listed again as [`Vehicles::keep`] does, and lets their pages stay that
    /// [`Vehicles::unlist`] has let expire. A failure leaves no car stored without its page. Idempotent.
    fn relist(
        &self,
        dealer: &str,
        vehicles: &[Vehicle],
        now: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// What the feed knows of a car; `None` if it is not stored.
    fn listing(
        &self,
        dealer: &str,
        vin: &str,
    ) -> impl Future<Output = Result<Option<Listing>, PortError>> + Send;

    /// The links kept for these cars, each a dealer and a VIN, in their order. At most 100 cars. Strongly consistent.
    fn kept_links(
        &self,
        cars: &[(String, String)],
    ) -> impl Future<Output = Result<Vec<Option<KeptLink>>, PortError>> + Send;

    /// All links of a dealer, by VIN.
    fn links(
        &self,
        dealer: &str,
    ) -> impl Future<Output = Result<Vec<(String, KeptLink)>, PortError>> + Send;

    /// Stores a car's link if it is still as `before`: nobody has wanted another destination since that was read, or
    /// there is none if that is `None`. Returns whether it was stored. What was set last stays as it is.
    fn replace_link(
        &self,
        dealer: &str,
        vin: &str,
        before: Option<&KeptLink>,
        after: &KeptLink,
    ) -> impl Future<Output = Result<bool, PortError>> + Send;

    /// The name of the table, for items that the engine writes with the end of a run; `None` if there is none.
    fn table(&self) -> Option<&str>;

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

/// No table: nothing is stored, and nothing is found. For a function that is deployed without one.
impl<T: Vehicles> Vehicles for Option<T> {
    async fn known(&self, dealer: &str) -> Result<Vec<Known>, PortError> {
        match self {
            Some(vehicles) => vehicles.known(dealer).await,
            None => Ok(Vec::new()),
        }
    }

    async fn data(&self, cars: &[(String, String)]) -> Result<Vec<Option<String>>, PortError> {
        match self {
            Some(vehicles) => vehicles.data(cars).await,
            None => Ok(vec![None; cars.len()]),
        }
    }

    async fn with_pages(&self, cars: &[(String, String)]) -> Result<Vec<CarAndPage>, PortError> {
        match self {
            Some(vehicles) => vehicles.with_pages(cars).await,
            None => Ok(vec![CarAndPage::default(); cars.len()]),
        }
    }

    async fn keep(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        match self {
            Some(vehicles) => vehicles.keep(dealer, cars, now).await,
            None => Ok(()),
        }
    }

    async fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> Result<(), PortError> {
        match self {
            Some(vehicles) => vehicles.unlist(dealer, vins, began, now).await,
            None => Ok(()),
        }
    }

    async fn relist(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        match self {
            Some(vehicles) => vehicles.relist(dealer, cars, now).await,
            None => Ok(()),
        }
    }

    async fn listing(&self, dealer: &str, vin: &str) -> Result<Option<Listing>, PortError> {
        match self {
            Some(vehicles) => vehicles.listing(dealer, vin).await,
            None => Ok(None),
        }
    }

    async fn kept_links(
        &self,
        cars: &[(String, String)],
    ) -> Result<Vec<Option<KeptLink>>, PortError> {
        match self {
            Some(vehicles) => vehicles.kept_links(cars).await,
            None => Ok(vec![None; cars.len()]),
        }
    }

    async fn links(&self, dealer: &str) -> Result<Vec<(String, KeptLink)>, PortError> {
        match self {
            Some(vehicles) => vehicles.links(dealer).await,
            None => Ok(Vec::new()),
        }
    }

    async fn replace_link(
        &self,
        dealer: &str,
        vin: &str,
        before: Option<&KeptLink>,
        after: &KeptLink,
    ) -> Result<bool, PortError> {
        match self {
            Some(vehicles) => vehicles.replace_link(dealer, vin, before, after).await,
            None => Ok(true),
        }
    }

    fn table(&self) -> Option<&str> {
        self.as_ref().and_then(Vehicles::table)
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        match self {
            Some(vehicles) => vehicles.list(dealer).await,
            None => Ok(None),
        }
    }

    async fn keep_list(&self, dealer: &str, note: &str, now: Time) -> Result<(), PortError> {
        match self {
            Some(vehicles) => vehicles.keep_list(dealer, note, now).await,
            None => Ok(()),
        }
    }
}
