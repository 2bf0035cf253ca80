//! What a job type is: a name, a policy, a payload, and what to do with one.
//!
//! A new job type implements [`Job`] in its own folder under `functions/`; nothing here changes.

pub mod credential;
pub mod enqueue;

use std::{borrow::Cow, future::Future, time::Duration};

use serde::Serialize;

use crate::{
    base::time::Time,
    dependency::limiter::Rates,
    failure::{Classified, Failure},
    payload::Payload,
    policy::Policy,
    record::{Counters, FailedAttempt},
};

/// A type of job.
pub trait Job: Send + Sync + 'static {
    /// The name in messages, records and metrics, such as `url_shortening`.
    const TYPE: &'static str;
    /// The numbers that it runs by; make it with [`Policy::checked`].
    const POLICY: Policy;
    /// What a message carries.
    type Payload: Payload;
    /// What a success leaves in the record, as JSON.
    type Output: Serialize + Send;

    /// Does the work once. It may be called again for the same job, also while an earlier call
    /// whose process was believed dead still runs: every effect must be harmless when repeated.
    ///
    /// Every call to the dependency goes through [`Run::call`].
    fn run<G: Gate>(
        &self,
        payload: &Self::Payload,
        run: &Run<'_, G>,
    ) -> impl Future<Output = Result<Progress<Self::Output>, Failure>> + Send;

    /// The third party that this payload depends on, as breakers, limits and metrics name it.
    #[must_use]
    fn dependency(_: &Self::Payload) -> Cow<'static, str> {
        Self::POLICY.dependency.into()
    }

    /// What stands in for the result when the sender's deadline comes first, as JSON; marked as
    /// provisional and upgraded later. `None` if nothing can.
    #[must_use]
    fn fallback(_: &Self::Payload) -> Option<String> {
        None
    }

    /// Looks whether what a success left behind is still so; `result` is the record's. It must change
    /// nothing at the dependency. Nothing to look at is sound.
    fn verify<G: Gate>(
        &self,
        _payload: &Self::Payload,
        _result: &str,
        _run: &Run<'_, G>,
    ) -> impl Future<Output = Result<Soundness, Failure>> + Send {
        async { Ok(Soundness::Sound) }
    }

    /// How fast its dependency may be called, if that is limited.
    #[must_use]
    fn rates(&self) -> Option<Rates> {
        None
    }
}

/// What a look at a job's result came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Soundness {
    /// It is as it was left.
    Sound,
    /// What it should have left is missing, for certain: doing the job again makes it.
    Missing(String),
    /// What it led to cannot be found any more; doing the job again puts it back.
    Lost(String),
    /// It is otherwise than it was left; somebody may have meant that.
    Changed(String),
}

/// How far a run has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// The work is done, with this result.
    Done(T),
    /// There is more than fits one run: another one goes on from this cursor, which it finds in
    /// [`Run::cursor`]. That spends no attempt.
    More(String),
}

/// The way out of a run to its dependency, which every call goes through.
pub trait Gate: Send + Sync {
    /// Waits for the call's slot and answers with its time limit; fails if the call must not be made.
    fn begin(&self) -> impl Future<Output = Result<Duration, Failure>> + Send;

    /// Notes how the call ended: well, or with this error.
    fn end(&self, error: Option<&dyn Classified>);

    /// Notes that the latest call ended well in form only: it counts as failed like this.
    fn count_as_failed(&self, failure: &Failure);

    /// For how long the run has waited for slots since it began: that is not its own time.
    fn waited(&self) -> Duration;

    /// Whether it waits for one now.
    fn is_waiting(&self) -> bool;
}

/// What a job may know of its own past, and its way to the dependency.
#[derive(Clone, Debug)]
pub struct Run<'a, G> {
    /// `type#id`.
    pub key: String,
    /// Counters, the present claim included.
    pub counters: Counters,
    /// The latest failed attempts, oldest first.
    pub history: Vec<FailedAttempt>,
    /// How far earlier runs have come: the latest [`Progress::More`].
    pub cursor: Option<String>,
    /// When the run must be over.
    pub ends_at: Time,
    pub(crate) gate: &'a G,
}

impl<G: Gate> Run<'_, G> {
    /// Counts the latest call, whose answer was well-formed and cannot be true or says to stay away, as
    /// failed and not as one that worked.
    pub fn count_as_failed(&self, failure: &Failure) {
        self.gate.count_as_failed(failure);
    }

    /// Makes one call to the dependency: when its slot has come, and within the time limit that
    /// `call` is given. How it ends is counted. An error of the class
    /// [`Deferred`](crate::failure::Class::Deferred) means that it was not made.
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
}
