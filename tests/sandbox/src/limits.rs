//! The rate limits of an account.

use std::collections::VecDeque;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600_000;

/// Two sliding windows, of a second and of an hour, over the admitted calls.
///
/// A sliding window is the stricter reading of "10 a second": no second, wherever it starts,
/// contains more. A refused call does not count, so a client that keeps retrying is admitted as
/// soon as the window has room. One sandbox is one account: all its keys share the limits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    let_through_ms: VecDeque<u64>,
}

impl Limits {
    /// Admits a call, or returns the time (epoch milliseconds) from which the next one is admitted.
    pub(crate) fn take(&mut self, now_ms: u64, per_second: u32, per_hour: u32) -> Result<(), u64> {
        while self.let_through_ms.front().is_some_and(|at| at + HOUR_MS <= now_ms) {
            self.let_through_ms.pop_front();
        }
        let second = self.room_at(now_ms, per_second, SECOND_MS);
        let hour = self.room_at(now_ms, per_hour, HOUR_MS);
        let room_at = second.max(hour);
        if room_at > now_ms {
            return Err(room_at);
        }
        self.let_through_ms.push_back(now_ms);
        Ok(())
    }

    /// When a window that allows `limit` calls has room: `now_ms` or later.
    fn room_at(&self, now_ms: u64, limit: u32, window_ms: u64) -> u64 {
        if limit == 0 {
            return now_ms + window_ms;
        }
        // The window is full while the call `limit` positions back is still inside it.
        let back = usize::try_from(limit).unwrap_or(usize::MAX);
        let place = self.let_through_ms.len().checked_sub(back);
        let leaves_at = place.and_then(|place| self.let_through_ms.get(place));
        leaves_at.map_or(now_ms, |at| (at + window_ms).max(now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_second_admits_more_calls_than_allowed() {
        let mut limits = Limits::default();
        assert_eq!(limits.take(1_000, 2, 100), Ok(()));
        assert_eq!(limits.take(1_900, 2, 100), Ok(()));
        assert_eq!(limits.take(1_999, 2, 100), Err(2_000));
        assert_eq!(limits.take(2_000, 2, 100), Ok(()));
        // A fixed window would have been reset at 2,000.
        assert_eq!(limits.take(2_001, 2, 100), Err(2_900));
    }

    #[test]
    fn the_hourly_limit_applies_as_well() {
        let mut limits = Limits::default();
        for second in 0..3 {
            assert_eq!(limits.take(second * 1_000, 10, 3), Ok(()));
        }
        assert_eq!(limits.take(4_000, 10, 3), Err(HOUR_MS));
        assert_eq!(limits.take(HOUR_MS, 10, 3), Ok(()));
    }

    #[test]
    fn refused_calls_use_no_quota_and_a_limit_of_zero_refuses_all() {
        let mut limits = Limits::default();
        assert_eq!(limits.take(0, 1, 100), Ok(()));
        for at in 1..1_000 {
            assert_eq!(limits.take(at, 1, 100), Err(1_000));
        }
        assert_eq!(limits.take(1_000, 1, 100), Ok(()));
        assert_eq!(limits.take(9_000, 0, 100), Err(10_000));
    }
}
