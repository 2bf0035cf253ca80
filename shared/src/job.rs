//! What a job type is: a name, a policy, a payload, and what to do with one.
//!
//! A new job type implements [`Job`] in its own folder under `functions/`; nothing here changes.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::Failure,
    message::Problems,
    policy::Policy,
    record::{Ledger, Mishap},
    time::Time,
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
    fn run(
        &self,
        payload: &Self::Payload,
        run: &Run,
    ) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// The part of a message that belongs to the job type.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Brings the payload into its normal form and adds what is wrong with it to `problems`.
    fn check(&mut self, problems: &mut Problems);
}

/// What a job may know of its own past.
#[derive(Clone, Debug)]
pub struct Run {
    /// `type#id`.
    pub key: String,
    /// Counters, the present claim included.
    pub ledger: Ledger,
    /// The latest failed attempts, oldest first.
    pub history: Vec<Mishap>,
    /// When the run must be over.
    pub ends_at: Time,
}
