//! Takes over links that another system has made: finds the links of a dealer's cars among all links of the account,
//! and keeps each as its car's link. Nothing at Rebrandly is changed.
//!
//! The old system named its links `{dealer}-{whole VIN}`, which the chain of slashtags does not contain: without the
//! import, each such car would get a second link.
//!
//! ```text
//! {"import_links": {"dealer": …}} ─► reads some pages ─► answer: the same, advanced ─┐
//!                                    or, after the last, keeps some links            │
//!                  ▲─────────────────────── until it is done ────────────────────────┘
//! ```
//!
//! All links are read before one is kept, because a second link of a car may come on the last page. Who asks keeps
//! the state between the requests. A request that is sent twice does nothing twice.

use std::collections::{BTreeMap, BTreeSet};

use evenkeel::{
    base::time::{Clock, Time},
    failure::{Class, Failure},
    http::transport::Transport,
    job::{Gate, Run},
    ports::SecretSource,
};
use inventory::{
    link::{KeptLink, mark, with_address},
    slashtag,
    vehicles::{Known, Vehicles},
    vin,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::{
    links::{Links, destination_of},
    rebrandly::Link,
};

/// The `as_of` of a link whose age is not known: any message is newer.
const OLDEST: Time = Time::from_millis(1);

/// Most pages of links that one request reads. At the pace of further calls, that takes some seconds.
const PAGES_A_REQUEST: usize = 20;

/// Most cars whose links one request keeps: two seconds of writes.
const CARS_A_REQUEST: usize = 200;

/// Most links of known cars that are remembered. A link takes some 400 bytes of the state.
const MOST_FOUND: usize = 8_000;

/// Longest state of an import as JSON, in bytes. Request and answer take at most 6 MB each (Lambda's limit), and what
/// is around the state is short.
const MOST_BYTES: usize = 5_000_000;

/// The failure of an import that finds more than its state can hold.
const TOO_MANY: &str = "too_many_links";

/// Most names of the dealer besides its slug.
const MOST_NAMES: usize = 10;

/// What an operator may ask of the function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// To go on with an import.
    ImportLinks(Import),
}

impl Request {
    /// Reads a request. Fails with what was expected.
    pub fn read(request: &Value) -> Result<Self, Failure> {
        let read = Self::deserialize(request).map_err(|error| error.to_string());
        read.and_then(|Self::ImportLinks(import)| {
            import.check()?;
            Ok(Self::ImportLinks(import))
        })
        .map_err(|why| Failure::new(Class::Permanent, "invalid_request", format!("request: {why}")))
    }
}

/// An import, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The slug of the dealer.
    pub dealer: String,
    /// Other names that the dealer has in the names of its links.
    #[serde(default)]
    pub names: Vec<String>,
    /// Whether nothing is stored.
    #[serde(default)]
    pub dry_run: bool,
    /// Whether all is done; then the report is complete.
    #[serde(default)]
    pub done: bool,
    /// How many links of the account were read.
    #[serde(default)]
    pub read: u64,
    /// The last link that was read.
    #[serde(default)]
    last: Option<String>,
    /// Whether all links were read.
    #[serde(default)]
    whole: bool,
    /// The links of known cars that are not reported yet, by VIN.
    #[serde(default)]
    found: BTreeMap<String, Vec<Found>>,
    /// What has become of the others.
    #[serde(default)]
    pub report: Report,
}

/// A link of a known car.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Found {
    /// The id under which Rebrandly has the link.
    pub id: String,
    /// The short address, without a scheme.
    pub short_url: String,
    pub slashtag: String,
    pub destination: String,
    /// As RFC 3339.
    pub created_at: Option<String>,
}

/// What an import has done, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// VINs of cars whose link is kept now.
    pub kept: Vec<String>,
    /// VINs of cars for which a link was kept before.
    pub known: Vec<String>,
    /// Cars with several links, or with one that may be another dealer's. Which one is the car's is for a person to
    /// say.
    pub ambiguous: BTreeMap<String, Vec<Found>>,
}

impl Import {
    fn check(&self) -> Result<(), String> {
        if self.dealer.trim().is_empty() {
            return Err("import_links.dealer: empty, expected the slug of a dealer".to_owned());
        }
        let names = self.names.len();
        if names > MOST_NAMES {
            return Err(format!(
                "import_links.names: {names} names, expected at most {MOST_NAMES}"
            ));
        }
        Ok(())
    }

