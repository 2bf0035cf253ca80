//! What many seeds say together, and what one that broke a rule says.

use std::{collections::BTreeMap, fmt::Write as _, ops::RangeInclusive, time::Duration};

use evenkeel::testing::BEGINNING;

use super::{
    coverage::Coverage,
    features::{FEATURES, Features},
    load,
    oracle::Seen,
    plan::Plan,
    sent::Sent,
    shrink::Shrunk,
    strikes::Strike,
    weather::{self, Event},
    world::{Course, Size},
};
use crate::claim_model;

/// The least that the median seed must have.
const LEAST: Size = Size {
    messages: 30,
    containers: 3,
    port_calls: 300,
    struck: 5,
    minutes: 20,
    seen: Seen { writes: 60, claims: 30, deletions: 30 },
};

/// The share of the seeds in which each feature must be on, in hundredths, and the number of seeds from which on that
/// is no chance.
const SHARE: RangeInclusive<usize> = 30..=70;
const MANY: usize = 200;

/// The number of seeds from which on their sizes are judged: one seed may be small.
const SOME: usize = 10;

/// The number of seeds from which on all that can happen must have happened.
const THOROUGH: usize = 1_000;

/// Lines of each part of a report.
const MOST_LINES: usize = 7;

/// The sizes of the seeds so far, and the features that were on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sizes: Vec<Size>,
    on: BTreeMap<&'static str, usize>,
    /// The sum of the intensities of each feature, over the seeds in which it was on.
    intensities: BTreeMap<&'static str, f64>,
    pub(crate) coverage: Coverage,
}

impl Tally {
    pub(crate) fn add(&mut self, plan: &Plan, course: &Course) {
        self.sizes.push(course.size);
        self.coverage.add(&course.coverage);
        self.add_features(&plan.features);
    }

    fn add_features(&mut self, features: &Features) {
        for name in features.on() {
            *self.on.entry(name).or_default() += 1;
            *self.intensities.entry(name).or_default() += features.of(name).unwrap_or_default();
        }
    }

    /// Adds what other seeds say.
    pub(crate) fn join(&mut self, other: Self) {
        self.sizes.extend(other.sizes);
        for (name, more) in other.on {
            *self.on.entry(name).or_default() += more;
        }
        for (name, more) in other.intensities {
            *self.intensities.entry(name).or_default() += more;
        }
        self.coverage.add(&other.coverage);
    }

    fn median(&self, of: impl Fn(&Size) -> u64) -> u64 {
        let mut all: Vec<u64> = self.sizes.iter().map(of).collect();
        all.sort_unstable();
        all.get(all.len() / 2).copied().unwrap_or_default()
    }

    /// Name, median and least value of each size.
    fn medians(&self) -> [(&'static str, u64, u64); 8] {
        type Of = fn(&Size) -> u64;
        let sizes: [(&str, Of); 8] = [
            ("messages", |size| count(size.messages)),
            ("containers", |size| size.containers),
            ("port calls", |size| count(size.port_calls)),
            ("port calls that failed", |size| count(size.struck)),
            ("virtual minutes", |size| size.minutes),
            ("writes of records", |size| size.seen.writes),
            ("claims", |size| size.seen.claims),
            ("messages deleted", |size| size.seen.deletions),
        ];
        sizes.map(|(name, of)| (name, self.median(of), of(&LEAST)))
    }

    /// What the seeds say together.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{} seeds; the median seed has", self.sizes.len());
        for (name, median, least) in self.medians() {
            let _ = write!(text, "\n  {median:6} {name} (at least {least})");
        }
        let _ = write!(
            text,
            "\nfeatures, with the share of seeds in which each is on, and its mean intensity in them:\n "
        );
        for name in FEATURES {
            let _ = write!(text, " {name} {} % ({:.2}),", self.share(name), self.intensity(name));
        }
        text.truncate(text.trim_end_matches(',').len());
        text.push_str(&self.coverage.text());
        text
    }

    fn share(&self, name: &str) -> usize {
        self.on.get(name).copied().unwrap_or_default() * 100 / self.sizes.len().max(1)
    }

    /// The mean intensity of a feature in the seeds in which it was on.
    #[expect(clippy::cast_precision_loss, reason = "a small count")]
    fn intensity(&self, name: &str) -> f64 {
        let seeds = self.on.get(name).copied().unwrap_or_default().max(1) as f64;
        self.intensities.get(name).copied().unwrap_or_default() / seeds
    }

