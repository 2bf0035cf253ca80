//! Vehicle identification numbers (ISO 3779, 49 CFR 565).

use std::fmt;

/// Characters in a VIN since 1981.
pub const LENGTH: usize = 17;

/// A VIN: 17 characters of A-Z and 0-9 without I, O and Q.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vin(String);

impl Vin {
    /// Parses a VIN after trimming white space and converting to upper case.
    ///
    /// The error says what was expected. A wrong check digit is not an error, because cars from
    /// outside North America need not have one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let vin = text.trim().to_ascii_uppercase();
        let length = vin.chars().count();
        if length != LENGTH {
            return Err(format!("{length} characters, expected {LENGTH}"));
        }
        match vin.chars().find(|&c| value(c).is_none()) {
            Some(odd) => {
                Err(format!("{odd:?} is not allowed, expected A-Z and 0-9 without I, O, Q"))
            }
            None => Ok(Self(vin)),
        }
    }

    /// The 17 characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last `count` characters, or all 17 if `count` is larger.
    #[must_use]
    pub fn last(&self, count: usize) -> &str {
        // A VIN is ASCII by construction, so each byte is one character.
        &self.0[LENGTH.saturating_sub(count)..]
    }

    /// Whether position 9 holds the check digit of the other positions (49 CFR 565.15(c)): the
    /// weighted sum of their values modulo 11, where 10 is written X.
    #[must_use]
    pub fn check_digit_holds(&self) -> bool {
        const WEIGHTS: [u32; LENGTH] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
        let sum: u32 = self.0.chars().zip(WEIGHTS).map(|(c, w)| value(c).unwrap_or(0) * w).sum();
        let digit = match sum % 11 {
            10 => 'X',
            digit => char::from_digit(digit, 10).unwrap_or('?'),
        };
        self.0.chars().nth(8) == Some(digit)
    }
}

/// A character's value by 49 CFR 565.15(c), Table III; `None` if no VIN may contain it.
fn value(c: char) -> Option<u32> {
    match c {
        '0'..='9' => c.to_digit(10),
        'A'..='H' => Some(u32::from(c) - u32::from('A') + 1),
        'J'..='N' => Some(u32::from(c) - u32::from('J') + 1),
        'P' => Some(7),
        'R' => Some(9),
        'S'..='Z' => Some(u32::from(c) - u32::from('S') + 2),
        _ => None,
    }
}

impl fmt::Display for Vin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_digit_is_verified() {
        let pass = [
            "1M8GDM9AXKP042788",
            "1G4AH59H45G118341",
            "1HGCM82633A004352",
            "1FADP5AU6DL536022",
            "11111111111111111",
        ];
        for vin in pass {
            assert!(Vin::parse(vin).unwrap().check_digit_holds(), "{vin}");
        }
        assert!(!Vin::parse("5FNRL6H78NB068914").unwrap().check_digit_holds());
    }

    #[test]
    fn errors_say_what_was_expected() {
        let cases = [
            ("1HGCM82633A00435", "16 characters, expected 17"),
            ("", "0 characters, expected 17"),
            ("1HGCM82633A00435O", "'O' is not allowed, expected A-Z and 0-9 without I, O, Q"),
            ("1HGCM82633A00435é", "'é' is not allowed, expected A-Z and 0-9 without I, O, Q"),
        ];
        for (text, expected) in cases {
            assert_eq!(Vin::parse(text), Err(expected.into()));
        }
    }

    #[test]
    fn last_returns_at_most_the_whole_vin() {
        let vin = Vin::parse(" 1hgcm82633a004352 ").unwrap();
        assert_eq!(vin.last(6), "004352");
        assert_eq!(vin.last(40), "1HGCM82633A004352");
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,40}") {
            if let Ok(vin) = Vin::parse(&text) {
                prop_assert_eq!(vin.last(LENGTH), vin.as_str());
                let _ = vin.check_digit_holds();
            }
        }
    }
}
