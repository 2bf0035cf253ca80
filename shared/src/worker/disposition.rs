//! What happens to each message of an event, as far as it is known.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    policy::{LONGEST_WAIT, STORE_PAUSE},
    ports::PortError,
    telemetry,
};

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// It has done its work: SQS deletes it.
    Ack,
    /// It is hidden for that long and then comes again.
    Retry(Duration),
    /// Nothing will work until somebody mends the store; it is hidden for that long meanwhile.
    FailBatch(String, Duration),
}

impl Disposition {
    /// What happens to a message, on its n-th receive, whose job the store could not be asked
    /// about.
    pub(crate) fn after_error(error: &PortError, receives: u32) -> Self {
        telemetry::port_failed("store", error);
        match error {
            PortError::Unavailable(_) | PortError::Unreadable(_) => Self::store_gone(receives),
            PortError::Broken(why) => Self::FailBatch(why.clone(), pause(receives)),
        }
    }

    /// The message comes back when the store may be there again.
    pub(crate) fn store_gone(receives: u32) -> Self {
        Self::Retry(pause(receives))
    }

    /// For how long the message is hidden, if it comes back.
    pub(crate) fn visibility_extension(&self) -> Option<Duration> {
        match self {
            Self::Ack => None,
            Self::Retry(span) | Self::FailBatch(_, span) => Some(*span),
        }
    }
}

/// Each receive waits twice as long as the one before: an outage of hours must not use up the
/// receives that SQS grants a message.
pub(crate) fn pause(receives: u32) -> Duration {
    STORE_PAUSE.saturating_mul(1 << receives.saturating_sub(1).min(20)).min(LONGEST_WAIT)
}

/// The dispositions of an event's messages, noted as they become known, so that a run that is out of time
/// still answers for what it has done.
#[derive(Debug)]
pub(crate) struct Dispositions(Mutex<Vec<Disposition>>);

impl Dispositions {
    /// Every message begins with the disposition that it has if nothing comes of it.
    pub(crate) fn new(dispositions: Vec<Disposition>) -> Self {
        Self(Mutex::new(dispositions))
    }

    /// Notes the disposition of several messages, by their places in the event.
    pub(crate) fn note(&self, places: &[usize], disposition: &Disposition) {
        let mut dispositions = self.lock();
        for &place in places {
            if let Some(noted) = dispositions.get_mut(place) {
                noted.clone_from(disposition);
            }
        }
    }

    /// The dispositions as they stand, in the order of the messages.
    pub(crate) fn dispositions(&self) -> Vec<Disposition> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Disposition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::MAX_RECEIVES;

    #[test]
    fn the_receives_of_a_message_outlast_hours_without_the_store() {
        let waits: Vec<Duration> = (1..=MAX_RECEIVES).map(pause).collect();
        let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds[..10], [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert!(waits.iter().sum::<Duration>() > Duration::from_hours(4));
    }
}
