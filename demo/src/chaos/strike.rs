//! Lets the faults of a plan strike, each at its time, and takes back what does not end by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sandbox::{CannedAnswer, FaultKind, Scope, Target};
use tokio::time::{Instant, sleep_until};
use xtask::process;

use super::ground::Ground;
use super::outage::{Service, Way};
use super::plan::{Fault, Strike, moments};
use crate::incident::job::Kind;

/// The share of the calls that a fault of a third party strikes.
const SHARE: f64 = 0.7;

/// The most calls that hang at once. Each keeps a run busy until its time is over.
const MOST_HANGING: u64 = 4;

/// How late a slow answer is, in milliseconds: later than some calls wait, and sooner than others.
const LATE_MS: [u64; 4] = [800, 3_000, 6_000, 12_000];

/// Seconds of a `Retry-After`.
const RETRY_AFTER_S: [u64; 4] = [1, 2, 5, 15];

const SERVER_ERRORS: [u16; 4] = [500, 502, 503, 504];
const CLIENT_ERRORS: [u16; 4] = [400, 404, 410, 422];

/// How many strikes of a fault were planned, and how many struck something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) planned: usize,
    pub(super) struck: usize,
}

/// The counts of each fault that was planned.
pub(super) type Struck = BTreeMap<Fault, Count>;

/// What has to be done at the end of a strike.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Continue a stopped process. Its birth tells it from a later one with the same id.
    Continue { pid: u32, birth: String },
    /// Let Rebrandly accept the old keys.
    RestoreKeys,
    /// Delete messages of this type, and let its queues deliver again.
    Delete(Kind),
}

/// What tells whether a strike has struck something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Known(bool),
    /// The number of an outage.
    Outage(usize),
    /// The number of a fault of the sandbox.
    Sandbox(u64),
}

/// The strikes that have begun, by their places in the plan.
#[derive(Debug, Default)]
struct Storm {
    ends: BTreeMap<usize, End>,
    proofs: BTreeMap<usize, Proof>,
}

/// Lets all strikes of a plan begin and end, and waits until the time is over. Fails if AWS or the sandbox does.
pub(super) async fn storm(
    on: &Ground<'_>,
    strikes: &[Strike],
    length: Duration,
    release: &str,
) -> Result<Struck> {
    let began = Instant::now();
    let mut storm = Storm::default();
    for moment in moments(strikes) {
        sleep_until(began + moment.at).await;
        let Some(strike) = strikes.get(moment.strike) else { continue };
        let happened = if moment.is_end {
            storm.end(on, moment.strike).await
        } else {
            storm.begin(on, moment.strike, strike, release).await
        };
        happened.with_context(|| format!("{:?}", strike.fault))?;
    }
    sleep_until(began + length).await;
    storm.count(on, strikes).await
}

impl Storm {
    async fn begin(
        &mut self,
        on: &Ground<'_>,
        place: usize,
        strike: &Strike,
        release: &str,
    ) -> Result<()> {
        let pick = strike.pick;
        let proof = match strike.fault {
            // A process that has just ended by itself is not struck.
            Fault::Killed => {
                Proof::Known(on.process(pick).is_some_and(|pid| process::kill(pid).is_ok()))
            }
            Fault::Stopped => {
                let stopped = on.process(pick).and_then(stop);
                let is_stopped = stopped.is_some();
                self.ends.extend(stopped.map(|end| (place, end)));
                Proof::Known(is_stopped)
            }
            Fault::KeyRevoked => {
                on.revoke_keys(true).await?;
                self.ends.insert(place, End::RestoreKeys);
                Proof::Known(true)
            }
            Fault::Doubled => Proof::Known(on.send_again(pick, pick.is_multiple_of(2)).await?),
            Fault::Dropped => {
                let kind = *one_of(&Kind::ALL, pick);
                on.pause(kind, true).await?;
                self.ends.insert(place, End::Delete(kind));
                Proof::Known(false)
            }
            Fault::Deployed => {
                on.stack.release(on.workspace, release).await?;
                Proof::Known(true)
            }
            fault => match outage(fault) {
                Some((service, way)) => Proof::Outage(on.gate.cut(service, way, strike.lasts)),
                None => Proof::Sandbox(on.add_fault(&fault_of(strike)).await?),
            },
        };
        self.proofs.insert(place, proof);
        Ok(())
    }

    async fn end(&mut self, on: &Ground<'_>, place: usize) -> Result<()> {
        match self.ends.remove(&place) {
            Some(End::Continue { pid, birth }) => continue_process(pid, &birth),
            Some(End::RestoreKeys) => on.revoke_keys(false).await?,
            Some(End::Delete(kind)) => {
                let any = on.delete_recorded(kind).await?;
                self.proofs.insert(place, Proof::Known(any));
                on.pause(kind, false).await?;
            }
            None => {}
        }
        Ok(())
    }

