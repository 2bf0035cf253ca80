//! The policy of the tests.

use std::time::Duration;

use crate::{
    dependency::{breaker::BreakerPolicy, call_timeout::CallTimes},
    failure::Class,
    policy::Policy,
};

/// A policy of small numbers. Tests name in full what they rely on, so no default moves under them.
pub const POLICY: Policy = Policy {
    dependency: "elsewhere",
    max_attempts: 4,
    max_deferrals: 3,
    backoff_base: Duration::from_secs(2),
    backoff_cap: Duration::from_secs(60),
    job_timeout: Duration::from_secs(5),
    rounds: 2,
    reserve: Duration::from_secs(3),
    concurrency: 4,
    settle_grouping: Duration::from_millis(250),
    dedup_window: Duration::from_secs(600),
    retryable: &[Class::Transient, Class::Anomaly, Class::Conflict],
    give_up_after: Duration::from_secs(3600),
    gone_after: None,
    breaker: BreakerPolicy {
        failures: 5,
        open_wait: Duration::from_secs(60),
        longest_wait: Duration::from_secs(240),
        probes: 2,
        successes: 3,
    },
    sheds_load: true,
    calls: CallTimes {
        shortest: Duration::from_millis(500),
        longest: Duration::from_secs(5),
        slow_after: Duration::from_secs(2),
    },
}
.checked();
