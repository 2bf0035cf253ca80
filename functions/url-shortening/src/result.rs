//! The result of a job.

use inventory::link::KeptLink;
use serde::{Deserialize, Serialize};

use crate::rebrandly::Link;

/// The result that a successful job stores in its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// The short address as Rebrandly returns it, without a scheme.
    pub short_url: String,
    /// The part of the short address after the domain.
    pub slashtag: String,
    /// Rebrandly's id of the link.
    pub link_id: String,
    /// What the run did to the link.
    pub via: Via,
    /// Position of the slashtag in the chain of candidates, from 1; `None` if the link was kept for the car before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<usize>,
}

/// Where the short address of a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// This run created the link.
    Created,
    /// The link existed and led to the job's destination.
    Adopted,
    /// The car's link existed, and this run has set its destination.
    Updated,
    /// A newer destination of the car is wanted, so that this one was not set.
    Superseded,
    /// No link exists yet; the result holds the long address instead.
    Fallback,
}

/// The provisional result when the sender's deadline comes before the short link exists.
#[derive(Serialize)]
pub(crate) struct LongAddress<'a> {
    /// The destination, unshortened.
    pub(crate) short_url: &'a str,
    pub(crate) via: Via,
}

impl Shortened {
    /// The result of a job whose car has this link.
    pub(crate) fn of(kept: &KeptLink, via: Via, candidate: Option<usize>) -> Self {
        Self {
            short_url: kept.short_url.clone(),
            slashtag: kept.slashtag.clone(),
            link_id: kept.link_id.clone(),
            via,
            candidate,
        }
    }

    /// The result of a job that has created or found this link under a slashtag.
    pub(crate) fn found(link: &Link, tag: &str, via: Via, candidate: Option<usize>) -> Self {
        let (short_url, link_id) = (link.short_url.clone(), link.id.clone());
        Self { short_url, slashtag: tag.to_owned(), link_id, via, candidate }
    }
}
