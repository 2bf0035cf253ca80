//! What goes wrong with the sweepers that lead, one after the other.

use std::time::Duration;

use evenkeel::{
    base::time::Time,
    testing::{CallSite, Fault},
};

use crate::bench::{Bench, run::MINUTE};

/// What happens to the ticks of ten minutes, of which the first is `begin`.
pub(super) type Happens = fn(&Bench, begin: Time);

/// Sweepers that do not come, die or freeze, each with a name.
pub(super) fn troubled() -> [(&'static str, Happens); 4] {
    [
        ("nothing", |_, _| {}),
        ("no tick for ten minutes", |bench, begin| bench.miss_ticks_until(begin + MINUTE * 10)),
        ("leaders die before they tell", |bench, begin| {
            let end = begin + MINUTE * 5;
            bench.sweeper_faults.decide(move |call: &CallSite| {
                let is_struck = call.name == "notes" && (begin..end).contains(&call.at);
                is_struck.then_some(Fault::DieBefore)
            });
        }),
        ("a leader is frozen before it tells, and another takes over", |bench, begin| {
            bench.sweeper_faults.decide(move |call: &CallSite| {
                let soon = begin..begin + MINUTE * 2;
                let is_struck = call.name == "put_counts" && soon.contains(&call.at);
                is_struck.then_some(Fault::Freeze(Duration::from_secs(90)))
            });
        }),
    ]
}
