//! What the author of a job type implements: [`Job`], with a name, a policy, a payload and the work
//! itself.
//!
//! A new job type implements [`Job`] in its own folder under `functions/`; the engine stays
//! unchanged.

pub mod credential;
pub mod enqueue;
pub mod robots;

use std::{borrow::Cow, future::Future, time::Duration};

use serde::Serialize;
use serde_json::Value;

use crate::{
    base::time::Time,
    dependency::{
        limiter::Rates,
        quota::{Quota, Unit},
    },
    failure::{Class, Classified, Failure},
    payload::Payload,
    policy::Policy,
    record::{Counters, FailedAttempt, item::TableItem, trace::Trace},
};

/// A type of job.
pub trait Job: Send + Sync + 'static {
    /// The name in messages, records and metrics, such as `url_shortening`.
    const TYPE: &'static str;
    /// The limits and timings of the job type; build them with [`Policy::checked`].
    const POLICY: Policy;
    /// The payload of a message.
    type Payload: Payload;
    /// The result of a successful run, stored in the record as JSON.
    type Output: Serialize + Send;

    /// Does the work once. The engine may call it again for the same job, even while an earlier
    /// call still runs in a process that was presumed dead. Every effect must therefore be
    /// idempotent.
    ///
    /// Every call to the dependency must go through [`Run::call`].
    fn run<G: Gate>(
        &self,
        payload: &Self::Payload,
        run: &Run<'_, G>,
    ) -> impl Future<Output = Result<Progress<Self::Output>, Failure>> + Send;

    /// Called once for the jobs of a batch that are about to run, before the first of them does: to read in one call
    /// what each of them needs. A run must not rely on it. It is not called for a job that runs isolated, and it may be
    /// cut off after a second.
    fn prepare(&self, _payloads: &[&Self::Payload]) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// The name of the third party that this payload depends on, as breakers, limits and metrics
    /// use it.
    #[must_use]
    fn dependency(_: &Self::Payload) -> Cow<'static, str> {
        Self::POLICY.dependency.into()
    }

    /// What stands in for the result, as JSON, if the sender's deadline passes first. It is marked
    /// as provisional and replaced by the real result later. `None` if there is no fallback.
    #[must_use]
    fn fallback(_: &Self::Payload) -> Option<String> {
        None
    }

    /// Checks whether the effect of a successful run still exists; `result` is the record's result.
    /// The check must not change anything at the dependency.
    ///
    /// The default is for job types with nothing to check: [`Soundness::Sound`].
    fn verify<G: Gate>(
        &self,
        _payload: &Self::Payload,
        _result: &str,
        _run: &Run<'_, G>,
    ) -> impl Future<Output = Result<Soundness, Failure>> + Send {
        async { Ok(Soundness::Sound) }
    }

    /// Answers a request that an operator sends to the function itself, such as to take over what another system has
    /// made. It is no job: nothing of it is recorded or tried again, so a long one has to be made of several requests.
    /// Its calls go through [`Run::call`] to the policy's dependency.
    ///
    /// The default is for job types that take no requests.
    fn answer<G: Gate>(
        &self,
        _request: &Value,
        _run: &Run<'_, G>,
    ) -> impl Future<Output = Result<Value, Failure>> + Send {
        async {
            let message = "functions of this job type take no requests";
            Err(Failure::new(Class::Permanent, "no_requests", message))
        }
    }

    /// The rate at which requests may call the policy's dependency, together with the jobs; `None` if it is not limited.
    #[must_use]
    fn request_rates(&self) -> Option<Rates> {
        None
    }

    /// A word about a success for its counts, such as `adopted`: how many jobs have ended in this way. At most two
    /// words a type, each of up to 12 letters and underscores; `None` for the usual way.
    #[must_use]
    fn label(_: &Self::Output) -> Option<&'static str> {
        None
    }

    /// Whether a run that may make no call ([`Run::is_last`]) may still have a result.
    const STANDS_IN: bool = false;

    /// The rate at which this payload's dependency may be called; `None` if it is not limited.
    #[must_use]
    fn rates(&self, _payload: &Self::Payload) -> Option<Rates> {
        None
    }

    /// How many things jobs with this payload may make in a month through [`Run::make`], with all others whose limiter
    /// has the same name; `None` if that is not limited.
    #[must_use]
    fn quota(&self, _payload: &Self::Payload) -> Option<Quota> {
        None
    }

    /// The name of the limiter that counts the calls for this payload. Job types that call the same service share one
    /// if they give it the same name; their breakers stay apart.
    #[must_use]
    fn limiter(payload: &Self::Payload) -> Cow<'static, str> {
        Self::dependency(payload)
    }
}

/// What a check of a job's result found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// The result is as the run left it.
    Sound,
    /// The result is missing for certain; running the job again creates it.
    Missing(String),
    /// The result cannot be found any more; running the job again restores it.
    Lost(String),
    /// The result differs from what the run left, perhaps on purpose.
    Changed(String),
}

