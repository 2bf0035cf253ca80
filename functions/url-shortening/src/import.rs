//! Takes over links that another system has made: finds the links of a dealer's cars among all links of the account,
//! and keeps each as its car's link. Nothing at Rebrandly is changed.
//!
//! The old system named its links `{dealer}-{whole VIN}`, which the chain of slashtags does not contain: without the
//! import, each such car would get a second link.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use evenkeel::{
    base::time::{Clock, Time},
    failure::Failure,
    http::transport::Transport,
    ports::{PortError, SecretSource},
};
use inventory::{
    link::{KeptLink, with_address},
    vehicles::Vehicles,
    vin,
};
use serde::{Deserialize, Serialize};

use crate::{
    answer::RebrandlyError,
    links::destination_of,
    rebrandly::{Link, Rebrandly},
};

/// The `as_of` of a link whose age is not known: any message is newer.
const OLDEST: Time = Time::from_millis(1);

/// How far an import has come. It may be stored, and continued by another process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The last link that was read.
    last: Option<String>,
    /// How many links were read.
    pub read: u64,
    /// The links of known cars so far, by VIN.
    found: BTreeMap<String, Vec<Found>>,
}

/// A link of a known car.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// As in a kept link.
    pub id: String,
    /// The short address, without a scheme.
    pub short_url: String,
    slashtag: String,
    destination: String,
    created_at: Option<String>,
}

/// What an import has done, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many links of the account were read.
    pub read: u64,
    /// VINs of cars whose link is kept now.
    pub kept: Vec<String>,
    /// VINs of cars for which a link was kept before.
    pub known: Vec<String>,
    /// Cars with several links. Which one is the car's is for a person to say.
    pub ambiguous: BTreeMap<String, Vec<Found>>,
}

/// Why an import stopped. It can be continued from its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportError {
    /// Rebrandly did not answer as expected.
    Rebrandly(Failure),
    /// The table of vehicles failed.
    Vehicles(PortError),
}

impl From<PortError> for ImportError {
    fn from(error: PortError) -> Self {
        Self::Vehicles(error)
    }
}

/// Imports the links of a dealer's cars. `slot` waits for the slot of each call and returns its time-out. If
/// `dry_run`, nothing is stored. `progress` is changed with each page of links, so that a later call goes on there.
pub async fn import<S, V, C, T>(
    rebrandly: &Rebrandly<S, C, T>,
    vehicles: &V,
    dealer: &str,
    dry_run: bool,
    progress: &mut Progress,
    slot: impl AsyncFn() -> Duration,
) -> Result<Report, ImportError>
where
    S: SecretSource,
    V: Vehicles,
    C: Clock,
    T: Transport,
{
    let cars = vehicles.known(dealer).await?;
    let cars: BTreeSet<String> = cars.into_iter().map(|car| car.vin).collect();
    loop {
        let limit = slot().await;
        let page = rebrandly.list(progress.last.as_deref(), limit).await;
        let page = page.map_err(|error: RebrandlyError| ImportError::Rebrandly(error.into()))?;
        let Some(last) = page.last() else { break };
        progress.last = Some(last.id.clone());
        progress.read += u64::try_from(page.len()).unwrap_or(u64::MAX);
        for link in page {
            if let Some((vin, found)) = of_car(link, &cars) {
                progress.found.entry(vin).or_default().push(found);
            }
        }
    }
    keep(vehicles, dealer, dry_run, progress).await.map_err(ImportError::Vehicles)
}

/// Keeps the links of the cars that have exactly one.
async fn keep<V: Vehicles>(
    vehicles: &V,
    dealer: &str,
    dry_run: bool,
    progress: &Progress,
) -> Result<Report, PortError> {
    let before = vehicles.links(dealer).await?;
    let before: BTreeSet<&str> = before.iter().map(|(vin, _)| vin.as_str()).collect();
    let mut report = Report { read: progress.read, ..Report::default() };
    for (vin, found) in &progress.found {
        match found.as_slice() {
            _ if before.contains(vin.as_str()) => report.known.push(vin.clone()),
            [link] => {
                let stored = match kept(link) {
                    Some(kept) if !dry_run => {
                        vehicles.replace_link(dealer, vin, None, &kept).await?
                    }
                    _ => true,
                };
                let place = if stored { &mut report.kept } else { &mut report.known };
                place.push(vin.clone());
            }
            _ => {
                report.ambiguous.insert(vin.clone(), found.clone());
            }
        }
    }
    Ok(report)
}

/// The known car that a link is about: exactly one known VIN stands in its name or in its destination.
fn of_car(link: Link, cars: &BTreeSet<String>) -> Option<(String, Found)> {
    let destination = destination_of(&link)?;
    let last = link.short_url.rsplit('/').next().unwrap_or_default();
    let slashtag = link.slashtag.clone().unwrap_or_else(|| last.to_owned());
    let text = format!("{slashtag} {destination}").to_ascii_uppercase();
    let mut vins: BTreeSet<&str> = BTreeSet::new();
    for (start, _) in text.char_indices() {
        let known = text.get(start..start + vin::LENGTH).and_then(|part| cars.get(part));
        vins.extend(known.map(String::as_str));
    }
    let (Some(vin), 1) = (vins.first(), vins.len()) else { return None };
    let destination = destination.into();
    let Link { id, short_url, created_at, .. } = link;
    Some(((*vin).to_owned(), Found { id, short_url, slashtag, destination, created_at }))
}

/// The link as it is kept for its car. It leads where it led.
fn kept(found: &Found) -> Option<KeptLink> {
    let address = found.destination.parse().ok()?;
    let created = found.created_at.as_deref().and_then(|at| Time::parse_rfc3339(at).ok());
    let as_of = created.unwrap_or(OLDEST).max(OLDEST);
    Some(KeptLink {
        wanted: found.destination.clone(),
        as_of,
        set: Some(as_of),
        link_id: found.id.clone(),
        slashtag: found.slashtag.clone(),
        short_url: found.short_url.clone(),
        addresses: with_address(&[], &address),
        deleted_at: None,
    })
}
