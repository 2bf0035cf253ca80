//! Times and spans as text.

use std::time::Duration;

use evenkeel::base::time::Time;
use jiff::{Timestamp, tz::TimeZone};

use crate::args::TimeForm;

/// The present time, and the form in which times are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Time,
    pub(crate) form: TimeForm,
}

impl Moment {
    /// A time in the chosen form.
    pub(crate) fn show(&self, time: Time) -> String {
        match self.form {
            TimeForm::Relative => relative(time, self.now),
            TimeForm::Utc => time.to_string(),
            TimeForm::Local => local(time),
            TimeForm::Ms => time.as_millis().to_string(),
        }
    }

    /// The same for milliseconds since the epoch, as JSON has them; empty if there are none.
    pub(crate) fn show_ms(&self, ms: Option<u64>) -> String {
        ms.map(|ms| self.show(Time::from_millis(ms))).unwrap_or_default()
    }
}

/// The time in the time zone of this machine.
pub(crate) fn local(time: Time) -> String {
    let timestamp = i64::try_from(time.as_millis()).ok().map(Timestamp::from_millisecond);
    match timestamp {
        Some(Ok(timestamp)) => timestamp
            .to_zoned_datetime(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S %:z")
            .to_string(),
        _ => time.to_string(),
    }
}

/// How far a time is from now: `in 5 s`, `3 min 20 s ago`, `now`.
pub(crate) fn relative(time: Time, now: Time) -> String {
    let (ahead, passed) = (time.since(now), now.since(time));
    if ahead.max(passed) < Duration::from_secs(1) {
        "now".to_owned()
    } else if time > now {
        format!("in {}", span(ahead))
    } else {
        format!("{} ago", span(passed))
    }
}

/// A span in its two largest units, rounded down: `850 ms`, `3 min 20 s`, `2 d 4 h`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |large: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {unit}"),
        small => format!("{large} {unit} {small} {small_unit}"),
    };
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_at_most_two_units() {
        let cases = [
            (0, "0 ms"),
            (850, "850 ms"),
            (12_999, "12 s"),
            (60_000, "1 min"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 5 min"),
            (187_200_000, "2 d 4 h"),
        ];
        for (ms, text) in cases {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
    }

    #[test]
    fn each_form_shows_the_same_time() {
        let now = Time::from_millis(1_795_456_800_250);
        let show = |form, ms| Moment { now, form }.show(Time::from_millis(ms));
        assert_eq!(show(TimeForm::Relative, 1_795_456_860_250), "in 1 min");
        assert_eq!(show(TimeForm::Relative, 1_795_456_800_000), "now");
        assert_eq!(show(TimeForm::Relative, 1_795_456_790_000), "10 s ago");
        assert_eq!(show(TimeForm::Utc, 1_795_456_800_250), "2026-11-23T18:00:00.25Z");
        assert_eq!(show(TimeForm::Ms, 1_795_456_800_250), "1795456800250");
    }
}
