//! A dealer site: its settings and its stock, and how they change.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::address::{Address, SLUG_RULE, is_slug, site_path};
use super::car::Car;
use super::platform::Platform;
use super::settings::{MAX_CARS, SiteChange, SiteSettings, Twist};
use super::shapes::Shapes;
use super::stock;
use crate::visit::Endpoint;

/// The most sites. The limit exposes a test that creates sites in an endless loop.
const MAX_SITES: usize = 500;

/// The highest price, in dollars: the formatting supports only one thousands separator.
const MAX_PRICE: u32 = 999_999;

/// The time of a new site's last change: 1 August 2025, in epoch milliseconds. It is fixed so that
/// the site's pages are the same on every run.
const FIRST_CHANGED_MS: u64 = 1_754_006_400_000;

/// HTTP dates have whole seconds, so two changes must be this far apart to have different dates.
const SECOND_MS: u64 = 1_000;

/// A site, as the control endpoint returns it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "a field without a comment is as its name says")]
pub struct SiteReport {
    pub slug: String,
    /// The id that calls to the newer inventory endpoint must give.
    pub site_id: String,
    /// The path of the site on the sandbox.
    pub path: String,
    /// How many cars it has now.
    pub cars: usize,
    pub settings: SiteSettings,
}

/// A site with its current stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    slug: String,
    settings: SiteSettings,
    /// The current cars, by number.
    stock: BTreeMap<u32, Car>,
    changed_ms: u64,
}

impl Site {
    pub(super) fn new(slug: &str, settings: SiteSettings) -> Result<Self, String> {
        settings.check()?;
        let car = |number| (number, stock::car(slug, &settings, number));
        let stock = (0..settings.cars).map(car).collect();
        let slug = slug.to_owned();
        let site = Self { slug, settings, stock, changed_ms: FIRST_CHANGED_MS };
        site.check_twists()?;
        Ok(site)
    }

    /// Applies a change: all of it, or nothing on an error. The error names the field.
    pub(crate) fn change(&mut self, change: SiteChange, now_ms: u64) -> Result<(), String> {
        let mut changed = self.clone();
        changed.take_over(change)?;
        changed.changed_ms = self.next_change_ms(now_ms);
        *self = changed;
        Ok(())
    }

    pub(crate) fn report(&self) -> SiteReport {
        SiteReport {
            slug: self.slug.clone(),
            site_id: self.site_id(),
            path: site_path(&self.slug),
            cars: self.stock.len(),
            settings: self.settings.clone(),
        }
    }

    /// The current cars.
    pub(crate) fn cars(&self) -> Vec<Car> {
        self.stock.values().cloned().collect()
    }

    pub(super) fn site_id(&self) -> String {
        stock::site_id(&self.slug, self.settings.seed)
    }

    /// The dealer's name, derived from the slug. It has an apostrophe, as many dealers' names do.
    pub(super) fn name(&self) -> String {
        let capital = |word: &str| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        let words: Vec<String> = self.slug.split('-').map(capital).collect();
        format!("{} Drivers' House", words.join(" "))
    }

    pub(super) fn shapes(&self) -> &Shapes {
        &self.settings.shapes
    }

    /// When the site was last changed, in epoch milliseconds.
    pub(super) fn changed_ms(&self) -> u64 {
        self.changed_ms
    }

    /// The most cars on a page of a list.
    pub(super) fn page_cap(&self) -> usize {
        usize::try_from(self.settings.page_cap).unwrap_or(usize::MAX)
    }

    /// The platform whose pages it has.
    pub(super) fn platform(&self) -> Option<Platform> {
        self.settings.platform
    }

    pub(super) fn has_etags(&self) -> bool {
        self.settings.etags
    }

    pub(super) fn robots(&self) -> Option<&str> {
        self.settings.robots.as_deref()
    }

    /// Whether the site has this endpoint.
    pub(super) fn serves(&self, endpoint: Endpoint) -> bool {
        match endpoint {
            Endpoint::Widget => self.settings.widget,
            Endpoint::InventoryPost => self.settings.inventory_post,
            Endpoint::Home | Endpoint::Robots | Endpoint::Detail | Endpoint::Other => true,
        }
    }

    /// The cars of a list, with their numbers. A list that the site does not have is empty.
    pub(super) fn listed(&self, alias: &str) -> Vec<(u32, &Car)> {
        let known = self.settings.aliases.iter().find(|known| known.name() == alias);
        let Some(alias) = known.filter(|_| !self.settings.collapsed) else { return Vec::new() };
        let listed = self.stock.iter().filter(|(_, car)| alias.lists(car.condition));
        listed.map(|(number, car)| (*number, car)).collect()
    }

    /// The first cars, for the home page.
    pub(super) fn first_cars(&self, count: usize) -> impl Iterator<Item = &Car> {
        self.stock.values().take(count)
    }

    /// The car that the page with this path shows, and its shapes. `None` if there is no such page.
    pub(super) fn page(&self, path: &str) -> Option<(Car, Shapes)> {
        let (number, car) = self.stock.iter().find(|(_, car)| car.path == path)?;
        let mut shapes = self.settings.shapes.clone();
        let twist = self.settings.twists.get(&car.vin);
        if let Some(twist) = twist {
            shapes.page = twist.page(&shapes.page);
        }
        let car = match twist {
            // This number is beyond those that the stock can have.
            Some(Twist::OtherVin) => stock::car(&self.slug, &self.settings, number + MAX_CARS),
            Some(Twist::BrokenJsonLd | Twist::Bare) | None => car.clone(),
        };
        Some((car, shapes))
    }

