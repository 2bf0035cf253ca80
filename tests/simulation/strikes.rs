//! Which port calls fail in a simulation, and how.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use evenkeel::{
    base::time::Time,
    testing::{BEGINNING, CallSite, Draw, Fault},
};

use super::{
    coverage::Coverage,
    plan::{Plan, when},
};
use crate::bench::processes::SWEEPER;

/// A port call that failed: which process made it, its name, how many calls of this name that process had made
/// before, and how it failed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Strike {
    pub(crate) process: u64,
    pub(crate) name: &'static str,
    pub(crate) nth: u64,
    pub(crate) fault: Fault,
    pub(crate) at: Time,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { process, name, nth, fault, at } = self;
        let (whose, number) = match process.checked_sub(SWEEPER) {
            Some(number) => ("sweeper", number),
            None => ("process", *process),
        };
        let after = at.since(BEGINNING).as_secs();
        write!(f, "{fault:?} at {name} {nth} of {whose} {number}, after {after} s")
    }
}

/// A feature that strikes single calls: its name, and the share of the calls that it strikes at most.
const KINDS: [(&str, f64); 10] = [
    ("late", 0.02),
    ("lost_answers", 0.02),
    ("cut_off", 0.02),
    ("hangs", 0.006),
    ("throttled", 0.02),
    ("killed", 0.004),
    ("killed_after", 0.004),
    ("frozen", 0.006),
    ("late_writes", 0.02),
    ("unreadable", 0.01),
];

/// The sweeper makes many more calls than the functions, so fewer of each hundred fail.
const SHARE_OF_THE_SWEEPER: f64 = 0.05;

/// Freezing matters most just before the end of a run is written.
const WEIGHT_OF_SETTLE: f64 = 6.0;

/// Calls to the tables that are most of the way of a job.
const TABLE_CALLS: [&str; 10] = [
    "insert",
    "read",
    "read_all",
    "replace",
    "replace_all",
    "settle",
    "lease",
    "release",
    "index_lease_expiry",
    "reject",
];

/// Calls whose effect may come after their process has given up or died, or once more.
const WRITES: [&str; 8] = [
    "insert",
    "replace",
    "replace_all",
    "settle",
    "index_lease_expiry",
    "lease",
    "release",
    "send",
];

/// Calls to the queues, those of the sweeper included.
const QUEUE_CALLS: [&str; 5] = ["send", "extend_visibility", "receive", "delete", "depth"];

/// A time in which all calls of these names fail.
#[derive(Clone, Debug)]
struct Outage {
    from: Time,
    until: Time,
    calls: &'static [&'static str],
    fault: Fault,
}

/// Decides about each port call, and notes what struck. Clones share the notes.
#[derive(Clone, Debug)]
pub(crate) struct Strikes(Arc<State>);

