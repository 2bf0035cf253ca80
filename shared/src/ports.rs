//! What the engine needs from outside. Each port has an implementation on AWS (`aws/`), one in
//! memory (`testing/`), and one conformance suite that holds both.

use std::{fmt, future::Future, time::Duration};

use crate::{
    breaker::Breaker,
    error::{Class, Failure},
    limiter::Limiter,
    message::{Rejection, sha256_hex},
    policy::QUARANTINE_RETENTION,
    pulse::{Beat, BucketKey},
    record::{Guard, Lease, Record},
    time::Time,
};

/// Why a port could not do what was asked. Whether it was done all the same is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortError {
    /// It may work later: unreachable, throttled, an internal error.
    Unavailable(String),
    /// It will not work until somebody mends it: access denied, no such table.
    Broken(String),
    /// One record is not what this code writes: nobody's to overwrite, and nobody else's trouble.
    Unreadable(String),
}

/// How long a job waits for a table or a queue that only people can mend.
const BROKEN_PAUSE: Duration = Duration::from_mins(20);

impl PortError {
    /// The failure of a job whose own table or queue does not take it just now: no fault of its
    /// dependency's, and no attempt spent.
    #[must_use]
    pub fn unstarted(&self) -> Failure {
        let failure = Failure::new(Class::Unstarted, "store_unavailable", self.to_string());
        failure.with_retry_after(matches!(self, Self::Broken(_)).then_some(BROKEN_PAUSE))
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "unavailable: {why}"),
            Self::Broken(why) => write!(f, "broken: {why}"),
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
        }
    }
}

impl std::error::Error for PortError {}

/// What became of one conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the table.
    Yes,
    /// Its condition did not hold; the record in its way, where the answer told.
    No(Option<Box<Record>>),
    /// It was throttled or failed; whether it is in the table is not known.
    Unknown(String),
}

/// A body that was no message, kept for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// `q#` and the SHA-256 of queue and body: never a job's key.
    pub key: String,
    /// The job type of the queue that it came on.
    pub kind: String,
    /// ARN of that queue.
    pub queue: String,
    /// The message that brought it.
    pub message_id: String,
    /// The first 32 KiB of the body.
    pub head: String,
    /// Bytes of the whole body.
    pub length: usize,
    /// Why.
    pub rejection: Rejection,
    /// When it was quarantined.
    pub at: Time,
    /// When it may be removed.
    pub expires_at: Time,
}

/// Bytes of a quarantined body that are kept.
pub const QUARANTINE_HEAD_BYTES: usize = 32 * 1024;

impl Quarantined {
    /// A body that came on the queue with this ARN and is no message of the job type `kind`.
    #[must_use]
    pub fn new(
        kind: &str,
        queue: &str,
        message_id: &str,
        body: &str,
        rejection: &Rejection,
        at: Time,
    ) -> Self {
        Self {
            key: format!("q#{}", sha256_hex(&[queue, "\n", body])),
            kind: kind.to_owned(),
            queue: queue.to_owned(),
            message_id: message_id.to_owned(),
            head: body[..body.floor_char_boundary(QUARANTINE_HEAD_BYTES)].to_owned(),
            length: body.len(),
            rejection: rejection.clone(),
            at,
            expires_at: at + QUARANTINE_RETENTION,
        }
    }

    /// A body kept before this moment is old enough for this one to take its place.
    #[must_use]
    pub fn renewed_after(&self) -> Time {
        self.at.before(Duration::from_hours(24))
    }
}

