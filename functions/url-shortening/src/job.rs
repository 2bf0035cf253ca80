//! One short link for one car: the chain of candidates, each taken, adopted or passed over.

use std::time::Duration;

use evenkeel::{
    aws::KeySource,
    base::{
        config::{ConfigError, Reader},
        time::{Clock, SystemClock},
    },
    dependency::limiter::Rates,
    failure::{Class, Failure},
    job::{Gate, Job, Progress, Run, Soundness, credential::Credential},
    lambda::Start,
    payload::{Payload, Problems},
    policy::Policy,
    ports::SecretSource,
};
use inventory::{slashtag, vin::Vin};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    answer::RebrandlyError,
    rebrandly::{Link, NewLink, Rebrandly, Settings},
};

/// Longest destination that Rebrandly takes, in characters.
const MAX_DESTINATION: usize = 2048;

/// Times that a link must stay invisible, though its slashtag is taken, before it counts as
/// somebody else's. A read may lag behind a write, and our own earlier try may have made it; the
/// backoff between the sightings gives it time to show.
const INVISIBLE_SIGHTINGS: usize = 3;

/// Code of the failure that means one such sighting.
const HOLDER_INVISIBLE: &str = "holder_invisible";

/// How long to leave a read the time to catch up, by sighting.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// The payload of a `url_shortening` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortening {
    /// The address to shorten: http or https.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub destination: String,
    /// The dealer, as the slashtag begins.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// The car's VIN.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$")))]
    pub vin: String,
    /// What the link is called in Rebrandly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 255)))]
    pub title: Option<String>,
}

impl Payload for Shortening {
    fn check(&mut self, problems: &mut Problems) {
        self.destination = self.destination.trim().to_owned();
        self.dealer_slug = self.dealer_slug.trim().to_owned();
        problems.check_length("destination", &self.destination, 1, MAX_DESTINATION);
        match self.destination.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => problems.add("destination", "not an address, expected http:// or https://"),
        }
        problems.check_length("dealer_slug", &self.dealer_slug, 1, 100);
        if !self.dealer_slug.chars().any(|c| c.is_ascii_alphanumeric()) {
            problems.add("dealer_slug", "no letter or digit, expected at least one of a-z and 0-9");
        }
        match Vin::parse(&self.vin) {
            Ok(vin) => vin.as_str().clone_into(&mut self.vin),
            Err(problem) => problems.add("vin", problem),
        }
        if let Some(title) = &self.title {
            problems.check_length("title", title, 3, 255);
        }
    }
}

/// The name of the job type in messages, records and metrics.
pub const TYPE: &str = "url_shortening";

/// The numbers of the job type.
pub const POLICY: Policy = Policy {
    dependency: "rebrandly",
    // With full jitter, eleven delays outlast a minute's outage for all but one job in a million.
    max_attempts: 12,
    // The plan's `rate_limit` spends no attempt; its `temporary_error` is transient.
    retryable: &[Class::Transient, Class::Conflict],
    dedup_window: Duration::from_hours(90 * 24),
    give_up_after: Duration::from_hours(7 * 24),
    ..Policy::DEFAULT
}
.checked();

/// What a success leaves in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// The short address, without a scheme, as the service gives it.
    pub short_url: String,
    /// Its slashtag.
    pub slashtag: String,
    /// The service's id of the link.
    pub link_id: String,
    /// Whether this run made the link or found it made.
    pub via: Via,
    /// Which candidate of the chain it is, from 1.
    pub candidate: usize,
}

/// How a link came to be ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// This run made it.
    Created,
    /// It led to the right place already.
    Adopted,
    /// There is none yet: the long address stands in for it.
    Fallback,
}

/// What stands in for a short link that could not be made in time.
#[derive(Serialize)]
struct LongAddress<'a> {
    /// The destination itself.
    short_url: &'a str,
    via: Via,
}

/// The job type.
pub struct UrlShortening<S, C> {
    rebrandly: Rebrandly<S, C>,
}

impl UrlShortening<KeySource, SystemClock> {
    /// Builds the job from the environment, and reads the key while start-up is free.
    pub async fn start(start: Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let settings = Settings::read(&mut reader);
        let key = reader.secret("REBRANDLY_API_KEY").map(KeySource::Environment).or_else(|| {
            let arn = reader.optional("REBRANDLY_API_KEY_SECRET_ARN")?;
            Some(KeySource::stored(&start.aws, arn))
        });
        let Some(key) = key else {
            let either = "REBRANDLY_API_KEY or REBRANDLY_API_KEY_SECRET_ARN";
            reader.problem(either, "is not set");
            return Err(reader.into_error());
        };
        let settings = reader.finish(settings)?;
        let credential = Credential::new(key, SystemClock);
        // What goes wrong here shows again at the first job, and is handled there.
        let _ = credential.get().await;
        Ok(Self::new(Rebrandly::new(start.http, settings, credential, SystemClock)))
    }
}

impl<S: SecretSource, C: Clock> UrlShortening<S, C> {
    /// The job over this client.
    pub const fn new(rebrandly: Rebrandly<S, C>) -> Self {
        Self { rebrandly }
    }

