//! What is shown while the demo runs: on a terminal two lines that are drawn again and again,
//! elsewhere a line every few seconds.
#![expect(clippy::print_stdout, reason = "a command's answer")]

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _, stdout};
use std::time::Duration;

use sandbox::CallCounts;
use sandbox::rebrandly::CreatedBy;

use super::scene::Snapshot;

/// Time between two lines where nothing can be drawn again.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// To the beginning of the block of two lines, and away with it.
const ERASE: &str = "\x1b[2F\x1b[J";

/// The display.
#[derive(Debug)]
pub(super) struct Progress {
    terminal: bool,
    to_send: usize,
    /// Whether a block stands on the terminal.
    drawn: bool,
    /// When the latest line was printed.
    printed: Option<Duration>,
}

impl Progress {
    /// A display of nothing yet, where so many messages are to be sent.
    pub(super) fn start(to_send: usize) -> Self {
        Self { terminal: stdout().is_terminal(), to_send, drawn: false, printed: None }
    }

    /// Says something that stays.
    pub(super) fn tell(&mut self, elapsed: Duration, news: &str) {
        self.erase();
        println!("{} {news}", time(elapsed));
    }

    /// Shows how things stand.
    pub(super) fn show(&mut self, elapsed: Duration, sent: usize, now: &Snapshot) {
        let due = self.printed.is_none_or(|printed| elapsed >= printed + LINE_EVERY);
        if !self.terminal && !due {
            return;
        }
        self.erase();
        let (standing, calls) = (standing(sent, self.to_send, now), answers(&now.calls));
        if self.terminal {
            println!("{} {standing}\n        {calls}", time(elapsed));
            // A terminal that cannot be written to has nobody before it.
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

fn standing(sent: usize, to_send: usize, now: &Snapshot) -> String {
    let (kept, jobs): (Vec<_>, Vec<_>) =
        now.records.iter().partition(|record| record.is_kept_body());
    let done = jobs.iter().filter(|record| record.is_terminal()).count();
    let waiting = jobs.iter().filter(|record| record.is_waiting()).count();
    let links = now.links.iter().filter(|link| link.created_by == CreatedBy::Api).count();
    format!(
        "sent {sent}/{to_send}, done {done}, waiting {waiting}, quarantined {}, links {links}",
        kept.len()
    )
}

/// The calls of the service by method and answer; a call without one is unanswered.
pub(super) fn answers(calls: &CallCounts) -> String {
    let mut text = format!("{} calls", calls.total);
    for row in &calls.rows {
        let status = row.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        // Writing into a text does not fail.
        let _ = write!(text, ", {} {status}: {}", row.method, row.count);
    }
    text
}
