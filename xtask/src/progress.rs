//! Progress lines of long work.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// Waits for `work`. Meanwhile prints every 15 s what `standing` says then, and the time so far.
pub(crate) async fn shown<T>(standing: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut ticks = interval_at(began + LINE_EVERY, LINE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = ticks.tick() => println!("{}, {}", standing(), in_words(began.elapsed())),
        }
    }
}

/// A time in minutes and seconds.
pub(crate) fn in_words(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::{in_words, shown};

    #[test]
    fn a_time_is_told_in_minutes_and_seconds() {
        assert_eq!(in_words(Duration::from_millis(9_900)), "9 s");
        assert_eq!(in_words(Duration::from_secs(130)), "2 min 10 s");
        assert_eq!(in_words(Duration::from_secs(3_600)), "60 min 0 s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_is_printed_every_fifteen_seconds() {
        let lines = Cell::new(0);
        let standing = || {
            lines.set(lines.get() + 1);
            "working".to_owned()
        };
        let work = async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            "done"
        };
        assert_eq!(shown(standing, work).await, "done");
        assert_eq!(lines.get(), 3);
    }
}
