//! The taxonomy of failures. An error states its class; the policy and [`crate::record::retry`]
//! decide what follows.

use std::{borrow::Cow, fmt, time::Duration};

use crate::base::hash::sha256_hex;

/// Code of a deferral by an open breaker.
pub const BREAKER_OPEN: &str = "breaker_open";

/// Code of a deferral because the next slot is too far ahead.
pub const RATE_LIMIT: &str = "rate_limit";

/// Code of a deferral by load shedding.
pub const LOAD_SHED: &str = "load_shed";

/// Code of a deferral because the quota of the month is used up, or the month is about to turn.
pub const QUOTA_SPENT: &str = "quota_spent";

/// Code of a run that exceeded its time limit.
pub const JOB_TIMEOUT: &str = "job_timeout";

/// Code of a failure of a dependency that has answered nobody since the job failed before.
pub const DEPENDENCY_DOWN: &str = "dependency_down";

/// The class of a failure: all that the engine needs to know about it.
///
/// docs/error-handling.md lists the codes of each class and what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A retry may succeed: 5xx, a refused or reset connection, a time-out.
    Transient,
    /// The dependency asked for fewer calls: 429.
    Throttled,
    /// No retry can succeed: invalid input, 404, 410.
    Permanent,
    /// No call can succeed until an operator fixes the cause: a revoked key, a plan's limit.
    Systemic,
    /// The name is taken. Jobs resolve a conflict within their run; one that a job returns is
    /// retried.
    Conflict,
    /// The answer is well-formed but implausible: an empty feed, a page without its expected parts.
    Anomaly,
    /// A gate refused the call before it was made: an open breaker, a rate limit, load shedding.
    Deferred,
    /// Another run holds the job.
    Contended,
    /// The run could not start: too little time was left, or something that it needs was
    /// unavailable.
    Unstarted,
    /// The job panicked, or its process died and its lease expired.
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

    /// Whether such a failure shows that the job has run, and that its process lives.
    #[must_use]
    pub const fn ran(self) -> bool {
        !matches!(self, Self::Deferred | Self::Contended | Self::Unstarted | Self::Crash)
    }

    /// Whether such a failure only defers the job. A deferral does not count as an attempt.
    #[must_use]
    pub const fn is_deferral(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Systemic | Self::Deferred | Self::Contended | Self::Unstarted
        )
    }
}

/// An error of a service's client that states its class.
pub trait Classified {
    /// The class of the failure.
    fn class(&self) -> Class;

    /// A short, stable code for grouping, such as `http_503`.
    fn code(&self) -> Cow<'_, str>;

    /// The error as one line for operators.
    fn why(&self) -> String;

    /// The delay that the service asked for, counted from now.
    fn retry_after(&self) -> Option<Duration>;

    /// Whether the service itself has answered, with a refusal of this one request: a well-formed 4xx. It
    /// proves that the service works.
    fn is_answer(&self) -> bool {
        false
    }

    /// Whether the call has made nothing for certain, so that it does not count against a quota. After a lost
    /// answer, nobody knows.
    fn made_nothing(&self) -> bool {
        false
    }
}

/// A failed run: its class, a stable code for grouping, and a sentence for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    class: Class,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<Duration>,
    /// Whether the breaker of the dependency is not closed.
    breaker_open: bool,
    /// The name under which the job is parked, if it is not its dependency's.
    parks_under: Option<String>,
}

/// Longest message that a failure keeps, in bytes, so that an error page does not fill the record.
pub const MESSAGE_BYTES: usize = 300;

/// Longest code that a failure keeps, in bytes.
const CODE_BYTES: usize = 100;

