//! How the sandbox answers when no fault strikes.

use serde::{Deserialize, Serialize};

/// Everything that can be set, with its current value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The API keys that are accepted. With an empty list every call is refused.
    pub api_keys: Vec<String>,
    /// The form of a conflict's body.
    pub conflict_shape: ConflictShape,
    /// How long after its creation a link is missing from every GET, in milliseconds.
    pub read_lag_ms: u64,
    /// Calls allowed in any second. 0 refuses all.
    pub rate_per_second: u32,
    /// Calls allowed in any hour. 0 refuses all.
    pub rate_per_hour: u32,
    /// How a 429 tells the client when to retry.
    pub retry_after: RetryAfter,
    /// How long every call takes, in milliseconds.
    pub latency_ms: u64,
    /// The most links that the account may own; no limit if null. Links of other workspaces and
    /// deleted links do not count.
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
    /// Applies the fields that are set, and keeps the rest.
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
        // `None` means "unchanged", so a limit can be raised but not removed.
        self.plan_limit = change.plan_limit.or(self.plan_limit);
    }
}

/// A change of [`Settings`]. Fields left out stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "Settings documents the fields of the same names")]
pub struct SettingsChange {
    pub api_keys: Option<Vec<String>>,
    pub conflict_shape: Option<ConflictShape>,
    pub read_lag_ms: Option<u64>,
    pub rate_per_second: Option<u32>,
    pub rate_per_hour: Option<u32>,
    pub retry_after: Option<RetryAfter>,
    pub latency_ms: Option<u64>,
    pub plan_limit: Option<u64>,
}

/// The form of a conflict's body. The real service has been observed to send both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictShape {
    /// `AlreadyExists` inside the errors of an `InvalidFormat`.
    #[default]
    Nested,
    /// `AlreadyExists` at the top.
    Flat,
    /// Both in turn, nested first.
    Alternate,
}

/// How a 429 tells the client when to retry. It is not known which form the vendor uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// The answer has no such header.
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
    fn enums_are_parsed_as_documented() {
        let json = r#"{"conflict_shape":"alternate","retry_after":"x_ratelimit_reset"}"#;
        let change: SettingsChange = serde_json::from_str(json).unwrap();
        assert_eq!(change.conflict_shape, Some(ConflictShape::Alternate));
        assert_eq!(change.retry_after, Some(RetryAfter::XRatelimitReset));
    }
}
