//! Errands that are given up after a day, and not after an hour: for backlogs that last longer.

use std::{borrow::Cow, time::Duration};

use evenkeel::{
    dependency::limiter::Rates,
    failure::Failure,
    job::{Gate, Job, Progress, Run},
    policy::Policy,
};

use super::errands::{Errand, Errands};

/// The job type. It does the same.
#[derive(Clone, Debug)]
pub(crate) struct LongErrands(pub(crate) Errands);

impl Job for LongErrands {
    const TYPE: &'static str = Errands::TYPE;
    const POLICY: Policy =
        Policy { give_up_after: Duration::from_hours(24), ..Errands::POLICY }.checked();
    type Payload = Errand;
    type Output = String;

    fn rates(&self, errand: &Errand) -> Option<Rates> {
        self.0.rates(errand)
    }

    fn dependency(errand: &Errand) -> Cow<'static, str> {
        Errands::dependency(errand)
    }

    async fn run<G: Gate>(
        &self,
        errand: &Errand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        self.0.run(errand, run).await
    }
}
