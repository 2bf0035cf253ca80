//! Checks a cron expression as EventBridge Scheduler reads it: minute, hour, day of month, month, day of week, year.

/// A field of the expression.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Words that stand for the numbers from `least` on.
    words: &'static [&'static str],
    /// Whether the field names days, of the month or of the week.
    of_days: bool,
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

const fn numbers(name: &'static str, least: u32, most: u32) -> Field {
    Field { name, least, most, words: &[], of_days: false }
}

/// "Schedule types in EventBridge Scheduler", cron-based schedules.
const FIELDS: [Field; 6] = [
    numbers("minute", 0, 59),
    numbers("hour", 0, 23),
    Field { name: "day of month", least: 1, most: 31, words: &[], of_days: true },
    Field { name: "month", least: 1, most: 12, words: &MONTHS, of_days: false },
    Field { name: "day of week", least: 1, most: 7, words: &WEEKDAYS, of_days: true },
    numbers("year", 1970, 2199),
];

/// Reads six fields, with or without `cron(…)` around them, into the expression that Scheduler takes. The error names
/// the field and what was expected.
pub(super) fn cron(text: &str) -> Result<String, String> {
    let inner = text.trim();
    let inner =
        inner.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
    let fields: Vec<&str> = inner.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        let names = FIELDS.map(|field| field.name).join(", ");
        return Err(format!("{} fields, expected {}: {names}", fields.len(), FIELDS.len()));
    }
    for (field, value) in FIELDS.iter().zip(&fields) {
        field.check(value)?;
    }
    if (fields[2] == "?") == (fields[4] == "?") {
        return Err("day of month and day of week: expected ? in exactly one of them".to_owned());
    }
    Ok(format!("cron({})", fields.join(" ")))
}

/// A number that is written in digits alone.
fn plain(text: &str) -> Option<u32> {
    let is_plain = text.chars().all(|c| c.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

impl Field {
    fn check(&self, value: &str) -> Result<(), String> {
        if self.of_days && value == "?" {
            return Ok(());
        }
        value.split(',').try_for_each(|entry| self.check_entry(entry))
    }

    /// Checks one entry of a list: `*`, a number or word, a range of these, each perhaps with `/STEP`; or a special day.
    fn check_entry(&self, entry: &str) -> Result<(), String> {
        let (span, step) = match entry.split_once('/') {
            Some((span, step)) => (span, Some(step)),
            None => (entry, None),
        };
        let is_step = |step: &str| plain(step).is_some_and(|step| (1..=self.most).contains(&step));
        if step.is_some_and(|step| !is_step(step)) {
            return Err(format!("{}: {entry:?}, expected a step of 1 to {}", self.name, self.most));
        }
        let is_good = match span.split_once('-') {
            _ if span == "*" => true,
            Some((from, until)) => {
                self.number(from).zip(self.number(until)).is_some_and(|(from, until)| from <= until)
            }
            None => self.number(span).is_some() || (step.is_none() && self.is_special(span)),
        };
        if is_good { Ok(()) } else { Err(format!("{}: {entry:?}, {}", self.name, self.expected())) }
    }

    /// The number that a text is or stands for, if it is within the bounds.
    fn number(&self, text: &str) -> Option<u32> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let word = word.and_then(|place| u32::try_from(place).ok()).map(|place| self.least + place);
        word.or_else(|| plain(text)).filter(|number| (self.least..=self.most).contains(number))
    }

    /// `L`, the last day; of a month `15W`, the weekday nearest to a day; of a week `6L`, the last such day of the month,
    /// and `6#3`, the third.
    fn is_special(&self, text: &str) -> bool {
        if !self.of_days {
            return false;
        }
        if text == "L" {
            return true;
        }
        if self.words.is_empty() {
            return text.strip_suffix('W').is_some_and(|day| self.number(day).is_some());
        }
        let nth = text.split_once('#').map(|(day, nth)| {
            self.number(day).is_some() && ["1", "2", "3", "4", "5"].contains(&nth)
        });
        let last = text.strip_suffix('L').map(|day| self.number(day).is_some());
        nth.or(last).unwrap_or(false)
    }

    fn expected(&self) -> String {
        let words = match (self.words.first(), self.words.last()) {
            (Some(first), Some(last)) => format!(" or {first} to {last}"),
            _ => String::new(),
        };
        format!("expected *, or {} to {}{words}", self.least, self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scheduler_takes_is_taken_with_and_without_its_name() {
        assert_eq!(cron("0 5 * * ? *").as_deref(), Ok("cron(0 5 * * ? *)"));
        assert_eq!(cron(" cron(0  5 * * ? *) ").as_deref(), Ok("cron(0 5 * * ? *)"));
        for good in [
            "0/15 8-17 ? * MON-FRI *",
            "0 10 1,15 JAN-MAR/2 ? 2027-2030",
            "0 0 L * ? *",
            "0 0 15W * ? *",
            "0 0 ? * 6#3 *",
            "0 0 ? * FRIL *",
            "*/5 * ? * 2-6 *",
        ] {
            assert_eq!(cron(good), Ok(format!("cron({good})")), "{good}");
        }
    }

    #[test]
    fn a_wrong_field_is_named_with_what_was_expected() {
        for (bad, expected) in [
            ("0 5 * * ?", "5 fields, expected 6: minute, hour"),
            ("rate(5 minutes)", "2 fields"),
            ("60 5 * * ? *", "minute: \"60\", expected *, or 0 to 59"),
            ("0 24 * * ? *", "hour: \"24\""),
            ("0 5 * 0 ? *", "month: \"0\", expected *, or 1 to 12 or JAN to DEC"),
            ("0 5 ? * 8 *", "day of week: \"8\", expected *, or 1 to 7 or SUN to SAT"),
            ("0 5 ? * MON#6 *", "day of week"),
            ("0 17-9 * * ? *", "hour: \"17-9\""),
            ("0/0 5 * * ? *", "minute: \"0/0\", expected a step of 1 to 59"),
            ("0 +5 * * ? *", "hour: \"+5\""),
            ("? 5 * * ? *", "minute: \"?\""),
            ("0 5 L * L *", "expected ? in exactly one"),
            ("0 5 ? * ? *", "expected ? in exactly one"),
            ("0, 5 * * ? *", "minute: \"\""),
            ("0 5 * * ? 1969", "year"),
        ] {
            let error = cron(bad).unwrap_err();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
