//! The life of a simulated process: it dies, or it is frozen for a while.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::ready,
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, Sleep},
};

use super::Faults;

/// How long a process that was frozen past the time-out of its invocation may work once it thaws: Lambda cannot end
/// it before.
const AFTER_THAW: Duration = Duration::from_secs(2);

/// A simulated process.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Processes are numbered in the order in which they start.
    pub(super) number: u64,
    dead: AtomicBool,
    death: Notify,
    frost: Mutex<Frost>,
}

#[derive(Debug, Default)]
struct Frost {
    /// For how long the process is about to be frozen.
    asked: Option<Duration>,
    /// When it thaws, or did.
    thaws_at: Option<Instant>,
}

impl Process {
    pub(super) fn numbered(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Relaxed)
    }

    pub(super) fn freeze(&self, span: Duration) {
        self.frost().asked = Some(span);
    }

    fn frost(&self) -> MutexGuard<'_, Frost> {
        self.frost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to freeze, if that was asked for, and returns for how long.
    fn begin_frost(&self) -> Option<Duration> {
        let mut frost = self.frost();
        let span = frost.asked.take()?;
        frost.thaws_at = Some(Instant::now() + span);
        Some(span)
    }
}

impl Faults {
    /// The process's number: they are numbered in the order in which they start.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.process.number
    }

    /// Ends the process, whatever it is doing.
    pub fn kill(&self) {
        self.process.dead.store(true, Relaxed);
        self.process.death.notify_one();
    }

    /// Returns when the process dies. Port calls of a dead process never return: drop its future.
    pub async fn death(&self) {
        self.process.death.notified().await;
    }

    /// Whether the process was ever frozen.
    #[must_use]
    pub fn was_frozen(&self) -> bool {
        self.process.frost().thaws_at.is_some()
    }

    /// Runs the code of the process. While the process is frozen, nothing of it runs.
    pub async fn hold<F: Future>(&self, work: F) -> F::Output {
        let mut work = pin!(work);
        let mut frost: Option<Pin<Box<Sleep>>> = None;
        poll_fn(|context| {
            loop {
                if let Some(sleep) = &mut frost {
                    ready!(sleep.as_mut().poll(context));
                    frost = None;
                }
                let polled = work.as_mut().poll(context);
                match self.process.begin_frost() {
                    Some(span) if polled.is_pending() => {
                        frost = Some(Box::pin(tokio::time::sleep(span)));
                    }
                    _ => return polled,
                }
            }
        })
        .await
    }

    /// Returns when an invocation with this time-out is over. One whose process is frozen then is over shortly after
    /// the process has thawed.
    pub async fn time_out(&self, timeout: Duration) {
        tokio::time::sleep(timeout).await;
        loop {
            let thaws_at = self.process.frost().thaws_at;
            let Some(end) = thaws_at.map(|at| at + AFTER_THAW).filter(|end| *end > Instant::now())
            else {
                return;
            };
            tokio::time::sleep_until(end).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_frozen_process_runs_nothing_until_it_thaws() {
        let (faults, began) = (Faults::default().process(), Instant::now());
        let work = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            faults.process.freeze(Duration::from_secs(60));
            tokio::time::sleep(Duration::from_secs(1)).await;
            began.elapsed()
        };
        let timeout = Duration::from_secs(10);
        let ended = tokio::select! {
            biased;
            elapsed = faults.hold(work) => elapsed,
            () = faults.time_out(timeout) => Duration::ZERO,
        };
        assert_eq!(ended, Duration::from_secs(61));
        assert!(faults.was_frozen() && !Faults::default().process().was_frozen());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_not_frozen_has_its_time_out() {
        let (faults, began) = (Faults::default().process(), Instant::now());
        faults.time_out(Duration::from_secs(10)).await;
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }
}
