//! Creates one short link for one car. Tries a fixed chain of slashtags in order: each one is
//! created, adopted (the link exists and leads to our destination) or skipped.

use std::time::Duration;

use evenkeel::{
    aws::KeySource,
    base::{
        config::{ConfigError, Reader},
        time::{Clock, SystemClock},
    },
    dependency::limiter::Rates,
    failure::{Class, Failure},
    http::transport::{Network, Transport},
    job::{Gate, Job, Progress, Run, Soundness, credential::Credential},
    lambda::Start,
    payload::{Payload, Problems},
    policy::Policy,
    ports::SecretSource,
};
use inventory::{address, slashtag, vin::Vin};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    answer::RebrandlyError,
    rebrandly::{Link, NewLink, Rebrandly, Settings},
};

/// Longest destination that Rebrandly accepts, in characters.
const MAX_DESTINATION: usize = 2048;

/// How many reads in a row must fail to show the link that holds a slashtag before the link counts
/// as another owner's. Rebrandly's reads lag behind its writes, and an earlier attempt of ours may
/// have created the link; the backoff between the reads gives it time to appear.
const INVISIBLE_SIGHTINGS: usize = 3;

/// Failure code of one such read.
const HOLDER_INVISIBLE: &str = "holder_invisible";

/// Delay before the first repeated read; it doubles with each one.
const FIRST_REREAD_DELAY: Duration = Duration::from_secs(3);

/// The payload of a `url_shortening` message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortening {
    /// The address to shorten: http or https.
    #[cfg_attr(feature = "schema", schemars(length(max = 2048), extend("format" = "uri")))]
    pub destination: String,
    /// The dealer's short name, with which the slashtag begins.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 100)))]
    pub dealer_slug: String,
    /// The car's VIN; the slashtag contains its last characters.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-HJ-NPR-Za-hj-npr-z0-9]{17}$")))]
    pub vin: String,
    /// The link's title in Rebrandly.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 255)))]
    pub title: Option<String>,
}

impl Payload for Shortening {
    fn check(&mut self, problems: &mut Problems) {
        self.dealer_slug = self.dealer_slug.trim().to_owned();
        match address::normal(&self.destination) {
            Ok(url) => self.destination = url.into(),
            Err(problem) => problems.add("destination", problem),
        }
        problems.check_length("destination", &self.destination, 1, MAX_DESTINATION);
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

/// The job type's name in messages, records and metrics.
pub const TYPE: &str = "url_shortening";

/// Time-outs, retries, breaker and limits of the job type.
pub const POLICY: Policy = Policy {
    dependency: "rebrandly",
    // With full jitter, eleven delays outlast an outage of one minute for all but one job in a
    // million.
    max_attempts: 12,
    // Class `Throttled` is not listed: a 429 is a deferral and spends no attempt.
    retryable: &[Class::Transient, Class::Conflict],
    dedup_window: Duration::from_hours(90 * 24),
    give_up_after: Duration::from_hours(7 * 24),
    ..Policy::DEFAULT
}
.checked();

/// The result that a successful job stores in its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// The short address as Rebrandly returns it, without a scheme.
    pub short_url: String,
    /// The part of the short address after the domain.
    pub slashtag: String,
    /// Rebrandly's id of the link.
    pub link_id: String,
    /// Whether this run created the link or adopted an existing one.
    pub via: Via,
    /// Position of the slashtag in the chain of candidates, from 1.
    pub candidate: usize,
}

/// Where the short address of a result comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// This run created the link.
    Created,
    /// The link existed and led to the job's destination.
    Adopted,
    /// No link exists yet; the result holds the long address instead.
    Fallback,
}

/// The provisional result when the sender's deadline comes before the short link exists.
#[derive(Serialize)]
struct LongAddress<'a> {
    /// The destination, unshortened.
    short_url: &'a str,
    via: Via,
}

/// Job type `url_shortening`.
pub struct UrlShortening<S, C, T = Network> {
    rebrandly: Rebrandly<S, C, T>,
}

impl UrlShortening<KeySource, SystemClock> {
    /// Builds the job type from the environment. Reads the API key during start-up, so that the
    /// first job does not wait for it.
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
        // An error here is ignored: it recurs at the first job, which handles it.
        let _ = credential.get().await;
        let transport = Network::new(start.http);
        Ok(Self::new(Rebrandly::new(transport, settings, credential, SystemClock)))
    }
}

impl<S: SecretSource, C: Clock, T: Transport> UrlShortening<S, C, T> {
    /// The job type with this client.
    pub const fn new(rebrandly: Rebrandly<S, C, T>) -> Self {
        Self { rebrandly }
    }

    /// Creates the link; if the slashtag is taken, looks up the link that holds it. Sets `is_taken` once it is
    /// known that the slashtag is taken; if it was known before, creates nothing.
    async fn take<G: Gate>(
        &self,
        new: &NewLink<'_>,
        is_taken: &mut bool,
        destination: &Url,
        run: &Run<'_, G>,
    ) -> Result<Taken, RebrandlyError> {
        if !*is_taken {
            match run.call(|limit| self.rebrandly.create(new, limit)).await {
                Ok(link) => return Ok(Taken::Ours(link, Via::Created)),
                Err(RebrandlyError::SlashtagTaken) => *is_taken = true,
                Err(error) => return Err(error),
            }
        }
        let found = run.call(|limit| self.rebrandly.find(new.slashtag, limit)).await?;
        let Some(link) = found else { return Ok(Taken::Invisible) };
        Ok(match leads_to(&link, destination) {
            Some(true) => Taken::Ours(link, Via::Adopted),
            Some(false) => Taken::Foreign,
            None => Taken::Unreadable,
        })
    }
}

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

/// The holder of a slashtag.
enum Taken {
    /// Created by this run, or leads to our destination.
    Ours(Link, Via),
    /// Its link leads to another destination.
    Foreign,
    /// The account cannot see it, or a read does not show it yet.
    Invisible,
    /// Visible without a destination, so it may be ours.
    Unreadable,
}

/// Whether a link leads to `destination`; `None` if the link has no readable destination.
fn leads_to(link: &Link, destination: &Url) -> Option<bool> {
    let held: Url = link.destination.as_deref()?.parse().ok()?;
    Some(slashtag::same_destination(&held, destination))
}

impl<S, C, T> Job for UrlShortening<S, C, T>
where
    S: SecretSource + 'static,
    C: Clock + 'static,
    T: Transport,
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
        let begun = Place::of(run).filter(|place| chain.contains(&place.slashtag));
        let first = begun.as_ref().map(|place| &place.slashtag);
        let done = chain.iter().take_while(|tag| first.is_some_and(|first| first != *tag)).count();
        for (index, tag) in chain.iter().enumerate().skip(done) {
            let new = NewLink {
                destination: &payload.destination,
                slashtag: tag,
                title: payload.title.as_deref(),
            };
            let here = begun.as_ref().filter(|place| place.slashtag == *tag);
            let mut is_taken = here.is_some_and(|place| place.is_taken);
            let taken = self.take(&new, &mut is_taken, &destination, run).await;
            let reached = Place { slashtag: tag.clone(), is_taken };
            let taken = match taken {
                // What this run has found out is kept for the next one.
                Err(RebrandlyError::NotCalled(_)) if advanced(&reached, begun.as_ref(), index) => {
                    let cursor = serde_json::to_string(&reached).unwrap_or_default();
                    return Ok(Progress::More(cursor));
                }
                taken => taken?,
            };
            match taken {
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
