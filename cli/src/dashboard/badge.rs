//! Which stack the pages are about, as the head of every page says it.

use super::view::Tone;
use crate::deployment::Deployment;

/// The name, the place and the kind of a stack.
#[derive(Clone, Debug)]
pub(super) struct Badge {
    /// `local`, `AWS` or `production`.
    pub(super) environment: String,
    pub(super) stack: String,
    /// Region and account.
    pub(super) place: String,
    pub(super) tone: Tone,
    pub(super) is_read_only: bool,
}

impl Badge {
    /// A stack whose name has the word `prod` or `production` must not be mistaken for another.
    pub(super) fn of(deployment: &Deployment, is_local: bool, is_read_only: bool) -> Self {
        let mut words = deployment.name.split(['-', '_']);
        let is_production = words.any(|word| ["prod", "production"].contains(&word));
        let (environment, tone) = match (is_local, is_production) {
            (true, _) => ("local", Tone::Good),
            (false, true) => ("production", Tone::Bad),
            (false, false) => ("AWS", Tone::Warn),
        };
        let place = format!("{} · {}", deployment.region, deployment.account);
        let (environment, stack) = (environment.to_owned(), deployment.name.clone());
        Self { environment, stack, place, tone, is_read_only }
    }
}
