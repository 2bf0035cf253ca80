//! The account's links, and which slashtags are taken.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::link::{self, CreatedBy, Domain, Link, LinkStatus, Preload};
use crate::chance;

/// The domain of a link for which none is given.
const DEFAULT_DOMAIN: &str = "rebrand.ly";

/// The first slashtag that the service generates: "1000" in base 36.
const FIRST_SLASHTAG: u64 = 36 * 36 * 36;

/// Age of a preloaded link when it is added: it has been there for long.
const PRELOAD_AGE_MS: u64 = 24 * 60 * 60 * 1_000;

/// A link that a call asks for, with every field validated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) destination: String,
    pub(crate) slashtag: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) domain: DomainName,
}

/// How a call names a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum DomainName {
    #[default]
    Default,
    Id(String),
    FullName(String),
}

/// Why a link is not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Taken,
    UnknownDomain,
    PlanFull,
}

/// All links: those of this account, and those of other workspaces that take slashtags.
#[derive(Debug)]
pub(crate) struct Account {
    /// In order of creation. Nothing is ever removed, so positions stay valid.
    links: Vec<Link>,
    place_by_id: HashMap<String, usize>,
    /// Domains and slashtags in lower case, including those of deleted links and other workspaces.
    addresses: HashSet<(String, String)>,
    domains: BTreeMap<String, Domain>,
    slashtags_made: u64,
    conflicts: u64,
}

impl Default for Account {
    fn default() -> Self {
        // The real id of rebrand.ly at the vendor.
        let id = "8f104cc5b6ee4a4ba7897b06ac2ddcfb".to_owned();
        let domain = Domain { id, full_name: DEFAULT_DOMAIN.to_owned() };
        Self {
            links: Vec::new(),
            place_by_id: HashMap::new(),
            addresses: HashSet::new(),
            domains: BTreeMap::from([(DEFAULT_DOMAIN.to_owned(), domain)]),
            slashtags_made: 0,
            conflicts: 0,
        }
    }
}

impl Account {
    /// Creates the link that a call asks for.
    ///
    /// The plan's limit is checked last: the service reports a taken slashtag as an invalid format,
    /// and checks formats first.
    pub(crate) fn create(
        &mut self,
        draft: Draft,
        now_ms: u64,
        plan_limit: Option<u64>,
    ) -> Result<&Link, Refused> {
        let domain = self.domain(&draft.domain).ok_or(Refused::UnknownDomain)?;
        if let Some(slashtag) = &draft.slashtag
            && self.is_taken(&domain.full_name, slashtag)
        {
            return Err(Refused::Taken);
        }
        if plan_limit.is_some_and(|limit| self.own_links() >= limit) {
            return Err(Refused::PlanFull);
        }
        let slashtag = draft.slashtag.unwrap_or_else(|| self.free_slashtag(&domain.full_name));
        Ok(self.insert(Link {
            id: self.next_id(),
            title: draft.title.unwrap_or_else(|| slashtag.clone()),
            slashtag,
            destination: draft.destination,
            domain,
            status: LinkStatus::Active,
            visible: true,
            created_by: CreatedBy::Api,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
        }))
    }

    /// Adds links: all of them, or none on an error. The error names the field.
    pub(crate) fn preload(
        &mut self,
        preloads: Vec<Preload>,
        now_ms: u64,
    ) -> Result<Vec<Link>, String> {
        let mut links = Vec::new();
        let mut addresses = HashSet::new();
        for (place, preload) in preloads.into_iter().enumerate() {
            if !link::is_slashtag(&preload.slashtag) {
                return Err(format!("[{place}].slashtag: {}", link::SLASHTAG_RULE));
            }
            if !link::is_destination(&preload.destination) {
                return Err(format!("[{place}].destination: {}", link::DESTINATION_RULE));
            }
            let name = preload.domain.map_or(DomainName::Default, DomainName::FullName);
            let domain =
                self.domain(&name).ok_or_else(|| format!("[{place}].domain: not a host name"))?;
            let fresh = addresses.insert(address(&domain.full_name, &preload.slashtag));
            if !fresh || self.is_taken(&domain.full_name, &preload.slashtag) {
                return Err(format!("[{place}].slashtag: already exists"));
            }
            links.push(Link {
                id: String::new(),
                title: preload.slashtag.clone(),
                slashtag: preload.slashtag,
                destination: preload.destination,
                domain,
                status: LinkStatus::Active,
                visible: preload.visible,
                created_by: CreatedBy::Preload,
                created_at_ms: now_ms.saturating_sub(PRELOAD_AGE_MS),
                updated_at_ms: now_ms.saturating_sub(PRELOAD_AGE_MS),
            });
        }
        let insert = |link| self.insert(Link { id: self.next_id(), ..link }).clone();
        Ok(links.into_iter().map(insert).collect())
    }

