//! The retry budget: which share of a dependency's calls may be retries.

use crate::dependency::stats::Calls;

/// First attempts of five minutes that allow one retry: retries stay under 20 % of them ("retry
/// budget" of Finagle and of Google's "Site Reliability Engineering", chapter 21).
const FIRST_ATTEMPTS_A_RETRY: u64 = 5;

/// Retries that are always within the budget: a quiet queue has no share to speak of.
const FREE_RETRIES: u64 = 3;

/// Whether the fleet's retries of the last minutes have used up what its first attempts allow.
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
