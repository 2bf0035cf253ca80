//! The features of a seed: what goes wrong in it, and how much. Each is on in half of the seeds, so that each also
//! meets few others ("Swarm Testing", Groce et al. 2012).

use std::{collections::BTreeMap, fmt};

use evenkeel::testing::Draw;

/// Every feature. docs/simulation.md says what each does.
pub(crate) const FEATURES: [&str; 43] = [
    // Processes.
    "killed",
    "frozen",
    "cold_starts",
    "few_containers",
    "skew",
    "deployments",
    // Port calls.
    "late",
    "lost_answers",
    "cut_off",
    "hangs",
    "throttled",
    "partial_batches",
    "late_writes",
    "table_outage",
    "queue_outage",
    "broken",
    "unreadable",
    // Tables.
    "index_lag",
    "ttl",
    "partition_limits",
    // Queues.
    "duplicates",
    "disorder",
    "refused_sends",
    // The sweeper.
    "missed_ticks",
    "doubled_ticks",
    "commands",
    "operators",
    // Third parties.
    "upstream_down",
    "upstream_slow",
    "upstream_hostile",
    "rate_limited",
    "key_rotated",
    // What is sent.
    "feeds",
    "priorities",
    "loud_dealer",
    "deadlines",
    "repeats",
    "contradictions",
    "garbage",
    "forged",
    "failing_jobs",
    "crashing_jobs",
    "long_jobs",
];

/// The least intensity of a feature that is on; the most is 1.
const LEAST: f64 = 0.2;

/// The features that are on, with their intensities.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Features(BTreeMap<&'static str, f64>);

impl Features {
    /// Draws which are on.
    pub(crate) fn drawn(draw: Draw) -> Self {
        let on = FEATURES.into_iter().filter(|name| draw.unit("feature", 0, name, 0) < 0.5);
        let intensity = |name| LEAST + (1.0 - LEAST) * draw.unit("intensity", 0, name, 0);
        Self(on.map(|name| (name, intensity(name))).collect())
    }

    /// The intensity of a feature; `None` if it is off.
    ///
    /// # Panics
    /// If there is no such feature.
    pub(crate) fn of(&self, name: &str) -> Option<f64> {
        assert!(FEATURES.contains(&name), "{name} is a feature");
        self.0.get(name).copied()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    /// The names of those that are on.
    pub(crate) fn on(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    /// The same without one.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut less = self.clone();
        less.0.remove(name);
        less
    }

    /// Sets a feature to an intensity from 0 to 1, where 0 is off.
    pub(crate) fn set(&mut self, name: &str, intensity: f64) -> Result<(), String> {
        let known = FEATURES.into_iter().find(|known| *known == name);
        let known = known.ok_or_else(|| {
            format!("set: {name:?}, expected `planted` or one of {}", FEATURES.join(", "))
        })?;
        if !(0.0..=1.0).contains(&intensity) {
            return Err(format!("set: {name}={intensity}, expected a number from 0 to 1"));
        }
        if intensity > 0.0 {
            self.0.insert(known, intensity);
        } else {
            self.0.remove(known);
        }
        Ok(())
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = self.0.iter().map(|(name, intensity)| format!("{name}={intensity:.2}"));
        f.write_str(&each.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_on_in_about_half_of_the_seeds() {
        for name in FEATURES {
            let on = (0..1_000).filter(|seed| Features::drawn(Draw::new(*seed)).has(name)).count();
            assert!((420..=580).contains(&on), "{name} in {on} of 1,000");
        }
    }

    #[test]
    fn a_feature_is_set_by_its_name_and_a_wrong_one_is_named() {
        let mut features = Features::default();
        features.set("skew", 0.5).unwrap();
        assert_eq!(features.to_string(), "skew=0.50");
        features.set("skew", 0.0).unwrap();
        assert_eq!(features, Features::default());
        assert!(features.set("skew", 2.0).unwrap_err().contains("from 0 to 1"));
        assert!(features.set("sqew", 1.0).unwrap_err().contains("expected"));
    }
}
