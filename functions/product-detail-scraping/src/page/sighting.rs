//! The cars that one source of a page mentions: all details of the job's car, only the VINs of
//! others.

use serde_json::Value;
use url::Url;

use super::{
    quality::{Code, MAX_OTHER_VINS, MAX_WARNINGS, Warning},
    reader::Reader,
    record::Details,
    repair::{self, Repair},
    value,
    vocabulary::Provenance,
};

/// Most sightings of the job's car kept of one source. Real pages repeat the car two or three
/// times.
const MAX_SIGHTINGS: usize = 8;

/// Most JSON blocks parsed of one source.
const MAX_BLOCKS: usize = 64;

/// Bytes quoted in a report from the start of a bad block.
const HEAD_BYTES: usize = 24;

/// The field name in warnings about a block.
const BLOCK: &str = "block";

/// The cars that one source mentions.
#[derive(Debug)]
pub struct Sightings<'s> {
    from: Provenance,
    /// The job's VIN, in upper case.
    vin: &'s str,
    /// The page's address.
    base: &'s Url,
    /// Whether the source names the job's VIN.
    names_ours: bool,
    /// The sightings of the job's car.
    ours: Vec<Sighting>,
    /// The sightings of cars without a VIN. Two are enough to know that there are several.
    unnamed: Vec<Sighting>,
    /// The VINs of other cars.
    others: Vec<String>,
    /// The warnings that belong to no single car.
    warnings: Vec<Warning>,
    /// The number of JSON blocks so far.
    blocks: usize,
}

/// The details of a car in one place of a page.
#[derive(Debug)]
struct Sighting {
    details: Details,
    warnings: Vec<Warning>,
}

impl<'s> Sightings<'s> {
    /// No sightings yet in the source `from` of the page at `base`, which should describe the car
    /// `vin`. The VIN must be in upper case.
    #[must_use]
    pub fn new(from: Provenance, vin: &'s str, base: &'s Url) -> Self {
        Self {
            from,
            vin,
            base,
            names_ours: false,
            ours: Vec::new(),
            unnamed: Vec::new(),
            others: Vec::new(),
            warnings: Vec::new(),
            blocks: 0,
        }
    }

    /// The source that these sightings come from.
    #[must_use]
    pub fn source(&self) -> Provenance {
        self.from
    }

    /// Whether the source names the job's VIN.
    #[must_use]
    pub fn names_ours(&self) -> bool {
        self.names_ours
    }

    /// The VINs of other cars that the source names, without duplicates.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Records that the source names a VIN.
    pub(crate) fn name(&mut self, vin: String) {
        if vin == self.vin {
            self.names_ours = true;
        } else if self.others.len() < MAX_OTHER_VINS && !self.others.contains(&vin) {
            self.others.push(vin);
        }
    }