    /// Takes a page of links. Fails if too many links were found, or if the page is the one before.
    fn take(&mut self, page: Vec<Link>, cars: &BTreeMap<String, Known>) -> Result<(), Failure> {
        let last = page.last().map(|link| link.id.clone());
        if last == self.last {
            let why = format!("the page behind the link {last:?} ends with the same link");
            return Err(Failure::new(Class::Anomaly, "same_page", why));
        }
        self.last = last;
        self.read = self.read.saturating_add(u64::try_from(page.len()).unwrap_or(u64::MAX));
        for link in page {
            if let Some((vin, found)) = of_car(link, cars) {
                self.found.entry(vin).or_default().push(found);
            }
        }
        let found = self.links();
        if found > MOST_FOUND {
            let why = format!("{found} links of known cars, expected at most {MOST_FOUND}");
            return Err(Failure::new(Class::Permanent, TOO_MANY, why));
        }
        Ok(())
    }

    /// How many links of known cars are not reported yet.
    fn links(&self) -> usize {
        self.found.values().map(Vec::len).sum()
    }

    /// Fails if the state is longer than Lambda carries: the answer would be lost, and with it the import.
    fn fits(self) -> Result<Self, Failure> {
        let bytes = serde_json::to_vec(&self).map_or(usize::MAX, |text| text.len());
        if bytes <= MOST_BYTES {
            return Ok(self);
        }
        let (links, read) = (self.links(), self.read);
        let why = format!(
            "{links} links of known cars, of {read} that were read, take {bytes} bytes, expected at most {MOST_BYTES}; \
             delete those at Rebrandly that are not used any more"
        );
        Err(Failure::new(Class::Permanent, TOO_MANY, why))
    }

    /// Whether a link is certainly this dealer's: by its name, or because it leads to a page of the car. Another dealer
    /// may have sold the same car before.
    fn is_of_dealer(&self, vin: &str, car: Option<&Known>, link: &Found) -> bool {
        let slug = slashtag::slug(&self.dealer);
        let mut names = self.names.iter().chain([&self.dealer, &slug]);
        let is_named =
            names.any(|name| link.slashtag.eq_ignore_ascii_case(&format!("{name}-{vin}")));
        let leads_to: Option<Url> = link.destination.parse().ok();
        let mark = leads_to.as_ref().map(mark);
        is_named || mark.is_some_and(|mark| car.is_some_and(|car| car.addresses.contains(&mark)))
    }
}

impl<S: SecretSource, V: Vehicles, C: Clock, T: Transport> Links<S, V, C, T> {
    /// Goes on with an import for as long as one request may take.
    pub(crate) async fn advance<G: Gate>(
        &self,
        import: Import,
        run: &Run<'_, G>,
    ) -> Result<Import, Failure> {
        let mut import = import;
        let vehicles = &self.lookup.vehicles;
        let permanent = |code, why: String| Err(Failure::new(Class::Permanent, code, why));
        if vehicles.table().is_none() {
            return permanent("no_table", "the function has no VEHICLES_TABLE".to_owned());
        }
        let cars = vehicles.known(&import.dealer).await.map_err(|error| error.unstarted())?;
        let cars: BTreeMap<String, Known> =
            cars.into_iter().map(|car| (car.vin.clone(), car)).collect();
        if cars.is_empty() {
            let why =
                format!("no car of {:?} is known: its feed has to be read first", import.dealer);
            return permanent("no_cars", why);
        }
        match (import.done, import.whole) {
            (true, _) => {}
            (false, true) => self.keep_found(&mut import, &cars).await?,
            (false, false) => self.read(&mut import, &cars, run).await?,
        }
        import.fits()
    }

