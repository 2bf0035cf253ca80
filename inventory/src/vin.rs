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

    /// Whether the VIN only fills the place of one, as for a car on order: it spells a word, or its check digit does not
    /// hold and it repeats a character or a group, or counts up. All characters alike are no VIN in any case.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        const WORDS: [&str; 9] = [
            "0N0RDER", "0RDER", "TRANS1T", "1NTRANS", "PEND1NG", "SAMPLE", "FACT0RY", "C0M1NG",
            "UNKN",
        ];
        // Letters that no VIN may have are written as digits.
        let bytes = self.0.as_bytes();
        let is_run = |run: &[u8]| run.iter().all(|c| *c == run[0]);
        let runs = |length: usize| bytes.windows(length).any(is_run);
        // A low serial number begins with zeros.
        let runs_oddly = || runs(8) || bytes.windows(6).any(|run| run[0] != b'0' && is_run(run));
        let repeats = |group: usize| {
            bytes.windows(group * 3).any(|window| {
                let mut groups = window.chunks(group);
                let first = groups.next();
                groups.all(|next| Some(next) == first)
            })
        };
        let counts_up = || self.0.contains("123456789") || self.0.contains("ABCDEFGH");
        let spells = || WORDS.iter().any(|word| self.0.contains(word));
        let is_odd = || runs_oddly() || repeats(3) || repeats(4) || counts_up();
        runs(LENGTH) || spells() || !self.check_digit_holds() && is_odd()
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
    fn vins_of_cars_on_order_are_recognised() {
        let is_placeholder = |vin: &str| Vin::parse(vin).unwrap().is_placeholder();
        for vin in [
            "3333330N0RDER3858",
            "0N0RDER3333333857",
            "11111111111111111",
            "00000000000000000",
            "1HGABCABCABC04352",
            "12345678901234567",
            "XXXXXXXX0XXXXXX12",
            "1NTRANS1T00004352",
        ] {
            assert!(is_placeholder(vin), "{vin}");
        }
        for vin in
            ["1HGCM82633A004352", "1M8GDM9AXKP042788", "WVWZZZ1JZXW000001", "1FADP5AU6DL536022"]
        {
            assert!(!is_placeholder(vin), "{vin}");
        }
    }

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
