//! `cargo xtask bench` runs this under callgrind. `bench-engine` lists the cases as JSON; `bench-engine CASE TIMES`
//! sets one up and does it so many times.
//!
//! The instructions of a case are those of twice its rounds less those of its rounds, so that start-up and set-up
//! cancel out. Both runs therefore set up the same.
#![expect(clippy::print_stdout, reason = "a command's answer")]

mod calls;
mod case;
mod decisions;
mod linear;
mod reading;
mod sweeping;
mod work;

use std::{env, error::Error};

use case::Case;

/// Every case, in the order of the table.
fn cases() -> Vec<Case> {
    let groups = [work::cases(), decisions::cases(), calls::cases(), reading::cases()];
    groups.into_iter().flatten().chain(sweeping::cases()).chain(linear::cases()).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let cases = cases();
    let mut arguments = env::args().skip(1);
    let Some(name) = arguments.next() else {
        let list: Vec<_> = cases.iter().map(Case::described).collect();
        println!("{}", serde_json::to_string(&list)?);
        return Ok(());
    };
    let times = arguments.next().ok_or("expected how many times, after the name of a case")?;
    let case = cases.iter().find(|case| case.name == name);
    let case =
        case.ok_or_else(|| format!("{name:?} is no case; without arguments, all are listed"))?;
    let times = times.parse::<u32>().map_err(|error| format!("{times:?}: {error}"))?;
    (case.run)(times);
    Ok(())
}