    /// Reads pages of the account's links.
    async fn read<G: Gate>(
        &self,
        import: &mut Import,
        cars: &BTreeMap<String, Known>,
        run: &Run<'_, G>,
    ) -> Result<(), Failure> {
        for number in 0..PAGES_A_REQUEST {
            let last = import.last.as_deref();
            let page = run.call(|limit| self.rebrandly.list(last, limit)).await;
            match page {
                Ok(page) if page.is_empty() => {
                    import.whole = true;
                    break;
                }
                Ok(page) => import.take(page, cars)?,
                // What was read is not lost. The next request meets a lasting error.
                Err(_) if number > 0 => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Keeps the links of cars that have exactly one.
    async fn keep_found(
        &self,
        import: &mut Import,
        cars: &BTreeMap<String, Known>,
    ) -> Result<(), Failure> {
        let vehicles = &self.lookup.vehicles;
        let before = vehicles.links(&import.dealer).await.map_err(|error| error.unstarted())?;
        let before: BTreeSet<&str> = before.iter().map(|(vin, _)| vin.as_str()).collect();
        for _ in 0..CARS_A_REQUEST {
            let Some((vin, found)) = import.found.pop_first() else { break };
            let ours = match found.as_slice() {
                [link] if import.is_of_dealer(&vin, cars.get(&vin), link) => kept(link),
                _ => None,
            };
            let report = &mut import.report;
            match ours {
                _ if before.contains(vin.as_str()) => report.known.push(vin),
                Some(_) if import.dry_run => report.kept.push(vin),
                Some(link) => {
                    let stored = vehicles.replace_link(&import.dealer, &vin, None, &link).await;
                    let stored = stored.map_err(|error| error.unstarted())?;
                    let place = if stored { &mut report.kept } else { &mut report.known };
                    place.push(vin);
                }
                None => drop(report.ambiguous.insert(vin, found)),
            }
        }
        import.done = import.found.is_empty();
        Ok(())
    }
}

/// The known car that a link is about: exactly one known VIN stands in its name or in its destination.
fn of_car(link: Link, cars: &BTreeMap<String, Known>) -> Option<(String, Found)> {
    let destination = destination_of(&link)?;
    let last = link.short_url.rsplit('/').next().unwrap_or_default();
    let slashtag = link.slashtag.clone().unwrap_or_else(|| last.to_owned());
    let text = format!("{slashtag} {destination}").to_ascii_uppercase();
    let mut vins: BTreeSet<&str> = BTreeSet::new();
    for (start, _) in text.char_indices() {
        let known = text.get(start..start + vin::LENGTH).and_then(|part| cars.get(part));
        vins.extend(known.map(|car| car.vin.as_str()));
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VIN: &str = "1HGCM82633A004352";
    const PAGE: &str = "https://www.lake.example/used/1";

    fn car() -> Known {
        let page: Url = PAGE.parse().unwrap();
        Known {
            vin: VIN.to_owned(),
            hash: None,
            list: "used".to_owned(),
            kept_at: OLDEST,
            addresses: vec![mark(&page)],
            asked: None,
            pending: None,
        }
    }

    fn link(id: &str, slashtag: &str, destination: &str) -> Link {
        Link {
            id: id.to_owned(),
            short_url: format!("go.example/{slashtag}"),
            destination: Some(destination.to_owned()),
            slashtag: Some(slashtag.to_owned()),
            created_at: None,
        }
    }

    fn import() -> Import {
        Import { dealer: "Lake Motors".to_owned(), ..Import::default() }
    }

    #[test]
    fn a_link_is_the_dealers_by_its_name_or_by_the_page_that_it_leads_to() {
        let cars = BTreeMap::from([(VIN.to_owned(), car())]);
        let named = |name: &str| format!("{name}-{}", VIN.to_lowercase());
        let elsewhere = "https://old.example/invented";
        for (slashtag, destination, names, expected) in [
            (named("lake-motors"), elsewhere, vec![], true),
            (named("seeauto"), elsewhere, vec!["seeauto".to_owned()], true),
            (named("other"), "http://lake.example/used/1/", vec![], true),
            (named("other"), elsewhere, vec![], false),
            (named("lake"), elsewhere, vec![], false),
            ("sale".to_owned(), "https://old.example/?vin=1HGCM82633A004352", vec![], false),
        ] {
            let import = Import { names, ..import() };
            let (vin, found) = of_car(link("1", &slashtag, destination), &cars).unwrap();
            assert_eq!(vin, VIN);
            let is_ours = import.is_of_dealer(VIN, cars.get(VIN), &found);
            assert_eq!(is_ours, expected, "{slashtag} {destination}");
        }
    }

    #[test]
    fn a_service_that_repeats_a_page_is_not_asked_for_ever() {
        let cars = BTreeMap::from([(VIN.to_owned(), car())]);
        let mut import = import();
        let page = || vec![link("1", "one", PAGE), link("2", "two", PAGE)];
        assert_eq!(import.take(page(), &cars), Ok(()));
        let failure = import.take(page(), &cars).unwrap_err();
        assert_eq!((failure.code(), import.read), ("same_page", 2));
    }

    #[test]
    fn a_request_that_is_none_says_what_was_expected() {
        let why = |request: Value| Request::read(&request).unwrap_err().message().to_owned();
        assert!(why(json!({})).contains("request: "), "{}", why(json!({})));
        let unnamed = why(json!({"import_links": {"dealer": " "}}));
        assert!(unnamed.contains("import_links.dealer: empty"), "{unnamed}");
        let many = why(json!({"import_links": {"dealer": "a", "names": vec!["b"; 11]}}));
        assert!(many.contains("import_links.names: 11 names, expected at most 10"), "{many}");
        let unknown = why(json!({"import_links": {"dealer": "a", "dryrun": true}}));
        assert!(unknown.contains("dryrun"), "{unknown}");
    }

    /// Who asks keeps the state as it was answered.
    #[test]
    fn an_import_is_the_same_after_it_was_stored() {
        let cars = BTreeMap::from([(VIN.to_owned(), car())]);
        let mut import = Import { dry_run: true, ..import() };
        import.take(vec![link("1", &format!("a-{VIN}"), PAGE)], &cars).unwrap();
        let request = Request::ImportLinks(import);
        let stored = serde_json::to_value(&request).unwrap();
        assert_eq!(Request::read(&stored), Ok(request));
    }
}
