//! Strikes each fault, sees it, mends it as its answer says, and sees that it is mended.
#![expect(clippy::print_stdout, reason = "a command's progress")]

use std::time::Duration;

use anyhow::{Result, ensure};

use super::fault::{Card, Fault, Step, shown};
use super::ground::Ground;

/// A silent sweeper shows after five minutes, a refused key or plan after some jobs.
const SHOWS_WITHIN: Duration = Duration::from_mins(8);

/// Probes of a breaker may be minutes apart; the sweeper comes by each minute.
const MENDED_WITHIN: Duration = Duration::from_mins(4);

/// Goes through all faults, one after the other. Returns whether each was found and mended.
pub(super) async fn run(on: &Ground<'_>) -> Result<bool> {
    let mut failed = 0;
    for fault in Fault::ALL {
        match one(on, fault).await {
            Ok(()) => println!("{fault:?}: found and mended"),
            Err(error) => {
                failed += 1;
                println!("{fault:?}: {error:#}");
                // The next fault must not hide behind this one.
                fault.mend_outside(on).await?;
            }
        }
    }
    println!("{} of {} faults were found and mended", Fault::ALL.len() - failed, Fault::ALL.len());
    Ok(failed == 0)
}

async fn one(on: &Ground<'_>, fault: Fault) -> Result<()> {
    let Card { find, shows, mend, .. } = fault.card();
    fault.strike(on).await?;
    ensure!(!fault.is_mended(on).await?, "it counts as mended right after it has struck");
    let (cause, others) = find.split_last().map_or((&[][..], find), |(last, all)| (*last, all));
    for words in others {
        let printed = on.evenkeel(words).await?;
        ensure!(printed.is_answer, "{}: {}", shown(words), printed.text);
    }
    let what = format!("{} shows {shows:?}", shown(cause));
    on.until(&what, SHOWS_WITHIN, async |on| Ok(on.evenkeel(cause).await?.text.contains(shows)))
        .await?;
    ensure!(!fault.is_mended(on).await?, "it counts as mended before anything was done");
    for step in mend {
        match step {
            Step::Outside(_) => fault.mend_outside(on).await?,
            Step::Evenkeel(words) => {
                let printed = on.evenkeel(words).await?;
                ensure!(printed.is_answer, "{}: {}", shown(words), printed.text);
            }
        }
    }
    on.until("it is mended", MENDED_WITHIN, async |on| fault.is_mended(on).await).await
}
