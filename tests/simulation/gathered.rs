//! Seeds that several runs of `cargo xtask simulate --resume` have gathered, in a file for each commit.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;

/// What is in the file.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// The first seed, and how many have run without breaking a rule.
    first: u64,
    seeds: u64,
    /// How long they took together, in seconds.
    seconds: f64,
    coverage: Coverage,
}

/// The seeds so far.
#[derive(Debug)]
pub(crate) struct Gathered {
    file: Option<PathBuf>,
    kept: Kept,
    began: Instant,
}

impl Gathered {
    /// Reads what was gathered from this seed on; without a file, nothing was. Fails with a sentence if the file is
    /// not what an earlier run has written.
    pub(crate) fn open(file: Option<&Path>, first: u64) -> Result<Self, String> {
        let text = file.filter(|file| file.exists()).map(fs::read_to_string).transpose();
        let wrong = |why: String| format!("resume: {why}; remove the file to begin anew");
        let kept = match text.map_err(|error| wrong(error.to_string()))? {
            Some(text) => serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?,
            None => Kept { first, ..Kept::default() },
        };
        if kept.first != first {
            let known = kept.first;
            return Err(wrong(format!("seeds from {known} were gathered, expected from {first}")));
        }
        Ok(Self { file: file.map(Path::to_owned), kept, began: now() })
    }

    /// The next seed to run.
    pub(crate) const fn next_seed(&self) -> u64 {
        self.kept.first + self.kept.seeds
    }

    /// Adds seeds that have broken no rule, and saves the file.
    pub(crate) fn add(&mut self, seeds: u64, coverage: &Coverage) -> Result<(), String> {
        let began = std::mem::replace(&mut self.began, now());
        self.kept.seeds += seeds;
        self.kept.seconds += self.began.duration_since(began).as_secs_f64();
        let Some(file) = &self.file else { return Ok(()) };
        self.kept.coverage.add(coverage);
        let text = serde_json::to_string_pretty(&self.kept).map_err(|error| error.to_string())?;
        let folder = file.parent().unwrap_or(Path::new("."));
        let saved = fs::create_dir_all(folder).and_then(|()| fs::write(file, text));
        saved.map_err(|error| format!("resume: {}: {error}", file.display()))
    }

    /// What was gathered, as lines; empty without a file.
    pub(crate) fn text(&self) -> String {
        let Kept { first, seeds, seconds, coverage } = &self.kept;
        if self.file.is_none() {
            return String::new();
        }
        let hours = seconds / 3_600.0;
        let coverage = coverage.text();
        format!("\ngathered: {seeds} seeds from {first} on, in {hours:.2} hours{coverage}")
    }
}

#[expect(clippy::disallowed_methods, reason = "how long seeds take is a matter of the real clock")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_gathered_is_added_up_and_goes_on_after_the_last_seed() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join("gathered.json");
        let _ = fs::remove_file(&file);
        let mut gathered = Gathered::open(Some(&file), 7).unwrap();
        assert_eq!(gathered.next_seed(), 7);
        gathered.add(1_000, &Coverage::default()).unwrap();
        let again = Gathered::open(Some(&file), 7).unwrap();
        assert_eq!(again.next_seed(), 1_007);
        assert!(again.text().contains("1000 seeds from 7 on"), "{}", again.text());
        assert!(Gathered::open(Some(&file), 8).unwrap_err().contains("expected from 8"));
        fs::write(&file, "nonsense").unwrap();
        assert!(Gathered::open(Some(&file), 7).unwrap_err().contains("remove the file"));
    }
}
