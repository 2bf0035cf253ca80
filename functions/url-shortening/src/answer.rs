//! Classifies Rebrandly's responses: maps each status, body and header to a failure class.
//!
//! Where Rebrandly's documentation is silent, as on the shape of a conflict, this accepts what
//! public clients report. The crate's README.md lists these assumptions ("What is relied on").

use std::{borrow::Cow, time::Duration};

use evenkeel::{
    base::{secret::Secret, time::Time},
    failure::{Class, Classified, Failure},
    http::retry_after,
};
use reqwest::{
    StatusCode,
    header::{CONTENT_TYPE, HeaderMap},
};
use serde::Deserialize;
use serde_json::{Value, error::Category};

/// Delay after a 429 that names none: one second, because the documented limit is per second.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);

/// Failure code of a job whose link was deleted by hand.
pub(crate) const LINK_DELETED: &str = "link_deleted";

/// Failure codes of a call for which no connection could be made.
const NOT_CONNECTED: [&str; 2] = ["connect", "dns"];

/// Failure code of an answer 404 to a call that names no link.
const NOT_FOUND: &str = "http_404";

/// Why a call to Rebrandly failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebrandlyError {
    /// Another link already has the slashtag, in this account or in another.
    SlashtagTaken,
    /// The link does not exist any more.
    Gone,
    /// The request is invalid; a retry cannot succeed. Holds the status and the service's message.
    Refused(String),
    /// The account or its configuration is refused, so no job can succeed: a bad key, a plan's
    /// limit.
    Account {
        /// Groups equal failures in logs and records, such as `http_401`.
        code: &'static str,
        /// The status and the service's message.
        message: String,
    },
    /// Too many calls (429). Holds the delay that the service asked for.
    Throttled(Duration),
    /// The service is unavailable or answered something unexpected; a retry may succeed.
    Trouble {
        /// Groups equal failures in logs and records, such as `http_503`.
        code: String,
        /// What happened, for people.
        message: String,
        /// The delay that the service asked for, if any.
        retry_after: Option<Duration>,
    },
    /// The call was not made, for example because a gate refused it.
    NotCalled(Failure),
}

impl From<Failure> for RebrandlyError {
    fn from(failure: Failure) -> Self {
        Self::NotCalled(failure)
    }
}

impl Classified for RebrandlyError {
    fn class(&self) -> Class {
        match self {
            Self::SlashtagTaken => Class::Conflict,
            Self::Refused(_) | Self::Gone => Class::Permanent,
            Self::Account { .. } => Class::Systemic,
            Self::Throttled(_) => Class::Throttled,
            Self::Trouble { .. } => Class::Transient,
            Self::NotCalled(failure) => failure.class(),
        }
    }

    fn code(&self) -> Cow<'_, str> {
        Failure::from(self.clone()).code().to_owned().into()
    }

    fn why(&self) -> String {
        Failure::from(self.clone()).to_string()
    }

    fn retry_after(&self) -> Option<Duration> {
        Failure::from(self.clone()).retry_after()
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Gone)
    }

    /// A refusal makes nothing, nor does a call that reached nobody. After any other trouble the link may exist.
    fn made_nothing(&self) -> bool {
        match self {
            Self::Trouble { code, .. } => NOT_CONNECTED.contains(&code.as_str()),
            _ => true,
        }
    }
}

impl RebrandlyError {
    /// The error of a call about one link: a missing address then says that the link is gone. Of any other call it
    /// says that our configuration is wrong.
    pub(crate) fn of_one_link(self) -> Self {
        match self {
            Self::Account { code: NOT_FOUND, .. } => Self::Gone,
            other => other,
        }
    }

    /// Redacts `key` in the message, because the service may quote the key that it refuses.
    pub(crate) fn without(mut self, key: &Secret) -> Self {
        if let Self::Refused(message)
        | Self::Account { message, .. }
        | Self::Trouble { message, .. } = &mut self
        {
            *message = message.replace(key.expose(), "[redacted]");
        }
        self
    }
}

impl From<RebrandlyError> for Failure {
    fn from(error: RebrandlyError) -> Self {
        let class = error.class();
        match error {
            RebrandlyError::SlashtagTaken => {
                Self::new(class, "slashtag_taken", "the slashtag is taken")
            }
            RebrandlyError::Gone => Self::new(class, LINK_DELETED, "the link was deleted"),
            RebrandlyError::Refused(why) => Self::new(class, "refused", why),
            RebrandlyError::Account { code, message } => Self::new(class, code, message),
            RebrandlyError::Throttled(after) => {
                Self::new(class, "http_429", "too many requests").with_retry_after(Some(after))
            }
            RebrandlyError::Trouble { code, message, retry_after } => {
                Self::new(class, code, message).with_retry_after(retry_after)
            }
            RebrandlyError::NotCalled(failure) => failure,
        }
    }
}

pub(crate) fn trouble(code: impl Into<String>, message: impl Into<String>) -> RebrandlyError {
    RebrandlyError::Trouble { code: code.into(), message: message.into(), retry_after: None }
}

