//! The display while the demo runs: on a terminal two lines that are redrawn, elsewhere a line
//! every few seconds.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use sandbox::CallCounts;
use sandbox::rebrandly::CreatedBy;

use crate::scene::Snapshot;

/// Time between two lines where they cannot be redrawn.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Moves the cursor two lines up and erases them.
const ERASE: &str = "\x1b[2F\x1b[J";

/// The lines that show how far the replay is.
#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    to_send: usize,
    /// Whether the two lines are on the terminal.
    drawn: bool,
    /// When the latest line was printed.
    printed: Option<Duration>,
}

impl Progress {
    /// An empty display; `to_send` messages will be sent.
    pub(crate) fn start(to_send: usize) -> Self {
        Self { terminal: stdout().is_terminal(), to_send, drawn: false, printed: None }
    }

    /// Prints a line that is not redrawn.
    pub(crate) fn tell(&mut self, elapsed: Duration, news: &str) {
        self.erase();
        println!("{} {news}", time(elapsed));
    }

    /// Redraws the display.
    pub(crate) fn show(&mut self, elapsed: Duration, sent: usize, now: &Snapshot) {
        let due = self.printed.is_none_or(|printed| elapsed >= printed + LINE_EVERY);
        if !self.terminal && !due {
            return;
        }
        self.erase();
        let standing = standing(sent, self.to_send, now);
        let calls = format!("{}; dealer sites {}", answers(&now.calls), visits(&now.calls));
        if self.terminal {
            println!("{} {standing}\n        {calls}", time(elapsed));
            // If the terminal is gone, nobody misses the display.
            let _ = stdout().flush();
            self.drawn = true;
        } else {
            println!("{} {standing}; {calls}", time(elapsed));
            self.printed = Some(elapsed);
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.drawn) {
            print!("{ERASE}");
        }
    }
}

fn time(elapsed: Duration) -> String {
    format!("{:6.1} s", elapsed.as_secs_f64())
}

/// Counts all jobs, including those that feeds have enqueued.
fn standing(sent: usize, to_send: usize, now: &Snapshot) -> String {
    let (kept, jobs): (Vec<_>, Vec<_>) =
        now.records.iter().partition(|record| record.is_rejected_message());
    let done = jobs.iter().filter(|record| record.is_terminal()).count();
    let waiting = jobs.iter().filter(|record| record.is_waiting()).count();
    let links = now.links.iter().filter(|link| link.created_by == CreatedBy::Api).count();
    format!(
        "sent {sent}/{to_send}, jobs {}, done {done}, waiting {waiting}, rejected {}, links \
         {links}",
        jobs.len(),
        kept.len()
    )
}

/// The calls of the link shortener, by method and status. A call without a status got no answer.
pub(crate) fn answers(calls: &CallCounts) -> String {
    let mut text = format!("{} calls", calls.total);
    for row in &calls.rows {
        let status = status(row.status);
        // Writing into a text does not fail.
        let _ = write!(text, ", {} {status}: {}", row.method, row.count);
    }
    text
}

/// The calls of all dealer sites together, by status.
pub(crate) fn visits(calls: &CallCounts) -> String {
    let mut counts: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for row in &calls.sites {
        *counts.entry(row.status).or_default() += row.count;
    }
    let mut text = format!("{} calls", counts.values().sum::<u64>());
    for (answer, count) in counts {
        // Writing into a text does not fail.
        let _ = write!(text, ", {}: {count}", status(answer));
    }
    text
}

fn status(status: Option<u16>) -> String {
    status.map_or_else(|| "-".to_owned(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use sandbox::dealers::Endpoint;
    use sandbox::{CallCount, CallCounts, SiteCount};

    use super::{answers, visits};

    #[test]
    fn calls_are_shown_by_answer() {
        let site = |site: &str, status, count| SiteCount {
            site: site.to_owned(),
            endpoint: Endpoint::Widget,
            status,
            count,
        };
        let calls = CallCounts {
            total: 3,
            rows: vec![CallCount { method: "POST".into(), status: None, count: 3 }],
            sites: vec![site("a", Some(200), 2), site("a", Some(500), 1), site("b", Some(200), 4)],
        };
        assert_eq!(answers(&calls), "3 calls, POST -: 3");
        assert_eq!(visits(&calls), "7 calls, 200: 6, 500: 1");
        assert_eq!(visits(&CallCounts::default()), "0 calls");
    }
}