    /// The links that a GET shows, newest first. A link created by a call shows once the lag has
    /// passed.
    pub(crate) fn listed(&self, now_ms: u64, read_lag_ms: u64) -> impl Iterator<Item = &Link> {
        self.links.iter().rev().filter(move |link| {
            let lag_ms = if link.created_by == CreatedBy::Api { read_lag_ms } else { 0 };
            link.is_own() && now_ms >= link.created_at_ms.saturating_add(lag_ms)
        })
    }

    /// A link that the account may change. The read lag does not affect writes.
    pub(crate) fn own(&mut self, id: &str) -> Option<&mut Link> {
        let place = self.place_by_id.get(id)?;
        self.links.get_mut(*place).filter(|link| link.is_own())
    }

    /// Every link, including deleted ones, oldest first.
    pub(crate) fn all(&self) -> &[Link] {
        &self.links
    }

    /// Counts a conflict, and returns how many were answered before it.
    pub(crate) fn next_conflict(&mut self) -> u64 {
        self.conflicts += 1;
        self.conflicts - 1
    }

    fn own_links(&self) -> u64 {
        self.links.iter().filter(|link| link.is_own()).map(|_| 1).sum()
    }

    fn is_taken(&self, domain: &str, slashtag: &str) -> bool {
        self.addresses.contains(&address(domain, slashtag))
    }

    fn insert(&mut self, link: Link) -> &Link {
        let place = self.links.len();
        self.addresses.insert(address(&link.domain.full_name, &link.slashtag));
        self.domains.insert(link.domain.full_name.clone(), link.domain.clone());
        self.place_by_id.insert(link.id.clone(), place);
        self.links.push(link);
        &self.links[place]
    }

    /// Any host name is accepted as a domain. An id is accepted only once a link has used its
    /// domain.
    fn domain(&self, name: &DomainName) -> Option<Domain> {
        let full_name = match name {
            DomainName::Default => DEFAULT_DOMAIN.to_owned(),
            DomainName::Id(id) => {
                return self.domains.values().find(|domain| domain.id == *id).cloned();
            }
            DomainName::FullName(full_name) => full_name.to_ascii_lowercase(),
        };
        if !is_host_name(&full_name) {
            return None;
        }
        let made = || Domain { id: hex_id("domain", &full_name), full_name: full_name.clone() };
        Some(self.domains.get(&full_name).cloned().unwrap_or_else(made))
    }

    fn next_id(&self) -> String {
        hex_id("link", &self.links.len().to_string())
    }

    /// Counts up, from four characters, until a slashtag is free. The loop ends because the number
    /// of taken addresses is finite.
    fn free_slashtag(&mut self, domain: &str) -> String {
        loop {
            let slashtag = base36(FIRST_SLASHTAG + self.slashtags_made);
            self.slashtags_made += 1;
            if !self.is_taken(domain, &slashtag) {
                return slashtag;
            }
        }
    }
}

/// The address of a link, in lower case because addresses are compared without regard to case.
fn address(domain: &str, slashtag: &str) -> (String, String) {
    (domain.to_ascii_lowercase(), slashtag.to_ascii_lowercase())
}

fn is_host_name(name: &str) -> bool {
    let fine = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    name.contains('.') && name.split('.').all(fine)
}

