//! The taxonomy of failures: an error says what it is; policy and [`crate::record::retry`] say what to do.

use std::{borrow::Cow, fmt, time::Duration};

use crate::base::hash::sha256_hex;

/// Code of the deferral of a job whom an open breaker turned away.
pub const BREAKER_OPEN: &str = "breaker_open";

/// What kind of failure it was, which is all that the engine needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may well work next time: 5xx, a refused connection, a time-out, a reset.
    Transient,
    /// The other side asked for fewer calls: 429.
    Throttled,
    /// It will never work: invalid input, 404, gone.
    Permanent,
    /// Nothing will work until somebody mends it: a revoked key, a plan's limit.
    Systemic,
    /// The name is taken. Jobs resolve it themselves; one that lets it out is tried again.
    Conflict,
    /// The answer is well-formed and cannot be true: an empty feed, a page without its parts.
    Anomaly,
    /// A gate turned it away before the call: an open breaker, a limit, foreseen trouble.
    Deferred,
    /// Another run holds the job.
    Contended,
    /// There was not enough time left to start.
    Unstarted,
    /// The job panicked, or its process died and its lease ran out.
    Crash,
}

impl Class {
    /// Every class, in the order of docs/error-handling.md.
    pub const ALL: [Self; 10] = [
        Self::Transient,
        Self::Throttled,
        Self::Permanent,
        Self::Systemic,
        Self::Conflict,
        Self::Anomaly,
        Self::Deferred,
        Self::Contended,
        Self::Unstarted,
        Self::Crash,
    ];

    /// The name in records, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Permanent => "permanent",
            Self::Systemic => "systemic",
            Self::Conflict => "conflict",
            Self::Anomaly => "anomaly",
            Self::Deferred => "deferred",
            Self::Contended => "contended",
            Self::Unstarted => "unstarted",
            Self::Crash => "crash",
        }
    }

    /// Whether it only puts a run off: such a run has not been an attempt.
    #[must_use]
    pub const fn puts_off(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Systemic | Self::Deferred | Self::Contended | Self::Unstarted
        )
    }
}

/// An error of a client of some service that says what it is.
pub trait Classified {
    /// Its kind.
    fn class(&self) -> Class;

    /// What it is called in a reason for operators.
    fn why(&self) -> String;

    /// How long the other side asked to be left alone.
    fn retry_after(&self) -> Option<Duration>;
}

/// A failed run: its class, a stable code for grouping, and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    class: Class,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<Duration>,
}

/// Longest message that a failure keeps, in bytes: an error page must not fill a record.
pub const MESSAGE_BYTES: usize = 300;

impl Failure {
    /// A failure of `class` with a `code` for grouping, such as `http_503`.
    ///
    /// The message is cut to [`MESSAGE_BYTES`] and must hold no secret.
    #[must_use]
    pub fn new(
        class: Class,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        Self { class, code: code.into(), message, retry_after: None }
    }

    /// The same failure, not to be tried again before `after`.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// A short, stable code, for grouping.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What happened, for people.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long the other side asked to be left alone, counted from now.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether it is over once the dependency's breaker is closed.
    #[must_use]
    pub fn waits_for_breaker(&self) -> bool {
        match self.class {
            Class::Systemic => true,
            Class::Deferred => self.code == BREAKER_OPEN,
            _ => false,
        }
    }

    /// By what failures of the same kind are grouped, whichever job they are of: a hash over class,
    /// code, dependency, and the message without what differs from job to job.
    #[must_use]
    pub fn fingerprint(&self, dependency: &str) -> String {
        let message = normal_form(&self.message);
        let parts = [self.class.name(), "\n", &self.code, "\n", dependency, "\n", &message];
        let mut hash = sha256_hex(&parts);
        hash.truncate(FINGERPRINT_DIGITS);
        hash
    }
}

/// Hexadecimal digits of a fingerprint: enough for the kinds of failure that there are.
const FINGERPRINT_DIGITS: usize = 12;

/// A message whose words with a digit in them, addresses and quotations are blanked out: ids, VINs,
/// times, counts. What is left says what kind of thing went wrong.
fn normal_form(message: &str) -> String {
    let mut quoted = false;
    let words = message.split_whitespace().map(|word| {
        let marks = word.matches('"').count();
        let blank = quoted || marks > 0 || word.contains("://");
        quoted ^= marks % 2 == 1;
        let varies = blank || word.contains(|c: char| c.is_ascii_digit());
        if varies { "*" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.class.name(), self.code, self.message)
    }
}

impl std::error::Error for Failure {}

impl Classified for Failure {
    fn class(&self) -> Class {
        self.class
    }

    fn why(&self) -> String {
        self.to_string()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_class_has_a_name_of_its_own() {
        let names: HashSet<&str> = Class::ALL.into_iter().map(Class::name).collect();
        assert_eq!(names.len(), Class::ALL.len());
    }

    #[test]
    fn failures_of_one_kind_have_one_fingerprint() {
        let of = |class, code: &'static str, message: &str| {
            Failure::new(class, code, message).fingerprint("rebrandly")
        };
        let one = of(Class::Transient, "holder_invisible", "taken, and not seen: acme-004352");
        let same = of(Class::Transient, "holder_invisible", "taken, and not seen:  acme-3a77");
        assert_eq!(one, same);
        assert_eq!(one.len(), FINGERPRINT_DIGITS);
        let others = [
            of(Class::Permanent, "holder_invisible", "taken, and not seen: acme-004352"),
            of(Class::Transient, "holder_unreadable", "taken, and not seen: acme-004352"),
            of(Class::Transient, "holder_invisible", "taken, and seen: acme-004352"),
            Failure::new(Class::Transient, "holder_invisible", "taken, and not seen: acme-004352")
                .fingerprint("page/acme.example"),
        ];
        assert!(others.iter().all(|other| *other != one), "{others:?}");
        let said = normal_form("GET https://a.example/x said \"no such car\" after 3 tries");
        assert_eq!(said, "GET * said * * * after * tries");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let failure = Failure::new(Class::Transient, "http_500", "é".repeat(200));
        assert_eq!(failure.message().len(), MESSAGE_BYTES);
        assert!(failure.message().chars().all(|c| c == 'é'));
    }
}
