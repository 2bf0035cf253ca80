//! What the feed knows of cars, and what their pages have shown. It is read for a whole batch in one call, before the batch's jobs run.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use evenkeel::{ports::PortError, telemetry};
use inventory::vehicles::{CarAndPage, Vehicles};
use tokio::time::Instant;

use crate::payload::Scraping;

/// Dealer and VIN.
type Car = (String, String);

/// How long what was read for a batch is believed: longer than the batch's runs wait for their slots, shorter than it
/// takes until a job that failed runs again.
const BELIEVED: Duration = Duration::from_secs(30);

/// The table of vehicles, with what was read of it in advance.
#[derive(Debug)]
pub(crate) struct KnownCars<V> {
    pub(crate) vehicles: V,
    read: Mutex<Read>,
}

/// What was read for the latest batch. A run takes what is known of its car away.
#[derive(Debug, Default)]
struct Read {
    at: Option<Instant>,
    cars: BTreeMap<Car, CarAndPage>,
}

impl<V: Vehicles> KnownCars<V> {
    pub(crate) const fn new(vehicles: V) -> Self {
        let read = Read { at: None, cars: BTreeMap::new() };
        Self { vehicles, read: Mutex::new(read) }
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is known of all these cars. If that fails, each run reads its own.
    pub(crate) async fn prepare(&self, payloads: &[&Scraping]) {
        *self.read() = Read::default();
        let cars: Vec<Car> = payloads.iter().map(|payload| car(payload)).collect();
        let at = Instant::now();
        match self.vehicles.with_pages(&cars).await {
            Ok(known) => {
                let cars = cars.into_iter().zip(known).collect();
                *self.read() = Read { at: Some(at), cars };
            }
            Err(error) => telemetry::port_failed("with_pages", &error),
        }
    }

    /// What is known of a car.
    pub(crate) async fn of(&self, payload: &Scraping) -> Result<CarAndPage, PortError> {
        let car = car(payload);
        let read = {
            let mut read = self.read();
            let is_fresh = read.at.is_some_and(|at| at.elapsed() < BELIEVED);
            read.cars.remove(&car).filter(|_| is_fresh)
        };
        match read {
            Some(known) => Ok(known),
            None => Ok(self.vehicles.with_pages(&[car]).await?.pop().unwrap_or_default()),
        }
    }
}

fn car(payload: &Scraping) -> Car {
    (payload.dealer_slug.clone(), payload.vin.clone())
}

#[cfg(test)]
mod tests {
    use evenkeel::base::time::Time;
    use inventory::{testing::MemoryVehicles, vehicles::Vehicle};

    use super::*;

    fn payload(vin: &str) -> Scraping {
        let address = format!("https://acme.example/used/{vin}.htm");
        serde_json::from_value(
            serde_json::json!({"dealer_slug": "acme", "vin": vin, "url": address}),
        )
        .unwrap()
    }

    async fn keep(vehicles: &MemoryVehicles, vin: &str, data: &str) {
        let car = Vehicle {
            vin: vin.into(),
            hash: None,
            list: "used".into(),
            data: data.into(),
            addresses: Vec::new(),
            asked: None,
            pending: None,
        };
        vehicles.keep("acme", &[car], Time::default()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_read_for_a_batch_is_taken_once_and_not_believed_for_long() {
        let vehicles = MemoryVehicles::default();
        let [one, other] = ["1HGCM82633A004352", "1HGCM82633A004353"].map(payload);
        keep(&vehicles, &one.vin, "first").await;
        let known = KnownCars::new(vehicles.clone());
        known.prepare(&[&one, &other]).await;
        keep(&vehicles, &one.vin, "second").await;
        keep(&vehicles, &other.vin, "other").await;
        let data = async |payload: &Scraping| known.of(payload).await.unwrap().data;
        assert_eq!(data(&one).await, Some("first".into()));
        assert_eq!(data(&one).await, Some("second".into()), "taken, so read again");
        tokio::time::advance(BELIEVED).await;
        assert_eq!(data(&other).await, Some("other".into()), "not in the table before");
    }
}
