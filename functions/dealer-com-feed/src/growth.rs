//! Whether the number of new cars is plausible: a wrong feed must not create thousands of links.

use std::fmt;

use evenkeel::{
    base::hash::sha256_hex,
    failure::{Class, Failure},
};

use crate::payload::{CONFIRM_DIGITS, Feed};

/// Failure code of a read with too many new cars.
pub(crate) const ANOMALY: &str = "anomaly";

/// Most new cars of a dealer's first read.
const FIRST: u32 = 2_000;

/// How many new cars are always plausible, and what part of the known ones is.
const ALWAYS: u32 = 300;
const PART: u32 = 2;

/// Too many new cars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How many cars are new.
    pub new: u32,
    /// How many cars of the dealer were listed before; `None` at its first read.
    pub known: Option<u32>,
    /// How many new cars are plausible.
    pub most: u32,
    /// What has to be sent as `confirm` to let these cars through.
    pub confirm: String,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { new, known, most, confirm } = self;
        let known = known.map_or_else(|| "none".to_owned(), |known| known.to_string());
        write!(f, "{new} new cars beside {known} known ones, expected at most {most}; ")?;
        write!(f, "no job was created; to create them, send the feed with confirm {confirm}")
    }
}

impl From<Growth> for Failure {
    fn from(growth: Growth) -> Self {
        Self::new(Class::Permanent, ANOMALY, growth.to_string())
    }
}

/// Judges the number of new cars of a read. `new` are their VINs, sorted; `known` is the number of cars that were
/// listed before, `None` at a dealer's first read.
pub(crate) fn judge(feed: &Feed, new: &[&str], known: Option<u32>) -> Result<(), Growth> {
    let plausible = known.map_or(FIRST, |known| ALWAYS.max(known / PART));
    let most = feed.max_new.unwrap_or(plausible);
    let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
    if count <= most {
        return Ok(());
    }
    let confirm = sha256_hex(&[&feed.dealer_slug, "\n", &new.join("\n")]);
    let confirm = confirm[..CONFIRM_DIGITS].to_owned();
    if feed.confirm.as_ref() == Some(&confirm) {
        return Ok(());
    }
    Err(Growth { new: count, known, most, confirm })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed() -> Feed {
        serde_json::from_str(r#"{"dealer_slug": "acme", "site_url": "https://acme.example"}"#)
            .unwrap()
    }

    fn vins(count: usize) -> Vec<String> {
        (0..count).map(|n| format!("{n:017}")).collect()
    }

    fn judged(feed: &Feed, new: usize, known: Option<u32>) -> Result<(), Growth> {
        let new = vins(new);
        judge(feed, &new.iter().map(String::as_str).collect::<Vec<_>>(), known)
    }

    #[test]
    fn half_of_the_known_cars_may_be_new_and_always_three_hundred() {
        for (new, known, expected) in [
            (2_000, None, true),
            (2_001, None, false),
            (300, Some(0), true),
            (301, Some(0), false),
            (301, Some(600), false),
            (500, Some(1_000), true),
            (501, Some(1_000), false),
        ] {
            assert_eq!(judged(&feed(), new, known).is_ok(), expected, "{new} {known:?}");
        }
        let more = Feed { max_new: Some(10), ..feed() };
        assert!(judged(&more, 10, None).is_ok() && judged(&more, 11, Some(9_000)).is_err());
    }

    #[test]
    fn only_the_named_read_is_confirmed() {
        let growth = judged(&feed(), 301, Some(0)).unwrap_err();
        assert_eq!((growth.new, growth.known, growth.most), (301, Some(0), 300));
        let confirmed = Feed { confirm: Some(growth.confirm.clone()), ..feed() };
        assert!(judged(&confirmed, 301, Some(0)).is_ok());
        assert!(judged(&confirmed, 302, Some(0)).is_err(), "another read");
        let other = Feed { dealer_slug: "other".into(), ..confirmed };
        assert!(judged(&other, 301, Some(0)).is_err(), "another dealer");
        let said = Failure::from(growth.clone()).to_string();
        assert!(said.contains(&growth.confirm) && said.contains("expected at most 300"), "{said}");
    }
}
