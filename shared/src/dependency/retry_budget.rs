//! The retry budget: the largest share of a dependency's calls that may be retries.

use crate::dependency::stats::Calls;

/// First attempts within five minutes that allow one retry, so that retries stay below 20 % of them
/// ("retry budget" of Finagle and of Google's "Site Reliability Engineering", chapter 21).
const FIRST_ATTEMPTS_A_RETRY: u64 = 5;

/// Retries that are always within the budget, because a share of few calls means little.
const FREE_RETRIES: u64 = 3;

/// Whether the retries of the fleet have used up what its first attempts allow. `recent` holds the
/// calls of the last five minutes.
#[must_use]
pub fn is_budget_spent(recent: &Calls) -> bool {
    recent.retries >= FREE_RETRIES.max(recent.first / FIRST_ATTEMPTS_A_RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_may_be_a_fifth_of_first_attempts() {
        let budget =
            |first, retries| is_budget_spent(&Calls { first, retries, ..Calls::default() });
        assert_eq!([budget(0, 2), budget(0, 3), budget(15, 3)], [false, true, true]);
        assert_eq!([budget(100, 19), budget(100, 20)], [false, true], "a fifth");
    }
}