    fn take_over(&mut self, change: SiteChange) -> Result<(), String> {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        let settings = &mut self.settings;
        let before = settings.cars;
        set(&mut settings.cars, change.cars);
        set(&mut settings.page_cap, change.page_cap);
        set(&mut settings.aliases, change.aliases);
        set(&mut settings.widget, change.widget);
        set(&mut settings.inventory_post, change.inventory_post);
        set(&mut settings.collapsed, change.collapsed);
        set(&mut settings.shapes, change.shapes);
        set(&mut settings.twists, change.twists);
        settings.check()?;
        self.resize(before);
        self.check_twists()?;
        self.relist(&change.relist)?;
        self.reprice(&change.prices)?;
        self.relocate(&change.moves)?;
        self.remove(&change.remove)
    }

    fn relist(&mut self, vins: &[String]) -> Result<(), String> {
        let Self { slug, settings, stock, .. } = self;
        for vin in vins {
            let mut cars =
                (0..settings.cars).map(|number| (number, stock::car(slug, settings, number)));
            let found = cars.find(|(_, car)| car.vin == *vin);
            let (number, car) =
                found.ok_or_else(|| format!("relist: {vin}: there was no such car"))?;
            stock.entry(number).or_insert(car);
        }
        Ok(())
    }

    fn relocate(&mut self, moves: &BTreeMap<String, String>) -> Result<(), String> {
        for (vin, path) in moves {
            let car = self.stock.values_mut().find(|car| car.vin == *vin);
            let car = car.ok_or_else(|| format!("moves.{vin}: there is no such car"))?;
            car.path.clone_from(path);
        }
        Ok(())
    }

    /// Grows or shrinks the stock to the number of cars set. Cars that were removed stay removed.
    fn resize(&mut self, before: u32) {
        let Self { slug, settings, stock, .. } = self;
        stock.retain(|number, _| *number < settings.cars);
        let car = |number| (number, stock::car(slug, settings, number));
        stock.extend((before..settings.cars).map(car));
    }

    fn reprice(&mut self, prices: &BTreeMap<String, u32>) -> Result<(), String> {
        for (vin, price) in prices {
            if *price > MAX_PRICE {
                return Err(format!("prices.{vin}: must be at most {MAX_PRICE}"));
            }
            let car = self.stock.values_mut().find(|car| car.vin == *vin);
            car.ok_or_else(|| format!("prices.{vin}: there is no such car"))?.price = *price;
        }
        Ok(())
    }

    fn remove(&mut self, vins: &[String]) -> Result<(), String> {
        let unknown = {
            let there: HashSet<&str> = self.stock.values().map(|car| car.vin.as_str()).collect();
            vins.iter().position(|vin| !there.contains(vin.as_str()))
        };
        if let Some(place) = unknown {
            return Err(format!("remove[{place}]: there is no such car"));
        }
        let vins: HashSet<&String> = vins.iter().collect();
        self.stock.retain(|_, car| !vins.contains(&car.vin));
        Ok(())
    }

    fn check_twists(&self) -> Result<(), String> {
        let there = |vin: &String| self.stock.values().any(|car| car.vin == *vin);
        match self.settings.twists.keys().find(|vin| !there(vin)) {
            Some(vin) => Err(format!("twists.{vin}: there is no such car")),
            None => Ok(()),
        }
    }

    /// The date of the next change: `now_ms`, but at least a second after the last change.
    fn next_change_ms(&self, now_ms: u64) -> u64 {
        now_ms.max(self.changed_ms.saturating_add(SECOND_MS))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sites {
    by_slug: BTreeMap<String, Site>,
}

impl Sites {
    /// Adds a site, or replaces the one with this slug. The error names the field.
    pub(crate) fn put(
        &mut self,
        slug: &str,
        settings: SiteSettings,
        now_ms: u64,
    ) -> Result<SiteReport, String> {
        if !is_slug(slug) {
            return Err(format!("slug: {SLUG_RULE}"));
        }
        let old = self.by_slug.get(slug);
        if old.is_none() && self.by_slug.len() >= MAX_SITES {
            return Err(format!("slug: there are {MAX_SITES} sites, and no room for more"));
        }
        let mut site = Site::new(slug, settings)?;
        if let Some(old) = old {
            site.changed_ms = old.next_change_ms(now_ms);
        }
        let report = site.report();
        self.by_slug.insert(slug.to_owned(), site);
        Ok(report)
    }

    pub(crate) fn get(&self, slug: &str) -> Option<&Site> {
        self.by_slug.get(slug)
    }

    pub(crate) fn get_mut(&mut self, slug: &str) -> Option<&mut Site> {
        self.by_slug.get_mut(slug)
    }

    pub(crate) fn reports(&self) -> Vec<SiteReport> {
        self.by_slug.values().map(Site::report).collect()
    }

    /// The VIN of the car whose page has this address.
    pub(super) fn vin_at(&self, address: &Address) -> Option<String> {
        let mut cars = self.get(&address.slug)?.stock.values();
        cars.find(|car| car.path == address.rest).map(|car| car.vin.clone())
    }
}

#[cfg(test)]
#[path = "site_tests.rs"]
mod tests;
