//! The newest jobs that have succeeded, as the items of a minute keep their keys.

use std::collections::BTreeSet;

use crate::base::time::Time;

/// Bytes of the keys and times that the item of one container keeps: with all else that it counts, it then stays small
/// enough for its write to cost what it would cost without them.
pub const LATEST_BYTES: usize = 256;

/// The same of the item that holds the sum over all containers, which has no samples.
pub const LATEST_BYTES_OF_ALL: usize = 1_024;

/// Keys of jobs, each with the time of its success. The oldest give way to newer ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latest(BTreeSet<(u64, String)>);

/// How many bytes an entry has when it is stored. Counted for every job that succeeds, so nothing is formatted.
fn length((at, key): &(u64, String)) -> usize {
    let digits = at.checked_ilog10().map_or(1, |log| log + 1);
    usize::try_from(digits).unwrap_or(usize::MAX).saturating_add(1 + key.len())
}

/// How an entry is stored.
fn text((at, key): &(u64, String)) -> String {
    format!("{at}#{key}")
}

impl Latest {
    /// Adds a job, and drops the oldest so that all have at most `most` bytes. A key of more than half of them is left
    /// out: it would displace too many.
    pub fn insert(&mut self, at: Time, key: &str, most: usize) {
        let entry = (at.as_millis(), key.to_owned());
        if length(&entry) > most / 2 {
            return;
        }
        self.0.insert(entry);
        self.trim(most);
    }

    /// Takes a job back.
    pub fn remove(&mut self, at: Time, key: &str) {
        self.0.remove(&(at.as_millis(), key.to_owned()));
    }

    /// Adds the jobs of another, and drops the oldest so that all have at most `most` bytes.
    pub fn add(&mut self, other: &Self, most: usize) {
        self.0.extend(other.0.iter().cloned());
        self.trim(most);
    }

    fn trim(&mut self, most: usize) {
        let mut bytes = self.bytes();
        while bytes > most {
            let Some(oldest) = self.0.pop_first() else { return };
            bytes -= length(&oldest);
        }
    }

    /// The jobs with the times of their successes, the newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (Time, &str)> {
        self.0.iter().rev().map(|(at, key)| (Time::from_millis(*at), key.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes it has in the table.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(length).sum()
    }

    /// The texts that the table holds.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(text)
    }

    /// Reads what the table holds. What cannot be read is left out.
    #[must_use]
    pub fn read<'a>(texts: impl IntoIterator<Item = &'a String>) -> Self {
        let read = |text: &String| {
            let (at, key) = text.split_once('#')?;
            Some((at.parse().ok()?, key.to_owned()))
        };
        Self(texts.into_iter().filter_map(read).collect())
    }
}

impl FromIterator<(Time, String)> for Latest {
    fn from_iter<I: IntoIterator<Item = (Time, String)>>(jobs: I) -> Self {
        Self(jobs.into_iter().map(|(at, key)| (at.as_millis(), key)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_millis(1_800_000_000_000 + ms)
    }

    #[test]
    fn the_newest_stay_and_long_keys_are_left_out() {
        let mut latest = Latest::default();
        for ms in [5, 3, 9, 7] {
            latest.insert(at(ms), &format!("a#g:{ms}"), 64);
        }
        let keys: Vec<&str> = latest.newest_first().map(|(_, key)| key).collect();
        assert_eq!(keys, ["a#g:9", "a#g:7", "a#g:5"], "an entry has 19 bytes");
        latest.insert(at(10), &"k".repeat(30), 64);
        assert_eq!(latest.newest_first().count(), 3);
        assert!(latest.bytes() <= 64);
        latest.remove(at(9), "a#g:9");
        assert_eq!(latest.newest_first().next(), Some((at(7), "a#g:7")));
    }

    #[test]
    fn the_counted_bytes_are_those_of_the_stored_texts() {
        for at in [0, 9, 10, 99_999, 1_800_000_000_000, u64::MAX] {
            let latest: Latest =
                [(Time::from_millis(at), "a#g:é".to_owned())].into_iter().collect();
            assert_eq!(
                latest.bytes(),
                latest.texts().map(|text| text.len()).sum::<usize>(),
                "{at}"
            );
        }
    }

    #[test]
    fn what_was_written_is_read_and_the_sum_keeps_the_newest_of_both() {
        let one: Latest =
            [(at(1), "a#g:x#y".to_owned()), (at(3), "a#g:3".to_owned())].into_iter().collect();
        let texts: Vec<String> = one.texts().collect();
        assert_eq!(Latest::read(&texts), one);
        assert!(Latest::read(&["x#a".to_owned(), "7".to_owned()]).is_empty());
        let mut sum: Latest = [(at(2), "a#g:2".to_owned())].into_iter().collect();
        sum.add(&one, 40);
        let keys: Vec<&str> = sum.newest_first().map(|(_, key)| key).collect();
        assert_eq!(keys, ["a#g:3", "a#g:2"]);
    }
}
