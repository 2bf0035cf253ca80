//! Generates VINs of cars that do not exist.

use super::draws::Draws;

/// The letters of the model years from 2010 on, at position 10 of a VIN.
const YEAR_LETTERS: &str = "ABCDEFGHJKLMNPRSTVWXY";
const FIRST_LETTERED_YEAR: u16 = 2010;

/// The characters that a VIN may contain.
const VIN_CHARACTERS: &[u8; 33] = b"ABCDEFGHJKLMNPRSTUVWXYZ0123456789";

/// The weights of the positions of a VIN (49 CFR 565.15(c)).
const VIN_WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/// Codes of plants, at position 11.
const PLANTS: [char; 5] = ['A', 'F', 'K', 'R', '0'];

/// A VIN with these parts; the remaining characters are drawn.
pub(super) fn vin(
    draws: &mut Draws<'_>,
    maker: &str,
    year: u16,
    serial: u32,
    wrong_digit: bool,
) -> String {
    let descriptor: String = (0..5).map(|_| char::from(*draws.pick(VIN_CHARACTERS))).collect();
    let letter = usize::from(year.saturating_sub(FIRST_LETTERED_YEAR));
    let letter = YEAR_LETTERS.chars().nth(letter).unwrap_or('A');
    let plant = *draws.pick(&PLANTS);
    let tail = format!("{letter}{plant}{serial:06}");
    // The check digit's own weight is zero, so any character may stand in its place.
    let digit = check_digit(&format!("{maker}{descriptor}0{tail}"), wrong_digit);
    format!("{maker}{descriptor}{digit}{tail}")
}

/// The check digit: the weighted sum of the characters' values modulo 11, where 10 is X (49 CFR
/// 565.15(c)). If `wrong`, the digit after it.
fn check_digit(vin: &str, wrong: bool) -> char {
    let sum: u32 = vin.chars().zip(VIN_WEIGHTS).map(|(c, weight)| value(c) * weight).sum();
    char::from_digit((sum + u32::from(wrong)) % 11, 10).unwrap_or('X')
}

/// The numeric value of a character. Not shared with the code under test, so that tests can find
/// errors in that.
fn value(c: char) -> u32 {
    match c {
        '0'..='9' => c.to_digit(10).unwrap_or_default(),
        'A' | 'J' => 1,
        'B' | 'K' | 'S' => 2,
        'C' | 'L' | 'T' => 3,
        'D' | 'M' | 'U' => 4,
        'E' | 'N' | 'V' => 5,
        'F' | 'W' => 6,
        'G' | 'P' | 'X' => 7,
        'H' | 'Y' => 8,
        'R' | 'Z' => 9,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether position 9 has the check digit of the other positions.
    fn holds(vin: &str) -> bool {
        vin.chars().nth(8) == Some(check_digit(vin, false))
    }

    #[test]
    fn check_digits_of_known_vins_are_computed() {
        for vin in ["1M8GDM9AXKP042788", "1G4AH59H45G118341", "1HGCM82633A004352"] {
            assert!(holds(vin), "{vin}");
        }
        assert!(!holds("5FNRL6H78NB068914"));
    }

    #[test]
    fn a_vin_is_well_formed_and_its_check_digit_right_or_wrong_as_configured() {
        let mut draws = Draws::new(1, "lakeside");
        for serial in 0..1_000 {
            let wrong = serial % 2 == 0;
            let vin =
                vin(&mut draws, "1FT", 2015 + u16::try_from(serial % 12).unwrap(), serial, wrong);
            assert_eq!(vin.len(), 17, "{vin}");
            assert!(!vin.contains(['I', 'O', 'Q']), "{vin}");
            assert!(!"UZ0".contains(&vin[9..10]), "{vin}");
            assert_eq!(holds(&vin), !wrong, "{vin}");
        }
    }
}
