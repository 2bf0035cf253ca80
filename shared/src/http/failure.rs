//! Why an outbound request failed, and the class of each failure.

use std::{borrow::Cow, error::Error, fmt, time::Duration};

use reqwest::{StatusCode, header::HeaderMap};

use super::{retry_after::retry_after, target::Refusal, transport::TransportError};
use crate::{
    base::time::Time,
    failure::{Class, Classified, Failure},
};

/// Redirects that are followed. Sites need two or three (to https, to www, to the current name of a
/// page); browsers stop at 20.
pub(crate) const MAX_REDIRECTS: usize = 5;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum FetchError {
    /// The URL must not be called, or one that it redirects to.
    Refused {
        /// Where the URL came from, such as `payload.site_url`.
        field: String,
        /// How many redirects had been followed.
        redirects: usize,
        refusal: Refusal,
    },
    /// More redirects than are followed.
    TooManyRedirects {
        /// Where the URL came from.
        field: String,
    },
    /// 401 or 403: the site refuses to serve the client, most often by a bot wall, which must not
    /// be circumvented. As a [`Failure`] it is permanent; a job type may decide otherwise.
    BotWall { status: u16, host: String },
    /// 404 or 410: the content does not exist.
    Gone { status: u16, host: String },
    /// Any other status from 400 to 499 except 408, 425 and 429: the host will never answer this
    /// request.
    Rejected { status: u16, host: String },
    /// 429: the host asks for fewer calls.
    Throttled {
        host: String,
        /// The delay that the host asked for.
        retry_after: Option<Duration>,
    },
    /// The body exceeds the limit of the request.
    TooLarge {
        host: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The host failed or could not be reached, or its answer did not arrive in time.
    Trouble {
        /// A stable code for grouping.
        code: Cow<'static, str>,
        /// What happened, as a sentence for operators.
        message: String,
        /// The delay that the host asked for.
        retry_after: Option<Duration>,
    },
    /// A gate refused the call, so it was not made.
    NotCalled(Failure),
}

impl FetchError {
    /// The meaning of an unsuccessful status, received at `now`.
    pub(crate) fn of_status(
        status: StatusCode,
        headers: &HeaderMap,
        host: &str,
        now: Time,
    ) -> Self {
        let (number, host) = (status.as_u16(), host.to_owned());
        let retry_after = retry_after(headers, now);
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Self::BotWall { status: number, host }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => Self::Gone { status: number, host },
            StatusCode::TOO_MANY_REQUESTS => Self::Throttled { host, retry_after },
            // These two statuses say that the same request may succeed later.
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
                Self::answered(status, &host, retry_after)
            }
            status if status.is_client_error() => Self::Rejected { status: number, host },
            // 5xx, and statuses that do not answer the request: a redirect without a location, a
            // 304 to an unconditional request.
            _ => Self::answered(status, &host, retry_after),
        }
    }

    fn answered(status: StatusCode, host: &str, retry_after: Option<Duration>) -> Self {
        let code = format!("http_{}", status.as_u16()).into();
        Self::Trouble { code, message: format!("{host} answered {status}"), retry_after }
    }

    /// The meaning of an error of the transport, for a request whose URL came from `field` and whose
    /// body has a `limit`.
    pub(crate) fn of_transport(
        error: TransportError,
        field: &str,
        redirects: usize,
        host: &str,
        limit: usize,
    ) -> Self {
        let refused = |refusal| Self::Refused { field: field.to_owned(), redirects, refusal };
        match error {
            TransportError::Refused(refusal) => refused(refusal),
            TransportError::Unsendable => {
                refused(Refusal::Malformed("no request can be made of it".into()))
            }
            TransportError::TooLarge => Self::TooLarge { host: host.to_owned(), limit },
            TransportError::Broken { code, message } => Self::trouble(code, message),
        }
    }

    /// Trouble without a request for a delay.
    pub(crate) const fn trouble(code: &'static str, message: String) -> Self {
        Self::Trouble { code: Cow::Borrowed(code), message, retry_after: None }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { field, redirects: 0, refusal } => write!(f, "{field}: {refusal}"),
            Self::Refused { field, redirects, refusal } => {
                write!(f, "{field}: redirect {redirects} leads astray: {refusal}")
            }
            Self::TooManyRedirects { field } => {
                write!(f, "{field}: more than {MAX_REDIRECTS} redirects")
            }
            Self::BotWall { status, host } => write!(f, "{host} turned us away with {status}"),
            Self::Gone { status, host } | Self::Rejected { status, host } => {
                write!(f, "{host} answered {status}")
            }
            Self::Throttled { host, .. } => write!(f, "{host} asks for fewer calls"),
            Self::TooLarge { host, limit } => write!(f, "{host} sent over {limit} bytes"),
            Self::Trouble { message, .. } => f.write_str(message),
            Self::NotCalled(failure) => write!(f, "{failure}"),
        }
    }
}

