//! The table of vehicles in memory, fault injection for it, and the conformance suite of the port.

pub mod conformance;
pub mod items;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    link::{self, KeptLink},
    vehicles::{CarAndPage, KeptPage, Known, Listing, PAGE_PREFIX, RETENTION, Vehicle, Vehicles},
};
use evenkeel::{
    base::time::Time,
    ports::{PortError, Store, Written},
    record::item::{TableItem, Value},
    testing::{Faulty, ItemAttributes, MemoryStore},
};

/// The name of the simulated table.
pub const TABLE: &str = "vehicles";

/// The attribute by which items expire, in seconds since the epoch.
pub const EXPIRES_AT: &str = "expires_at";

/// [`Vehicles`] in memory. Clones share one table.
#[derive(Clone, Debug, Default)]
pub struct MemoryVehicles {
    kept: Arc<Mutex<Kept>>,
    /// Holds links and pages, because the engine writes them with the ends of runs.
    items: MemoryStore,
}

#[derive(Debug, Default)]
struct Kept {
    vehicles: BTreeMap<(String, String), (Vehicle, Time)>,
    lists: BTreeMap<String, String>,
    writes: usize,
}

impl MemoryVehicles {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A table whose links and pages are in this store.
    #[must_use]
    pub fn beside(store: &MemoryStore) -> Self {
        Self { kept: Arc::default(), items: store.clone() }
    }

    /// The link kept for a car.
    #[must_use]
    pub fn kept_link(&self, dealer: &str, vin: &str) -> Option<KeptLink> {
        let [(_, dealer), (_, sort)] = link::key(dealer, vin);
        read(&self.items.item(TABLE, [&dealer, &sort])?)
    }

    /// The attributes of the page of a car.
    #[must_use]
    pub fn page(&self, dealer: &str, vin: &str) -> Option<ItemAttributes> {
        let sort = format!("{PAGE_PREFIX}{vin}");
        self.items.item(TABLE, [dealer, &sort])
    }

    /// Lets a car's page expire at this time, also one that is stored later, or stay.
    fn keep_page(&self, dealer: &str, vin: &str, end: Option<Time>) {
        let page = self.page(dealer, vin);
        if page.is_none() && end.is_none() {
            return;
        }
        let mut page = page.unwrap_or_default();
        page.retain(|(name, _)| *name != EXPIRES_AT);
        page.extend(end.map(|end| (EXPIRES_AT, Value::Number(end.as_secs_ceil()))));
        let sort = format!("{PAGE_PREFIX}{vin}");
        self.items.set_item(TABLE, [dealer, &sort], page);
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

fn page(attributes: &ItemAttributes) -> Option<KeptPage> {
    let find = |name: &str| attributes.iter().find(|(known, _)| *known == name);
    let text = |name: &str| match find(name) {
        Some((_, Value::Text(text))) => Some(text.clone()),
        _ => None,
    };
    let asked_at = match find("asked_at") {
        Some((_, Value::Number(ms))) => Some(Time::from_millis(*ms)),
        _ => None,
    };
    let basis = text("basis").filter(|basis| !basis.is_empty());
    Some(KeptPage { page: text("page")?, basis, asked_at })
}

fn read(attributes: &ItemAttributes) -> Option<KeptLink> {
    let find = |name: &str| attributes.iter().find(|(known, _)| *known == name);
    KeptLink::of(|name| find(name).map(|(_, value): &(&str, Value)| value.clone()))
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
            addresses: vehicle.addresses.clone(),
            asked: vehicle.asked.clone(),
            pending: vehicle.pending.clone(),
        };
        Ok(of_dealer.map(|(_, kept)| known(kept)).collect())
    }

    async fn data(&self, cars: &[(String, String)]) -> Result<Vec<Option<String>>, PortError> {
        let kept = self.lock();
        let data = |car| kept.vehicles.get(car).map(|(vehicle, _)| vehicle.data.clone());
        Ok(cars.iter().map(data).collect())
    }

