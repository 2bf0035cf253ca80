//! Times of repeated work.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::{hint::black_box, time::Instant};

/// How often each is done. The shortest time counts: nothing makes a machine faster for a moment.
const ROUNDS: u32 = 200;

/// The shortest time of some work, in microseconds.
#[expect(clippy::disallowed_methods, reason = "the real time is what is measured")]
fn shortest<T>(work: impl Fn() -> T) -> f64 {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        black_box(work());
        start.elapsed().as_secs_f64() * 1e6
    });
    times.fold(f64::INFINITY, f64::min)
}

/// The shortest time of ours, and prints it.
pub(crate) fn ours<T>(work: impl Fn() -> T) -> f64 {
    let ours = shortest(work);
    println!("  {:<28} {ours:>9.0} µs", "ours");
    ours
}

/// What is promised of the time of another parser, as a multiple of ours or as a part of it.
#[derive(Clone, Copy)]
pub(crate) enum Bound {
    /// The other takes at least so many times as long as ours.
    AtLeast(f64),
    /// Ours takes at most so many times as long as the other.
    AtMost(f64),
}

/// Prints the shortest time of another parser, and how many times that of ours it is.
pub(crate) fn other<T>(name: &str, ours: f64, work: impl Fn() -> T) {
    println!("{}", line(name, ours, shortest(work)));
}

/// The same, with what is promised of it. Returns whether the promise holds.
pub(crate) fn judged<T>(name: &str, ours: f64, bound: Bound, work: impl Fn() -> T) -> bool {
    let time = shortest(work);
    let (promise, holds) = match bound {
        Bound::AtLeast(least) => (format!("{least} times ours or more"), time >= least * ours),
        Bound::AtMost(most) => (format!("ours at most {most} times it"), ours <= most * time),
    };
    let verdict = if holds { "" } else { ": BROKEN" };
    println!("{} (promised: {promise}{verdict})", line(name, ours, time));
    holds
}

fn line(name: &str, ours: f64, time: f64) -> String {
    format!("  {name:<28} {time:>9.0} µs, {:.2} × ours", time / ours)
}
