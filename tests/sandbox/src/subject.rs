//! What a call is about, whichever third party it is for.

use crate::reply::Reply;
use crate::visit::Visit;

/// What a call is about, as far as the record and the faults care.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) slashtag: Option<String>,
    pub(crate) destination: Option<String>,
    /// Set for a call of a dealer site, and only then.
    pub(crate) visit: Option<Visit>,
    /// What the service would answer if it had nothing to list; none for what is no list.
    pub(crate) empty_list: Option<Reply>,
}

impl Subject {
    /// The same for a call and its repetition, different for any other.
    pub(crate) fn key(&self) -> String {
        let Self { method, path, slashtag, destination, .. } = self;
        match &self.visit {
            None => format!("{method} {path} {slashtag:?} {destination:?}"),
            // One path lists every page of an inventory.
            Some(visit) => format!("{method} {path} {visit:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visit::Endpoint;

    #[test]
    fn a_call_has_the_key_of_its_repetition_and_of_no_other() {
        let at = |start| Subject {
            visit: Some(Visit {
                site: "lakeside".to_owned(),
                endpoint: Endpoint::InventoryPost,
                vin: None,
                alias: None,
                start: Some(start),
            }),
            ..Subject::default()
        };
        assert_eq!(at(35).key(), at(35).key());
        assert_ne!(at(35).key(), at(70).key());
    }
}
