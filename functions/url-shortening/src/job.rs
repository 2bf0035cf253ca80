//! Gives each car of a dealer one short link, which leads to the car's address for as long as the car is known.

use std::{cmp::Ordering, time::Duration};

use evenkeel::{
    aws::KeySource,
    base::{
        config::{ConfigError, Reader},
        time::{Clock, SystemClock},
    },
    dependency::{limiter::Rates, quota::Quota},
    failure::{Class, Failure},
    http::transport::{Network, Transport},
    job::{Gate, Job, Progress, Run, Soundness, credential::Credential},
    lambda::Start,
    policy::Policy,
    ports::SecretSource,
};
use inventory::{dynamo::DynamoVehicles, vehicles::Vehicles};
use serde_json::Value;

use crate::{
    follow::contended,
    import::Request,
    links::{Ask, Links, Next},
    lookup::Lookup,
    payload::Shortening,
    rebrandly::{Rebrandly, Settings},
    result::{LongAddress, Shortened, Via},
};

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

/// Job type `url_shortening`.
pub struct UrlShortening<S, V, C, T = Network> {
    links: Links<S, V, C, T>,
}

impl UrlShortening<KeySource, Option<DynamoVehicles>, SystemClock> {
    /// Builds the job type from the environment. Reads the API key during start-up, so that the
    /// first job does not wait for it.
    pub async fn start(start: Start) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(&start.environment);
        let settings = Settings::read(&mut reader);
        // Without the table, as in a deployment of this function alone, no link is kept.
        let table = reader.optional("VEHICLES_TABLE");
        let key = reader.secret("REBRANDLY_API_KEY").map(KeySource::Environment).or_else(|| {
            let arn = reader.optional("REBRANDLY_API_KEY_SECRET_ARN")?;
            Some(KeySource::stored(&start.aws, arn))
        });
        let Some(key) = key else {
            let either = "REBRANDLY_API_KEY or REBRANDLY_API_KEY_SECRET_ARN";
            reader.problem(either, "is not set");
            return Err(reader.into_error());
        };
        let (settings, table) = reader.finish((settings, table))?;
        let credential = Credential::new(key, SystemClock);
        // An error here is ignored: it recurs at the first job, which handles it.
        let _ = credential.get().await;
        let transport = Network::new(start.http);
        let rebrandly = Rebrandly::new(transport, settings, credential, SystemClock);
        let vehicles = table.map(|table| DynamoVehicles::new(&start.aws, table));
        Ok(Self::new(rebrandly, vehicles, SystemClock))
    }
}

impl<S: SecretSource, V: Vehicles, C: Clock, T: Transport> UrlShortening<S, V, C, T> {
    /// The job type with this client and this table of vehicles.
    pub const fn new(rebrandly: Rebrandly<S, C, T>, vehicles: V, clock: C) -> Self {
        Self { links: Links { rebrandly, lookup: Lookup::new(vehicles), clock } }
    }
}

/// How long a sender's knowledge that a car has no link is relied on.
const SENDER_KNOWS: Duration = Duration::from_mins(15);

/// Most steps of a run: create, find that there is a link, find it deleted, create another one.
const MOST_STEPS: usize = 4;

impl<S, V, C, T> Job for UrlShortening<S, V, C, T>
where
    S: SecretSource + 'static,
    V: Vehicles + 'static,
    C: Clock + 'static,
    T: Transport,
{
    const TYPE: &'static str = TYPE;
    const POLICY: Policy = POLICY;

    type Payload = Shortening;
    type Output = Shortened;

    fn label(shortened: &Shortened) -> Option<&'static str> {
        match shortened.via {
            Via::Adopted => Some("adopted"),
            Via::Superseded => Some("superseded"),
            Via::Created | Via::Updated | Via::Fallback => None,
        }
    }

    fn fallback(payload: &Shortening) -> Option<String> {
        let long = LongAddress { short_url: &payload.destination, via: Via::Fallback };
        serde_json::to_string(&long).ok()
    }

    fn rates(&self, _: &Shortening) -> Option<Rates> {
        Some(self.links.rebrandly.rates())
    }

    fn quota(&self, _: &Shortening) -> Option<Quota> {
        self.links.rebrandly.links()
    }

    async fn run<G: Gate>(
        &self,
        payload: &Shortening,
        run: &Run<'_, G>,
    ) -> Result<Progress<Shortened>, Failure> {
        let links = &self.links;
        let ask = Ask::of(payload, run.sent_at, links.clock.now())?;
        // What the sender knew may have changed since: by an import, by another job, by an earlier run of this one.
        let age = links.clock.now().since(run.sent_at);
        let is_known = payload.first_link && run.counters.claims <= 1 && age < SENDER_KNOWS;
        let kept = if is_known { None } else { links.kept(&ask).await? };
        let mut next = kept.map_or(Next::Create(None), Next::Follow);
        for _ in 0..MOST_STEPS {
            next = match next {
                Next::Follow(kept) => links.follow(&ask, kept, run).await?,
                Next::Create(deleted) => links.create(&ask, deleted, run).await?,
                Next::Ends(progress) => return Ok(progress),
            };
        }
        match next {
            Next::Ends(progress) => Ok(progress),
            _ => Err(contended()),
        }
    }

    async fn answer<G: Gate>(&self, request: &Value, run: &Run<'_, G>) -> Result<Value, Failure> {
        let Request::ImportLinks(import) = Request::read(request)?;
        let import = self.links.advance(import, run).await?;
        serde_json::to_value(import)
            .map_err(|error| Failure::new(Class::Permanent, "not_json", error.to_string()))
    }

    fn request_rates(&self) -> Option<Rates> {
        Some(self.links.rebrandly.rates())
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
        let links = &self.links;
        let ask = Ask::of(payload, run.sent_at, links.clock.now())?;
        if links.lookup.vehicles.table().is_none() {
            return Ok(Soundness::Sound);
        }
        let Some(kept) = links.kept(&ask).await? else {
            let tag = shortened.slashtag;
            return Ok(Soundness::Missing(format!("no link is kept for the car, expected {tag}")));
        };
        if shortened.via == Via::Created
            && shortened.link_id != kept.link_id
            && kept.order(ask.destination.as_str(), ask.as_of) != Ordering::Less
        {
            let (one, two) = (shortened.short_url, kept.short_url);
            return Ok(Soundness::Changed(format!("the car has two links: {one} and {two}")));
        }
        links.audit(&ask, kept, run).await
    }
}
