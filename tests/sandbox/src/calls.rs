//! The record of every call to a third party.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::subject::Subject;
use crate::visit::{Endpoint, Visit};

/// One recorded call. Calls to the control endpoint are not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Counts up from 1 in order of arrival. Clearing the record does not reset the count.
    pub id: u64,
    /// When the whole request had arrived, in epoch milliseconds.
    pub at_ms: u64,
    /// The HTTP method, as the client sent it.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The slashtag from the body or the query.
    pub slashtag: Option<String>,
    /// The destination from the body.
    pub destination: Option<String>,
    /// The status of the answer. Null while the call is unanswered, and permanently null if the
    /// connection was reset or the client left first.
    pub status: Option<u16>,
    /// The name of the fault that struck the call: see [`crate::FaultKind::name`].
    pub fault: Option<String>,
    /// The link that the call created, changed, deleted or found. Set as soon as the work is done,
    /// whether or not the client receives the answer. Null for a conflict.
    pub link_id: Option<String>,
    /// What the call asked of a dealer site; null for a call to the link shortener.
    pub visit: Option<Visit>,
}

/// The number of calls: to the link shortener by method and status, to dealer sites by site,
/// endpoint and status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// All calls to the link shortener.
    pub total: u64,
    /// The calls to the link shortener: one row for each pair of method and status that occurred,
    /// sorted.
    pub rows: Vec<CallCount>,
    /// The calls to dealer sites: one row for each combination of site, endpoint and status that
    /// occurred, sorted.
    pub sites: Vec<SiteCount>,
}

impl CallCounts {
    /// The number of calls to the link shortener with this method and status (`None`: unanswered).
    #[must_use]
    pub fn of(&self, method: &str, status: Option<u16>) -> u64 {
        let wanted = |row: &&CallCount| row.method == method && row.status == status;
        self.rows.iter().find(wanted).map_or(0, |row| row.count)
    }

    /// The number of calls to this endpoint of a dealer site, whatever the answer was.
    #[must_use]
    pub fn of_site(&self, site: &str, endpoint: Endpoint) -> u64 {
        self.visits(site, endpoint).map(|row| row.count).sum()
    }

    /// The number of calls to this endpoint of a dealer site with this status (`None`: unanswered).
    #[must_use]
    pub fn of_site_answered(&self, site: &str, endpoint: Endpoint, status: Option<u16>) -> u64 {
        let answered = self.visits(site, endpoint).filter(|row| row.status == status);
        answered.map(|row| row.count).sum()
    }

    fn visits(&self, site: &str, endpoint: Endpoint) -> impl Iterator<Item = &SiteCount> {
        self.sites.iter().filter(move |row| row.site == site && row.endpoint == endpoint)
    }
}

/// A row of [`CallCounts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCount {
    /// The HTTP method, as the client sent it.
    pub method: String,
    /// The status of the answer; null for unanswered calls.
    pub status: Option<u16>,
    /// The number of calls with this method and status.
    pub count: u64,
}

/// A row of [`CallCounts`] for dealer sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteCount {
    /// The slug of the site.
    pub site: String,
    /// The part of the site.
    pub endpoint: Endpoint,
    /// The status of the answer; null for unanswered calls.
    pub status: Option<u16>,
    /// The number of calls with this site, endpoint and status.
    pub count: u64,
}

/// The record of calls. It grows until it is cleared: with a size limit, a test could not prove
/// that there were no duplicates.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    arrived: u64,
    calls: BTreeMap<u64, Call>,
}

impl CallLog {
    /// Records a call on its arrival, and returns its number.
    pub(crate) fn arrive(&mut self, subject: &Subject, at_ms: u64, fault: Option<&str>) -> u64 {
        self.arrived += 1;
        let call = Call {
            id: self.arrived,
            at_ms,
            method: subject.method.clone(),
            path: subject.path.clone(),
            slashtag: subject.slashtag.clone(),
            destination: subject.destination.clone(),
            status: None,
            fault: fault.map(str::to_owned),
            link_id: None,
            visit: subject.visit.clone(),
        };
        self.calls.insert(call.id, call);
        self.arrived
    }

