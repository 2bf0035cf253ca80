//! Sets the destination of the link that is kept for a car, and checks it for the audit.
//!
//! ```text
//! newer than wanted? ── no, older ──► superseded, no call
//!        │ yes, or the same
//!        ▼
//! 1 write what is wanted ─► 2 POST ─► 3 read what is wanted ─┬─ the same ──► 4 note that it is set, with the end
//!                           ▲                                └─ newer ─┐
//!                           └──────────────────────────────────────────┘
//! ```
//!
//! A process that posts an older destination after a newer one was set leaves a link that leads to an earlier
//! address of the car. The audit finds it, and the job that wants the newer one sets it again.

use std::cmp::Ordering;

use evenkeel::{
    base::time::Clock,
    failure::{Class, Failure},
    http::transport::Transport,
    job::{Gate, Progress, Run, Soundness},
    ports::SecretSource,
};
use inventory::{link::KeptLink, slashtag, vehicles::Vehicles};
use url::Url;

use crate::{
    answer::{LINK_DELETED, RebrandlyError},
    links::{Ask, Links, Next, destination_of, leads_to},
    result::{Shortened, Via},
};

/// How often a run follows another one that wants a newer destination, before it tries again later.
const MOST_MOVES: usize = 5;

/// Failure code of a job whose link changes all the time.
const CONTENDED: &str = "link_contended";

impl<S: SecretSource, V: Vehicles, C: Clock, T: Transport> Links<S, V, C, T> {
    /// Lets the car's link lead where this job or a newer one wants it to lead.
    pub(crate) async fn follow<G: Gate>(
        &self,
        ask: &Ask<'_>,
        kept: KeptLink,
        run: &Run<'_, G>,
    ) -> Result<Next, Failure> {
        let kept = match kept.deleted_at {
            Some(_) => match self.found_again(ask, kept, run).await? {
                Ok(kept) => kept,
                Err(deleted) => return self.without_link(ask, deleted).await,
            },
            None => kept,
        };
        let Some(mut kept) = self.want(ask, kept).await? else {
            return Err(contended());
        };
        if kept.order(ask.destination.as_str(), ask.as_of) == Ordering::Less {
            return Ok(superseded(&kept));
        }
        let (dealer, vin) = (ask.dealer(), ask.vin.as_str());
        for _ in 0..MOST_MOVES {
            let via = if is_wanted(&kept, ask) { Via::Updated } else { Via::Superseded };
            let title = ask.title().filter(|_| via == Via::Updated);
            let (id, wanted) = (&kept.link_id, &kept.wanted);
            match run.call(|limit| self.rebrandly.update(id, wanted, title, limit)).await {
                Ok(_) => {}
                Err(RebrandlyError::Gone) => {
                    let kept = self.deleted(ask, kept, run).await?;
                    return self.without_link(ask, kept).await;
                }
                Err(error) => return Err(error.into()),
            }
            let now = self.kept(ask).await?.ok_or_else(contended)?;
            if now.as_of == kept.as_of && now.wanted == kept.wanted {
                let table = self.lookup.vehicles.table();
                let item = table.map(|table| Box::new(kept.set_item(table, dealer, vin)));
                let done = Shortened::of(&kept, via, None);
                return Ok(Next::Ends(match item {
                    Some(item) => Progress::DoneWith(done, item),
                    None => Progress::Done(done),
                }));
            }
            kept = now;
        }
        Err(contended())
    }

    /// Writes what this job wants, unless something newer is wanted. Returns what is wanted then; `None` if others
    /// keep changing it.
    async fn want(&self, ask: &Ask<'_>, kept: KeptLink) -> Result<Option<KeptLink>, Failure> {
        let mut kept = kept;
        for _ in 0..MOST_MOVES {
            if kept.order(ask.destination.as_str(), ask.as_of) != Ordering::Greater {
                return Ok(Some(kept));
            }
            let wanting = kept.wanting(&ask.destination, ask.as_of);
            if self.replace(ask, &kept, &wanting).await? {
                return Ok(Some(wanting));
            }
            kept = self.kept(ask).await?.ok_or_else(contended)?;
        }
        Ok(None)
    }

    /// Writes `new` over the link that is kept for the car. Returns whether it was still `kept`.
    async fn replace(
        &self,
        ask: &Ask<'_>,
        kept: &KeptLink,
        new: &KeptLink,
    ) -> Result<bool, Failure> {
        let (dealer, vin) = (ask.dealer(), ask.vin.as_str());
        let written = self.lookup.vehicles.replace_link(dealer, vin, Some(kept), new).await;
        written.map_err(|error| error.unstarted())
    }

