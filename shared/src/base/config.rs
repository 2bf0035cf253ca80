//! Configuration by environment: read once, and if it is wrong, everything that is wrong is named
//! at once.

use std::{collections::HashMap, fmt};

use url::Url;

use crate::base::secret::Secret;

/// The variables of the process, read once.
#[derive(Clone, Default)]
pub struct Environment(HashMap<String, String>);

impl Environment {
    /// The variables of this process.
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

/// Everything that is missing or wrong, one problem a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(Vec<String>);

impl ConfigError {
    /// One problem with one thing.
    #[must_use]
    pub fn of(name: &str, problem: &str) -> Self {
        Self(vec![format!("{name}: {problem}")])
    }

    /// The problems of several readers as one error.
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

/// Reads variables and remembers what was wrong with them.
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader with no problems yet.
    #[must_use]
    pub const fn new(environment: &'a Environment) -> Self {
        Self { environment, problems: Vec::new() }
    }

    /// The value of a variable; empty counts as not set.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.environment.0.get(name).map(|value| value.trim().to_owned()).filter(|v| !v.is_empty())
    }

    /// The value of a variable that must be set; empty, and a problem noted, if it is not.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, "is not set");
            String::new()
        })
    }

    /// An http or https address, or the default; it ends without a slash.
    pub fn url(&mut self, name: &str, default: &str) -> String {
        let text = self.optional(name).unwrap_or_else(|| default.to_owned());
        match text.parse::<Url>() {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => self.problem(name, "is not an http or https address"),
        }
        text.trim_end_matches('/').to_owned()
    }

    /// A whole number from 1 to a million, or the default.
    pub fn count(&mut self, name: &str, default: u32) -> u32 {
        let Some(text) = self.optional(name) else { return default };
        match text.parse() {
            Ok(count) if (1..=1_000_000).contains(&count) => count,
            _ => {
                self.problem(name, "is not a whole number from 1 to 1000000");
                default
            }
        }
    }

    /// A secret, if it is set.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.optional(name).map(Secret::new)
    }

    /// Notes a problem with a variable.
    pub fn problem(&mut self, name: &str, problem: &str) {
        self.problems.push(format!("{name} {problem}"));
    }

    /// Everything that was wrong, for a reader that found something.
    #[must_use]
    pub fn into_error(self) -> ConfigError {
        ConfigError(self.problems)
    }

    /// `value`, or everything that was wrong on the way to it.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() { Ok(value) } else { Err(ConfigError(self.problems)) }
    }
}

/// What every function needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    /// `JOBS_TABLE`.
    pub jobs: String,
    /// `CONTROL_TABLE`.
    pub control: String,
}

impl Tables {
    /// Reads the names of the tables.
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
    fn everything_that_is_wrong_is_named_at_once() {
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
    fn what_is_set_is_read_and_what_is_not_has_its_default() {
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