impl Failure {
    /// A failure of `class` with a `code` for grouping, such as `http_503`.
    ///
    /// The message is truncated to [`MESSAGE_BYTES`] and must not contain a secret. A code of over a hundred bytes is
    /// truncated, too.
    #[must_use]
    pub fn new(
        class: Class,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let mut message = message.into();
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES));
        let mut code = code.into();
        if code.len() > CODE_BYTES {
            let end = code.floor_char_boundary(CODE_BYTES);
            code.to_mut().truncate(end);
        }
        let (retry_after, breaker_open, parks_under) = (None, false, None);
        Self { class, code, message, retry_after, breaker_open, parks_under }
    }

    /// The same failure with the delay that the dependency asked for, counted from now.
    #[must_use]
    pub fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.retry_after = after;
        self
    }

    /// The same failure with another message, which is not longer.
    #[must_use]
    pub(crate) fn told(mut self, tell: impl FnOnce(&str) -> String) -> Self {
        self.message = tell(&self.message);
        self
    }

    /// The same failure, of a dependency whose breaker is not closed if `open`.
    #[must_use]
    pub(crate) const fn with_breaker(mut self, open: bool) -> Self {
        self.breaker_open = open;
        self
    }

    /// The same failure of a job that waits for its quota, parked under this name and not that of its dependency.
    #[must_use]
    pub(crate) fn parked_under(mut self, name: String) -> Self {
        self.parks_under = Some(name);
        self
    }

    /// The name under which the job is parked, if it waits for its quota.
    pub(crate) fn parks_under(&self) -> Option<&str> {
        self.parks_under.as_deref()
    }

    /// Whether the job waits only for the quota of its dependency: what makes nothing may go on.
    #[must_use]
    pub fn is_quota_spent(&self) -> bool {
        self.code == QUOTA_SPENT
    }

    /// The class, which decides what follows.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// A short, stable code for grouping, such as `http_503`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What happened, as a sentence for operators.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The delay that the dependency asked for, counted from now.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the job may run as soon as the dependency's breaker closes.
    #[must_use]
    pub fn waits_for_breaker(&self) -> bool {
        match self.class {
            Class::Systemic => true,
            Class::Deferred => self.code == BREAKER_OPEN,
            Class::Transient => self.code == DEPENDENCY_DOWN && self.breaker_open,
            _ => false,
        }
    }

    /// A hash that groups failures of the same kind across jobs, in 12 hexadecimal digits. It
    /// covers the class, the code, the dependency without its host, and the message without the
    /// words that vary between jobs.
    #[must_use]
    pub fn fingerprint(&self, dependency: &str) -> String {
        let message = normal_form(&self.message);
        // The part after the slash is a host or a dealer, of which there are thousands.
        let kind = dependency.split('/').next().unwrap_or_default();
        let parts = [self.class.name(), "\n", &self.code, "\n", kind, "\n", &message];
        let mut hash = sha256_hex(&parts);
        hash.truncate(FINGERPRINT_DIGITS);
        hash
    }

    /// What all failures with this fingerprint have in common, for people: class, code, and the message without
    /// the words that vary, which are also those that may name a person or a place. At most [`SAMPLE_BYTES`] bytes.
    #[must_use]
    pub fn sample(&self) -> String {
        let message = normal_form(&self.message);
        let mut text = format!("{} {}: {message}", self.class.name(), self.code);
        text.truncate(text.floor_char_boundary(SAMPLE_BYTES));
        text
    }
}

/// Longest sample of an error pattern, in bytes.
pub const SAMPLE_BYTES: usize = 200;

/// Hexadecimal digits of a fingerprint. 48 bits suffice for the few kinds of failure that occur.
const FINGERPRINT_DIGITS: usize = 12;

/// Replaces every word that varies between jobs by `*`: words with a digit (IDs, VINs, times,
/// counts), URLs, hosts, mail addresses and quotations. The remaining words describe the kind of failure.
fn normal_form(message: &str) -> String {
    let mut quoted = false;
    let words = message.split_whitespace().map(|word| {
        let marks = word.matches('"').count();
        let blank = quoted || marks > 0 || word.contains("://");
        quoted ^= marks % 2 == 1;
        let varies = blank || names_a_host(word) || word.contains(|c: char| c.is_ascii_digit());
        if varies { "*" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a word is a host, a mail address or a path below one: it has a dot between two letters, or an `@`.
fn names_a_host(word: &str) -> bool {
    let letters =
        |pair: [char; 3]| pair[0].is_alphanumeric() && pair[1] == '.' && pair[2].is_alphanumeric();
    let characters: Vec<char> = word.chars().collect();
    word.contains('@') || characters.windows(3).any(|w| letters([w[0], w[1], w[2]]))
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

    fn code(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.code)
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
    fn class_names_are_unique() {
        let names: HashSet<&str> = Class::ALL.into_iter().map(Class::name).collect();
        assert_eq!(names.len(), Class::ALL.len());
    }

    #[test]
    fn failures_of_the_same_kind_share_a_fingerprint() {
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
        let said = normal_form("www.acme.example: no answer. Ask owner@acme.example, or else.");
        assert_eq!(said, "* no answer. Ask * or else.");
    }

    #[test]
    fn hosts_of_a_kind_share_a_fingerprint_and_a_sample_names_none() {
        let failure =
            |host: &str| Failure::new(Class::Transient, "http_503", format!("{host} answered 503"));
        let [one, other] = ["www.acme.example", "www.bolt.example"].map(failure);
        assert_eq!(
            one.fingerprint("page/www.acme.example"),
            other.fingerprint("page/www.bolt.example")
        );
        assert_eq!(one.sample(), "transient http_503: * answered *");
        let long = Failure::new(Class::Permanent, "x", "é ".repeat(150)).sample();
        assert!(long.len() <= SAMPLE_BYTES, "{}", long.len());
    }

    #[test]
    fn a_long_message_is_truncated_between_characters() {
        let failure = Failure::new(Class::Transient, "http_500", "é".repeat(200));
        assert_eq!(failure.message().len(), MESSAGE_BYTES);
        assert!(failure.message().chars().all(|c| c == 'é'));
    }
}
