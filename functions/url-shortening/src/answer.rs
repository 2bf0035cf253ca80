//! What Rebrandly's answers mean: every status, body and header read into the taxonomy.
//!
//! Where the documentation is silent, as on the shape of a conflict, this accepts what public
//! clients report (ARCHITECTURE.md, "Rebrandly").

use std::time::Duration;

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
use serde_json::Value;

/// Delay after a 429 that does not name one: the documented limit is by the second.
const THROTTLE_PAUSE: Duration = Duration::from_secs(1);
/// Why the service did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebrandlyError {
    /// The slashtag exists, whoever has it.
    SlashtagTaken,
    /// The service refuses the request for good.
    Refused(String),
    /// The account may not: a bad key, a plan's limit.
    Account {
        /// A code for grouping.
        code: &'static str,
        /// What the service said.
        message: String,
    },
    /// Too many calls; wait for as long as it said.
    Throttled(Duration),
    /// The service is in trouble, or not there.
    Trouble {
        /// A code for grouping.
        code: String,
        /// What was seen.
        message: String,
        /// How long it asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// A gate turned the call away: it was not made.
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
            Self::Refused(_) => Class::Permanent,
            Self::Account { .. } => Class::Systemic,
            Self::Throttled(_) => Class::Throttled,
            Self::Trouble { .. } => Class::Transient,
            Self::NotCalled(failure) => failure.class(),
        }
    }

    fn why(&self) -> String {
        Failure::from(self.clone()).to_string()
    }

    fn retry_after(&self) -> Option<Duration> {
        Failure::from(self.clone()).retry_after()
    }
}

impl RebrandlyError {
    /// The same, if the service quotes the key that it refuses.
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

/// A 200 that is no JSON of ours, such as a firewall's page, is no success.
pub(crate) fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RebrandlyError> {
    serde_json::from_slice(body)
        .map_err(|error| trouble("not_json", format!("an answer that is no link: {error}")))
}

/// An error answer: an object with `code`, `property` and `message`, and more of them in `errors`.
/// What is missing or of another kind is passed over, for its shape is not documented.
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

    /// The code `AlreadyExists`, unless it names a property other than `slashtag`; never a substring of
    /// a text. Nothing else of a new link can exist already, and the job asks who has the name.
    fn is_conflict(&self) -> bool {
        let about_the_slashtag = self.text("property").is_none_or(|name| name == "slashtag");
        self.text("code") == Some("AlreadyExists") && about_the_slashtag
    }

    /// Whether the code speaks of a limit of the plan.
    fn is_plan_limit(&self) -> bool {
        self.text("code").is_some_and(|code| {
            let code = code.to_ascii_lowercase();
            ["limit", "quota", "payment"].iter().any(|word| code.contains(word))
        })
    }

    /// Whether it is about what we are configured with and not about the job.
    fn is_configuration(&self) -> bool {
        self.text("property").is_some_and(|property| {
            let first = property.split('.').next().unwrap_or_default();
            matches!(first, "domain" | "workspace" | "apikey")
        })
    }

    /// Whether it is about something that the job asked for.
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

/// What an error answer means, at `now`.
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
        // A firewall or a maintenance page: it says nothing about the request, and it passes.
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
        // No payload could mend a collection that is not there, or a domain that is not ours.
        StatusCode::NOT_FOUND => RebrandlyError::Account { code: "configuration", message },
        _ if ours => RebrandlyError::Account { code: "configuration", message },
        // Without a code it is not about a field: the account itself is refused.
        StatusCode::FORBIDDEN if problems.iter().all(|problem| problem.text("code").is_none()) => {
            RebrandlyError::Account { code: "http_403", message }
        }
        status if status.is_client_error() => RebrandlyError::Refused(message),
        // A redirect or anything else that this API never answers.
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