    /// Makes the link, or finds out who has the slashtag.
    async fn take<G: Gate>(
        &self,
        new: &NewLink<'_>,
        destination: &Url,
        run: &Run<'_, G>,
    ) -> Result<Taken, RebrandlyError> {
        match run.call(|limit| self.rebrandly.create(new, limit)).await {
            Ok(link) => Ok(Taken::Ours(link, Via::Created)),
            Err(RebrandlyError::SlashtagTaken) => {
                let found = run.call(|limit| self.rebrandly.find(new.slashtag, limit)).await?;
                let Some(link) = found else { return Ok(Taken::Invisible) };
                Ok(match leads_to(&link, destination) {
                    Some(true) => Taken::Ours(link, Via::Adopted),
                    Some(false) => Taken::Foreign,
                    None => Taken::Unreadable,
                })
            }
            Err(error) => Err(error),
        }
    }
}

/// Who has a slashtag.
enum Taken {
    Ours(Link, Via),
    Foreign,
    Invisible,
    /// Visible, but not where it leads: it may be ours.
    Unreadable,
}

/// Whether a link leads to the destination; `None` if it does not say where it leads.
fn leads_to(link: &Link, destination: &Url) -> Option<bool> {
    let held: Url = link.destination.as_deref()?.parse().ok()?;
    Some(slashtag::same_destination(&held, destination))
}

impl<S, C> Job for UrlShortening<S, C>
where
    S: SecretSource + 'static,
    C: Clock + 'static,
{
    const TYPE: &'static str = TYPE;
    const POLICY: Policy = POLICY;

    type Payload = Shortening;
    type Output = Shortened;

    fn fallback(payload: &Shortening) -> Option<String> {
        let long = LongAddress { short_url: &payload.destination, via: Via::Fallback };
        serde_json::to_string(&long).ok()
    }

    fn rates(&self) -> Option<Rates> {
        Some(self.rebrandly.rates())
    }

    async fn run<G: Gate>(
        &self,
        payload: &Shortening,
        run: &Run<'_, G>,
    ) -> Result<Progress<Shortened>, Failure> {
        let invalid = |problem: String| Failure::new(Class::Permanent, "invalid_payload", problem);
        let vin = Vin::parse(&payload.vin).map_err(invalid)?;
        let destination: Url =
            payload.destination.parse().map_err(|e: url::ParseError| invalid(e.to_string()))?;
        let chain = slashtag::candidates(&payload.dealer_slug, &vin, &destination);
        for (index, tag) in chain.iter().enumerate() {
            let new = NewLink {
                destination: &payload.destination,
                slashtag: tag,
                title: payload.title.as_deref(),
            };
            match self.take(&new, &destination, run).await? {
                Taken::Ours(link, via) => {
                    return Ok(Progress::Done(Shortened {
                        short_url: link.short_url,
                        slashtag: tag.clone(),
                        link_id: link.id,
                        via,
                        candidate: index + 1,
                    }));
                }
                Taken::Invisible if invisible_sightings(run, tag) < INVISIBLE_SIGHTINGS => {
                    return Err(invisible(run, tag));
                }
                Taken::Unreadable => {
                    let message =
                        format!("taken by a link that does not say where it leads: {tag}");
                    return Err(Failure::new(Class::Transient, "holder_unreadable", message));
                }
                Taken::Foreign | Taken::Invisible => {}
            }
        }
        let message = format!("{} slashtags are taken, from {}", chain.len(), chain[0]);
        Err(Failure::new(Class::Permanent, "slashtags_exhausted", message))
    }

    async fn verify<G: Gate>(
        &self,
        payload: &Shortening,
        result: &str,
        run: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        let Ok(shortened) = serde_json::from_str::<Shortened>(result) else {
            return Ok(Soundness::Missing("the result holds no link".to_owned()));
        };
        let invalid = |problem: url::ParseError| {
            Failure::new(Class::Permanent, "invalid_payload", problem.to_string())
        };
        let destination: Url = payload.destination.parse().map_err(invalid)?;
        let tag = &shortened.slashtag;
        let found = run.call(|limit| self.rebrandly.find(tag, limit)).await?;
        let Some(link) = found else {
            return Ok(Soundness::Lost(format!("the link {tag} is gone")));
        };
        if leads_to(&link, &destination) == Some(true) {
            return Ok(Soundness::Sound);
        }
        let elsewhere = link.destination.unwrap_or_default();
        Ok(Soundness::Changed(format!("the link {tag} leads to {elsewhere:?}")))
    }
}

/// How often in a row this slashtag's holder was invisible. Any other failure begins the count anew:
/// it may have made the link that is not seen.
fn invisible_sightings<G>(run: &Run<'_, G>, tag: &str) -> usize {
    let latest = run.history.iter().rev().take_while(|mishap| mishap.code == HOLDER_INVISIBLE);
    latest.filter(|mishap| mishap.message.ends_with(tag)).count()
}

/// Taken, but by whom cannot be seen: our own earlier try, perhaps, which a read does not show
/// yet. To take the next candidate now might make a second link for the same car.
fn invisible<G>(run: &Run<'_, G>, tag: &str) -> Failure {
    let sightings = u32::try_from(invisible_sightings(run, tag)).unwrap_or(u32::MAX);
    let wait = LOOK_AGAIN.saturating_mul(1 << sightings.min(4));
    let message = format!("taken by a link that cannot be seen (yet): {tag}");
    Failure::new(Class::Transient, HOLDER_INVISIBLE, message).with_retry_after(Some(wait))
}