    /// Notes that the car's link was deleted. Fails if the account still finds it by its name: then the answer 404 was
    /// wrong, as after a change of our configuration.
    async fn deleted<G: Gate>(
        &self,
        ask: &Ask<'_>,
        kept: KeptLink,
        run: &Run<'_, G>,
    ) -> Result<KeptLink, Failure> {
        let found = run.call(|limit| self.rebrandly.find(&kept.slashtag, limit)).await;
        if found.map_err(Failure::from)?.is_some_and(|link| link.id == kept.link_id) {
            let why = "a link that is found by its name was answered 404";
            return Err(Failure::new(Class::Transient, "link_not_found", why));
        }
        let deleted = KeptLink { deleted_at: Some(self.clock.now()), ..kept.clone() };
        self.replace(ask, &kept, &deleted).await?;
        Ok(deleted)
    }

    /// A link that counts as deleted, if it exists after all; else the same link again.
    async fn found_again<G: Gate>(
        &self,
        ask: &Ask<'_>,
        kept: KeptLink,
        run: &Run<'_, G>,
    ) -> Result<Result<KeptLink, KeptLink>, Failure> {
        match run.call(|limit| self.rebrandly.get(&kept.link_id, limit)).await {
            Ok(_) => {}
            Err(RebrandlyError::Gone) => return Ok(Err(kept)),
            Err(error) => return Err(error.into()),
        }
        let alive = KeptLink { deleted_at: None, ..kept.clone() };
        self.replace(ask, &kept, &alive).await?;
        Ok(Ok(alive))
    }

    /// What becomes of a car whose link was deleted by hand: a new one, if its sender wants that and the car is
    /// listed; else the job ends, because somebody may have had a reason.
    async fn without_link(&self, ask: &Ask<'_>, kept: KeptLink) -> Result<Next, Failure> {
        if kept.order(ask.destination.as_str(), ask.as_of) == Ordering::Less {
            return Ok(superseded(&kept));
        }
        if self.may_recreate(ask).await? {
            return Ok(Next::Create(Some(kept)));
        }
        let message = format!("the car's link {} was deleted", kept.short_url);
        Err(Failure::new(Class::Permanent, LINK_DELETED, message))
    }

    async fn may_recreate(&self, ask: &Ask<'_>) -> Result<bool, Failure> {
        if !ask.payload.recreate {
            return Ok(false);
        }
        let listing = self.lookup.vehicles.listing(ask.dealer(), ask.vin.as_str()).await;
        Ok(listing.map_err(|error| error.unstarted())?.is_some_and(|listing| listing.is_listed))
    }

    /// Compares the car's link with what is wanted. Changes nothing at Rebrandly.
    pub(crate) async fn audit<G: Gate>(
        &self,
        ask: &Ask<'_>,
        kept: KeptLink,
        run: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        match kept.order(ask.destination.as_str(), ask.as_of) {
            // The job that wants the newer destination is audited for it.
            Ordering::Less => return Ok(Soundness::Sound),
            // Its own wish was lost: an older job has made the item.
            Ordering::Greater => {
                return Ok(Soundness::Lost(format!("the link {} has missed it", kept.slashtag)));
            }
            Ordering::Equal => {}
        }
        let tag = kept.slashtag.clone();
        let found = match run.call(|limit| self.rebrandly.get(&kept.link_id, limit)).await {
            Ok(found) => found,
            Err(RebrandlyError::Gone) => {
                let gone = format!("the link {tag} was deleted");
                if kept.deleted_at.is_none() {
                    self.deleted(ask, kept, run).await?;
                }
                let again = self.may_recreate(ask).await?;
                return Ok(if again { Soundness::Lost(gone) } else { Soundness::Changed(gone) });
            }
            Err(error) => return Err(error.into()),
        };
        let wanted: Option<Url> = kept.wanted.parse().ok();
        let elsewhere = found.destination.clone().unwrap_or_default();
        Ok(match (wanted, destination_of(&found)) {
            (Some(wanted), _) if leads_to(&found, &wanted) == Some(true) => Soundness::Sound,
            (_, Some(held)) if kept.had(&held) => {
                Soundness::Lost(format!("the link {tag} leads to an earlier address: {elsewhere}"))
            }
            _ => Soundness::Changed(format!("the link {tag} leads to {elsewhere:?}")),
        })
    }
}

fn superseded(kept: &KeptLink) -> Next {
    Next::Ends(Progress::Done(Shortened::of(kept, Via::Superseded, None)))
}

/// Whether what is wanted is what this job asks for.
fn is_wanted(kept: &KeptLink, ask: &Ask<'_>) -> bool {
    let wanted: Option<Url> = kept.wanted.parse().ok();
    wanted.is_some_and(|wanted| slashtag::same_destination(&wanted, &ask.destination))
}

pub(crate) fn contended() -> Failure {
    let why = "other jobs keep changing the destination of the car's link";
    Failure::new(Class::Transient, CONTENDED, why)
}