    /// Counts the strikes, and those that have struck something.
    async fn count(&self, on: &Ground<'_>, strikes: &[Strike]) -> Result<Struck> {
        let faults = on.sandbox().faults().await.context("the sandbox's faults")?;
        let mut counts = Struck::new();
        for (place, strike) in strikes.iter().enumerate() {
            let has_struck = match self.proofs.get(&place) {
                Some(Proof::Known(struck)) => *struck,
                Some(Proof::Outage(number)) => on.gate.has_struck(*number),
                Some(Proof::Sandbox(id)) => {
                    faults.iter().any(|fault| fault.id == *id && fault.struck > 0)
                }
                None => false,
            };
            let count = counts.entry(strike.fault).or_default();
            count.planned += 1;
            count.struck += usize::from(has_struck);
        }
        Ok(counts)
    }
}

/// Lets a stopped process go on, if it is the same one.
fn continue_process(pid: u32, birth: &str) {
    if process::birth(pid).is_some_and(|found| found == birth) {
        // It may end at this moment.
        let _ = process::cont(pid);
    }
}

/// Stops a process, and returns what continues it; nothing if it has just ended.
fn stop(pid: u32) -> Option<End> {
    let birth = process::birth(pid)?;
    process::stop(pid).ok()?;
    Some(End::Continue { pid, birth })
}

/// Which outage a fault is, if it is one.
const fn outage(fault: Fault) -> Option<(Service, Way)> {
    match fault {
        Fault::TablesRefuse => Some((Service::Tables, Way::Refuse)),
        Fault::TablesHang => Some((Service::Tables, Way::Hang)),
        Fault::TablesLoseAnswers => Some((Service::Tables, Way::LoseAnswer)),
        Fault::QueuesRefuse => Some((Service::Queues, Way::Refuse)),
        Fault::QueuesHang => Some((Service::Queues, Way::Hang)),
        Fault::QueuesLoseAnswers => Some((Service::Queues, Way::LoseAnswer)),
        _ => None,
    }
}

/// The fault of the sandbox that a strike is. It ends by itself.
fn fault_of(strike: &Strike) -> sandbox::Fault {
    let Strike { fault, lasts, pick, .. } = *strike;
    let kind = match fault {
        Fault::Hang => FaultKind::Hang,
        Fault::Hold => FaultKind::Hold,
        Fault::Html => FaultKind::Html,
        Fault::Challenge => FaultKind::Challenge,
        Fault::Collapse => FaultKind::Collapse,
        Fault::Latency => FaultKind::Latency(*one_of(&LATE_MS, pick)),
        Fault::Throttled => {
            let retry_after = Some(*one_of(&RETRY_AFTER_S, pick));
            FaultKind::Status(CannedAnswer { status: 429, retry_after, ..CannedAnswer::default() })
        }
        Fault::ServerError => FaultKind::status(*one_of(&SERVER_ERRORS, pick)),
        Fault::ClientError => FaultKind::status(*one_of(&CLIENT_ERRORS, pick)),
        _ => FaultKind::Reset,
    };
    // Half of the resets come after the work, so that only the answer is lost.
    let after_work = kind == FaultKind::Reset && pick.is_multiple_of(2);
    let hangs = matches!(kind, FaultKind::Hang | FaultKind::Hold);
    let for_ms = u64::try_from(lasts.as_millis()).unwrap_or_default().max(1);
    let scope = Scope {
        calls: hangs.then_some(MOST_HANGING),
        share: Some(SHARE),
        seed: Some(pick),
        for_ms: Some(for_ms),
    };
    sandbox::Fault { kind, on: Target::default(), scope, after_work }
}

/// One of four, or of three.
fn one_of<T, const N: usize>(from: &[T; N], pick: u64) -> &T {
    // Above the bits that decide other things.
    let place = usize::try_from((pick >> 8) % N as u64).unwrap_or_default();
    &from[place]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_third_parties() -> impl Iterator<Item = Strike> {
        let faults = Fault::DRAWN.into_iter().skip_while(|fault| *fault != Fault::Reset);
        let faults = faults.take_while(|fault| *fault != Fault::KeyRevoked);
        faults.flat_map(|fault| {
            let (at, lasts) = (Duration::ZERO, Duration::from_secs(9));
            (0..4).map(move |nth| Strike { fault, at, lasts, pick: nth << 8 })
        })
    }

    #[test]
    fn every_fault_of_a_third_party_is_another_one() {
        let mut kinds = Vec::new();
        for strike in of_third_parties() {
            let fault = fault_of(&strike);
            assert_eq!(fault.scope.for_ms, Some(9_000), "{strike:?}");
            if !kinds.contains(&fault.kind) {
                kinds.push(fault.kind);
            }
        }
        // Six kinds without a choice, and four kinds of four.
        assert_eq!(kinds.len(), 6 + 4 * 4, "{kinds:?}");
    }

    #[test]
    fn only_tables_and_queues_have_outages() {
        let outages = Fault::DRAWN.into_iter().filter(|fault| outage(*fault).is_some());
        assert_eq!(outages.count(), 6);
        assert!(of_third_parties().all(|strike| outage(strike.fault).is_none()));
    }
}
