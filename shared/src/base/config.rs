//! Configuration from environment variables.
//!
//! A function reads it once, at start-up. If variables are missing or invalid, one error names all
//! of them.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive};

use url::Url;

use crate::base::secret::Secret;

/// A snapshot of environment variables.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes a snapshot of the environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that may read them")]
    pub fn of_process() -> Self {
        std::env::vars().collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

/// The problems of a configuration, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// An error with one problem, shown as `name: problem`.
    #[must_use]
    pub fn of(name: &str, problem: &str) -> Self {
        Self(vec![format!("{name}: {problem}")])
    }

    /// Merges the errors of several readers into one.
    #[must_use]
    pub fn all(errors: impl IntoIterator<Item = Option<Self>>) -> Self {
        Self(errors.into_iter().flatten().flat_map(|error| error.0).collect())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigError {}

/// Reads variables and collects the problems that it finds.
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Starts without problems.
    #[must_use]
    pub const fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    /// The trimmed value of a variable, or `None` if it is unset or blank.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.environment.0.get(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// The trimmed value of a variable. If it is unset or blank, this records a problem and returns
    /// an empty string.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, "is not set");
            String::new()
        })
    }

    /// The URL in a variable, or `default` if it is unset, without trailing slashes. Anything but
    /// an `http` or `https` URL with a host is recorded as a problem.
    pub fn url(&mut self, name: &str, default: &str) -> String {
        let text = self.optional(name).unwrap_or_else(|| default.to_owned());
        match text.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => self.problem(name, "is not an http or https address"),
        }
        text.trim_end_matches('/').to_owned()
    }

    /// The whole number in a variable, from 1 to 1,000,000, or `default` if it is unset. Any other
    /// value is recorded as a problem and yields `default`.
    pub fn count(&mut self, name: &str, default: u32) -> u32 {
        self.number(name, default, 1..=1_000_000)
    }

    /// The whole number of this range in a variable, or `default` if it is unset. Any other value is recorded as a
    /// problem and yields `default`.
    pub fn number(&mut self, name: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(text) = self.optional(name) else { return default };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (least, most) = (range.start(), range.end());
                self.problem(name, &format!("is not a whole number from {least} to {most}"));
                default
            }
        }
    }

    /// The secret in a variable, or `None` if it is unset or blank.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.optional(name).map(Secret::new)
    }

    /// Records a problem with a variable, shown as `name problem`.
    pub fn problem(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{name} {problem}"));
    }

    /// The recorded problems, for a caller that has recorded at least one.
    #[must_use]
    pub fn into_error(self) -> ConfigError {
        ConfigError(self.problems)
    }

    /// `value`, or an error with every recorded problem.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(value) } else { Err(ConfigError(self.problems)) }
    }
}

/// Names of the DynamoDB tables, which every function needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// The table of job records: `JOBS_TABLE`.
    pub jobs: String,
    /// The table that the fleet shares, with breakers, limiters and leases: `CONTROL_TABLE`.
    pub control: String,
}

impl Tables {
    /// Reads the names from `JOBS_TABLE` and `CONTROL_TABLE`.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self { jobs: reader.required("JOBS_TABLE"), control: reader.required("CONTROL_TABLE") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn one_error_names_every_problem() {
        let environment =
            environment(&[("CONTROL_TABLE", " "), ("BASE", "ftp://x"), ("RATE", "0")]);
        let mut reader = Reader::new(&environment);
        let tables = Tables::read(&mut reader);
        reader.url("BASE", "https://example.com");
        reader.count("RATE", 8);
        let error = reader.finish(tables).unwrap_err();
        assert_eq!(
            error.to_string(),
            "configuration: JOBS_TABLE is not set; CONTROL_TABLE is not set; \
             BASE is not an http or https address; RATE is not a whole number from 1 to 1000000"
        );
    }

    #[test]
    fn unset_variables_take_their_defaults() {
        let environment = environment(&[("JOBS_TABLE", "j"), ("CONTROL_TABLE", "c")]);
        let mut reader = Reader::new(&environment);
        let tables = Tables::read(&mut reader);
        assert_eq!(reader.url("BASE", "https://example.com/v1/"), "https://example.com/v1");
        assert_eq!(reader.optional("OTHER"), None);
        assert_eq!(reader.count("OTHER", 8), 8);
        let tables = reader.finish(tables).unwrap();
        assert_eq!((tables.jobs.as_str(), tables.control.as_str()), ("j", "c"));
    }
}
