//! A gate that lets no call through.

use std::time::Duration;

use crate::{
    failure::{Class, Classified, DEPENDENCY_DOWN, Failure},
    job::Gate,
};

/// The gate of a job's last run, if its dependency is still down when the job is given up. Each call fails at once, so
/// that a job type which has a stand-in for its result can return that.
#[derive(Clone, Debug)]
pub(crate) struct Closed(Failure);

impl Closed {
    /// The gate of a run that was refused with this failure.
    pub(crate) fn new(refused: &Failure) -> Self {
        Self(Failure::new(Class::Transient, DEPENDENCY_DOWN, refused.message().to_owned()))
    }
}

impl Gate for Closed {
    async fn begin(&self) -> Result<Duration, Failure> {
        Err(self.0.clone())
    }

    fn end(&self, _: Option<&dyn Classified>) {}

    fn count_as_failed(&self, _: &Failure) {}

    fn waited(&self) -> Duration {
        Duration::ZERO
    }

    fn is_waiting(&self) -> bool {
        false
    }
}