impl Error for FetchError {}

impl Classified for FetchError {
    fn class(&self) -> Class {
        match self {
            Self::Refused { .. }
            | Self::TooManyRedirects { .. }
            | Self::BotWall { .. }
            | Self::Gone { .. }
            | Self::Rejected { .. }
            | Self::TooLarge { .. } => Class::Permanent,
            Self::Throttled { .. } => Class::Throttled,
            Self::Trouble { .. } => Class::Transient,
            Self::NotCalled(failure) => failure.class(),
        }
    }

    fn code(&self) -> Cow<'_, str> {
        match self {
            Self::Refused { .. } => "address_refused".into(),
            Self::TooManyRedirects { .. } => "too_many_redirects".into(),
            Self::BotWall { .. } => "bot_wall".into(),
            Self::Gone { status, .. } | Self::Rejected { status, .. } => {
                format!("http_{status}").into()
            }
            Self::Throttled { .. } => "http_429".into(),
            Self::TooLarge { .. } => "too_large".into(),
            Self::Trouble { code, .. } => Cow::Borrowed(code),
            Self::NotCalled(failure) => failure.code().into(),
        }
    }

    fn why(&self) -> String {
        Failure::from(self.clone()).to_string()
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after, .. } | Self::Trouble { retry_after, .. } => *retry_after,
            Self::NotCalled(failure) => failure.retry_after(),
            _ => None,
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Rejected { .. })
    }
}

impl From<Failure> for FetchError {
    fn from(failure: Failure) -> Self {
        Self::NotCalled(failure)
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::NotCalled(failure) => failure,
            error => {
                let code = error.code().into_owned();
                Self::new(error.class(), code, error.to_string())
                    .with_retry_after(error.retry_after())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    fn failure(status: u16, headers: &HeaderMap) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        FetchError::of_status(status, headers, "www.example.com", NOW).into()
    }

    #[test]
    fn every_status_has_its_class_and_code() {
        let cases = [
            (302, Class::Transient, "http_302"),
            (304, Class::Transient, "http_304"),
            (400, Class::Permanent, "http_400"),
            (401, Class::Permanent, "bot_wall"),
            (403, Class::Permanent, "bot_wall"),
            (404, Class::Permanent, "http_404"),
            (405, Class::Permanent, "http_405"),
            (408, Class::Transient, "http_408"),
            (410, Class::Permanent, "http_410"),
            (425, Class::Transient, "http_425"),
            (429, Class::Throttled, "http_429"),
            (451, Class::Permanent, "http_451"),
            (500, Class::Transient, "http_500"),
            (503, Class::Transient, "http_503"),
            (599, Class::Transient, "http_599"),
        ];
        for (status, class, code) in cases {
            let failure = failure(status, &HeaderMap::new());
            assert_eq!((failure.class(), failure.code()), (class, code), "{status}");
            assert_eq!(failure.retry_after(), None, "{status}");
            assert!(failure.message().contains("www.example.com"), "{failure}");
        }
    }

    #[test]
    fn retry_after_is_read_from_429_and_503() {
        let headers: HeaderMap =
            [(reqwest::header::RETRY_AFTER, reqwest::header::HeaderValue::from_static("40"))]
                .into_iter()
                .collect();
        for status in [429, 503] {
            let asked = failure(status, &headers).retry_after();
            assert_eq!(asked, Some(Duration::from_secs(40)), "{status}");
        }
        assert_eq!(failure(404, &headers).retry_after(), None);
    }

    #[test]
    fn a_refused_url_is_permanent_and_names_its_field() {
        let refused = |redirects| FetchError::Refused {
            field: "payload.site_url".into(),
            redirects,
            refusal: Refusal::Scheme("ftp".into()),
        };
        let failure = Failure::from(refused(0));
        assert_eq!((failure.class(), failure.code()), (Class::Permanent, "address_refused"));
        assert_eq!(failure.message(), "payload.site_url: scheme \"ftp\", expected http or https");
        assert_eq!(
            Failure::from(refused(2)).message(),
            "payload.site_url: redirect 2 leads astray: scheme \"ftp\", expected http or https"
        );
    }

    #[test]
    fn the_failure_of_a_gate_is_passed_on_unchanged() {
        let away = Failure::new(Class::Deferred, "breaker_open", "open")
            .with_retry_after(Some(Duration::from_secs(9)));
        let error = FetchError::from(away.clone());
        assert_eq!((error.class(), error.retry_after()), (away.class(), away.retry_after()));
        assert_eq!(error.why(), away.to_string());
        assert_eq!(Failure::from(error), away);
    }
}