    /// What is too small or too rare, so that the seeds prove little. Features that `set` names are not drawn.
    pub(crate) fn too_little(&self, set: &[String]) -> Vec<String> {
        let are_some = self.sizes.len() >= SOME;
        let medians = self.medians().into_iter();
        let medians = medians.filter(|(_, median, least)| are_some && median < least);
        let medians = medians
            .map(|(name, median, least)| format!("{median} {name}, expected at least {least}"));
        let is_set = |name: &str| set.iter().any(|set| set.split('=').next() == Some(name));
        let rare = FEATURES.into_iter().filter(|name| {
            self.sizes.len() >= MANY && !is_set(name) && !SHARE.contains(&self.share(name))
        });
        let rare = rare.map(|name| format!("{name} is on in {} % of the seeds", self.share(name)));
        let is_enough = set.is_empty() && self.sizes.len() >= THOROUGH;
        let missing =
            if is_enough { self.coverage.missing(&claim_model::moves()) } else { Vec::new() };
        medians.chain(rare).chain(missing).collect()
    }
}

fn count(of: usize) -> u64 {
    u64::try_from(of).unwrap_or(u64::MAX)
}

/// What broke a rule, in at most 40 lines.
pub(crate) fn of_failure(shrunk: &Shrunk) -> String {
    let Shrunk { plan, course, runs } = shrunk;
    let mut text = String::new();
    if let Some(violation) = &course.violation {
        let _ = writeln!(text, "{violation}");
    }
    let mutant = plan.mutant.map(|mutant| format!(" --set mutant={mutant:?}"));
    let planted = if plan.planted { " --set planted=1" } else { mutant.as_deref().unwrap_or("") };
    let _ = writeln!(text, "seed {}, shrunk in {runs} runs{planted}", plan.seed);
    let _ = writeln!(text, "features: {}", plan.features);
    let strikes: &[Strike] = plan.strikes.as_deref().unwrap_or(&course.struck);
    part(&mut text, "port calls that fail", strikes.iter().map(ToString::to_string));
    let events = weather::events(plan).into_iter().skip(2);
    let event =
        |(at, event): (Duration, Event)| format!("after {:.1} s: {event:?}", at.as_secs_f64());
    part(&mut text, "what happens", events.map(event));
    let sends = load::load(plan).into_iter();
    let send = |send: Sent| format!("after {:.1} s: {}", send.at.as_secs_f64(), send.body);
    part(&mut text, "messages", sends.map(send));
    let _ = write!(text, "the clock began at {BEGINNING}");
    text
}

fn part(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "{title}: {}", lines.len());
    for line in lines.iter().take(MOST_LINES) {
        let short: String = line.chars().take(160).collect();
        let _ = writeln!(text, "  {short}");
    }
    if lines.len() > MOST_LINES {
        let _ = writeln!(text, "  and {} more", lines.len() - MOST_LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_feature_is_told_with_its_share_and_its_mean_intensity() {
        let mut tally = Tally::default();
        for intensity in [0.4, 0.6, 0.0, 0.0] {
            let mut features = Features::default();
            features.set("skew", intensity).unwrap();
            tally.add_features(&features);
            tally.sizes.push(LEAST);
        }
        let text = tally.text();
        assert!(text.contains(" skew 50 % (0.50),"), "{text}");
        assert!(text.contains(" ttl 0 % (0.00),"), "{text}");
    }

    /// The size of a seed.
    type SizeOf = fn() -> Size;

    #[test]
    fn seeds_that_are_too_small_in_any_way_are_named() {
        let of = |size: fn() -> Size| {
            let sizes = std::iter::repeat_with(size).take(SOME).collect();
            Tally { sizes, ..Tally::default() }.too_little(&[])
        };
        assert_eq!(of(|| LEAST), Vec::<String>::new());
        let small: [(&str, SizeOf); 8] = [
            ("29 messages", || Size { messages: 29, ..LEAST }),
            ("2 containers", || Size { containers: 2, ..LEAST }),
            ("299 port calls", || Size { port_calls: 299, ..LEAST }),
            ("4 port calls that failed", || Size { struck: 4, ..LEAST }),
            ("19 virtual minutes", || Size { minutes: 19, ..LEAST }),
            ("59 writes of records", || Size { seen: Seen { writes: 59, ..LEAST.seen }, ..LEAST }),
            ("29 claims", || Size { seen: Seen { claims: 29, ..LEAST.seen }, ..LEAST }),
            ("29 messages deleted", || Size {
                seen: Seen { deletions: 29, ..LEAST.seen },
                ..LEAST
            }),
        ];
        for (expected, size) in small {
            let [only]: [String; 1] = of(size).try_into().unwrap();
            assert!(only.starts_with(&format!("{expected}, expected at least ")), "{only}");
        }
    }
}
