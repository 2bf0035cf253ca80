//! For the audit: cars whose stored mark names jobs that have no record, and cars and links that do not match.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{
    base::time::Time,
    ports::{PortError, Store},
};
use inventory::{
    link::mark,
    vehicles::{Known, Vehicles},
};

use crate::{
    change::{Asked, Listed, Mark},
    fan_out::{self, Queues},
    payload::{FanOut, Feed},
    vehicle::Vehicle,
};

/// Most cars that one audit examines, the most recently stored first.
const MOST_EXAMINED: usize = 25;

/// Cars stored longer ago are not examined: the records of their jobs may have expired, which
/// happens after 15 days at the earliest.
const RECENT: Duration = Duration::from_hours(14 * 24);

/// How long a link counts as new. One of a car that no feed knows is a finding until then.
const STRAY_WITHIN: Duration = Duration::from_hours(30 * 24);

/// How long after it was asked for a listed car has a link.
const LINKED_WITHIN: Duration = Duration::from_hours(24);

/// Cars stored more recently are not examined: a read may still be processing them.
const SETTLED: Duration = Duration::from_mins(5);

/// The VINs of the orphans among the recently stored cars of the feed's dealer.
pub(crate) async fn orphans<V: Vehicles, S: Store>(
    vehicles: &V,
    store: &S,
    queues: &Queues,
    feed: &Feed,
    now: Time,
) -> Result<Vec<String>, PortError> {
    let mut recent: Vec<Known> = vehicles.known(&feed.dealer_slug).await?;
    recent.retain(|car| {
        let age = now.since(car.kept_at);
        car.hash.is_some() && age < RECENT && age >= SETTLED
    });
    recent.sort_by_key(|car| std::cmp::Reverse(car.kept_at));
    recent.truncate(MOST_EXAMINED);
    let cars = recent.iter().map(|car| (feed.dealer_slug.clone(), car.vin.clone()));
    let data = vehicles.data(&cars.collect::<Vec<_>>()).await?;
    let mut orphans = Vec::new();
    for (car, data) in recent.into_iter().zip(data) {
        let vehicle = data.and_then(|data| serde_json::from_str::<Vehicle>(&data).ok());
        let (Some(vehicle), Some(made)) = (vehicle, car.hash) else { continue };
        let Mark { hash, had } = Mark::parse(&made);
        let asked = car.asked.as_deref().and_then(Asked::parse);
        // The record of a link that was asked for long ago may have expired.
        let asked = asked.filter(|asked| now.since(Time::from_millis(asked.as_of)) < RECENT);
        let destination = vehicle.link.as_deref().and_then(|page| feed.links.destination(page));
        // Another payload may have asked for another address, such as one with other UTM parameters.
        let asked = asked.filter(|asked| {
            destination.as_ref().is_some_and(|address| asked.address == mark(address))
        });
        let had = FanOut { shorten: had.shorten && asked.is_some(), ..had };
        let (is_first_link, wanted) = (false, had);
        let listed =
            Listed { vehicle: &vehicle, hash, had, destination, asked, is_first_link, wanted };
        for key in fan_out::keys(feed, queues, &listed) {
            if store.read(&key).await?.is_none() {
                orphans.push(car.vin);
                break;
            }
        }
    }
    Ok(orphans)
}

/// What does not match between the dealer's cars and their links: cars whose link the feed has asked for a day ago and
/// that have none, and links of cars that the table does not have. `None` if all is well.
pub(crate) async fn gaps<V: Vehicles>(
    vehicles: &V,
    feed: &Feed,
    now: Time,
) -> Result<Option<String>, PortError> {
    if !feed.fan_out.shorten {
        return Ok(None);
    }
    let cars = vehicles.known(&feed.dealer_slug).await?;
    let links = vehicles.links(&feed.dealer_slug).await?;
    let linked: BTreeSet<&str> = links.iter().map(|(vin, _)| vin.as_str()).collect();
    // The link of a car that has gone outlives it.
    let fresh = links.iter().filter(|(_, link)| now.since(link.as_of) < STRAY_WITHIN);
    let fresh = fresh.map(|(vin, _)| vin.as_str());
    let known: BTreeSet<&str> = cars.iter().map(|car| car.vin.as_str()).collect();
    let asked_long_ago = |car: &&Known| {
        let asked = car.asked.as_deref().and_then(Asked::parse);
        asked.is_some_and(|asked| now.since(Time::from_millis(asked.as_of)) > LINKED_WITHIN)
    };
    let listed = cars.iter().filter(|car| car.hash.is_some()).filter(asked_long_ago);
    let bare: Vec<&str> =
        listed.map(|car| car.vin.as_str()).filter(|vin| !linked.contains(vin)).collect();
    let stray: Vec<&str> = fresh.filter(|vin| !known.contains(vin)).collect();
    let gap = |vins: &[&str], what: &str| {
        let first = vins.first()?;
        Some(format!("{} {what}, {first} among them", vins.len()))
    };
    let gaps = [gap(&bare, "listed cars without a link"), gap(&stray, "links of unknown cars")];
    let gaps: Vec<String> = gaps.into_iter().flatten().collect();
    Ok((!gaps.is_empty()).then(|| gaps.join("; ")))
}
