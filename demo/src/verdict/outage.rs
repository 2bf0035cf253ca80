//! Whether the incident has opened a breaker. Pure.

use crate::scene::record::Breaker;

/// Why the demo has shown no open breaker: that of the site which turns readers away must have opened for this reason.
/// One that an operator has forced meanwhile is no finding.
pub(crate) fn finding(dependency: &str, breaker: Option<&Breaker>) -> Option<String> {
    let Some(Breaker { state, why, .. }) = breaker else {
        return Some(format!("the breaker of {dependency} has never opened"));
    };
    let is_forced = state.starts_with("forced_");
    let is_as_planned = state == "open" && why.contains("bot_wall");
    (!is_forced && !is_as_planned)
        .then(|| format!("the breaker of {dependency} is {state}, not open for a bot wall: {why}"))
}

#[cfg(test)]
mod tests {
    use super::{Breaker, finding};

    fn found(state: &str, why: &str) -> Option<String> {
        let breaker = Breaker { state: state.into(), why: why.into(), retry_at: None };
        finding("page/a.example", Some(&breaker))
    }

    #[test]
    fn only_a_breaker_that_is_open_for_the_wall_or_forced_is_no_finding() {
        assert_eq!(found("open", "systemic (bot_wall): turned away"), None);
        assert_eq!(found("forced_closed", "the dealer knows us now"), None);
        let other = found("open", "10 of 12 calls failed").expect("another cause");
        assert!(other.contains("is open, not open for a bot wall: 10 of 12"), "{other}");
        assert!(found("closed", "3 probes worked").is_some());
        let never = finding("page/a.example", None).expect("no breaker");
        assert_eq!(never, "the breaker of page/a.example has never opened");
    }
}