/// Parses the body of a 200. A body that is not the expected JSON, such as a firewall's page, is a
/// transient failure with code `not_json`. Its message quotes nothing: the body may repeat the key.
pub(crate) fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RebrandlyError> {
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            Category::Data => "other JSON than expected",
            Category::Syntax | Category::Eof | Category::Io => "no JSON",
        };
        let (line, column) = (error.line(), error.column());
        trouble("not_json", format!("an answer that is no link: {what} at {line}:{column}"))
    })
}

/// An error response: an object with `code`, `property` and `message`, and further such objects in
/// `errors`. Fields that are missing or of another type are ignored: the shape is not documented.
struct Problem<'a>(&'a Value);

impl<'a> Problem<'a> {
    fn text(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).and_then(Value::as_str)
    }

    /// This problem and those nested in it, two levels deep.
    fn all(&self) -> Vec<Problem<'a>> {
        let nested = |value: &'a Value| match value.get("errors") {
            Some(Value::Array(errors)) => errors.iter().map(Problem).collect(),
            Some(error @ Value::Object(_)) => vec![Problem(error)],
            _ => Vec::new(),
        };
        let inner = nested(self.0);
        let innermost: Vec<_> = inner.iter().flat_map(|problem| nested(problem.0)).collect();
        [Problem(self.0)].into_iter().chain(inner).chain(innermost).collect()
    }

    /// Whether the code is exactly `AlreadyExists` and the property is `slashtag` or absent.
    ///
    /// An absent property is accepted because nothing else of a new link can exist already, and the
    /// job then looks up the link that holds the slashtag. Message texts are never searched.
    fn is_conflict(&self) -> bool {
        let about_the_slashtag = self.text("property").is_none_or(|name| name == "slashtag");
        self.text("code") == Some("AlreadyExists") && about_the_slashtag
    }

    /// Whether the code names a limit of the account's plan.
    fn is_plan_limit(&self) -> bool {
        self.text("code").is_some_and(|code| {
            let code = code.to_ascii_lowercase();
            ["limit", "quota", "payment"].iter().any(|word| code.contains(word))
        })
    }

    /// Whether the property is part of our configuration rather than of the job.
    fn is_configuration(&self) -> bool {
        self.text("property").is_some_and(|property| {
            let first = property.split('.').next().unwrap_or_default();
            matches!(first, "domain" | "workspace" | "apikey")
        })
    }

    /// Whether the property is part of the job's payload.
    fn is_about_the_job(&self) -> bool {
        self.text("property").is_some() && !self.is_configuration()
    }

    /// What it says besides `status`: some answers repeat one word as status, code and message.
    fn says(&self, status: StatusCode) -> String {
        let parts = ["code", "property", "message"].map(|field| self.text(field));
        let mut said: Vec<&str> = Vec::new();
        for part in parts.into_iter().flatten() {
            if status.canonical_reason() != Some(part) && !said.contains(&part) {
                said.push(part);
            }
        }
        said.join(" ")
    }
}

/// Classifies a response whose status is not 2xx. `now` turns an absolute Retry-After date into a
/// delay.
pub(crate) fn classify(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: Time,
) -> RebrandlyError {
    let retry_after = retry_after(headers, now);
    let code = format!("http_{}", status.as_u16());
    if status == StatusCode::TOO_MANY_REQUESTS {
        return RebrandlyError::Throttled(retry_after.unwrap_or(THROTTLE_PAUSE));
    }
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        let message = format!("the service answered {status}");
        return RebrandlyError::Trouble { code, message, retry_after };
    }
    if is_html(headers, body) {
        // A firewall's or a maintenance page says nothing about the request, and is temporary.
        let message = format!("a page instead of an answer, with {status}");
        return RebrandlyError::Trouble { code: "html".into(), message, retry_after };
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let problems = Problem(&body).all();
    let ours = problems.iter().any(Problem::is_configuration)
        && !problems.iter().any(Problem::is_about_the_job);
    let says = problems.iter().map(|problem| problem.says(status)).filter(|says| !says.is_empty());
    let says: Vec<String> = says.collect();
    let message =
        if says.is_empty() { status.to_string() } else { format!("{status}: {}", says.join("; ")) };
    match status {
        StatusCode::UNAUTHORIZED => RebrandlyError::Account { code: "http_401", message },
        StatusCode::PAYMENT_REQUIRED => RebrandlyError::Account { code: "http_402", message },
        _ if problems.iter().any(Problem::is_conflict) => RebrandlyError::SlashtagTaken,
        StatusCode::FORBIDDEN if problems.iter().any(Problem::is_plan_limit) => {
            RebrandlyError::Account { code: "plan_limit", message }
        }
        // No change of the payload could fix a missing collection or a domain that is not ours.
        StatusCode::NOT_FOUND => RebrandlyError::Account { code: NOT_FOUND, message },
        _ if ours => RebrandlyError::Account { code: "configuration", message },
        _ if problems.iter().any(Problem::is_about_the_job) => RebrandlyError::Refused(message),
        // These say that this request is too long.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::URI_TOO_LONG => {
            RebrandlyError::Refused(message)
        }
        // Any other refusal names no field of the job. To be on the safe side, it is about the account:
        // then every job would die of it.
        StatusCode::FORBIDDEN => RebrandlyError::Account { code: "http_403", message },
        status if status.is_client_error() => RebrandlyError::Account { code: "http_4xx", message },
        // A redirect, or another status that this API does not document.
        _ => RebrandlyError::Trouble { code, message, retry_after },
    }
}

fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
