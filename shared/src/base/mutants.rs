//! Faults that are put into this code on purpose, one at a time, to see whether the simulation finds them
//! (docs/simulation.md, "Mutants").
//!
//! A place that can be at fault asks [`is_on`]. Without the feature `mutants`, that is a constant, and nothing of it is
//! compiled. With it, one binary has all of them, and a test turns one on for its thread.

/// A fault that can be put into the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A job is claimed before the lease of its run is over.
    LeaseIgnored,
    /// The message of a running job is acknowledged although nothing wakes the job after its lease.
    UnindexedLeaseAcknowledged,
    /// A message that its job relies on is acknowledged.
    ComeBackAcknowledged,
    /// A message with a known id and another payload counts as a repetition.
    OtherPayloadIgnored,
    /// A message of the engine reopens a job that has ended.
    WakeUpReopens,
    /// A message asks anew when it is received after the end, not when it was sent after it.
    ReopensByReceiveTime,
    /// A message reopens a success however young that is.
    DedupWindowIgnored,
    /// A claim keeps the fence of the run before.
    ClaimRaisesNoFence,
    /// A claim is not counted.
    ClaimUncounted,
    /// The write of another batch counts as one's own.
    OwnerUnchecked,
    /// A success spends no attempt.
    AttemptUncounted,
    /// A deferral spends an attempt.
    DeferralSpendsAttempt,
    /// A run that never came back is not counted.
    CrashUncounted,
    /// A job is run again after any number of crashes.
    CrasherNeverStopped,
    /// A job that dies has no reason in its record.
    BuriedWithoutReason,
    /// A job that has more to do begins anew.
    CursorLost,
    /// A job that begins anew keeps its counters.
    ReopenedKeepsCounters,
    /// The sweeper wakes a job without raising its fence.
    WakeUpRaisesNoFence,
    /// The end of a run is written whatever the fence of the record is.
    SettledWithoutFence,
    /// A message is acknowledged although the end of its run may not be written.
    AcknowledgedBeforeRecord,
    /// A message is acknowledged although the table could not be asked about its job.
    StoreErrorAcknowledged,
    /// A rejected message is acknowledged and not kept.
    RejectedWithoutRecord,
    /// The work of a batch may take longer than its invocation.
    AnswersLate,
    /// The lease of a probe outlives its process.
    ProbeNeverExpires,
    /// A breaker lets any number of probes through.
    ProbesUnlimited,
    /// No number of successful probes closes a breaker.
    BreakerNeverCloses,
    /// Each container takes the same slots of a limiter.
    SlotsShared,
    /// The sweeper counts a crash of a job whose lease is not over.
    SweeperIgnoresLease,
    /// A message that is lost counts as one that waits.
    LossIsBacklog,
    /// No parked job is released.
    ParkedForEver,
}

impl Mutant {
    /// Each of them.
    pub const ALL: [Self; 30] = [
        Self::LeaseIgnored,
        Self::UnindexedLeaseAcknowledged,
        Self::ComeBackAcknowledged,
        Self::OtherPayloadIgnored,
        Self::WakeUpReopens,
        Self::ReopensByReceiveTime,
        Self::DedupWindowIgnored,
        Self::ClaimRaisesNoFence,
        Self::ClaimUncounted,
        Self::OwnerUnchecked,
        Self::AttemptUncounted,
        Self::DeferralSpendsAttempt,
        Self::CrashUncounted,
        Self::CrasherNeverStopped,
        Self::BuriedWithoutReason,
        Self::CursorLost,
        Self::ReopenedKeepsCounters,
        Self::WakeUpRaisesNoFence,
        Self::SettledWithoutFence,
        Self::AcknowledgedBeforeRecord,
        Self::StoreErrorAcknowledged,
        Self::RejectedWithoutRecord,
        Self::AnswersLate,
        Self::ProbeNeverExpires,
        Self::ProbesUnlimited,
        Self::BreakerNeverCloses,
        Self::SlotsShared,
        Self::SweeperIgnoresLease,
        Self::LossIsBacklog,
        Self::ParkedForEver,
    ];
}

/// Whether this fault is on.
#[cfg(not(feature = "mutants"))]
#[inline]
#[must_use]
pub const fn is_on(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
mod switch {
    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static ON: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Whether this fault is on, on this thread.
    #[must_use]
    pub fn is_on(mutant: Mutant) -> bool {
        ON.get() == Some(mutant)
    }

    /// Turns one fault on for this thread, or all off.
    pub fn turn_on(mutant: Option<Mutant>) {
        ON.set(mutant);
    }
}

#[cfg(feature = "mutants")]
pub use switch::{is_on, turn_on};
