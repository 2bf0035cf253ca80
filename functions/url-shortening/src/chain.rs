//! Creates the link of a car that has none. Tries a fixed chain of slashtags in order: each one is created, found to
//! be the car's, or passed over.

use std::time::Duration;

use evenkeel::{
    base::time::{Clock, Time},
    failure::{Class, Failure},
    http::transport::Transport,
    job::{Gate, Progress, Run},
    ports::SecretSource,
};
use inventory::{
    link::{KeptLink, mark, with_address},
    slashtag,
    vehicles::Vehicles,
};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    answer::RebrandlyError,
    links::{Ask, Links, Next, destination_of, leads_to},
    rebrandly::{Link, NewLink},
    result::{Shortened, Via},
};

/// How many reads in a row must fail to show whose link holds a slashtag before the link counts
/// as another owner's. Rebrandly's reads lag behind its writes, and an earlier attempt of ours may
/// have created the link; the backoff between the reads gives it time to appear.
const INVISIBLE_SIGHTINGS: usize = 3;

/// Failure code of one such read.
const HOLDER_INVISIBLE: &str = "holder_invisible";

/// Delay before the first repeated read; it doubles with each one.
const FIRST_REREAD_DELAY: Duration = Duration::from_secs(3);

/// Age up to which a link that leads elsewhere may be our car's: another job made it, and has not kept it yet. If its
/// process died, its message is visible again after two minutes.
const SETTLES_WITHIN: Duration = Duration::from_mins(3);

/// Longest delay until the holder of a slashtag is looked at again.
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// How far a run got through the chain: the cursor of a job whose next call had to wait for another run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The candidate that is tried. By name: another version may have another chain.
    slashtag: String,
    /// Whether it is known to be taken.
    is_taken: bool,
}

impl Place {
    /// Where an earlier run stopped; `None` if none did, or if it cannot be read.
    fn of<G>(run: &Run<'_, G>) -> Option<Self> {
        serde_json::from_str(run.cursor.as_deref()?).ok()
    }
}

/// The slashtag at which a run with this cursor goes on; `None` if the cursor cannot be read. For fuzz targets.
#[must_use]
pub fn resumes_at(cursor: &str) -> Option<String> {
    serde_json::from_str(cursor).ok().map(|place: Place| place.slashtag)
}

/// The holder of a slashtag.
enum Taken {
    /// Created by this run, or leads to our destination.
    Ours(Link, Via),
    /// Leads to an earlier address of the car.
    Earlier(Link),
    /// A link is kept for the car by now.
    Kept(Box<KeptLink>),
    /// Its link leads to another destination, or is kept for another car.
    Foreign,
    /// Leads to another destination, and was made so lately that another job of the car may have made it and not kept
    /// it yet. Holds how long that can be.
    Young(Duration),
    /// The account cannot see it, or a read does not show it yet.
    Invisible,
    /// Visible without a destination, so it may be ours.
    Unreadable,
}

impl<S: SecretSource, V: Vehicles, C: Clock, T: Transport> Links<S, V, C, T> {
    /// Creates the car's link. `deleted` is the one that it had.
    pub(crate) async fn create<G: Gate>(
        &self,
        ask: &Ask<'_>,
        deleted: Option<KeptLink>,
        run: &Run<'_, G>,
    ) -> Result<Next, Failure> {
        let chain = || slashtag::candidates(ask.dealer(), &ask.vin, &ask.destination);
        let begun = Place::of(run);
        let place = begun.as_ref().and_then(|place| chain().position(|tag| tag == place.slashtag));
        let begun = begun.filter(|_| place.is_some());
        for (index, tag) in chain().enumerate().skip(place.unwrap_or_default()) {
            let tag = tag.as_str();
            let here = begun.as_ref().filter(|place| place.slashtag == tag);
            let mut is_taken = here.is_some_and(|place| place.is_taken);
            let taken = self.take(ask, tag, &mut is_taken, deleted.as_ref(), run).await;
            let reached = Place { slashtag: tag.to_owned(), is_taken };
            let taken = match taken {
                // What this run has found out is kept for the next one.
                Err(RebrandlyError::NotCalled(_)) if advanced(&reached, begun.as_ref(), index) => {
                    let cursor = serde_json::to_string(&reached).unwrap_or_default();
                    return Ok(Next::Ends(Progress::More(cursor)));
                }
                taken => taken?,
            };
            match taken {
                Taken::Ours(link, via) => {
                    let candidate = Some(index + 1);
                    let kept = self.keep(ask, deleted.as_ref(), &link, tag, via, candidate).await;
                    return kept.map(Next::Ends);
                }
                Taken::Earlier(link) => {
                    return self.take_over(ask, deleted.as_ref(), &link, tag).await;
                }
                Taken::Kept(kept) => return Ok(Next::Follow(*kept)),
                Taken::Invisible if invisible_sightings(run, tag) < INVISIBLE_SIGHTINGS => {
                    return Err(invisible(run, tag));
                }
                Taken::Young(left) => return Err(young(tag, left)),
                Taken::Unreadable => {
                    let message =
                        format!("taken by a link that does not say where it leads: {tag}");
                    return Err(Failure::new(Class::Transient, "holder_unreadable", message));
                }
                Taken::Foreign | Taken::Invisible => {}
            }
        }
        let first = chain().next().unwrap_or_default();
        let message = format!("{} slashtags are taken, from {first}", slashtag::MAX_CANDIDATES);
        Err(Failure::new(Class::Permanent, "slashtags_exhausted", message))
    }

