//! Times the commands of `evenkeel`, and counts their read units.

use clap::Parser as _;
use evenkeel::base::time::SystemClock;
use evenkeel_cli::{Exit, Stop, Streams, Target, args::Cli, run};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    fill::Filled,
    place::Place,
    table::{Measured, Row},
};

/// Difference of two sums of read units that rounding explains.
const ROUNDING: f64 = 0.001;

/// Measures the commands of issue 15 so often.
pub(super) async fn measure(place: &Place, filled: &Filled, rounds: usize) -> Vec<Row> {
    let commands: [&[&str]; 7] = [
        &["jobs", "list"],
        &["jobs", "list", "--state", "parked"],
        &["jobs", "list", "--state", "dead"],
        &["jobs", "list", "--state", "dead", "--limit", "1000"],
        &["queues", "list"],
        &["jobs", "explain", filled.parked.as_str()],
        &["report", "--since", "24h"],
    ];
    let mut rows = Vec::new();
    for words in commands {
        let mut row = Row::new(words.join(" ").replace(&filled.parked, "PARKED"));
        for _ in 0..rounds {
            row.add(measured(place, words).await);
        }
        rows.push(row);
    }
    rows
}

/// Runs a command. What it says of its read units is what they were.
async fn measured(place: &Place, words: &[&str]) -> Measured {
    let cli = Cli::parse_from(["evenkeel", "--json", "--local"].iter().chain(words));
    let surroundings = place.surroundings();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut out, &mut err);
    let connect = async |target: Target| place.ports(&target).await;
    let stop = Stop::default();
    let (before, began) = (place.meter.used(), Instant::now());
    let running = run(&cli, &surroundings, &SystemClock, &stop, connect, &mut streams);
    let exit = Box::pin(running).await;
    let (took, used) = (began.elapsed(), place.meter.used() - before);
    assert_eq!(exit, Exit::Done, "{words:?}: {}", String::from_utf8_lossy(&err));
    let answer: Value = serde_json::from_slice(&out).unwrap();
    let stated = answer.get("read_units").map_or(0.0, |units| units.as_f64().unwrap());
    assert!((stated - used.units).abs() < ROUNDING, "{words:?} says {stated}: {used:?}");
    Measured { took, used }
}