#[derive(Debug)]
struct State {
    draw: Draw,
    /// The share of calls that each feature strikes.
    shares: Vec<(&'static str, f64)>,
    outages: Vec<Outage>,
    /// The calls that fail, if they are not drawn: by process, name and number.
    chosen: Option<BTreeMap<(u64, &'static str, u64), Fault>>,
    noted: Mutex<Noted>,
}

#[derive(Debug, Default)]
struct Noted {
    is_over: bool,
    struck: Vec<Strike>,
    by_outages: usize,
    coverage: Coverage,
}

impl Strikes {
    pub(crate) fn of(plan: &Plan) -> Self {
        let intensity = |name: &str| plan.features.of(name).unwrap_or_default();
        let share = |(name, most): (&'static str, f64)| match name {
            "killed_after" => (name, intensity("killed") * most),
            name => (name, intensity(name) * most),
        };
        let chosen = plan.strikes.as_ref().map(|strikes| {
            strikes.iter().map(|of| ((of.process, of.name, of.nth), of.fault)).collect()
        });
        Self(Arc::new(State {
            draw: plan.draw(),
            shares: KINDS.map(share).into_iter().filter(|(_, share)| *share > 0.0).collect(),
            outages: outages(plan),
            chosen,
            noted: Mutex::default(),
        }))
    }

    /// What becomes of a port call. `base` is added to the number of its process.
    pub(crate) fn decide(&self, base: u64, site: &CallSite) -> Option<Fault> {
        let mut noted = self.0.noted.lock().unwrap();
        if noted.is_over {
            return None;
        }
        let during = |of: &&Outage| of.from <= site.at && site.at < of.until;
        let of_it = |of: &&Outage| of.calls.contains(&site.name);
        if let Some(outage) = self.0.outages.iter().filter(during).find(of_it) {
            noted.by_outages += 1;
            noted.coverage.struck(site.name, outage.fault);
            return Some(outage.fault);
        }
        let process = base + site.process;
        let fault = match &self.0.chosen {
            Some(chosen) => chosen.get(&(process, site.name, site.nth)).copied(),
            None => self.drawn(process, site),
        }?;
        let CallSite { at, name, nth, .. } = *site;
        noted.coverage.struck(name, fault);
        noted.struck.push(Strike { process, name, nth, fault, at });
        Some(fault)
    }

    fn drawn(&self, process: u64, site: &CallSite) -> Option<Fault> {
        let State { draw, shares, .. } = &*self.0;
        let is_sweeper = process >= SWEEPER;
        shares.iter().find_map(|(kind, share)| {
            let mut share = if is_sweeper { share * SHARE_OF_THE_SWEEPER } else { *share };
            if *kind == "frozen" && site.name == "settle" {
                share *= WEIGHT_OF_SETTLE;
            }
            let struck = draw.unit(kind, process, site.name, site.nth) < share;
            struck.then(|| fault(*draw, kind, process, site)).flatten()
        })
    }

    /// From now on nothing fails.
    pub(crate) fn end(&self) {
        self.0.noted.lock().unwrap().is_over = true;
    }

    /// The calls that failed, without those in outages.
    pub(crate) fn struck(&self) -> Vec<Strike> {
        self.0.noted.lock().unwrap().struck.clone()
    }

    /// The calls that failed, those in outages included, by name and fault.
    pub(crate) fn coverage(&self) -> Coverage {
        self.0.noted.lock().unwrap().coverage.clone()
    }

    /// How many calls failed.
    pub(crate) fn count(&self) -> usize {
        let noted = self.0.noted.lock().unwrap();
        noted.struck.len() + noted.by_outages
    }
}

/// The fault of a feature at a call; `None` if the feature cannot strike it.
fn fault(draw: Draw, kind: &str, process: u64, site: &CallSite) -> Option<Fault> {
    let CallSite { name, nth, .. } = *site;
    let span = |most_ms| draw.below(most_ms, "span", process, name, nth);
    Some(match kind {
        "late" => Fault::Late(Duration::from_millis(50 + span(1_500))),
        "lost_answers" => Fault::AnswerLost,
        "cut_off" => Fault::Before,
        "hangs" => Fault::Hang,
        "throttled" => Fault::Throttled,
        "killed" => Fault::DieBefore,
        "killed_after" => Fault::DieAfter,
        "frozen" => Fault::Freeze(Duration::from_millis(1_000 + span(180_000))),
        "late_writes" if WRITES.contains(&name) => {
            let span = Duration::from_millis(200 + span(60_000));
            match draw.below(3, "late_writes", process, name, nth) {
                0 => Fault::Delayed(span),
                1 => Fault::Outlives(span),
                _ => Fault::Twice(span),
            }
        }
        "unreadable" if name == "read" => Fault::Unreadable,
        _ => return None,
    })
}

fn outages(plan: &Plan) -> Vec<Outage> {
    let draw = plan.draw();
    let outage = |feature: &str, calls: &'static [&'static str], fault, longest_s: f64| {
        let intensity = plan.features.of(feature)?;
        let from = when(draw, feature, 0);
        let span = Duration::from_secs_f64(5.0 + longest_s * intensity);
        (from <= plan.until).then(|| Outage {
            from: BEGINNING + from,
            until: BEGINNING + from + span,
            calls,
            fault,
        })
    };
    [
        outage("table_outage", &TABLE_CALLS, Fault::Before, 90.0),
        outage("queue_outage", &QUEUE_CALLS, Fault::Before, 90.0),
        outage("broken", &TABLE_CALLS, Fault::Broken, 20.0),
    ]
    .into_iter()
    .flatten()
    .collect()
}
