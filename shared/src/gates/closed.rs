//! A gate that lets no call through.

use std::time::Duration;

use crate::{
    dependency::{limiter::Rates, quota::Unit},
    failure::{Class, Classified, Failure},
    job::Gate,
};

/// The gate of a job's last run, after all others have failed. Each call fails at once as the last one did, so that a
/// job type which has a stand-in for its result can return that.
#[derive(Clone, Debug)]
pub(crate) struct Closed(Failure);

impl Closed {
    /// The gate of a run after this failure.
    pub(crate) fn new(failure: &Failure) -> Self {
        let code = failure.code().to_owned();
        Self(Failure::new(Class::Transient, code, failure.message().to_owned()))
    }
}

impl Gate for Closed {
    async fn begin(&self) -> Result<Duration, Failure> {
        Err(self.0.clone())
    }

    async fn reserve(&self) -> Result<Option<Unit>, Failure> {
        Err(self.0.clone())
    }

    fn give_back(&self, _: Unit) {}

    fn end(&self, _: Option<&dyn Classified>) {}

    fn count_as_failed(&self, _: &Failure) {}

    fn waited(&self) -> Duration {
        Duration::ZERO
    }

    fn is_waiting(&self) -> bool {
        false
    }

    fn keep_to(&self, _: Rates) {}
}
