//! A plan: all that decides the course of one simulation. The same plan takes the same course.

use std::{collections::BTreeSet, time::Duration};

use evenkeel::{base::mutants::Mutant, testing::Draw};

use super::{features::Features, strikes::Strike};

/// The time over which messages are sent and things go wrong. Then everything is well until all work is done.
pub(crate) const BAD_TIME: Duration = Duration::from_mins(20);

/// What is before that, so that a clock that is behind has begun to run.
pub(crate) const BEFORE: Duration = Duration::from_secs(5);

/// What decides the course of a simulation. From a seed follows everything; the shrinker takes away.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) features: Features,
    /// Whether a bug is planted: ends of runs are written whatever the fence is.
    pub(crate) planted: bool,
    /// The fault that is put into the shipped code, if any.
    pub(crate) mutant: Option<Mutant>,
    /// Nothing is sent and nothing happens after this time.
    pub(crate) until: Duration,
    /// The numbers of the messages that are sent; `None` if all are.
    pub(crate) sends: Option<BTreeSet<u64>>,
    /// The port calls that fail; `None` if they are drawn.
    pub(crate) strikes: Option<Vec<Strike>>,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        Self {
            seed,
            features: Features::drawn(Draw::new(seed)),
            planted: false,
            mutant: None,
            until: BAD_TIME * 2,
            sends: None,
            strikes: None,
        }
    }

    pub(crate) fn draw(&self) -> Draw {
        Draw::new(self.seed)
    }

    /// Changes the plan as `name=value` says: a feature's intensity, `planted=1`, or `mutant=NAME`.
    pub(crate) fn set(&mut self, setting: &str) -> Result<(), String> {
        let expected = || format!("set: {setting:?}, expected NAME=NUMBER");
        let (name, value) = setting.split_once('=').ok_or_else(expected)?;
        if name == "mutant" {
            let known = Mutant::ALL.into_iter().find(|mutant| format!("{mutant:?}") == value);
            let unknown = || format!("set: {setting:?}, expected one of {:?}", Mutant::ALL);
            self.mutant = Some(known.ok_or_else(unknown)?);
            return Ok(());
        }
        let value: f64 = value.parse().map_err(|_| expected())?;
        if name == "planted" {
            self.planted = value > 0.0;
            return Ok(());
        }
        self.features.set(name, value)
    }
}

/// A time drawn from the bad time, for the `nth` thing of this kind.
pub(crate) fn when(draw: Draw, what: &str, nth: u64) -> Duration {
    BEFORE + BAD_TIME.mul_f64(draw.unit("when", 0, what, nth))
}
