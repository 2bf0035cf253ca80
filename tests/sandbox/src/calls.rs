//! The record of every API call.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One API call. Calls to the control endpoint are not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Counts up from 1 in order of arrival, and goes on counting after the record is cleared.
    pub id: u64,
    /// When the whole request had arrived, in epoch milliseconds.
    pub at_ms: u64,
    /// The HTTP method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The slashtag in the body or the query.
    pub slashtag: Option<String>,
    /// The destination in the body.
    pub destination: Option<String>,
    /// The status answered; null while unanswered, and for good if the connection was reset or the
    /// client left first.
    pub status: Option<u16>,
    /// The kind of fault that struck.
    pub fault: Option<String>,
    /// The link that the call made, changed, deleted or found. Set as soon as that is done, whether
    /// or not the answer gets through. Null for a conflict.
    pub link_id: Option<String>,
}

/// How many calls there were of each method and status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCounts {
    /// All calls.
    pub total: u64,
    /// One row for each pair that occurs, sorted.
    pub rows: Vec<CallCount>,
}

impl CallCounts {
    /// The calls with this method and status (`None`: unanswered).
    #[must_use]
    pub fn of(&self, method: &str, status: Option<u16>) -> u64 {
        let wanted = |row: &&CallCount| row.method == method && row.status == status;
        self.rows.iter().find(wanted).map_or(0, |row| row.count)
    }
}

/// A row of [`CallCounts`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallCount {
    /// The HTTP method.
    pub method: String,
    /// The status answered, null for the unanswered.
    pub status: Option<u16>,
    /// Calls with both.
    pub count: u64,
}

/// What a call is about, as far as the record and the faults care.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) slashtag: Option<String>,
    pub(crate) destination: Option<String>,
}

impl Subject {
    /// The same for a call and its repetition, different for any other.
    pub(crate) fn key(&self) -> String {
        format!("{} {} {:?} {:?}", self.method, self.path, self.slashtag, self.destination)
    }
}

/// The record. It grows until it is cleared: a cap would make "no duplicates" unprovable.
#[derive(Debug, Default)]
pub(crate) struct CallLog {
    arrived: u64,
    calls: BTreeMap<u64, Call>,
}

impl CallLog {
    /// Records an arrival and numbers it.
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
        };
        self.calls.insert(call.id, call);
        self.arrived
    }

    /// Notes which link the call was about. A call cleared from the record stays cleared.
    pub(crate) fn worked_on(&mut self, id: u64, link_id: Option<String>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.link_id = link_id;
        }
    }

    /// Notes the answer.
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
        for call in self.calls.values() {
            *counts.entry((&call.method, call.status)).or_default() += 1;
        }
        let row = |((method, status), count): ((&str, _), _)| CallCount {
            method: method.to_owned(),
            status,
            count,
        };
        CallCounts { total: counts.values().sum(), rows: counts.into_iter().map(row).collect() }
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_method_and_status() {
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
    fn a_cleared_call_does_not_come_back_when_it_ends() {
        let mut log = CallLog::default();
        let id = log.arrive(&Subject::default(), 1, None);
        log.clear();
        log.worked_on(id, Some("link".to_owned()));
        log.answered(id, 200);
        assert_eq!(log.list(), []);
        assert_eq!(log.arrive(&Subject::default(), 2, None), 2);
    }
}
