//! The set of VINs that a read has seen.

use std::collections::BTreeSet;

use inventory::vin::{LENGTH, Vin};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A set of VINs. It is stored as one text without separators, 17 bytes per VIN.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vins(BTreeSet<String>);

impl Vins {
    /// Adds a VIN; returns whether it was new.
    pub fn insert(&mut self, vin: &Vin) -> bool {
        // Checked first, so that a known VIN is not copied. On a repeated page most VINs are known.
        !self.contains(vin.as_str()) && self.0.insert(vin.as_str().to_owned())
    }

    /// Whether `vin`, in upper case, is in the set.
    #[must_use]
    pub fn contains(&self, vin: &str) -> bool {
        self.0.contains(vin)
    }

    /// All VINs, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The number of VINs.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl Serialize for Vins {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(String::as_str).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Vins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let vins: Result<BTreeSet<String>, String> =
            text.as_bytes().chunks(LENGTH).map(read).collect();
        vins.map(Self).map_err(de::Error::custom)
    }
}

fn read(vin: &[u8]) -> Result<String, String> {
    let vin = std::str::from_utf8(vin).map_err(|error| error.to_string())?;
    Ok(Vin::parse(vin)?.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_that_is_not_a_list_of_vins_is_refused() {
        let short = "\"1HGCM82633A00435\"";
        let long = "\"1HGCM82633A004352X\"";
        for text in [short, long, "\"IIIIIIIIIIIIIIIII\"", "7"] {
            assert!(serde_json::from_str::<Vins>(text).is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Vins>("\"\"").unwrap(), Vins::default());
    }

    proptest! {
        #[test]
        fn a_set_round_trips_through_json(
            vins in proptest::collection::vec("[A-HJ-NPR-Z0-9]{17}", 0..20),
        ) {
            let mut set = Vins::default();
            for vin in &vins {
                let known = set.contains(vin);
                prop_assert_eq!(set.insert(&Vin::parse(vin).unwrap()), !known);
            }
            let text = serde_json::to_string(&set).unwrap();
            prop_assert_eq!(text.len(), 2 + LENGTH * usize::try_from(set.count()).unwrap());
            prop_assert_eq!(serde_json::from_str::<Vins>(&text).unwrap(), set);
        }
    }
}
