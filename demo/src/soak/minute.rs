//! What a minute of the soak test has seen, and what is wrong with all of them. Pure.

use std::fmt;

use serde::Deserialize;

/// Minutes that count for nothing: the first ones read an hour of history, and scripts are compiled.
const WARM_UP: usize = 2;

/// How much the memory of the tab's script may grow, in KiB, with the garbage collected each time.
const MORE_HEAP_KIB: u64 = 8 * 1_024;

/// How much the dashboard's process may grow, in MiB.
const MORE_MIB: u64 = 32;

/// Nodes that the tab may keep beside those that it shows: of the page that it has read last.
const KEPT_PAGES: u64 = 2;

/// How much more often than in the busiest minute before may be asked after AWS has come back: half as often again.
const MORE_OFTEN: f64 = 1.5;

/// What the tab has told of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Tab {
    /// Requests that the page has sent.
    pub(super) requests: u32,
    /// Memory of its script, in KiB.
    pub(super) heap_kib: u64,
    /// All nodes of the tab, and those of its document.
    pub(super) nodes: u64,
    pub(super) shown_nodes: u64,
}

/// A minute of the soak test.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Minute {
    pub(super) tab: Tab,
    /// Read units that the dashboard has used.
    pub(super) units: f64,
    /// Memory of the dashboard's process, in MiB, if the system tells.
    pub(super) mib: Option<u64>,
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tab, units, mib } = self;
        let Tab { requests, heap_kib, nodes, shown_nodes } = tab;
        write!(f, "{requests} requests, {units:.1} read units; the tab: {heap_kib} KiB, ")?;
        write!(f, "{nodes} nodes, {shown_nodes} shown; the dashboard: ")?;
        match mib {
            Some(mib) => write!(f, "{mib} MiB"),
            None => f.write_str("unknown"),
        }
    }
}

/// Something of a minute that may not come more often after AWS has come back.
type Rate = fn(&Minute) -> f64;

/// What is wrong, a sentence each. AWS goes away after the first `goes_after` minutes.
pub(super) fn findings(seen: &[Minute], goes_after: usize) -> Vec<String> {
    let (before, after) = seen.split_at(goes_after.min(seen.len()));
    let calm = before.get(WARM_UP..).unwrap_or_default();
    let (Some(first), Some(last)) = (calm.first(), after.last()) else {
        return vec![format!("{} minutes are too few", seen.len())];
    };
    let mut findings = Vec::new();
    let grown = last.tab.heap_kib.saturating_sub(first.tab.heap_kib);
    if grown > MORE_HEAP_KIB {
        findings.push(format!("the tab's script has grown by {grown} KiB, bound {MORE_HEAP_KIB}"));
    }
    let kept = last.tab.nodes.saturating_sub(last.tab.shown_nodes);
    if kept > KEPT_PAGES * last.tab.shown_nodes {
        findings.push(format!("the tab keeps {kept} nodes that it does not show"));
    }
    if let (Some(first), Some(last)) = (first.mib, last.mib)
        && last.saturating_sub(first) > MORE_MIB
    {
        let grown = last - first;
        findings.push(format!("the dashboard has grown by {grown} MiB, bound {MORE_MIB}"));
    }
    let rates: [(&str, Rate); 2] = [
        ("requests of the tab", |minute| f64::from(minute.tab.requests)),
        ("read units", |minute| minute.units),
    ];
    for (what, rate) in rates {
        let most = |minutes: &[Minute]| minutes.iter().map(rate).fold(0.0, f64::max);
        let (usual, busiest) = (most(calm), most(after));
        if busiest > MORE_OFTEN * usual {
            findings.push(format!("{what}: {busiest:.0} in a minute, after {usual:.0} before"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{Minute, Tab, findings};

    /// Eight minutes as they should be; AWS goes away after four.
    fn good() -> Vec<Minute> {
        let tab = Tab { requests: 40, heap_kib: 3_000, nodes: 5_000, shown_nodes: 2_000 };
        let usual = Minute { tab, units: 300.0, mib: Some(40) };
        let mut minutes = vec![usual; 8];
        // The first one reads the history, and compiles the script.
        minutes[0] = Minute { tab: Tab { requests: 70, ..tab }, units: 900.0, mib: Some(20) };
        minutes[4] = Minute { tab: Tab { requests: 30, ..tab }, units: 0.0, ..usual };
        minutes
    }

    fn found(change: impl Fn(&mut Vec<Minute>)) -> Vec<String> {
        let mut minutes = good();
        change(&mut minutes);
        findings(&minutes, 4)
    }

    #[test]
    fn an_even_hour_has_no_finding() {
        assert_eq!(found(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn growth_of_the_tab_and_of_the_dashboard_is_found() {
        let grown = found(|minutes| minutes[7].tab.heap_kib = 11_193);
        assert_eq!(grown, ["the tab's script has grown by 8193 KiB, bound 8192"]);
        let kept = found(|minutes| minutes[7].tab.nodes = 6_001);
        assert_eq!(kept, ["the tab keeps 4001 nodes that it does not show"]);
        let grown = found(|minutes| minutes[7].mib = Some(73));
        assert_eq!(grown, ["the dashboard has grown by 33 MiB, bound 32"]);
    }

    #[test]
    fn a_storm_after_the_return_is_found() {
        let storm = found(|minutes| minutes[5].tab.requests = 61);
        assert_eq!(storm, ["requests of the tab: 61 in a minute, after 40 before"]);
        let storm = found(|minutes| minutes[4].units = 451.0);
        assert_eq!(storm, ["read units: 451 in a minute, after 300 before"]);
    }

    #[test]
    fn too_few_minutes_show_nothing() {
        assert_eq!(findings(&good()[..3], 4), ["3 minutes are too few"]);
        assert_eq!(findings(&good(), 2), ["8 minutes are too few"]);
    }
}
