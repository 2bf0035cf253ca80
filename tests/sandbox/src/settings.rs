//! What the sandbox answers when nothing goes wrong.

use serde::{Deserialize, Serialize};

/// Everything that can be set, with its present value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Keys that are let in. None at all locks everybody out.
    pub api_keys: Vec<String>,
    /// The body of a conflict.
    pub conflict_shape: ConflictShape,
    /// How long after it was made a link stays out of every GET, in milliseconds.
    pub read_lag_ms: u64,
    /// Calls allowed in any second. 0 refuses all.
    pub rate_per_second: u32,
    /// Calls allowed in any hour. 0 refuses all.
    pub rate_per_hour: u32,
    /// How a 429 says when to come back.
    pub retry_after: RetryAfter,
    /// How long every call takes, in milliseconds.
    pub latency_ms: u64,
    /// The most links the account may own. Links of other workspaces and deleted ones are not
    /// counted.
    pub plan_limit: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_keys: vec!["local-key".to_owned()],
            conflict_shape: ConflictShape::default(),
            read_lag_ms: 0,
            rate_per_second: 10,
            rate_per_hour: 20_000,
            retry_after: RetryAfter::default(),
            latency_ms: 0,
            plan_limit: None,
        }
    }
}

impl Settings {
    /// Takes over what the change names and keeps the rest.
    pub fn merge(&mut self, change: SettingsChange) {
        fn set<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        set(&mut self.api_keys, change.api_keys);
        set(&mut self.conflict_shape, change.conflict_shape);
        set(&mut self.read_lag_ms, change.read_lag_ms);
        set(&mut self.rate_per_second, change.rate_per_second);
        set(&mut self.rate_per_hour, change.rate_per_hour);
        set(&mut self.retry_after, change.retry_after);
        set(&mut self.latency_ms, change.latency_ms);
        // A plan's limit can be raised out of the way, not lifted: null means "as it is".
        self.plan_limit = change.plan_limit.or(self.plan_limit);
    }
}

/// A change of [`Settings`]: what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::api_keys`].
    pub api_keys: Option<Vec<String>>,
    /// See [`Settings::conflict_shape`].
    pub conflict_shape: Option<ConflictShape>,
    /// See [`Settings::read_lag_ms`].
    pub read_lag_ms: Option<u64>,
    /// See [`Settings::rate_per_second`].
    pub rate_per_second: Option<u32>,
    /// See [`Settings::rate_per_hour`].
    pub rate_per_hour: Option<u32>,
    /// See [`Settings::retry_after`].
    pub retry_after: Option<RetryAfter>,
    /// See [`Settings::latency_ms`].
    pub latency_ms: Option<u64>,
    /// See [`Settings::plan_limit`].
    pub plan_limit: Option<u64>,
}

/// The two bodies of a conflict that have been seen in the wild.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictShape {
    /// `AlreadyExists` inside the errors of an `InvalidFormat`.
    #[default]
    Nested,
    /// `AlreadyExists` at the top.
    Flat,
    /// The two in turn, nested first.
    Alternate,
}

/// How a 429 says when to come back. Which one the vendor uses is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Not at all.
    None,
    /// `Retry-After` in whole seconds, rounded up.
    #[default]
    Seconds,
    /// `Retry-After` as an HTTP date, rounded up to the second.
    HttpDate,
    /// `X-RateLimit-Reset` in epoch seconds, rounded up.
    XRatelimitReset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_only_what_it_names() {
        let mut settings = Settings { plan_limit: Some(3), ..Settings::default() };
        settings.merge(SettingsChange { read_lag_ms: Some(9), ..SettingsChange::default() });
        let expected = Settings { read_lag_ms: 9, plan_limit: Some(3), ..Settings::default() };
        assert_eq!(settings, expected);
    }

    #[test]
    fn enums_read_as_documented() {
        let json = r#"{"conflict_shape":"alternate","retry_after":"x_ratelimit_reset"}"#;
        let change: SettingsChange = serde_json::from_str(json).unwrap();
        assert_eq!(change.conflict_shape, Some(ConflictShape::Alternate));
        assert_eq!(change.retry_after, Some(RetryAfter::XRatelimitReset));
    }
}
