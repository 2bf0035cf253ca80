//! The delay that a service asks for.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::base::time::Time;

/// From here on, a number is a time and not a delay: as seconds since the epoch, it is in 2001.
const MOMENT: u64 = 1_000_000_000;

/// From here on, a number is a time in milliseconds: as such it is in 1973, as seconds in 5138.
const MILLISECONDS: u64 = 100_000_000_000;

/// The delay that a service asks for, counted from `now`.
///
/// Reads `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3), or else
/// `X-RateLimit-Reset`, which no standard describes, in seconds from now or as a time since the
/// epoch.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |moment: Time| moment.since(now);
    if let Some(value) = text(RETRY_AFTER.as_str()) {
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        if let Some(date) = Time::parse_http_date(value) {
            return Some(until(date));
        }
    }
    let reset: u64 = text("x-ratelimit-reset")?.parse().ok()?;
    Some(match reset {
        MILLISECONDS.. => until(Time::from_millis(reset)),
        MOMENT.. => until(Time::from_millis(reset * 1000)),
        span => Duration::from_secs(span),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    const NOW: Time = Time::from_millis(1_800_000_000_000);

    type Pairs = &'static [(&'static str, &'static str)];

    /// Headers, and the seconds that they ask for.
    const CASES: [(Pairs, Option<u64>); 12] = [
        (&[], None),
        (&[("retry-after", "17")], Some(17)),
        (&[("retry-after", " 17 ")], Some(17)),
        (&[("retry-after", "0")], Some(0)),
        (&[("retry-after", "Fri, 15 Jan 2027 08:01:00 GMT")], Some(60)),
        (&[("retry-after", "Fri, 15 Jan 2027 07:00:00 GMT")], Some(0)),
        (&[("retry-after", "-5")], None),
        (&[("retry-after", "soon"), ("x-ratelimit-reset", "9")], Some(9)),
        (&[("retry-after", "3"), ("x-ratelimit-reset", "9")], Some(3)),
        (&[("x-ratelimit-reset", "1800000030")], Some(30)),
        (&[("x-ratelimit-reset", "1800000030000")], Some(30)),
        (&[("x-ratelimit-reset", "soon")], None),
    ];

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn every_form_is_parsed() {
        for (pairs, seconds) in CASES {
            let asked = retry_after(&headers(pairs), NOW);
            assert_eq!(asked, seconds.map(Duration::from_secs), "{pairs:?}");
        }
    }

    proptest! {
        #[test]
        fn any_number_of_seconds_is_parsed_and_no_text_panics(
            seconds in any::<u64>(),
            text in "[ -~]{0,40}",
        ) {
            let number = headers(&[("retry-after", &seconds.to_string())]);
            prop_assert_eq!(retry_after(&number, NOW), Some(Duration::from_secs(seconds)));
            let _ = retry_after(&headers(&[("retry-after", &text)]), NOW);
            let _ = retry_after(&headers(&[("x-ratelimit-reset", &text)]), NOW);
        }
    }
}
