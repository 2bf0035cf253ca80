//! Months that begin on a day of one's choice, in UTC.

use jiff::{Timestamp, ToSpan as _, civil::Date, tz::TimeZone};

use super::Time;

/// The last day on which a month may begin: every calendar month has it.
pub const LATEST_MONTH_BEGIN: u8 = 28;

impl Time {
    /// Begin and end of the month that has this time, if months begin at midnight UTC of this `day`, 1 to
    /// [`LATEST_MONTH_BEGIN`]. Beyond the calendar, after the year 9999, there is one month without an end.
    #[must_use]
    pub fn month(self, day: u8) -> [Self; 2] {
        self.calendar_month(day).unwrap_or([Self::default(), Self::MAX])
    }

    fn calendar_month(self, day: u8) -> Option<[Self; 2]> {
        let now = Timestamp::from_millisecond(i64::try_from(self.0).ok()?).ok()?;
        let today = TimeZone::UTC.to_datetime(now).date();
        let day = i8::try_from(day.clamp(1, LATEST_MONTH_BEGIN)).ok()?;
        let this = Date::new(today.year(), today.month(), day).ok()?;
        let begin = if this <= today { this } else { this.checked_sub(1.month()).ok()? };
        let end = begin.checked_add(1.month()).ok()?;
        Some([midnight(begin)?, midnight(end)?])
    }
}

/// The beginning of a day in UTC; the epoch for a day before it.
fn midnight(date: Date) -> Option<Time> {
    let at = date.to_zoned_datetime(TimeZone::UTC).ok()?.timestamp().as_millisecond();
    Some(Time(u64::try_from(at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(text: &str) -> Time {
        Time::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn a_month_lasts_from_its_day_to_the_same_day_of_the_next_month() {
        let cases = [
            ("2026-01-01T00:00:00Z", 1, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("2026-01-31T23:59:59.999Z", 1, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
            ("2026-02-14T23:59:59Z", 15, "2026-01-15T00:00:00Z", "2026-02-15T00:00:00Z"),
            ("2026-02-15T00:00:00Z", 15, "2026-02-15T00:00:00Z", "2026-03-15T00:00:00Z"),
            ("2026-02-28T12:00:00Z", 28, "2026-02-28T00:00:00Z", "2026-03-28T00:00:00Z"),
            ("2026-02-28T12:00:00Z", 1, "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", 1, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
            ("2028-02-29T12:00:00Z", 28, "2028-02-28T00:00:00Z", "2028-03-28T00:00:00Z"),
            ("2026-01-02T00:00:00Z", 15, "2025-12-15T00:00:00Z", "2026-01-15T00:00:00Z"),
        ];
        for (now, day, begin, end) in cases {
            assert_eq!(at(now).month(day), [at(begin), at(end)], "{now}, {day}");
        }
    }

    #[test]
    fn months_follow_each_other_without_a_gap() {
        for day in 1..=LATEST_MONTH_BEGIN {
            let mut now = at("2026-01-01T00:00:00Z");
            for _ in 0..50 {
                let [begin, end] = now.month(day);
                assert!(begin <= now && now < end, "{now}, {day}");
                let last = end.before(Duration::from_millis(1));
                assert_eq!(
                    (last.month(day), end.month(day)[0]),
                    ([begin, end], end),
                    "{now}, {day}"
                );
                now = end;
            }
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_has_a_month_without_an_end() {
        assert_eq!(Time::MAX.month(1), [Time::default(), Time::MAX]);
    }
}
