//! Invented cars, with valid VINs and realistic addresses.

use super::chance::Chance;

/// A car on a dealer's site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Car {
    pub(crate) dealer_slug: String,
    pub(crate) vin: String,
    /// The address of its page.
    pub(crate) destination: String,
    /// The title that a page would show.
    pub(crate) title: String,
}

/// Dealers: slug and host. The top-level domain is reserved, so no address leads anywhere.
const DEALERS: [(&str, &str); 8] = [
    ("lakeside-toyota", "www.lakesidetoyota.example"),
    ("harbor-honda", "www.harborhonda.example"),
    ("granite-state-ford", "www.granitestateford.example"),
    ("cedar-valley-chevrolet", "www.cedarvalleychevrolet.example"),
    ("blue-ridge-subaru", "www.blueridgesubaru.example"),
    ("mesa-hyundai", "www.mesahyundai.example"),
    ("riverbend-nissan", "www.riverbendnissan.example"),
    ("old-mill-motors", "www.oldmillmotors.example"),
];

/// Models: make, model, and the first eight characters of their VINs.
const MODELS: [(&str, &str, &str); 8] = [
    ("Toyota", "Camry", "4T1G11AK"),
    ("Honda", "Civic", "2HGFE2F5"),
    ("Ford", "F-150", "1FTFW1E5"),
    ("Chevrolet", "Silverado-1500", "1GCPYBEK"),
    ("Subaru", "Outback", "4S4BTAFC"),
    ("Hyundai", "Tucson", "KM8JBCAE"),
    ("Nissan", "Rogue", "5N1BT3BA"),
    ("Jeep", "Grand-Cherokee", "1C4RJHBG"),
];

/// Model years, and their letters at position 10 of a VIN.
const YEARS: [(u16, char); 8] = [
    (2018, 'J'),
    (2019, 'K'),
    (2020, 'L'),
    (2021, 'M'),
    (2022, 'N'),
    (2023, 'P'),
    (2024, 'R'),
    (2025, 'S'),
];

/// Letters of assembly plants, at position 11 of a VIN.
const PLANTS: [char; 8] = ['A', 'C', 'E', 'F', 'K', 'R', 'U', '0'];

impl Car {
    /// A random car with this serial number. Cars with different serial numbers are different.
    pub(crate) fn draw(chance: &mut Chance, serial: u32) -> Self {
        let (dealer_slug, host) = chance.pick(&DEALERS);
        let (make, model, first) = chance.pick(&MODELS);
        let (year, letter) = chance.pick(&YEARS);
        let plant = chance.pick(&PLANTS);
        let vin = with_check_digit(&format!("{first}0{letter}{plant}{serial:06}"));
        let lot = if *year == 2025 { "new" } else { "used" };
        let stock = chance.bits();
        let destination =
            format!("https://{host}/{lot}/{make}/{year}-{make}-{model}-{stock:016x}.htm");
        let title = format!("{year} {make} {}", model.replace('-', " "));
        Self { dealer_slug: (*dealer_slug).to_owned(), vin, destination, title }
    }

    /// The first candidate for the slashtag, which is the only one that the old system tried.
    pub(crate) fn first_slashtag(&self) -> String {
        self.slashtag(6)
    }

    /// The second candidate for the slashtag.
    pub(crate) fn second_slashtag(&self) -> String {
        self.slashtag(8)
    }

    fn slashtag(&self, last: usize) -> String {
        let start = self.vin.len().saturating_sub(last);
        let tail = self.vin.get(start..).unwrap_or_default().to_ascii_lowercase();
        format!("{}-{tail}", self.dealer_slug)
    }
}

/// The VIN with the right character at position 9 (49 CFR 565.15(c)).
fn with_check_digit(vin: &str) -> String {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum: u32 = vin.chars().zip(WEIGHTS).map(|(c, weight)| value(c) * weight).sum();
    let digit = char::from_digit(sum % 11, 10).unwrap_or('X');
    vin.char_indices().map(|(place, c)| if place == 8 { digit } else { c }).collect()
}

/// The transliteration of 49 CFR 565.15(c), Table III.
fn value(c: char) -> u32 {
    let since = |first: char| u32::from(c) - u32::from(first);
    match c {
        'A'..='H' => since('A') + 1,
        'J'..='N' => since('J') + 1,
        'P' => 7,
        'R' => 9,
        'S'..='Z' => since('S') + 2,
        digit => digit.to_digit(10).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Car, with_check_digit};
    use crate::incident::chance::Chance;

    #[test]
    fn check_digits_are_those_of_known_vins() {
        for vin in ["1M8GDM9AXKP042788", "1HGCM82633A004352", "11111111111111111"] {
            let without = format!("{}0{}", &vin[..8], &vin[9..]);
            assert_eq!(with_check_digit(&without), vin);
        }
    }

    #[test]
    fn slashtags_fit_into_what_the_service_takes() {
        let mut chance = Chance::of(1);
        for serial in 0..200 {
            let car = Car::draw(&mut chance, serial);
            assert_eq!(car.vin.len(), 17);
            assert!(!car.vin.contains(['I', 'O', 'Q']), "{}", car.vin);
            assert!(car.second_slashtag().len() <= 40, "{}", car.second_slashtag());
            assert!(car.first_slashtag().ends_with(&format!("-{serial:06}")));
        }
    }
}