    /// Records which link the call worked on. Does nothing if the call was cleared from the record.
    pub(crate) fn worked_on(&mut self, id: u64, link_id: Option<String>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.link_id = link_id;
        }
    }

    /// Records the status of the answer. Does nothing if the call was cleared from the record.
    pub(crate) fn answered(&mut self, id: u64, status: u16) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.status = Some(status);
        }
    }

    pub(crate) fn list(&self) -> Vec<Call> {
        self.calls.values().cloned().collect()
    }

    pub(crate) fn count(&self) -> CallCounts {
        let mut counts = BTreeMap::<(&str, Option<u16>), u64>::new();
        let mut sites = BTreeMap::<(&str, Endpoint, Option<u16>), u64>::new();
        for call in self.calls.values() {
            let count = match &call.visit {
                None => counts.entry((&call.method, call.status)).or_default(),
                Some(visit) => sites.entry((&visit.site, visit.endpoint, call.status)).or_default(),
            };
            *count += 1;
        }
        let row = |((method, status), count): ((&str, _), _)| CallCount {
            method: method.to_owned(),
            status,
            count,
        };
        let site = |((site, endpoint, status), count): ((&str, _, _), _)| SiteCount {
            site: site.to_owned(),
            endpoint,
            status,
            count,
        };
        CallCounts {
            total: counts.values().sum(),
            rows: counts.into_iter().map(row).collect(),
            sites: sites.into_iter().map(site).collect(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_method_and_status() {
        let mut log = CallLog::default();
        for method in ["POST", "POST", "GET", "POST"] {
            log.arrive(&Subject { method: method.to_owned(), ..Subject::default() }, 1, None);
        }
        log.answered(1, 200);
        log.answered(2, 200);
        let counts = log.count();
        assert_eq!(counts.total, 4);
        assert_eq!(counts.of("POST", Some(200)), 2);
        assert_eq!(counts.of("POST", None), 1);
        assert_eq!(counts.of("GET", Some(200)), 0);
    }

    #[test]
    fn visits_of_dealer_sites_are_counted_separately() {
        let visit = |site: &str, endpoint| Subject {
            visit: Some(Visit {
                site: site.to_owned(),
                endpoint,
                vin: None,
                alias: None,
                start: None,
            }),
            ..Subject::default()
        };
        let mut log = CallLog::default();
        log.arrive(&Subject { method: "GET".to_owned(), ..Subject::default() }, 1, None);
        log.arrive(&visit("lakeside", Endpoint::Widget), 1, None);
        log.arrive(&visit("lakeside", Endpoint::Widget), 1, None);
        log.arrive(&visit("lakeside", Endpoint::Home), 1, None);
        log.arrive(&visit("harbor", Endpoint::Widget), 1, None);
        log.answered(2, 200);
        let counts = log.count();
        assert_eq!((counts.total, counts.rows.len(), counts.sites.len()), (1, 1, 4));
        assert_eq!(counts.of_site("lakeside", Endpoint::Widget), 2);
        assert_eq!(counts.of_site_answered("lakeside", Endpoint::Widget, Some(200)), 1);
        assert_eq!(counts.of_site_answered("lakeside", Endpoint::Widget, None), 1);
        assert_eq!(counts.of_site("harbor", Endpoint::Home), 0);
    }

    #[test]
    fn a_cleared_call_is_not_logged_again_when_it_ends() {
        let mut log = CallLog::default();
        let id = log.arrive(&Subject::default(), 1, None);
        log.clear();
        log.worked_on(id, Some("link".to_owned()));
        log.answered(id, 200);
        assert_eq!(log.list(), []);
        assert_eq!(log.arrive(&Subject::default(), 2, None), 2);
    }
}
