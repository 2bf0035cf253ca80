//! Counts of jobs, by type and by outcome. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::end::End;
use super::outcome::Output;
use crate::incident::job::Kind;

/// The figures of a job type.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Share {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) jobs: usize,
    /// Of all jobs.
    pub(crate) percent: f64,
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    pub(crate) mean_ms: Option<u64>,
    pub(crate) p95_ms: Option<u64>,
}

/// The jobs with the same outcome.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Outcome {
    /// How these jobs ended, as the table names it.
    pub(crate) name: String,
    pub(crate) jobs: usize,
    /// Of all jobs.
    pub(crate) percent: f64,
}

/// Fields of pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Fields {
    pub(crate) pages: usize,
    pub(crate) found: usize,
    /// Neither on the page nor in a feed; the record lists each of them.
    pub(crate) missing: usize,
    pub(crate) conflicting: usize,
}

/// The types that occur, the most frequent first.
pub(crate) fn by_type(ends: &[End]) -> Vec<Share> {
    let of_kind = |kind: Kind| -> Option<Share> {
        let of_kind: Vec<&End> = ends.iter().filter(|end| end.kind == kind).collect();
        let jobs = of_kind.len();
        let succeeded = of_kind.iter().filter(|end| end.outcome.is_ok()).count();
        let times = times(of_kind);
        (jobs > 0).then(|| Share {
            kind: kind.name(),
            jobs,
            percent: percent(jobs, ends.len()),
            succeeded,
            failed: jobs - succeeded,
            mean_ms: mean(&times),
            p95_ms: percentile(&times, 95),
        })
    };
    Kind::ALL.into_iter().filter_map(of_kind).collect()
}

/// The outcomes that occur, the most frequent first.
pub(crate) fn by_outcome(ends: &[End]) -> Vec<Outcome> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for end in ends {
        *counts.entry(end.standing()).or_default() += 1;
    }
    let outcome = |(outcome, jobs): (&str, usize)| Outcome {
        name: outcome.to_owned(),
        jobs,
        percent: percent(jobs, ends.len()),
    };
    let mut outcomes: Vec<Outcome> = counts.into_iter().map(outcome).collect();
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.jobs));
    outcomes
}

/// The fields of the pages that were read.
pub(crate) fn fields(ends: &[End]) -> Fields {
    let mut fields = Fields::default();
    for end in ends {
        if let Ok(Output::Car(scraped)) = &end.outcome {
            fields.pages += 1;
            fields.found += scraped.quality.found.len();
            fields.missing += scraped.quality.missing.len();
            fields.conflicting += scraped.quality.conflicting.len();
        }
    }
    fields
}

/// The times of the successes, shortest first.
pub(crate) fn times<'a>(ends: impl IntoIterator<Item = &'a End>) -> Vec<u64> {
    let done = ends.into_iter().filter(|end| end.outcome.is_ok());
    let mut times: Vec<u64> = done.filter_map(|end| end.took_ms).collect();
    times.sort_unstable();
    times
}

/// A share in percent, to one decimal.
pub(crate) fn percent(part: usize, whole: usize) -> f64 {
    let whole = u32::try_from(whole).unwrap_or(u32::MAX).max(1);
    let part = u32::try_from(part).unwrap_or(u32::MAX);
    (f64::from(part) * 1_000.0 / f64::from(whole)).round() / 10.0
}

pub(crate) fn mean(times: &[u64]) -> Option<u64> {
    times.iter().sum::<u64>().checked_div(times.len() as u64)
}

/// The nearest-rank percentile of sorted times.
pub(crate) fn percentile(times: &[u64], percent: usize) -> Option<u64> {
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::{by_outcome, by_type, fields, mean, percent, percentile, times};
    use crate::incident::job::Kind;
    use crate::scene::record::Inventory;
    use crate::verdict::end::End;
    use crate::verdict::outcome::Output;

    fn end(kind: Kind, state: &str, went_well: bool, took_ms: u64) -> End {
        let inventory = Inventory {
            vehicles: 1,
            bad: 0,
            pages: 1,
            stale: false,
            scraping_jobs: 1,
            shortening_jobs: 1,
        };
        let outcome = if went_well { Ok(Output::Cars(inventory)) } else { Err("broken".into()) };
        End {
            kind,
            name: "a job".into(),
            key: Some("key".into()),
            state: Some(state.into()),
            outcome,
            took_ms: Some(took_ms),
        }
    }

    #[test]
    fn jobs_are_counted_by_type_and_by_outcome() {
        let ends = [
            end(Kind::Shortening, "succeeded", true, 30),
            end(Kind::Shortening, "succeeded", false, 900),
            end(Kind::Shortening, "dead", false, 900),
            end(Kind::Feed, "succeeded", true, 10),
        ];
        let shares = by_type(&ends);
        let shown: Vec<_> = shares
            .iter()
            .map(|share| (share.kind, share.jobs, share.succeeded, share.failed, share.mean_ms))
            .collect();
        let expected =
            [("url_shortening", 3, 1, 2, Some(30)), ("dealer_com_feed", 1, 1, 0, Some(10))];
        assert_eq!(shown, expected);
        assert!((shares[0].percent - 75.0).abs() < f64::EPSILON);
        let outcomes = by_outcome(&ends);
        let shown: Vec<_> =
            outcomes.iter().map(|outcome| (outcome.name.as_str(), outcome.jobs)).collect();
        assert_eq!(shown, [("succeeded", 2), ("dead", 1), ("wrong result", 1)]);
        assert_eq!(times(&ends), [10, 30]);
        assert_eq!(fields(&ends).pages, 0);
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<u64> = (1..=132).collect();
        assert_eq!(percentile(&times, 95), Some(126));
        assert_eq!(percentile(&times, 50), Some(66));
        assert_eq!(percentile(&[7], 95), Some(7));
        assert_eq!(percentile(&[], 95), None);
    }

    #[test]
    fn shares_and_means() {
        assert!((percent(23, 151) - 15.2).abs() < f64::EPSILON);
        assert!((percent(132, 151) - 87.4).abs() < f64::EPSILON);
        assert!(percent(0, 0).abs() < f64::EPSILON);
        assert_eq!(mean(&[1, 2, 6]), Some(3));
        assert_eq!(mean(&[]), None);
    }
}
