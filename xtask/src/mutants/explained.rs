//! The mutants that may survive, each with the reason: `tests/mutants.txt`.

use anyhow::{Context as _, Result, ensure};
use regex_lite::Regex;

/// What stands between a pattern and its reason.
const SEPARATOR: &str = " # ";

/// The patterns of the mutants that are explained.
#[derive(Debug, Default)]
pub(super) struct Explained(Vec<Regex>);

impl Explained {
    /// Reads the list. Fails with the number of the first line that is wrong.
    pub(super) fn read(text: &str) -> Result<Self> {
        let lines = (1..).zip(text.lines());
        let given = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let patterns = given.map(|(number, line)| {
            let place = format!("tests/mutants.txt:{number}");
            let parts = line.rsplit_once(SEPARATOR);
            let (pattern, reason) =
                parts.with_context(|| format!("{place}: expected REGEX # REASON"))?;
            ensure!(!pattern.trim().is_empty(), "{place}: expected a pattern before #");
            ensure!(!reason.trim().is_empty(), "{place}: expected a reason after #");
            Regex::new(pattern.trim())
                .with_context(|| format!("{place}: expected a regular expression"))
        });
        Ok(Self(patterns.collect::<Result<_>>()?))
    }

    /// Whether a mutant is explained.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(name))
    }

    /// The patterns that fit none of these mutants: the code that they were written for is gone.
    pub(super) fn fit_none_of(&self, names: &[String]) -> Vec<&str> {
        let is_unfit = |pattern: &&Regex| !names.iter().any(|name| pattern.is_match(name));
        self.0.iter().filter(is_unfit).map(Regex::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Explained;

    const LIST: &str =
        "# A comment.\n\nretry\\.rs: replace > with >= in .*delay # Both are 0 then.\n";

    #[test]
    fn a_mutant_is_explained_by_a_pattern_with_a_reason() {
        let explained = Explained::read(LIST).expect("a list");
        assert!(explained.has("shared/src/record/retry.rs: replace > with >= in delay"));
        assert!(!explained.has("shared/src/record/retry.rs: replace > with < in delay"));
    }

    #[test]
    fn a_pattern_that_fits_nothing_is_found() {
        let explained = Explained::read(LIST).expect("a list");
        let name = "shared/src/record/retry.rs: replace > with >= in delay".to_owned();
        assert_eq!(explained.fit_none_of(&[name]), Vec::<&str>::new());
        let other = "shared/src/record/due.rs: replace > with >= in delay".to_owned();
        assert_eq!(explained.fit_none_of(&[other]).len(), 1);
    }

    #[test]
    fn a_wrong_line_is_named() {
        let wrong = [
            ("a # b\nretry\n", "tests/mutants.txt:2: expected REGEX # REASON"),
            ("retry #  \n", "tests/mutants.txt:1: expected a reason after #"),
            ("( # why\n", "tests/mutants.txt:1: expected a regular expression"),
        ];
        for (text, expected) in wrong {
            assert_eq!(Explained::read(text).expect_err(text).to_string(), expected);
        }
    }

    #[test]
    fn the_committed_list_can_be_read() {
        Explained::read(include_str!("../../../tests/mutants.txt")).expect("the committed list");
    }
}
