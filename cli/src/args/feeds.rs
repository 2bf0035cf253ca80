//! Arguments of `evenkeel feeds`.

use clap::{Args, Subcommand};

use super::{Write, cron::cron, span};

/// Longest name of a schedule, EventBridge Scheduler's limit.
const NAME_CHARACTERS: usize = 64;

/// Longest name of a time zone, EventBridge Scheduler's limit.
const ZONE_CHARACTERS: usize = 50;

/// What to do with feeds that run on a schedule.
#[derive(Clone, Debug, Subcommand)]
pub enum FeedsCommand {
    /// List the feeds with their schedules
    #[command(before_help = "Example: evenkeel feeds list")]
    List,
    /// Have a feed read on a schedule; the same again changes nothing
    #[command(before_help = "Example: evenkeel feeds add example-motors --every 6h --payload \
                       '{\"dealer_slug\":\"example\",\"site_url\":\"https://example.com\"}'")]
    Add(AddFeed),
    /// Stop running a feed until it is resumed
    #[command(before_help = "Example: evenkeel feeds pause example-motors --reason relaunch")]
    Pause(ChangeFeed),
    /// Run a feed on its schedule again
    #[command(before_help = "Example: evenkeel feeds resume example-motors")]
    Resume(ChangeFeed),
    /// Remove a feed's schedule; its jobs and cars stay
    #[command(before_help = "Example: evenkeel feeds remove example-motors --reason closed")]
    Remove(ChangeFeed),
    /// Send a feed's message once, now
    #[command(before_help = "Example: evenkeel feeds run example-motors")]
    Run(ChangeFeed),
}

/// A feed and when it runs.
#[derive(Clone, Debug, Args)]
pub struct AddFeed {
    /// Its name: 1 to 64 letters, digits, and any of - _ .
    #[arg(value_parser = feed_name)]
    pub name: String,
    /// Run it every so often, such as 6h, in whole minutes
    #[arg(long, value_name = "SPAN", value_parser = rate)]
    #[arg(required_unless_present = "cron", conflicts_with = "cron")]
    pub every: Option<String>,
    /// Run it at these times: minute, hour, day of month, month, day of week, year, such as "0 5 * * ? *"
    #[arg(long, value_name = "FIELDS", value_parser = cron)]
    pub cron: Option<String>,
    /// The time zone of `--cron`, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    pub time_zone: String,
    /// The payload as JSON
    #[arg(long, value_name = "JSON")]
    pub payload: String,
    /// The feed's job type [default: the only one that the stack has for feeds]
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// The message group, by which fair queues balance senders [default: the payload's dealer_slug]
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Change a feed of this name that has another schedule or payload
    #[arg(long)]
    pub replace: bool,
    /// The reason, and whether to change anything
    #[command(flatten)]
    pub write: Write,
}

impl AddFeed {
    /// The schedule's expression.
    #[must_use]
    pub fn expression(&self) -> String {
        // The command line has one of them.
        self.every.clone().or_else(|| self.cron.clone()).unwrap_or_default()
    }
}

/// Which feed to change.
#[derive(Clone, Debug, Args)]
pub struct ChangeFeed {
    /// Its name, as `feeds list` shows it
    #[arg(value_parser = feed_name)]
    pub name: String,
    /// The reason, and whether to change anything
    #[command(flatten)]
    pub write: Write,
}

fn feed_name(text: &str) -> Result<String, String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=NAME_CHARACTERS).contains(&text.len()) && text.chars().all(is_good) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?}: expected 1 to {NAME_CHARACTERS} letters, digits, and any of - _ ."))
}

fn zone(text: &str) -> Result<String, String> {
    let is_good = |c: char| c.is_ascii_alphanumeric() || "/_+-".contains(c);
    if (1..=ZONE_CHARACTERS).contains(&text.len()) && text.chars().all(is_good) {
        return Ok(text.to_owned());
    }
    Err(format!("{text:?}: expected the name of a time zone, such as Europe/Berlin"))
}

/// Reads a span into an expression such as `rate(6 hours)`, in the largest unit that it is a multiple of.
fn rate(text: &str) -> Result<String, String> {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = span(text)?.as_secs();
    let fits = |length: u64| seconds > 0 && seconds.is_multiple_of(length);
    let unit = UNITS.into_iter().find(|(length, _)| fits(*length));
    let Some((length, unit)) = unit else {
        return Err(format!("{text:?}: expected whole minutes, such as 15m, 6h or 1d"));
    };
    let count = seconds / length;
    let ending = if count == 1 { "" } else { "s" };
    Ok(format!("rate({count} {unit}{ending})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_rate_in_its_largest_unit() {
        for (text, expected) in [
            ("60s", "rate(1 minute)"),
            ("90m", "rate(90 minutes)"),
            ("60m", "rate(1 hour)"),
            ("6h", "rate(6 hours)"),
            ("24h", "rate(1 day)"),
            ("7d", "rate(7 days)"),
        ] {
            assert_eq!(rate(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in ["0m", "90s", "often", ""] {
            assert!(rate(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_those_that_scheduler_takes() {
        assert!(feed_name("example-motors_2.x").is_ok());
        for bad in ["", "a b", "a/b", "händler", &"x".repeat(65)] {
            assert!(feed_name(bad).is_err(), "{bad}");
        }
        assert!(zone("America/Argentina/Buenos_Aires").is_ok() && zone("my zone").is_err());
    }
}
