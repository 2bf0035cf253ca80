//! The newer version of the errands' function: its payload has a field more, which the older version does not know.

use std::borrow::Cow;

use evenkeel::{
    dependency::limiter::Rates,
    failure::Failure,
    job::{Gate, Job, Progress, Run, Soundness},
    payload::{Payload, Problems},
    policy::Policy,
};
use serde::{Deserialize, Serialize};

use super::errands::{Errand, Errands};

/// What the newer version reads. Without the new field, its normal form is that of the older version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NewerErrand {
    #[serde(flatten)]
    errand: Errand,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Payload for NewerErrand {
    fn check(&mut self, problems: &mut Problems) {
        self.errand.check(problems);
    }
}

/// The newer version of the job type: it does the same.
#[derive(Clone, Debug)]
pub(crate) struct NewerErrands(pub(crate) Errands);

impl Job for NewerErrands {
    const TYPE: &'static str = Errands::TYPE;
    const POLICY: Policy = Errands::POLICY;
    type Payload = NewerErrand;
    type Output = String;

    fn rates(&self, payload: &NewerErrand) -> Option<Rates> {
        self.0.rates(&payload.errand)
    }

    fn dependency(payload: &NewerErrand) -> Cow<'static, str> {
        Errands::dependency(&payload.errand)
    }

    fn fallback(payload: &NewerErrand) -> Option<String> {
        Errands::fallback(&payload.errand)
    }

    async fn run<G: Gate>(
        &self,
        payload: &NewerErrand,
        run: &Run<'_, G>,
    ) -> Result<Progress<String>, Failure> {
        self.0.run(&payload.errand, run).await
    }

    async fn verify<G: Gate>(
        &self,
        payload: &NewerErrand,
        result: &str,
        run: &Run<'_, G>,
    ) -> Result<Soundness, Failure> {
        self.0.verify(&payload.errand, result, run).await
    }
}