    /// Creates the link; if the slashtag is taken, finds out by whom. Sets `is_taken` once it is
    /// known that the slashtag is taken; if it was known before, creates nothing.
    ///
    /// While the month's allowance is used up, no link can be created, but one that has the slashtag can be adopted.
    /// So it is looked for, and only if there is none does the job wait for the next month.
    async fn take<G: Gate>(
        &self,
        ask: &Ask<'_>,
        tag: &str,
        is_taken: &mut bool,
        deleted: Option<&KeptLink>,
        run: &Run<'_, G>,
    ) -> Result<Taken, RebrandlyError> {
        let mut spent = None;
        if !*is_taken {
            let (destination, title) = (ask.payload.destination.as_str(), ask.title());
            let new = NewLink { destination, slashtag: tag, title };
            match run.make(|limit| self.rebrandly.create(&new, limit)).await {
                Ok(link) => return Ok(Taken::Ours(link, Via::Created)),
                Err(RebrandlyError::SlashtagTaken) => *is_taken = true,
                Err(RebrandlyError::NotCalled(failure)) if failure.is_quota_spent() => {
                    spent = Some(failure);
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(kept) = self.kept(ask).await?
            && kept.deleted_at.is_none()
        {
            return Ok(Taken::Kept(Box::new(kept)));
        }
        let found = run.call(|limit| self.rebrandly.find(tag, limit)).await?;
        let Some(link) = found else {
            return spent.map_or(Ok(Taken::Invisible), |spent| Err(spent.into()));
        };
        let Some(held) = destination_of(&link) else { return Ok(Taken::Unreadable) };
        let is_ours = leads_to(&link, &ask.destination) == Some(true);
        let is_earlier = !is_ours && self.had(ask, deleted, &held).await?;
        if (is_ours || is_earlier) && self.is_of_another_car(ask, &link).await? {
            return Ok(Taken::Foreign);
        }
        if is_ours {
            return Ok(Taken::Ours(link, Via::Adopted));
        }
        Ok(match unsettled(&link, self.clock.now()) {
            // Whoever has just made it will keep it, perhaps for a newer address.
            Some(left) => Taken::Young(left),
            None if is_earlier => Taken::Earlier(link),
            None => Taken::Foreign,
        })
    }

    /// Whether the car has had this address, as far as the feed and its `deleted` link tell.
    async fn had(
        &self,
        ask: &Ask<'_>,
        deleted: Option<&KeptLink>,
        address: &Url,
    ) -> Result<bool, Failure> {
        let listing = self.lookup.vehicles.listing(ask.dealer(), ask.vin.as_str()).await;
        let known = listing.map_err(|error| error.unstarted())?.unwrap_or_default().addresses;
        let mark = mark(address);
        let of_deleted = deleted.is_some_and(|deleted| deleted.addresses.contains(&mark));
        Ok(of_deleted || known.contains(&mark))
    }

    /// Whether the link is kept for another car of the dealer: two cars may share the end of their VINs, and a page.
    async fn is_of_another_car(&self, ask: &Ask<'_>, link: &Link) -> Result<bool, Failure> {
        let links = self.lookup.vehicles.links(ask.dealer()).await;
        let links = links.map_err(|error| error.unstarted())?;
        Ok(links.iter().any(|(vin, kept)| kept.link_id == link.id && vin != ask.vin.as_str()))
    }

    /// Ends a run whose link leads to the wanted destination: the link is kept for the car.
    async fn keep(
        &self,
        ask: &Ask<'_>,
        deleted: Option<&KeptLink>,
        link: &Link,
        tag: &str,
        via: Via,
        candidate: Option<usize>,
    ) -> Result<Progress<Shortened>, Failure> {
        let (dealer, vin) = (ask.dealer(), ask.vin.as_str());
        let vehicles = &self.lookup.vehicles;
        let done = Shortened::found(link, tag, via, candidate);
        let Some(table) = vehicles.table() else { return Ok(Progress::Done(done)) };
        let kept = KeptLink { set: Some(ask.as_of), ..kept(ask, link, tag) };
        let Some(deleted) = deleted else {
            let item = kept.new_item(table, dealer, vin);
            return Ok(Progress::DoneWith(done, Box::new(item)));
        };
        let replaced = vehicles.replace_link(dealer, vin, Some(deleted), &kept).await;
        replaced.map_err(|error| error.unstarted())?;
        let item = kept.set_item(table, dealer, vin);
        Ok(Progress::DoneWith(done, Box::new(item)))
    }

    /// Keeps a link that leads to an earlier address of the car.
    async fn take_over(
        &self,
        ask: &Ask<'_>,
        deleted: Option<&KeptLink>,
        link: &Link,
        tag: &str,
    ) -> Result<Next, Failure> {
        let (kept, vehicles) = (kept(ask, link, tag), &self.lookup.vehicles);
        let stored = vehicles.replace_link(ask.dealer(), ask.vin.as_str(), deleted, &kept).await;
        let stored = stored.map_err(|error| error.unstarted())?;
        let kept = if stored { Some(kept) } else { self.kept(ask).await? };
        let unreadable = || Failure::new(Class::Transient, "link_item", "it came and went");
        kept.map(Next::Follow).ok_or_else(unreadable)
    }
}

/// The link as it is kept for the car. Whether its destination is set is not known.
fn kept(ask: &Ask<'_>, link: &Link, tag: &str) -> KeptLink {
    KeptLink {
        wanted: ask.destination.as_str().to_owned(),
        as_of: ask.as_of,
        set: None,
        link_id: link.id.clone(),
        slashtag: tag.to_owned(),
        short_url: link.short_url.clone(),
        addresses: with_address(&[], &ask.destination),
        deleted_at: None,
    }
}

/// How long another job of the car may still take to keep this link, if it has made it; `None` if it would have by
/// now, or if the link's age is not known.
fn unsettled(link: &Link, now: Time) -> Option<Duration> {
    let created = Time::parse_rfc3339(link.created_at.as_deref()?).ok()?;
    let left = (created + SETTLES_WITHIN).since(now);
    (!left.is_zero()).then_some(left)
}

/// Whether a run got further through the chain than the runs before it, which stopped at `begun`. `index` is the
/// place in the chain.
fn advanced(reached: &Place, begun: Option<&Place>, index: usize) -> bool {
    begun.map_or(index > 0 || reached.is_taken, |begun| reached != begun)
}

/// How many of the latest failures in a row report that the holder of `tag` is invisible. Any other
/// failure restarts the count, because its attempt may have created the link.
fn invisible_sightings<G>(run: &Run<'_, G>, tag: &str) -> usize {
    let latest = run.history.iter().rev().take_while(|attempt| attempt.code == HOLDER_INVISIBLE);
    latest.filter(|attempt| attempt.message.ends_with(tag)).count()
}

/// The failure for a slashtag whose holder is invisible. The job retries instead of using the next
/// candidate: an earlier attempt may have created the link, and the car would get a second one.
fn invisible<G>(run: &Run<'_, G>, tag: &str) -> Failure {
    let sightings = u32::try_from(invisible_sightings(run, tag)).unwrap_or(u32::MAX);
    let wait = FIRST_REREAD_DELAY.saturating_mul(1 << sightings.min(4));
    let message = format!("taken by a link that cannot be seen (yet): {tag}");
    Failure::new(Class::Transient, HOLDER_INVISIBLE, message).with_retry_after(Some(wait))
}

/// The failure for a slashtag whose holder may become the car's link.
fn young(tag: &str, left: Duration) -> Failure {
    let message = format!("taken by a link that was just made, perhaps for this car: {tag}");
    let wait = left.min(LONGEST_LOOK).max(FIRST_REREAD_DELAY);
    Failure::new(Class::Transient, "holder_young", message).with_retry_after(Some(wait))
}
