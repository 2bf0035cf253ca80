//! Arguments of `report`.

use std::time::Duration;

use clap::Args;

use super::span;

/// Arguments of `report`.
#[derive(Clone, Debug, Args)]
pub struct Report {
    /// How far back the period begins, in whole hours: such as 24h or 7d, at most 400d
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = period)]
    pub since: Duration,
    /// Only this job type
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Write Markdown instead of text
    #[arg(long, conflicts_with = "html")]
    pub markdown: bool,
    /// Write one self-contained HTML page, with charts
    #[arg(long)]
    pub html: bool,
}

/// Reads a period: from an hour to the 400 days that history is kept.
fn period(text: &str) -> Result<Duration, String> {
    let period = span(text)?;
    let (least, most) = (Duration::from_hours(1), Duration::from_hours(400 * 24));
    if (least..=most).contains(&period) {
        return Ok(period);
    }
    Err(format!("{text:?}: expected 1h to 400d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_has_an_hour_at_least_and_is_within_what_is_kept() {
        assert_eq!(period("7d"), Ok(Duration::from_hours(168)));
        assert!(period("59m").is_err() && period("401d").is_err() && period("x").is_err());
    }
}
