//! What the steps of a run share: what the job asks for, the account, and the links kept for cars.

use evenkeel::{
    base::time::{Clock, Time},
    failure::{Class, Failure},
    http::transport::{Network, Transport},
    job::Progress,
    ports::SecretSource,
};
use inventory::{link::KeptLink, slashtag, vehicles::Vehicles, vin::Vin};
use url::Url;

use crate::{
    lookup::Lookup,
    payload::Shortening,
    rebrandly::{Link, Rebrandly},
    result::Shortened,
};

/// The account's links, and the links kept for cars.
pub(crate) struct Links<S, V, C, T = Network> {
    pub(crate) rebrandly: Rebrandly<S, C, T>,
    pub(crate) lookup: Lookup<V>,
    pub(crate) clock: C,
}

impl<S: SecretSource, V: Vehicles, C: Clock, T: Transport> Links<S, V, C, T> {
    /// The link kept for the car, as the table has it now.
    pub(crate) async fn kept(&self, ask: &Ask<'_>) -> Result<Option<KeptLink>, Failure> {
        let link = self.lookup.link(ask.dealer(), ask.vin.as_str()).await;
        link.map_err(|error| error.unstarted())
    }
}

/// What a run does next.
pub(crate) enum Next {
    /// It creates the car's link, which has had this one before.
    Create(Option<KeptLink>),
    /// It lets this link of the car lead to the wanted address.
    Follow(KeptLink),
    /// The run is over.
    Ends(Progress<Shortened>),
}

/// What a job asks for: the payload, read.
pub(crate) struct Ask<'a> {
    pub(crate) payload: &'a Shortening,
    pub(crate) vin: Vin,
    pub(crate) destination: Url,
    /// As of when the destination is right.
    pub(crate) as_of: Time,
}

impl<'a> Ask<'a> {
    /// Fails if the payload is not in its normal form. `sent_at` stands in for the time that it does not state. No
    /// time may be in the future: it would outdo all destinations that follow.
    pub(crate) fn of(payload: &'a Shortening, sent_at: Time, now: Time) -> Result<Self, Failure> {
        let invalid = |problem: String| Failure::new(Class::Permanent, "invalid_payload", problem);
        let vin = Vin::parse(&payload.vin).map_err(invalid)?;
        let destination: Url =
            payload.destination.parse().map_err(|e: url::ParseError| invalid(e.to_string()))?;
        let as_of = payload.as_of.map_or(sent_at, Time::from_millis).min(now);
        Ok(Self { payload, vin, destination, as_of })
    }

    pub(crate) fn dealer(&self) -> &str {
        &self.payload.dealer_slug
    }

    pub(crate) fn title(&self) -> Option<&str> {
        self.payload.title.as_deref()
    }
}

/// Whether a link leads to `destination`; `None` if the link has no readable destination.
pub(crate) fn leads_to(link: &Link, destination: &Url) -> Option<bool> {
    Some(slashtag::same_destination(&destination_of(link)?, destination))
}

/// Where a link leads, if that can be read.
pub(crate) fn destination_of(link: &Link) -> Option<Url> {
    link.destination.as_deref()?.parse().ok()
}