    async fn with_pages(&self, cars: &[(String, String)]) -> Result<Vec<CarAndPage>, PortError> {
        let mut found = Vec::new();
        for ((dealer, vin), data) in cars.iter().zip(self.data(cars).await?) {
            let sort = format!("{PAGE_PREFIX}{vin}");
            let item = self.items.read_item(TABLE, [dealer, &sort])?.unwrap_or_default();
            found.push(CarAndPage { data, page: page(&item) });
        }
        Ok(found)
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
        now: Time,
    ) -> Result<(), PortError> {
        let mut kept = self.lock();
        for vin in vins {
            match kept.vehicles.get_mut(&(dealer.to_owned(), vin.clone())) {
                Some((vehicle, seen_at)) if *seen_at < began => {
                    (vehicle.hash, vehicle.pending) = (None, None);
                    self.keep_page(dealer, vin, Some(now + RETENTION));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn relist(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        for car in cars {
            self.keep_page(dealer, &car.vin, None);
        }
        self.keep(dealer, cars, now).await
    }

    async fn listing(&self, dealer: &str, vin: &str) -> Result<Option<Listing>, PortError> {
        let key = (dealer.to_owned(), vin.to_owned());
        Ok(self.lock().vehicles.get(&key).map(|(vehicle, _)| Listing {
            is_listed: vehicle.hash.is_some(),
            addresses: vehicle.addresses.clone(),
        }))
    }

    async fn kept_links(
        &self,
        cars: &[(String, String)],
    ) -> Result<Vec<Option<KeptLink>>, PortError> {
        let item = |(dealer, vin): &(String, String)| {
            let [(_, dealer), (_, sort)] = link::key(dealer, vin);
            Ok(self.items.read_item(TABLE, [&dealer, &sort])?.as_ref().and_then(read))
        };
        cars.iter().map(item).collect()
    }

    async fn links(&self, dealer: &str) -> Result<Vec<(String, KeptLink)>, PortError> {
        let items = self.items.items(TABLE, dealer).into_iter();
        let read = |(sort, attributes): (String, ItemAttributes)| {
            Some((sort.strip_prefix(link::PREFIX)?.to_owned(), read(&attributes)?))
        };
        Ok(items.filter_map(read).collect())
    }

    async fn replace_link(
        &self,
        dealer: &str,
        vin: &str,
        before: Option<&KeptLink>,
        after: &KeptLink,
    ) -> Result<bool, PortError> {
        let new = after.new_item(TABLE, dealer, vin);
        let item = match before {
            None => new,
            Some(before) => {
                let mut attributes = new.attributes;
                attributes.retain(|(name, _)| *name != "set_as_of");
                TableItem { attributes, condition: before.unchanged(), ..new }
            }
        };
        Ok(self.items.put_item(&item).await? == Written::Yes)
    }

    fn table(&self) -> Option<&str> {
        Some(TABLE)
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        Ok(self.lock().lists.get(dealer).cloned())
    }

    async fn keep_list(&self, dealer: &str, note: &str, _: Time) -> Result<(), PortError> {
        self.lock().lists.insert(dealer.to_owned(), note.to_owned());
        Ok(())
    }
}

fn vins(cars: &[(String, String)]) -> String {
    let vins: Vec<&str> = cars.iter().map(|(_, vin)| vin.as_str()).collect();
    vins.join(" ")
}

impl<T: Vehicles> Vehicles for Faulty<T> {
    async fn known(&self, dealer: &str) -> Result<Vec<Known>, PortError> {
        self.call("known", dealer, self.port().known(dealer)).await
    }

    async fn data(&self, cars: &[(String, String)]) -> Result<Vec<Option<String>>, PortError> {
        self.call("data", &vins(cars), self.port().data(cars)).await
    }

    async fn with_pages(&self, cars: &[(String, String)]) -> Result<Vec<CarAndPage>, PortError> {
        self.call("with_pages", &vins(cars), self.port().with_pages(cars)).await
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

    async fn relist(&self, dealer: &str, cars: &[Vehicle], now: Time) -> Result<(), PortError> {
        self.call("relist", dealer, self.port().relist(dealer, cars, now)).await
    }

    async fn listing(&self, dealer: &str, vin: &str) -> Result<Option<Listing>, PortError> {
        self.call("listing", vin, self.port().listing(dealer, vin)).await
    }

    async fn kept_links(
        &self,
        cars: &[(String, String)],
    ) -> Result<Vec<Option<KeptLink>>, PortError> {
        self.call("kept_links", &vins(cars), self.port().kept_links(cars)).await
    }

    async fn links(&self, dealer: &str) -> Result<Vec<(String, KeptLink)>, PortError> {
        self.call("links", dealer, self.port().links(dealer)).await
    }

    async fn replace_link(
        &self,
        dealer: &str,
        vin: &str,
        before: Option<&KeptLink>,
        after: &KeptLink,
    ) -> Result<bool, PortError> {
        let replaced = self.port().replace_link(dealer, vin, before, after);
        self.call("replace_link", vin, replaced).await
    }

    fn table(&self) -> Option<&str> {
        self.port().table()
    }

    async fn list(&self, dealer: &str) -> Result<Option<String>, PortError> {
        self.call("list", dealer, self.port().list(dealer)).await
    }

    async fn keep_list(&self, dealer: &str, note: &str, now: Time) -> Result<(), PortError> {
        self.call("keep_list", dealer, self.port().keep_list(dealer, note, now)).await
    }
}
