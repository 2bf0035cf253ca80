//! The item of a quota in the control table, beside the limiter's: encoding and decoding side by side.
//!
//! Attribute names are part of the format that operators read and write (docs/records.md).

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    change::Change,
    control_item::key,
    item::{Attribute, Item, Reader, ms, n, s},
};
use crate::dependency::quota::Usage;

/// How long a month's usage is kept after its beginning: longer than the month. An item that went earlier would let
/// the fleet begin to count anew.
const RETENTION: Duration = Duration::from_hours(62 * 24);

/// The key of a quota's item: in the partition of the limiter.
pub(super) fn quota_key(limiter: &str, what: &str) -> Vec<Attribute> {
    key(format!("limiter#{limiter}"), format!("quota#{what}"))
}

pub(super) fn encode_quota(limiter: &str, what: &str, usage: &Usage) -> Change {
    let mut attributes = vec![
        ("month", ms(usage.month)),
        ("used", n(usage.used)),
        ("token", s(&usage.token)),
        ("expires_at", n((usage.month + RETENTION).as_secs_ceil())),
    ];
    attributes.extend(usage.warned.then_some(("warned", AttributeValue::Bool(true))));
    Change::new(quota_key(limiter, what), attributes, &["warned"])
}

pub(super) fn decode_quota(item: &Item) -> Result<Usage, String> {
    let reader = Reader(item);
    Ok(Usage {
        month: reader.time("month")?,
        used: reader.count("used")?,
        warned: reader.has("warned"),
        // An operator who corrects the number need not set it.
        token: if reader.has("token") { reader.text("token")? } else { String::new() },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::control_item::seen, *};
    use crate::{base::time::Time, ports::Seen};

    proptest! {
        #[test]
        fn every_usage_round_trips_through_its_item(
            month in (0..1_u64 << 45).prop_map(Time::from_millis),
            used in any::<u32>(),
            warned in any::<bool>(),
            token in "[0-9a-f]{0,32}",
        ) {
            let value = Usage { month, used, warned, token };
            let item = crate::aws::item::owned(encode_quota("elsewhere", "creations", &value).item());
            prop_assert_eq!(seen(Some(&item), decode_quota), Ok(Seen { value, revision: 0 }));
        }
    }
}
