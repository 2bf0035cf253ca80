//! What one source of a page shows of cars: of the job's car everything, of others their VINs.

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

/// Most times that one source is heard on the job's car: a page repeats it two or three times.
const MAX_SIGHTINGS: usize = 8;

/// Most JSON values read of one source.
const MAX_BLOCKS: usize = 64;

/// Longest start of a block quoted in a report, in bytes.
const HEAD_BYTES: usize = 24;

/// The field that warnings about blocks name.
const BLOCK: &str = "block";

/// What one source shows.
#[derive(Debug)]
pub struct Sightings<'s> {
    from: Provenance,
    /// The job's VIN, in upper case.
    vin: &'s str,
    /// The page's address.
    base: &'s Url,
    /// Whether it names the job's VIN.
    names_ours: bool,
    /// What it says of the car of that VIN.
    ours: Vec<Sighting>,
    /// What it says of cars whose VIN it does not name: two at most, to see that there are several.
    unnamed: Vec<Sighting>,
    /// The VINs of other cars.
    others: Vec<String>,
    /// What was odd apart from any car.
    warnings: Vec<Warning>,
    blocks: usize,
}

/// A car in one place of a page.
#[derive(Debug)]
struct Sighting {
    details: Details,
    warnings: Vec<Warning>,
}

impl<'s> Sightings<'s> {
    /// None yet, of the source `from`, on a page at `base` that should show the car `vin`, which
    /// is in upper case.
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

    /// The source.
    #[must_use]
    pub fn source(&self) -> Provenance {
        self.from
    }

    /// Whether the source names the job's VIN.
    #[must_use]
    pub fn names_ours(&self) -> bool {
        self.names_ours
    }

    /// The other VINs that the source names.
    #[must_use]
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// Notes a VIN.
    pub(crate) fn name(&mut self, vin: String) {
        if vin == self.vin {
            self.names_ours = true;
        } else if self.others.len() < MAX_OTHER_VINS && !self.others.contains(&vin) {
            self.others.push(vin);
        }
    }

    /// Notes a car, and reads what the source says of it if it may be the job's.
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
        // Pages repeat whole blocks; twice the same says nothing more, and is one car.
        if list.iter().all(|sighting| sighting.details != details) {
            list.push(Sighting { details, warnings: reader.into_warnings() });
        }
    }

    /// The JSON value of an isolated block, repaired where it needs to be. What is beyond repair or
    /// one too many is noted.
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

    /// The elements of an array, or the value itself; those too many are noted.
    pub(crate) fn elements<'v>(&mut self, value: &'v Value) -> &'v [Value] {
        let elements = value::elements(Some(value));
        if value.as_array().is_some_and(|all| all.len() > elements.len()) {
            self.skipped("elements");
        }
        elements
    }

    /// Notes a repair.
    pub(crate) fn repaired(&mut self, repair: Repair) {
        self.warn(Code::Repaired, BLOCK, repair.name());
    }

    /// Notes a block that cannot be read.
    pub(crate) fn bad_block(&mut self, block: &str) {
        self.warn(Code::BadBlock, BLOCK, &block[..block.floor_char_boundary(HEAD_BYTES)]);
    }

    /// Notes that there is more than will be read.
    pub(crate) fn skipped(&mut self, what: &'static str) {
        self.warn(Code::Skipped, what, "too many");
    }

    fn warn(&mut self, code: Code, field: &'static str, value: &str) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(Warning::new(code, self.from, field, value));
        }
    }

    /// What the source says of the job's car, and what was odd in it.
    ///
    /// A car without a VIN is taken for the job's if it is the only car there: whose page it is was
    /// asked before.
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
    fn the_car_of_the_job_is_told_from_others() {
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
    fn what_is_kept_is_bounded() {
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
