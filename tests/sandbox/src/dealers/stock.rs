//! Generates the cars of a site from its seed. They are the same on every run.

use super::car::{Car, Condition};
use super::draws::Draws;
use super::model::{EXTERIOR_COLORS, INTERIOR_COLORS, MODELS, OPTION_CODES};
use super::settings::SiteSettings;
use super::vin::vin;
use crate::chance;

/// The newest model year. The age of a car is relative to it and not to the current date, so that
/// cars do not change over time.
const NEWEST_YEAR: u16 = 2026;

/// The number of possible serial numbers, which have six digits.
const SERIALS: u32 = 1_000_000;

/// The id that calls to the newer inventory endpoint must give. It cannot be guessed from the slug.
pub(super) fn site_id(slug: &str, seed: u64) -> String {
    format!("{}{:04}", slug.replace('-', ""), chance::draw(seed, slug, 0) % 10_000)
}

/// The car with this number of a site. It depends only on the slug, the seed, the number, and the
/// settings for wrong check digits and rooftops. A stock can therefore grow without changing its
/// cars.
///
/// Of ten consecutive cars five are new, three used and two certified.
pub(super) fn car(slug: &str, settings: &SiteSettings, number: u32) -> Car {
    let key = format!("{slug} {number}");
    let mut draws = Draws::new(settings.seed, &key);
    let model = draws.pick(&MODELS);
    let condition = match number % 10 {
        0..5 => Condition::New,
        5..8 => Condition::Used,
        _ => Condition::Certified,
    };
    let years: &[u16] = match condition {
        Condition::New => &[2025, NEWEST_YEAR],
        Condition::Used => &[2015, 2016, 2017, 2018, 2019, 2020, 2021, 2022],
        Condition::Certified => &[2022, 2023, 2024],
    };
    let year = *draws.pick(years);
    let grade = draws.below(3);
    let msrp = model.msrp + 3_250 * grade + 95 * draws.below(20);
    let age = u32::from(NEWEST_YEAR - year);
    let (price, odometer) = match condition {
        Condition::New => (msrp - 500 - 250 * draws.below(6), 4 + draws.below(60)),
        Condition::Used | Condition::Certified => {
            let percent = 95_u32.saturating_sub(6 * age).max(30);
            (msrp / 100 * percent, 9_000 * age + draws.below(4_000))
        }
    };
    let uuid = format!("{:016x}{:016x}", draws.bits(), draws.bits());
    let file = dashed(&format!("{year} {} {} {uuid}", model.make, model.name));
    let trim = model.trims.get(usize::try_from(grade).unwrap_or_default()).copied();
    let rooftop = number % settings.rooftops.max(1);
    let serial = serial(slug, settings, number);
    let wrong_digit = number < settings.wrong_check_digits;
    Car {
        vin: vin(&mut draws, model.maker, year, serial, wrong_digit),
        year,
        make: model.make.to_owned(),
        model: model.name.to_owned(),
        trim: trim.unwrap_or_default().to_owned(),
        condition,
        stock_number: format!("{}{:05}", condition.folder()[..1].to_uppercase(), number + 1),
        body_style: model.body_style.to_owned(),
        fuel_type: model.fuel_type.to_owned(),
        engine: model.engine.to_owned(),
        drive_line: model.drive_line.to_owned(),
        exterior_color: (*draws.pick(&EXTERIOR_COLORS)).to_owned(),
        interior_color: (*draws.pick(&INTERIOR_COLORS)).to_owned(),
        option_codes: vec![(*draws.pick(&OPTION_CODES)).to_owned(), "STD".to_owned()],
        odometer,
        msrp,
        price,
        account_id: format!("{}{}", slug.replace('-', ""), rooftop + 1),
        inventory_date: format!("{:02}/{:02}/2025", 1 + draws.below(7), 1 + draws.below(28)),
        path: format!("{}/{}/{file}.htm", condition.folder(), dashed(model.make)),
        uuid,
    }
}

/// The words of a text, joined with dashes as in the path of a URL.
fn dashed(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// The serial number of a car, unique among up to a million cars of a site.
fn serial(slug: &str, settings: &SiteSettings, number: u32) -> u32 {
    let first = chance::draw(settings.seed, slug, 1) % u64::from(SERIALS);
    (u32::try_from(first).unwrap_or_default() + number % SERIALS) % SERIALS
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn cars_are_all_different() {
        let settings = SiteSettings::default();
        let cars: Vec<Car> = (0..2_000).map(|number| car("lakeside", &settings, number)).collect();
        let different = |key: fn(&Car) -> &String| cars.iter().map(key).collect::<HashSet<_>>();
        let keys: [fn(&Car) -> &String; 3] =
            [|car| &car.vin, |car| &car.path, |car| &car.stock_number];
        for key in keys {
            assert_eq!(different(key).len(), cars.len());
        }
    }

    #[test]
    fn the_configured_number_of_cars_have_a_wrong_check_digit_and_no_other_difference() {
        let right = SiteSettings::default();
        let wrong = SiteSettings { wrong_check_digits: 10, ..right.clone() };
        for number in 0..20 {
            let [right, wrong] = [&right, &wrong].map(|settings| car("lakeside", settings, number));
            assert_eq!(right == wrong, number >= 10, "{}", wrong.vin);
            assert_eq!((&right.vin[..8], &right.vin[9..]), (&wrong.vin[..8], &wrong.vin[9..]));
            assert_eq!(Car { vin: right.vin.clone(), ..wrong }, right);
        }
    }

    #[test]
    fn a_car_is_the_same_on_every_run() {
        let settings = SiteSettings::default();
        let first = car("lakeside", &settings, 0);
        assert_eq!(first, car("lakeside", &SiteSettings { cars: 9, ..settings.clone() }, 0));
        assert_ne!(first.vin, car("harbor", &settings, 0).vin);
        assert_ne!(first.vin, car("lakeside", &SiteSettings { seed: 2, ..settings }, 0).vin);
    }

    #[test]
    fn prices_make_sense_and_addresses_are_plain() {
        let settings = SiteSettings { rooftops: 3, ..SiteSettings::default() };
        let cars: Vec<Car> = (0..300).map(|number| car("lake-side", &settings, number)).collect();
        for car in &cars {
            assert!((1_000..car.msrp).contains(&car.price), "{car:?}");
            assert!(car.monthly_payment() < car.price / 5, "{car:?}");
            let fine = |c: char| c.is_ascii_alphanumeric() || "-/.".contains(c);
            assert!(car.path.chars().all(fine), "{}", car.path);
        }
        let rooftops: HashSet<&str> = cars.iter().map(|car| car.account_id.as_str()).collect();
        assert_eq!(rooftops, HashSet::from(["lakeside1", "lakeside2", "lakeside3"]));
    }
}
