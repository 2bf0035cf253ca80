//! The part of a message that a job type defines, and the problems found in it.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

/// The part of a message that a job type defines.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Brings the payload into its normal form and adds every problem to `problems`.
    ///
    /// Payloads that describe the same work must have the same normal form: without an ID from the
    /// sender, the job's key is a hash of it.
    fn check(&mut self, problems: &mut Problems);
}

/// The problems of a message, each shown as `path: problem`.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Adds a problem of the payload's `field`. The phrase `problem` says what was expected.
    pub fn add(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("payload.{field}: {problem}"));
    }

    /// Adds a problem of an envelope field.
    pub(crate) fn add_outer(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("{field}: {problem}"));
    }

    /// Whether there are no problems.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a problem unless `text` has `least` to `most` characters.
    pub fn check_length(&mut self, field: &str, text: &str, least: usize, most: usize) {
        let length = text.chars().count();
        if length < least || length > most {
            self.add(field, format!("{length} characters, expected {least} to {most}"));
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}
