//! The table of vehicles in memory, fault injection for it, and the conformance suite of the port.

pub mod conformance;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::vehicles::{Known, Vehicle, Vehicles};
use evenkeel::{base::time::Time, ports::PortError, testing::Faulty};

/// [`Vehicles`] in memory. Clones share one table.
#[derive(Clone, Debug, Default)]
pub struct MemoryVehicles(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    vehicles: BTreeMap<(String, String), (Vehicle, Time)>,
    lists: BTreeMap<String, String>,
    writes: usize,
}

impl MemoryVehicles {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All stored cars, ordered by dealer and VIN.
    #[must_use]
    pub fn vehicles(&self) -> Vec<Vehicle> {
        self.lock().vehicles.values().map(|(vehicle, _)| vehicle.clone()).collect()
    }

    /// How many cars were written so far; a car written twice counts twice.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.lock().writes
    }
}

impl Vehicles for MemoryVehicles {
    async fn known(&self, dealer: &str) -> Result<Vec<Known>, PortError> {
        let kept = self.lock();
        let of_dealer = kept.vehicles.iter().filter(|((of, _), _)| of == dealer);
        let known = |(vehicle, kept_at): &(Vehicle, Time)| Known {
            vin: vehicle.vin.clone(),
            hash: vehicle.hash.clone(),
            list: vehicle.list.clone(),
            kept_at: *kept_at,
        };
        Ok(of_dealer.map(|(_, kept)| known(kept)).collect())
    }

    async fn data(&self, dealer: &str, vin: &str) -> Result<Option<String>, PortError> {
        let key = (dealer.to_owned(), vin.to_owned());
        Ok(self.lock().vehicles.get(&key).map(|(vehicle, _)| vehicle.data.clone()))
    }

    async fn keep(&self, dealer: &str, vehicles: &[Vehicle], now: Time) -> Result<(), PortError> {
        let mut kept = self.lock();
        kept.writes += vehicles.len();
        for vehicle in vehicles {
            let key = (dealer.to_owned(), vehicle.vin.clone());
            kept.vehicles.insert(key, (vehicle.clone(), now));
        }
        Ok(())
    }

    async fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        _: Time,
    ) -> Result<(), PortError> {
        let mut kept = self.lock();
        for vin in vins {
            match kept.vehicles.get_mut(&(dealer.to_owned(), vin.clone())) {
                Some((vehicle, seen_at)) if *seen_at < began => vehicle.hash = None,
                _ => {}
            }
        }
        Ok(())
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        Ok(self.lock().lists.get(dealer).cloned())
    }

    async fn keep_list(&self, dealer: &str, note: &str, _: Time) -> Result<(), PortError> {
        self.lock().lists.insert(dealer.to_owned(), note.to_owned());
        Ok(())
    }
}

impl<T: Vehicles> Vehicles for Faulty<T> {
    async fn known(&self, dealer: &str) -> Result<Vec<Known>, PortError> {
        self.call("known", dealer, self.port().known(dealer)).await
    }

    async fn data(&self, dealer: &str, vin: &str) -> Result<Option<String>, PortError> {
        self.call("data", vin, self.port().data(dealer, vin)).await
    }

    async fn keep(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        self.call("keep", dealer, self.port().keep(dealer, cars, now)).await
    }

    async fn unlist(
        &self,
        dealer: &str,
        vins: &[String],
        began: Time,
        now: Time,
    ) -> Result<(), PortError> {
        self.call("unlist", dealer, self.port().unlist(dealer, vins, began, now)).await
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        self.call("list", dealer, self.port().list(dealer)).await
    }

    async fn keep_list(&self, dealer: &str, note: &str, now: Time) -> Result<(), PortError> {
        self.call("keep_list", dealer, self.port().keep_list(dealer, note, now)).await
    }
}
