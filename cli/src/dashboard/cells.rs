//! Cells of times, spans, counts and links, as all pages show them.

use std::time::Duration;

use evenkeel::base::time::Time;
use url::form_urlencoded::Serializer;

use super::view::{Cell, Tone};
use crate::moment::{local, relative, span};

/// How far a time is from now, with the local time behind it and UTC on hover.
pub(super) fn when(time: Time, now: Time) -> Cell {
    Cell {
        title: Some(format!("{time} (UTC)")),
        time: Some(time.to_string()),
        ..Cell::text(format!("{} · {}", relative(time, now), local(time)))
    }
}

/// The same for milliseconds since the epoch.
pub(super) fn when_ms(ms: u64, now: Time) -> Cell {
    when(Time::from_millis(ms), now)
}

/// How far a time is from now and nothing else, for tables; the local time and UTC on hover.
pub(super) fn age(ms: u64, now: Time) -> Cell {
    let time = Time::from_millis(ms);
    Cell {
        title: Some(format!("{} · {time} (UTC)", local(time))),
        time: Some(time.to_string()),
        ..Cell::text(relative(time, now))
    }
}

/// A span of seconds.
pub(super) fn seconds(seconds: u64) -> Cell {
    Cell::number(span(Duration::from_secs(seconds)))
}

/// A count that may have reached its cap.
pub(super) fn count(count: u64, is_capped: bool) -> Cell {
    Cell::number(if is_capped { format!("{count}+") } else { count.to_string() })
}

/// The tone of a job's state.
pub(super) fn state_tone(state: &str) -> Tone {
    match state {
        "succeeded" | "closed" => Tone::Good,
        "dead" | "quarantined" | "open" | "forced_open" => Tone::Bad,
        "parked" | "rejected" | "half_open" | "forced_closed" => Tone::Warn,
        _ => Tone::Plain,
    }
}

/// A state in its tone, in words.
pub(super) fn state(state: &str) -> Cell {
    Cell::text(state.replace('_', " ")).tone(state_tone(state))
}

/// A path of the dashboard with these query values. Empty ones are left out.
pub(super) fn path(path: &str, values: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.extend_pairs(values.iter().filter(|(_, value)| !value.is_empty()));
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A job's key, with a link to its page.
pub(super) fn job(key: &str) -> Cell {
    Cell::text(key).href(path("/job", &[("id", key)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_carries_any_value() {
        let hostile = "a#g:</script>&x=\"'é";
        let path = path("/job", &[("id", hostile), ("type", "")]);
        assert!(!path.contains(['<', '"', '\'', '#', ' ']), "{path}");
        let query = path.split_once('?').unwrap().1;
        let read: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(read, [("id".to_owned(), hostile.to_owned())]);
        assert_eq!(super::path("/jobs", &[("type", "")]), "/jobs");
    }

    #[test]
    fn a_time_is_local_and_utc_on_hover() {
        let now = Time::parse_rfc3339("2027-01-15T08:00:00Z").unwrap();
        let then = now.before(Duration::from_mins(3));
        let utc = "2027-01-15T07:57:00Z";
        let told = when(then, now);
        assert_eq!(told.text, format!("3 min ago · {}", local(then)));
        assert_eq!(told.title, Some(format!("{utc} (UTC)")));
        let told = age(then.as_millis(), now);
        assert_eq!((told.text.as_str(), told.time.as_deref()), ("3 min ago", Some(utc)));
        assert_eq!(told.title, Some(format!("{} · {utc} (UTC)", local(then))));
    }

    #[test]
    fn a_count_at_its_cap_says_so() {
        assert_eq!(count(100, true).text, "100+");
        assert_eq!(count(7, false).text, "7");
    }
}