fn hex_id(kind: &str, name: &str) -> String {
    let key = format!("{kind} {name}");
    format!("{:016x}{:016x}", chance::draw(0, &key, 0), chance::draw(0, &key, 1))
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while number > 0 {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        digits.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(slashtag: &str) -> Draft {
        Draft {
            destination: "https://dealer.test/".to_owned(),
            slashtag: Some(slashtag.to_owned()),
            ..Draft::default()
        }
    }

    fn preload(slashtag: &str, visible: bool) -> Preload {
        Preload {
            slashtag: slashtag.to_owned(),
            destination: "https://dealer.test/".to_owned(),
            domain: None,
            visible,
        }
    }

    #[test]
    fn slashtags_are_unique_per_domain_whatever_their_case() {
        let mut account = Account::default();
        account.create(draft("Ab-1"), 0, None).unwrap();
        assert_eq!(account.create(draft("aB-1"), 0, None), Err(Refused::Taken));
        let elsewhere = DomainName::FullName("Go.Dealer.test".to_owned());
        let link = account.create(Draft { domain: elsewhere, ..draft("aB-1") }, 0, None).unwrap();
        assert_eq!(link.short_url(), "go.dealer.test/aB-1");
    }

    #[test]
    fn a_domain_can_be_given_by_name_and_after_its_first_use_by_id() {
        let mut account = Account::default();
        let named = DomainName::FullName("go.dealer.test".to_owned());
        let id = hex_id("domain", "go.dealer.test");
        let by_id = || Draft { domain: DomainName::Id(id.clone()), ..draft("b") };
        assert_eq!(account.create(by_id(), 0, None), Err(Refused::UnknownDomain));
        account.create(Draft { domain: named, ..draft("a") }, 0, None).unwrap();
        assert_eq!(account.create(by_id(), 0, None).unwrap().domain.full_name, "go.dealer.test");
    }

    #[test]
    fn generated_slashtags_avoid_taken_ones() {
        let mut account = Account::default();
        account.create(draft(&base36(FIRST_SLASHTAG)), 0, None).unwrap();
        let unnamed = || Draft { slashtag: None, ..draft("") };
        let mut tags = HashSet::new();
        for _ in 0..100 {
            let link = account.create(unnamed(), 0, None).unwrap();
            assert!((3..=8).contains(&link.slashtag.len()), "{}", link.slashtag);
            assert!(tags.insert(link.slashtag.clone()));
        }
    }

    #[test]
    fn a_link_is_visible_after_the_lag_and_a_preload_immediately() {
        let mut account = Account::default();
        account.preload(vec![preload("old", true), preload("theirs", false)], 1_000).unwrap();
        account.create(draft("new"), 1_000, None).unwrap();
        let listed = |now_ms| -> Vec<&str> {
            account.listed(now_ms, 500).map(|link| link.slashtag.as_str()).collect()
        };
        assert_eq!(listed(1_499), ["old"]);
        assert_eq!(listed(1_500), ["new", "old"]);
    }

    #[test]
    fn another_workspaces_link_conflicts_and_cannot_be_read() {
        let mut account = Account::default();
        let id = account.preload(vec![preload("x", false)], 0).unwrap().remove(0).id;
        assert_eq!(account.create(draft("X"), 0, None), Err(Refused::Taken));
        assert!(account.own(&id).is_none());
    }

    #[test]
    fn a_deleted_link_keeps_its_slashtag_and_no_longer_counts_against_the_plan() {
        let mut account = Account::default();
        let id = account.create(draft("a"), 0, Some(1)).unwrap().id.clone();
        assert_eq!(account.create(draft("b"), 0, Some(1)), Err(Refused::PlanFull));
        account.own(&id).unwrap().delete(1);
        assert!(account.own(&id).is_none());
        assert_eq!(account.create(draft("a"), 2, Some(1)), Err(Refused::Taken));
        assert!(account.create(draft("b"), 2, Some(1)).is_ok());
    }

    #[test]
    fn a_preload_is_all_or_nothing() {
        let mut account = Account::default();
        let twice = vec![preload("a", true), preload("A", true)];
        assert_eq!(account.preload(twice, 0).unwrap_err(), "[1].slashtag: already exists");
        let wrong = vec![preload("a", true), preload("b c", true)];
        assert!(account.preload(wrong, 0).unwrap_err().starts_with("[1].slashtag: Must"));
        assert_eq!(account.all(), []);
    }
}
