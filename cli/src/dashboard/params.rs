//! The query of a request: known names only, and values of bounded length.

use std::{collections::BTreeMap, time::Duration};

use url::form_urlencoded::parse;

use crate::{
    args::{ListedState, Page, span},
    exit::Failure,
};

/// Bytes of a value: a cursor has two digits for each byte of a key.
const MOST_BYTES: usize = 5_000;

/// Entries of a list.
pub(super) const PAGE: u16 = 50;

/// The states that the index tells apart, with those of a rejected message.
pub(super) const STATES: [ListedState; 6] = [
    ListedState::Queued,
    ListedState::Running,
    ListedState::Waiting,
    ListedState::Parked,
    ListedState::Dead,
    ListedState::Quarantined,
];

/// The values of a query by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads a query that may have these names, each once. The error names the value and says what was expected.
    pub(super) fn read(query: Option<&str>, names: &[&str]) -> Result<Self, Failure> {
        let mut values = BTreeMap::new();
        for (name, value) in parse(query.unwrap_or_default().as_bytes()) {
            if !names.contains(&&*name) {
                let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
                return Err(Failure::usage(format!("{name:?}: expected one of {known}")));
            }
            let value = value.trim();
            if value.len() > MOST_BYTES {
                let message = format!("{name}: expected at most {MOST_BYTES} bytes");
                return Err(Failure::usage(message));
            }
            if value.chars().any(char::is_control) {
                return Err(Failure::usage(format!("{name}: expected no control characters")));
            }
            if values.insert(name.to_string(), value.to_owned()).is_some() {
                return Err(Failure::usage(format!("{name}: expected it once")));
            }
        }
        Ok(Self(values))
    }

    /// The value with this name; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }

    /// The same, unless it is empty.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name).to_owned()).filter(|text| !text.is_empty())
    }

    /// A span such as `2h`.
    pub(super) fn span(&self, name: &str) -> Result<Option<Duration>, Failure> {
        let text = self.text(name);
        if text.is_empty() {
            return Ok(None);
        }
        span(text).map(Some).map_err(|why| Failure::usage(format!("{name}: {why}")))
    }

    /// States of jobs; empty if none is named, or `unfinished`.
    pub(super) fn states(&self) -> Result<Vec<ListedState>, Failure> {
        match self.text("state") {
            "" | "unfinished" => Ok(Vec::new()),
            named => {
                let state = STATES.into_iter().find(|state| state.name() == named);
                state.map(|state| vec![state]).ok_or_else(|| {
                    let known = STATES.map(ListedState::name).join(", ");
                    Failure::usage(format!("state: {named:?}, expected one of {known}"))
                })
            }
        }
    }

    /// Where a list goes on.
    pub(super) fn page(&self) -> Page {
        Page { limit: PAGE, cursor: self.some("cursor") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        Params::read(Some(query), &["state", "since", "id"]).unwrap_err().message
    }

    #[test]
    fn a_value_is_named_by_its_error() {
        assert!(refused("other=1").starts_with("\"other\": expected one of state, since, id"));
        assert!(refused(&format!("id={}", "x".repeat(5_001))).starts_with("id: expected at most"));
        assert!(refused("id=a%00b").starts_with("id: expected no control"));
        assert!(refused("id=a&id=b").starts_with("id: expected it once"));
    }

    #[test]
    fn values_are_decoded_and_checked() {
        let read = |query| Params::read(Some(query), &["state", "since", "id"]).unwrap();
        assert_eq!(read("id=+a%23g%3A1+").text("id"), "a#g:1");
        assert_eq!(read("id=").some("id"), None);
        assert_eq!(read("since=2h").span("since"), Ok(Some(Duration::from_hours(2))));
        assert!(read("since=soon").span("since").unwrap_err().message.starts_with("since: "));
        assert_eq!(read("state=dead").states(), Ok(vec![ListedState::Dead]));
        assert_eq!(read("state=unfinished").states(), Ok(Vec::new()));
        assert!(read("state=succeeded").states().is_err(), "it is on no index");
    }
}