/// The job table, and the leases beside it.
pub trait Store: Send + Sync {
    /// Inserts records whose keys must be new, and the lease, in one call; each entry succeeds or
    /// fails alone. The answers are in the order of `records`, the lease's last.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, no key twice.
    fn insert(
        &self,
        records: &[Record],
        lease: &Lease,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Inserts records of jobs whose messages are not sent yet, in one call; each whose key exists is
    /// refused alone. The answers are in the order of `records`.
    ///
    /// At most 25 records, no key twice.
    fn enqueue(
        &self,
        records: &[Record],
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// The record with this key, as of every write before the call. Expired ones count.
    fn read(&self, key: &str) -> impl Future<Output = Result<Option<Record>, PortError>> + Send;

    /// Writes the whole record if the one in the table still has this guard, or if there is none
    /// and `guard` is `None`.
    fn replace(
        &self,
        record: &Record,
        guard: Option<&Guard>,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Writes the ends of runs in one call: phase, ledger and history, each only while the table
    /// has the run's fence and `running`. The answers are in the order of `records`.
    ///
    /// `closing` is removed in the same call, whatever becomes of the records: a caller to whom one
    /// is not confirmed writes it again. That a lease is not removed is harmless and not reported.
    ///
    /// At most [`crate::policy::BATCH_SIZE`] records, no key twice.
    fn settle(
        &self,
        records: &[Record],
        closing: Option<&Lease>,
    ) -> impl Future<Output = Result<Vec<Written>, PortError>> + Send;

    /// Gives a running record a look at its lease's end, if it still has its guard.
    fn arm(&self, record: &Record) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Keeps a body for operators. Done again, the first stays for a day; then the repetition takes its
    /// place, so that what still comes in does not expire.
    fn quarantine(&self, body: &Quarantined) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Writes a lease; harmless when repeated.
    fn lease(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;

    /// Removes a lease; harmless when repeated.
    fn release(&self, lease: &Lease) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A shared value as it was read, with the revision that a write of it must still find. What was
/// never written has revision 0 and its default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen<T> {
    /// The value.
    pub value: T,
    /// Raised by every write.
    pub revision: u64,
}

/// What became of one write on the condition that nobody had written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swapped<T> {
    /// It is in the table, with the next revision.
    Yes,
    /// Somebody was faster; what is there now. It may be this very write, whose answer was lost.
    No(Seen<T>),
}

/// Where a note stands in the control table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What kind of note it is; notes of a kind stand together, sorted by name.
    pub kind: &'static str,
    /// Its name among them.
    pub name: String,
}

impl Place {
    /// The place of this name.
    #[must_use]
    pub fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }
}

/// What the fleet knows together: breakers, limiters, pulses, notes. Each item has a TTL, for garbage only:
/// the values hold their own times, and nothing depends on when an item is removed.
pub trait Control: Send + Sync {
    /// The breaker of a dependency, as of every write before the call.
    fn breaker(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Breaker>, PortError>> + Send;

    /// Writes a breaker if its revision is still `revision`.
    fn swap_breaker(
        &self,
        dependency: &str,
        next: &Breaker,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Breaker>, PortError>> + Send;

    /// The limiter of an account, as of every write before the call.
    fn limiter(
        &self,
        dependency: &str,
    ) -> impl Future<Output = Result<Seen<Limiter>, PortError>> + Send;

    /// Writes a limiter if its revision is still `revision`.
    fn swap_limiter(
        &self,
        dependency: &str,
        next: &Limiter,
        revision: u64,
    ) -> impl Future<Output = Result<Swapped<Limiter>, PortError>> + Send;

    /// Adds to a bucket of a pulse, and answers with what it holds then. Repeated, it counts twice.
    fn add_beat(
        &self,
        key: &BucketKey,
        beat: &Beat,
        expires_at: Time,
    ) -> impl Future<Output = Result<Beat, PortError>> + Send;

    /// Keeps a note until `expires_at`, over what was noted there; harmless when repeated.
    fn put_note(
        &self,
        place: &Place,
        text: &str,
        expires_at: Time,
    ) -> impl Future<Output = Result<(), PortError>> + Send;

    /// The buckets of a pulse that began at `from` or later, in its first `shards` shards, as of
    /// every write before the call.
    fn beats(
        &self,
        pulse: &str,
        shards: u8,
        from: Time,
    ) -> impl Future<Output = Result<Vec<(BucketKey, Beat)>, PortError>> + Send;
}

/// One message to hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hide {
    /// The receipt handle of its latest receive.
    pub receipt: String,
    /// For how long from now, rounded up to a second. SQS refuses more than 12 h from the receive.
    pub span: Duration,
}

/// What a message of ours is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To wake a job, or to do one.
    #[default]
    Work,
    /// To look at a job's result: see [`crate::job::Job::verify`].
    Check,
    /// The same as a dead letter was for, which it was once before.
    Redrive,
}

impl Purpose {
    /// Its name in the message attribute [`crate::wake::PURPOSE`]; none for ordinary work.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Work => None,
            Self::Check => Some("check"),
            Self::Redrive => Some("redrive"),
        }
    }

    /// The purpose of this name; ordinary work if there is none.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("check") => Self::Check,
            Some("redrive") => Self::Redrive,
            _ => Self::Work,
        }
    }
}

/// The record that a message of ours is to wake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Woken {
    /// Its key.
    pub key: String,
    /// Its fence when the message was sent.
    pub fence: u64,
}

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Its body, see [`crate::wake`].
    pub body: String,
    /// Key and fence of the job's record, if the message stands for one.
    pub wakes: Option<Woken>,
    /// Whom fair queues count it to.
    pub group: Option<String>,
    /// When it becomes visible, from now, in whole seconds; at most 15 minutes.
    pub delay: Duration,
    /// What it is for.
    pub purpose: Purpose,
    /// When it was sent first, if it is a dead letter that is sent once more: it asks for nothing
    /// newer than it did then.
    pub sent_at: Option<Time>,
}

impl Wake {
    /// A message that is visible at once.
    #[must_use]
    pub const fn new(body: String, wakes: Option<Woken>, group: Option<String>) -> Self {
        let (delay, purpose) = (Duration::ZERO, Purpose::Work);
        Self { body, wakes, group, delay, purpose, sent_at: None }
    }
}

/// The queues that messages come from and go to.
pub trait Queue: Send + Sync {
    /// Sends messages to one queue, named by its ARN, in one call: at most ten. Answers whether each
    /// was taken. Repeated, they are sent twice.
    fn send(
        &self,
        queue: &str,
        messages: &[Wake],
    ) -> impl Future<Output = Result<Vec<bool>, PortError>> + Send;

    /// Hides messages of one queue, named by its ARN, in one call: at most
    /// [`crate::policy::BATCH_SIZE`]. Best effort for each; an error means that none is known to be
    /// hidden.
    fn hide(
        &self,
        queue: &str,
        messages: &[Hide],
    ) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Where a secret is kept.
pub trait SecretSource: Send + Sync {
    /// Reads the secret as it is now.
    fn fetch(&self) -> impl Future<Output = Result<String, PortError>> + Send;
}
