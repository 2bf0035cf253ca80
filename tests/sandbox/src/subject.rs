//! What a call is about, whichever third party it goes to.

use crate::reply::Reply;
use crate::visit::Visit;

/// The content of a call, as far as the record and the faults use it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) slashtag: Option<String>,
    pub(crate) destination: Option<String>,
    /// Set for a call to a dealer site, and only then.
    pub(crate) visit: Option<Visit>,
    /// What the service would answer if the list were empty; `None` for a call that lists nothing.
    pub(crate) empty_list: Option<Reply>,
}

impl Subject {
    /// A text that is the same for repetitions of a call, and different for different calls.
    pub(crate) fn key(&self) -> String {
        let Self { method, path, slashtag, destination, .. } = self;
        match &self.visit {
            None => format!("{method} {path} {slashtag:?} {destination:?}"),
            // All pages of an inventory share one path, so the visit tells them apart.
            Some(visit) => format!("{method} {path} {visit:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visit::Endpoint;

    #[test]
    fn a_repeated_call_has_the_same_key_and_other_calls_have_others() {
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
