//! The dispositions of an event: what happens to each message, as far as it is known.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    base::mutants::{Mutant, is_on},
    policy::{LONGEST_WAIT, STORE_PAUSE},
    ports::PortError,
    telemetry,
};

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// SQS deletes the message: its work is done.
    Ack,
    /// The message is hidden for this long, and SQS then delivers it again.
    Retry(Duration),
    /// The whole event fails for this reason, because an operator must fix the store. The message
    /// is hidden for this long.
    FailBatch(String, Duration),
}

impl Disposition {
    /// The disposition of a message after the store failed for its job. `receives` is the message's
    /// receive count, from 1.
    pub(crate) fn after_error(error: &PortError, receives: u32) -> Self {
        telemetry::port_failed("store", error);
        match error {
            PortError::Unavailable(_) if is_on(Mutant::StoreErrorAcknowledged) => Self::Ack,
            PortError::Unavailable(_) => Self::store_gone(receives),
            // Only an update of the function or an operator can change that. Other jobs are not affected.
            PortError::Unreadable(_) | PortError::Invalid(_) => Self::Retry(LONGEST_WAIT),
            PortError::Broken(why) => Self::FailBatch(why.clone(), pause(receives)),
        }
    }

    /// SQS delivers the message again when the store may be available again.
    pub(crate) fn store_gone(receives: u32) -> Self {
        Self::Retry(pause(receives))
    }

    /// How long to hide the message; `None` if it is acknowledged.
    pub(crate) fn visibility_extension(&self) -> Option<Duration> {
        match self {
            Self::Ack => None,
            Self::Retry(span) | Self::FailBatch(_, span) => Some(*span),
        }
    }
}

/// The pause after a receive, twice as long as after the one before: an outage of hours must not
/// use up the receives that SQS grants a message.
pub(crate) fn pause(receives: u32) -> Duration {
    STORE_PAUSE.saturating_mul(1 << receives.saturating_sub(1).min(20)).min(LONGEST_WAIT)
}

/// The dispositions of an event's messages, updated as jobs progress. An event whose time runs out
/// thus still answers for the jobs that are settled.
#[derive(Debug)]
pub(crate) struct Dispositions(Mutex<Vec<Disposition>>);

impl Dispositions {
    /// Starts with the disposition that each message has if its job is never settled.
    pub(crate) fn new(dispositions: Vec<Disposition>) -> Self {
        Self(Mutex::new(dispositions))
    }

    /// Sets the disposition of several messages, given by their indices in the event.
    pub(crate) fn note(&self, places: &[usize], disposition: &Disposition) {
        let mut dispositions = self.lock();
        for &place in places {
            if let Some(noted) = dispositions.get_mut(place) {
                noted.clone_from(disposition);
            }
        }
    }

    /// The current dispositions, in the order of the messages.
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
    fn only_a_fault_of_the_whole_table_fails_the_event() {
        let why = || "as asked".to_owned();
        for error in
            [PortError::Unavailable(why()), PortError::Unreadable(why()), PortError::Invalid(why())]
        {
            let disposition = Disposition::after_error(&error, 1);
            assert!(matches!(disposition, Disposition::Retry(_)), "{error}");
        }
        let broken = Disposition::after_error(&PortError::Broken(why()), 1);
        assert!(matches!(broken, Disposition::FailBatch(..)));
    }

    #[test]
    fn the_receives_of_a_message_outlast_hours_without_the_store() {
        let waits: Vec<Duration> = (1..=MAX_RECEIVES).map(pause).collect();
        let seconds: Vec<u64> = waits.iter().map(Duration::as_secs).collect();
        assert_eq!(seconds[..10], [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert!(waits.iter().sum::<Duration>() > Duration::from_hours(4));
    }
}
