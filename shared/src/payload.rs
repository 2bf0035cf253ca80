//! The part of a message that belongs to the job type, and what can be wrong with it.

use std::fmt;

use serde::{Serialize, de::DeserializeOwned};

/// The part of a message that belongs to the job type.
pub trait Payload: Serialize + DeserializeOwned + Clone + Send + Sync {
    /// Brings the payload into its normal form and adds what is wrong with it to `problems`.
    fn check(&mut self, problems: &mut Problems);
}

/// What is wrong with a message, by path.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Notes that the payload's `field` has `problem`, a phrase that says what was expected.
    pub fn add(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("payload.{field}: {problem}"));
    }

    /// The same for a field of the envelope.
    pub(crate) fn add_outer(&mut self, field: &str, problem: impl fmt::Display) {
        self.0.push(format!("{field}: {problem}"));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a text shorter or longer than allowed, in characters.
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