    /// Records a car, and reads its details if it may be the job's car.
    pub(crate) fn see(
        &mut self,
        vin: Option<String>,
        read: impl FnOnce(&mut Reader<'_>) -> Details,
    ) {
        let (list, most) = match vin {
            Some(vin) => {
                let is_ours = vin == self.vin;
                self.name(vin);
                if !is_ours {
                    return;
                }
                (&mut self.ours, MAX_SIGHTINGS)
            }
            None => (&mut self.unnamed, 2),
        };
        if list.len() == most {
            return;
        }
        let mut reader = Reader::new(self.from, self.base);
        let details = read(&mut reader);
        // Pages repeat whole blocks. Equal details are the same car and add nothing.
        if list.iter().all(|sighting| sighting.details != details) {
            list.push(Sighting { details, warnings: reader.into_warnings() });
        }
    }

    /// Parses an isolated JSON block, after repairs if needed. A block that cannot be repaired or
    /// exceeds [`MAX_BLOCKS`] gives a warning and `None`.
    pub(crate) fn parse(&mut self, block: &str) -> Option<Value> {
        self.blocks += 1;
        if self.blocks > MAX_BLOCKS {
            if self.blocks == MAX_BLOCKS + 1 {
                self.warn(Code::Skipped, BLOCK, "too many");
            }
            return None;
        }
        let Ok((value, repairs)) = repair::parse(block) else {
            self.bad_block(block);
            return None;
        };
        for repair in repairs {
            self.repaired(repair);
        }
        Some(value)
    }

    /// The elements of an array, or the value itself. Elements beyond the limit give a warning.
    pub(crate) fn elements<'v>(&mut self, value: &'v Value) -> &'v [Value] {
        let elements = value::elements(Some(value));
        if value.as_array().is_some_and(|all| all.len() > elements.len()) {
            self.skipped("elements");
        }
        elements
    }

    /// Warns about a repaired block.
    pub(crate) fn repaired(&mut self, repair: Repair) {
        self.warn(Code::Repaired, BLOCK, repair.name());
    }

    /// Warns about a block that cannot be parsed.
    pub(crate) fn bad_block(&mut self, block: &str) {
        self.warn(Code::BadBlock, BLOCK, &block[..block.floor_char_boundary(HEAD_BYTES)]);
    }

    /// Warns that content beyond a limit was not read.
    pub(crate) fn skipped(&mut self, what: &'static str) {
        self.warn(Code::Skipped, what, "too many");
    }

    fn warn(&mut self, code: Code, field: &'static str, value: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning::new(code, self.from, field, value));
        }
    }

    /// The details of the job's car, and all warnings.
    ///
    /// If the source does not describe the job's VIN, a car without a VIN counts as the job's car,
    /// provided that the source mentions no other. The caller has already confirmed that the page
    /// is about the job's car.
    pub(crate) fn chosen(self) -> (Vec<Details>, Vec<Warning>) {
        let mut warnings = self.warnings;
        let is_named = !self.ours.is_empty();
        let is_alone = self.others.is_empty() && self.unnamed.len() == 1;
        if !is_named && !is_alone && !self.unnamed.is_empty() {
            warnings.push(Warning::new(Code::Ambiguous, self.from, "vin", "cars without a VIN"));
        }
        let chosen = match (is_named, is_alone) {
            (true, _) => self.ours,
            (false, true) => self.unnamed,
            (false, false) => Vec::new(),
        };
        let mut details = Vec::with_capacity(chosen.len());
        for sighting in chosen {
            details.push(sighting.details);
            warnings.extend(sighting.warnings);
        }
        (details, warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "1HGCM82633A004352";
    const OTHER: &str = "1M8GDM9AXKP042788";

    fn base() -> Url {
        "https://www.dealer.example/used/1.htm".parse().unwrap()
    }

    fn year(year: u16) -> Details {
        Details { year: Some(year), ..Details::default() }
    }

    fn years(cars: &[(Option<&str>, u16)]) -> (Vec<u16>, usize) {
        let base = base();
        let mut seen = Sightings::new(Provenance::JsonLd, OURS, &base);
        for (vin, number) in cars {
            seen.see(vin.map(str::to_owned), |_| year(*number));
        }
        let (details, warnings) = seen.chosen();
        (details.iter().filter_map(|details| details.year).collect(), warnings.len())
    }

    #[test]
    fn the_jobs_car_is_distinguished_from_others() {
        type Case<'a> = (&'a [(Option<&'a str>, u16)], &'a [u16], usize);
        let cases: &[Case<'_>] = &[
            (&[], &[], 0),
            (&[(Some(OURS), 2003), (Some(OTHER), 1989)], &[2003], 0),
            (&[(Some(OTHER), 1989)], &[], 0),
            (&[(Some(OURS), 2003), (Some(OURS), 2004)], &[2003, 2004], 0),
            (&[(Some(OURS), 2003), (None, 2005)], &[2003], 0),
            (&[(None, 2005)], &[2005], 0),
            (&[(None, 2005), (None, 2005)], &[2005], 0),
            (&[(None, 2005), (None, 2006)], &[], 1),
            (&[(None, 2005), (Some(OTHER), 1989)], &[], 1),
        ];
        for (cars, expected, warnings) in cases {
            assert_eq!(years(cars), (expected.to_vec(), *warnings), "{cars:?}");
        }
    }

    #[test]
    fn the_number_of_sightings_is_bounded() {
        let base = base();
        let mut seen = Sightings::new(Provenance::JsonLd, OURS, &base);
        for number in 0..1_000_u16 {
            seen.see(Some(OURS.into()), |_| year(number));
            seen.see(None, |_| year(number));
            seen.name(format!("{number:017}"));
            assert_eq!(seen.parse("[]").is_some(), usize::from(number) < MAX_BLOCKS);
            seen.bad_block("é".repeat(40).as_str());
        }
        assert_eq!((seen.ours.len(), seen.unnamed.len()), (MAX_SIGHTINGS, 2));
        assert_eq!((seen.others.len(), seen.warnings.len()), (MAX_OTHER_VINS, MAX_WARNINGS));
    }
}