/// How far a run got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// The work is done, with this result.
    Done(T),
    /// The work is done, with this result, and this item of the job type's own table is written with its end. If the
    /// item cannot be written, the job has succeeded all the same: [`Job::verify`] has to find that out.
    DoneWith(T, Box<TableItem>),
    /// The work does not fit into one run. Another run continues from this cursor, which it finds
    /// in [`Run::cursor`]. This spends no attempt.
    More(String),
}

/// The checks that every call of a run to its dependency passes.
pub trait Gate: Send + Sync {
    /// Waits for the slot of the next call and returns the call's time limit. Fails if the call
    /// must not be made.
    fn begin(&self) -> impl Future<Output = Result<Duration, Failure>> + Send;

    /// Reserves a unit of the dependency's quota; `None` if it has none. Fails if nothing may be made now.
    fn reserve(&self) -> impl Future<Output = Result<Option<Unit>, Failure>> + Send;

    /// Gives back a unit with which nothing was made.
    fn give_back(&self, unit: Unit);

    /// Records how the call ended: `None` for success, otherwise its error.
    fn end(&self, error: Option<&dyn Classified>);

    /// Counts the latest call as failed with `failure`, although its response was well-formed.
    fn count_as_failed(&self, failure: &Failure);

    /// How long the run has waited for slots since it began. This time does not count against the
    /// run's time limit.
    fn waited(&self) -> Duration;

    /// Whether the run is waiting for a slot now.
    fn is_waiting(&self) -> bool;

    /// From now on, the calls of this container to the run's dependency keep to these rates, if they are limited.
    fn keep_to(&self, rates: Rates);
}

/// What a run knows of its job, and its gate to the dependency.
#[derive(Clone, Debug)]
pub struct Run<'a, G> {
    /// The key of the job's record: `type#g:ID` for an id that the sender gave, `type#d:HASH` for
    /// one derived from the payload.
    pub key: String,
    /// The record's counters, including this claim.
    pub counters: Counters,
    /// The latest failed attempts, oldest first.
    pub history: Vec<FailedAttempt>,
    /// The cursor of the latest [`Progress::More`]; `None` if there is none.
    pub cursor: Option<String>,
    /// When the sender created the job, or else when its message was sent.
    pub sent_at: Time,
    /// The trace that the job belongs to, if its message named one. Jobs that this one creates belong to the same
    /// ([`NewJob::traced`](enqueue::NewJob::traced)).
    pub trace: Option<Trace>,
    /// When the run must have ended.
    pub ends_at: Time,
    /// Whether the job ends with this run, after all others have failed. It may make no call: only a stand-in for the
    /// result can help.
    pub is_last: bool,
    pub(crate) gate: &'a G,
}

impl<G: Gate> Run<'_, G> {
    /// Counts the latest call as failed, although its response was well-formed: for a response that
    /// cannot be true, or that blocks the client.
    pub fn count_as_failed(&self, failure: &Failure) {
        self.gate.count_as_failed(failure);
    }

    /// Makes one call to the dependency once its slot has come. `call` is given the time limit that
    /// it must keep. The call's end is counted in the call statistics. An error of the class
    /// [`Deferred`](crate::failure::Class::Deferred) means that the call was not made.
    pub async fn call<T, E, F>(&self, call: impl FnOnce(Duration) -> F + Send) -> Result<T, E>
    where
        E: Classified + From<Failure>,
        F: Future<Output = Result<T, E>> + Send,
    {
        let limit = self.gate.begin().await?;
        let answer = call(limit).await;
        self.gate.end(answer.as_ref().err().map(|error| error as &dyn Classified));
        answer
    }

    /// The same for a call that makes a thing of which the dependency's quota allows so many a month ([`Job::quota`]).
    /// It counts from before the call, and is given back only if nothing was made for certain
    /// ([`Classified::made_nothing`]): a lost answer counts, and so does a call that is cut off.
    ///
    /// If the quota is used up, the error is [`Failure::is_quota_spent`], and no call was made. A job that returns it
    /// waits for the next month; other calls of the run may go on.
    pub async fn make<T, E, F>(&self, call: impl FnOnce(Duration) -> F + Send) -> Result<T, E>
    where
        E: Classified + From<Failure>,
        F: Future<Output = Result<T, E>> + Send,
    {
        let unit = self.gate.reserve().await?;
        let limit = match self.gate.begin().await {
            Ok(limit) => limit,
            Err(failure) => {
                self.give_back(unit);
                return Err(failure.into());
            }
        };
        let answer = call(limit).await;
        let error = answer.as_ref().err();
        self.gate.end(error.map(|error| error as &dyn Classified));
        if error.is_some_and(Classified::made_nothing) {
            self.give_back(unit);
        }
        answer
    }

    fn give_back(&self, unit: Option<Unit>) {
        if let Some(unit) = unit {
            self.gate.give_back(unit);
        }
    }
}
