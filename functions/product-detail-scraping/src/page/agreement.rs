//! Decides whether the values of two sources agree. Each field of the record names the comparison
//! that fits it.

use super::vocabulary::{Mileage, Unit};

/// For fields whose wording always differs between sources, such as titles.
pub(super) fn always<T>(_: &T, _: &T) -> bool {
    true
}

pub(super) fn equal<T: PartialEq>(one: &T, other: &T) -> bool {
    one == other
}

/// Whether one name contains the other, ignoring case, spaces and punctuation: "Silver" agrees with
/// "Lunar Silver Metallic".
pub(super) fn similar<T: AsRef<str>>(one: &T, other: &T) -> bool {
    let letters = |text: &T| -> String {
        let letters = text.as_ref().chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let (one, other) = (letters(one), letters(other));
    one.contains(&other) || other.contains(&one)
}

/// Whether two amounts differ by at most 1 %, as by rounding or a small fee.
pub(super) fn close<T: Copy + Into<u64>>(one: &T, other: &T) -> bool {
    let (one, other): (u64, u64) = ((*one).into(), (*other).into());
    one.abs_diff(other) <= one.max(other) / 100
}

/// Whether two odometer readings differ by at most 1 % or by the length of a test drive. One without a unit may be in
/// that of the other.
pub(super) fn same_distance(one: &Mileage, other: &Mileage) -> bool {
    // Ten miles.
    const TEST_DRIVE_METRES: u64 = 16_093;
    let metres = |mileage: &Mileage, others: Unit| {
        let unit = if mileage.unit == Unit::Unstated { others } else { mileage.unit };
        let metres_a_unit = if unit == Unit::Kilometres { 1_000 } else { 1_609 };
        u64::from(mileage.value) * metres_a_unit
    };
    let (one, other) = (metres(one, other.unit), metres(other, one.unit));
    close(&one, &other) || one.abs_diff(other) <= TEST_DRIVE_METRES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_agree_despite_different_spelling() {
        let agree = |one: &str, other: &str| similar(&one, &other);
        assert!(agree("Lunar Silver Metallic", "SILVER"));
        assert!(agree("F-150", "F150"));
        assert!(agree("4WD", "4wd"));
        assert!(!agree("Silver", "Blue"));
        assert!(!agree("EX", "LX"));
    }

    #[test]
    fn amounts_and_distances_agree_within_reason() {
        assert!(close(&10_000_u64, &10_100_u64));
        assert!(!close(&10_000_u64, &10_200_u64));
        let miles = |value| Mileage { value, unit: Unit::Miles };
        let kilometres = |value| Mileage { value, unit: Unit::Kilometres };
        assert!(same_distance(&miles(5), &miles(12)));
        assert!(!same_distance(&miles(5), &miles(16)));
        assert!(same_distance(&miles(50_000), &miles(50_400)));
        assert!(same_distance(&miles(50_000), &kilometres(80_467)));
        assert!(!same_distance(&miles(50_000), &kilometres(50_000)));
    }
}
