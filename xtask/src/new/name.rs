//! The name of a job type, in each of its spellings.

use anyhow::{Result, ensure};

/// Shortest name, in characters.
const SHORTEST: usize = 3;

/// Longest name, in characters. Lambda allows 64 for a function's name, which begins with the name of
/// the stack.
const LONGEST: usize = 40;

/// What Rust or cargo takes for something else: keywords, primitive types, crates of the standard
/// library, and folders of a build directory. Shorter ones are too short for a name anyway.
const RESERVED: &str = "\
    abstract alloc async await become bool box break build char const continue core crate deps \
    dyn else enum examples extern f128 f16 f32 f64 false final for gen i128 i16 i32 i64 impl \
    incremental isize let loop macro match mod move mut override priv proc_macro pub ref \
    return self static std str struct super test trait true try type typeof u128 u16 u32 u64 \
    unsafe unsized use usize virtual where while yield";

/// The name of a job type in snake case, such as `sample_job`.
///
/// Each of its words begins with a letter, so that `SampleJob` leads back to it: the variables of the
/// local stack are derived from that spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Reads a name in snake case or kebab case. Fails with a sentence that says what was expected.
    pub(super) fn parse(given: &str) -> Result<Self> {
        let name = given.replace('-', "_");
        ensure!(
            (SHORTEST..=LONGEST).contains(&name.len()) && name.split('_').all(is_word),
            "{given:?} is no name of a job type: expected {SHORTEST} to {LONGEST} characters such as \
             sample_job, words of a to z and 0 to 9 that begin with a letter, joined by _ or -"
        );
        let is_reserved = RESERVED.split(' ').any(|word| word == name);
        ensure!(
            !is_reserved,
            "{name} means something else to Rust or cargo: expected another name"
        );
        let is_ambiguous = ["_high", "_dlq"].iter().any(|ending| name.ends_with(ending));
        ensure!(
            !is_ambiguous,
            "{name}: expected another ending than _high and _dlq, which the names of its queues have"
        );
        Ok(Self(name))
    }

    /// As messages and records have it: `sample_job`. Also the crate's name in Rust.
    pub(super) fn kind(&self) -> &str {
        &self.0
    }

    /// As cargo and AWS have it: `sample-job`. Also the folder's name.
    pub(super) fn package(&self) -> String {
        self.0.replace('_', "-")
    }

    /// As the Rust type has it: `SampleJob`.
    pub(super) fn type_name(&self) -> String {
        self.0.split('_').map(capitalised).collect()
    }

    /// As shell variables have it: `SAMPLE_JOB`.
    pub(super) fn capitals(&self) -> String {
        self.0.to_ascii_uppercase()
    }
}

fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn a_name_has_four_spellings() {
        for given in ["sample_job", "sample-job"] {
            let name = Name::parse(given).expect("a valid name");
            assert_eq!(name.kind(), "sample_job");
            assert_eq!(name.package(), "sample-job");
            assert_eq!(name.type_name(), "SampleJob");
            assert_eq!(name.capitals(), "SAMPLE_JOB");
        }
    }

    #[test]
    fn a_name_is_three_to_forty_characters_in_words_that_begin_with_a_letter() {
        let longest = "a".repeat(40);
        for good in ["abc", "a_b", "a1_b2", "s3-copy", "webhook", &longest] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(41);
        let shapeless = [
            "",
            "ab",
            &too_long,
            "Sample",
            "sampleJob",
            "1st",
            "_job",
            "job_",
            "a__b",
            "a-_b",
            "page_2x",
            "sample job",
            "sample.job",
            "../job",
            "größe",
        ];
        for bad in shapeless {
            let said = Name::parse(bad).expect_err(bad).to_string();
            assert!(said.starts_with(&format!("{bad:?} is no name of a job type")), "{said}");
            assert!(said.contains("expected 3 to 40 characters such as sample_job"), "{said}");
        }
    }

    #[test]
    fn a_name_means_nothing_else_to_rust_or_cargo() {
        for bad in ["match", "self", "gen", "proc-macro", "u64", "std", "test", "deps"] {
            let said = Name::parse(bad).expect_err(bad).to_string();
            assert!(said.ends_with("to Rust or cargo: expected another name"), "{said}");
        }
    }
}
